"""A receiver of webhooks that keeps what it gets, and can be slow or broken on demand."""

import json
import queue
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self


class Receiver:
    """Listens on a free port of 127.0.0.1 while the `with` block lasts."""

    def __init__(self) -> None:
        #: seconds before each answer
        self.delay_s = 0.0
        #: HTTP status of each answer
        self.status = 202
        self._payloads: queue.Queue[dict[str, Any]] = queue.Queue()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver._payloads.put(json.loads(body))
                time.sleep(receiver.delay_s)
                self.send_response(receiver.status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the name is the library's
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self.url = f"http://127.0.0.1:{self._server.server_port}/webhook"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Close the port, so that later webhooks are refused; may be called twice."""
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join()
        self._server.server_close()

    def one(self, *, within_s: float = 10) -> dict[str, Any]:
        """The oldest payload not yet taken; waits for it, then raises `queue.Empty`."""
        return self._payloads.get(timeout=within_s)

    def taken(self) -> bool:
        """Whether every payload received so far has been taken with `one`."""
        return self._payloads.empty()
