"""What deliveries go to: a receiver that keeps what it gets; and a relay that makes its attempts at once."""

from __future__ import annotations

import json
import socket
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

from rules_service.store import outbox


class Receiver:
    """Listens on a free port while the `with` block lasts, and answers with `status`."""

    def __init__(self) -> None:
        self.status = 200
        self.got: list[dict[str, Any]] = []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                receiver.got.append(json.loads(self.rfile.read(int(self.headers["Content-Length"])) or b"null"))
                self.send_response(receiver.status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            do_PATCH = do_PUT = do_POST  # noqa: N815  the library looks for these names

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self.address = f"127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@contextmanager
def silence():
    """The address of somebody who takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"127.0.0.1:{server.getsockname()[1]}"


class _AtOnce:
    def submit(self, work, *arguments):
        work(*arguments)

    def shutdown(self, *, wait):
        pass


def at_once(scene):
    """The scene's relay, whose attempts are over when `run_once` returns."""
    scene.worker.relay._pool.shutdown()
    scene.worker.relay._pool = _AtOnce()
    return scene.worker.relay


def variables(scene, **named):
    """Sets what `${VAR}` stands for in the scene, beside what is set."""
    worker = scene.worker
    known = {**worker.relay._variables, **named}
    worker.events.shared.variables = worker.connecting._variables = worker.relay._variables = known
    worker.events.shared._receivers.clear()


def deliveries(scene, endpoint):
    """What was made for an endpoint, in order."""
    with scene.store.connection():
        found = outbox.deliveries(scene.store, state=None, after=0, limit=500)
    return [row for row in found if row["endpoint"] == endpoint]
