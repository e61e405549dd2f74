"""The YAML language server, as an editor runs it: installed once into the cache, spoken to over its standard streams."""

from __future__ import annotations

import json
import os
import queue
import shutil
import subprocess
import threading
from pathlib import Path
from typing import Any

VERSION = "1.19.2"

CACHE = Path(__file__).parents[2] / ".cache" / f"yaml-language-server-{VERSION}"

#: Seconds that an answer of the server may take, on a machine that does other things too.
PATIENCE_S = 60


class Missing(Exception):
    """There is no server here, and why."""


#: Without the network npm tries for many minutes.
INSTALL_WITHIN_S = 120


def installed() -> Path:
    """The server's program; Missing, in one sentence, where it cannot be had."""
    program = CACHE / "node_modules/yaml-language-server/bin/yaml-language-server"
    if program.exists():
        return program
    npm = shutil.which("npm")
    if npm is None or shutil.which("node") is None:
        raise Missing("npm and node are not on this machine; install Node.js 20 to drive the YAML language server")
    CACHE.mkdir(parents=True, exist_ok=True)
    command = [npm, "install", "--silent", "--no-audit", "--no-fund", "--prefix", str(CACHE)]
    command.append(f"yaml-language-server@{VERSION}")
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=INSTALL_WITHIN_S)
    except subprocess.TimeoutExpired:
        raise Missing(f"npm did not install yaml-language-server {VERSION} within {INSTALL_WITHIN_S} s") from None
    if done.returncode or not program.exists():
        raise Missing(f"npm could not install yaml-language-server {VERSION}: {(done.stderr or done.stdout)[-300:]}")
    return program


class LanguageServer:
    """One running server and the files that are open in it."""

    def __init__(self, program: Path, folder: Path) -> None:
        node = shutil.which("node")
        assert node is not None
        self.folder = folder
        self._process = subprocess.Popen(
            [node, str(program), "--stdio"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "NODE_NO_WARNINGS": "1"},
        )
        self._answers: dict[int, queue.Queue[Any]] = {}
        self._said: dict[str, queue.Queue[Any]] = {}
        self._number = 0
        threading.Thread(target=self._listen, daemon=True).start()
        capabilities = {
            "workspace": {"configuration": True},
            "textDocument": {"completion": {"completionItem": {"snippetSupport": True}}, "publishDiagnostics": {}},
        }
        root = {"processId": os.getpid(), "rootUri": folder.as_uri(), "capabilities": capabilities}
        self.ask("initialize", {**root, "workspaceFolders": [{"uri": folder.as_uri(), "name": "rules"}]})
        self.tell("initialized", {})

    def close(self) -> None:
        """Ends the server."""
        self._process.terminate()
        self._process.wait(PATIENCE_S)
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                stream.close()

    def open(self, name: str, text: str) -> str:
        """Opens a file that need not be on disk; returns its address."""
        uri = (self.folder / name).as_uri()
        document = {"uri": uri, "languageId": "yaml", "version": 1, "text": text}
        self.tell("textDocument/didOpen", {"textDocument": document})
        return uri

    def diagnostics(self, uri: str) -> list[dict[str, Any]]:
        """What the server marks as wrong in a file."""
        found: list[dict[str, Any]] = self._waiting(uri).get(timeout=PATIENCE_S)
        return found

    def complete(self, uri: str, line: int, character: int) -> dict[str, dict[str, Any]]:
        """What it offers at a place, both counted from 0, by label."""
        at = {"textDocument": {"uri": uri}, "position": {"line": line, "character": character}}
        answer = self.ask("textDocument/completion", at)
        items = answer["items"] if isinstance(answer, dict) else answer
        return {item["label"]: item for item in items}

    def ask(self, method: str, parameters: Any) -> Any:
        """A request; returns its result."""
        self._number += 1
        waiting = self._answers[self._number] = queue.Queue()
        self._send({"id": self._number, "method": method, "params": parameters})
        return waiting.get(timeout=PATIENCE_S)

    def tell(self, method: str, parameters: Any) -> None:
        """A notification."""
        self._send({"method": method, "params": parameters})

    def _waiting(self, uri: str) -> queue.Queue[Any]:
        return self._said.setdefault(uri, queue.Queue())

    def _send(self, message: dict[str, Any]) -> None:
        body = json.dumps({"jsonrpc": "2.0", **message}).encode()
        assert self._process.stdin is not None
        self._process.stdin.write(b"Content-Length: %d\r\n\r\n%b" % (len(body), body))
        self._process.stdin.flush()

    def _listen(self) -> None:
        stream = self._process.stdout
        assert stream is not None
        while True:
            try:
                length = 0
                while (line := stream.readline()).strip():
                    name, _, value = line.partition(b":")
                    if name.lower() == b"content-length":
                        length = int(value)
                if not line:
                    return
                self._heard(json.loads(stream.read(length)))
            except ValueError:
                return  # the stream was closed

    def _heard(self, message: dict[str, Any]) -> None:
        method = message.get("method")
        if method is None:
            self._answers[message["id"]].put(message.get("result"))
        elif method == "textDocument/publishDiagnostics":
            self._waiting(message["params"]["uri"]).put(message["params"]["diagnostics"])
        elif "id" in message:
            asked = message["params"].get("items", []) if method == "workspace/configuration" else None
            self._send({"id": message["id"], "result": None if asked is None else [_setting(item) for item in asked]})


def _setting(item: dict[str, Any]) -> Any:
    """What an editor has in its settings: everything on, nothing from elsewhere."""
    if item.get("section") == "yaml":
        return {"validate": True, "completion": True, "hover": True, "schemaStore": {"enable": False}}
    return {}
