"""The real thing for tests: API and worker as processes that can be killed, and a receiver of webhooks."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self

from standardwebhooks import Webhook

SECRET = "whsec_c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0"


class Receiver:
    """Answers every webhook with 204 while the `with` block lasts, and keeps what came, in order."""

    def __init__(self) -> None:
        #: (webhook id, ticket, body) in the order of arrival.
        self.received: list[tuple[str, str, bytes]] = []
        self._keeping = threading.Lock()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                Webhook(SECRET).verify(body.decode(), dict(self.headers))
                ticket = json.loads(body)["data"]["ticket_id"]
                with receiver._keeping:
                    receiver.received.append((self.headers["webhook-id"], ticket, body))
                self.send_response(204)
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the name is the library's
                pass

        class Server(ThreadingHTTPServer):
            def handle_error(self, request: Any, client_address: Any) -> None:
                """A sender that was killed while it sent is what this is about."""

        self._server = Server(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self.url = f"http://127.0.0.1:{self._server.server_port}/hook"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class Process:
    """`rules-service NAME` in a session of its own, which is killed and started again as a whole."""

    def __init__(self, name: str, environment: dict[str, str], log: Path) -> None:
        self.name = name
        self.kills = 0
        self._environment = environment
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "rules_service.cli", self.name],
                env=self._environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def kill(self) -> None:
        """As a crash of the machine would end it."""
        assert self._process is not None
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self.kills += 1

    def stop(self) -> int:
        """As whoever updates it would; returns its exit status."""
        assert self._process is not None
        if self._process.poll() is None:
            self._process.terminate()
        try:
            return self._process.wait(30)
        except subprocess.TimeoutExpired:
            self.kill()
            raise


def environment(database: str, receiver: Receiver, port: int, **more: str) -> dict[str, str]:
    """The settings of both processes."""
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(filter(None, [str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH")])),
        "RULES_SERVICE_DATABASE": database,
        "RULES_SERVICE_PORT": str(port),
        "RULES_SERVICE_THREADS": "4",
        "RULES_SERVICE_POLL_MS": "20",
        "RULES_SERVICE_LOG": "warning",
        "HELPDESK_WEBHOOK_URL": receiver.url,
        "HELPDESK_WEBHOOK_SECRET": SECRET,
        **more,
    }


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Client:
    """Sends events until they are acknowledged, under the same id each time."""

    def __init__(self, port: int, key: str) -> None:
        self._url = f"http://127.0.0.1:{port}/v1/events"
        self._headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
        #: How often something had to be sent again.
        self.retries = 0
        self.duplicates = 0

    def send(self, events: list[dict[str, Any]], *, within_s: float = 120) -> None:
        """One event alone, several as a batch; returns when each is acknowledged."""
        body: dict[str, Any] = events[0] if len(events) == 1 else {"events": events}
        request = urllib.request.Request(self._url, json.dumps(body).encode(), self._headers)
        give_up_at = time.monotonic() + within_s
        while True:
            try:
                with urllib.request.urlopen(request, timeout=20) as response:
                    answer = json.loads(response.read())
                break
            except urllib.error.HTTPError as error:
                with error:
                    text = error.read().decode()
                # Whatever the service says by itself must be true: it may be away, it may not fail.
                raise AssertionError(f"{error.code}: {text}") from None
            except (OSError, ValueError, EOFError) as error:
                if time.monotonic() > give_up_at:
                    raise AssertionError(f"the API did not come back: {error}") from None
                self.retries += 1
                time.sleep(0.05)
            except Exception as error:
                if "IncompleteRead" not in repr(error) and "RemoteDisconnected" not in repr(error):
                    raise
                self.retries += 1
        answers = answer["answers"] if len(events) > 1 else [answer]
        assert len(answers) == len(events)
        for event, found in zip(events, answers, strict=True):
            assert "error" not in found, found
            assert found["decision_id"] == event["id"]
            self.duplicates += found["duplicate"]
