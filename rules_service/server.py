"""The API under gunicorn: its GIL watchdog, and requests in flight finished before it stops."""

from __future__ import annotations

from typing import Any

from gunicorn.app.base import BaseApplication

from rules_service.memory import keep_one_heap
from rules_service.settings import Settings

#: Seconds without a sign of life (as when C code holds the interpreter) after which a process is replaced.
WATCHDOG_S = 30

#: Seconds that requests in flight get when the server stops.
GRACE_S = 20


class Server(BaseApplication):
    """gunicorn, embedded; one application a process, made after the fork."""

    def __init__(self, settings: Settings) -> None:
        """Starts nothing before `run`."""
        self.settings = settings
        super().__init__()

    def load_config(self) -> None:
        """Gunicorn's settings."""
        settings = self.settings
        host = f"[{settings.host}]" if ":" in settings.host else settings.host
        options: dict[str, Any] = {
            "bind": f"{host}:{settings.port}",
            "workers": settings.processes,
            "threads": settings.threads,
            "worker_class": "gthread",
            "timeout": WATCHDOG_S,
            "graceful_timeout": GRACE_S,
            "keepalive": 5,
            "accesslog": None,
            "loglevel": "warning",
            "control_socket_disable": True,
            # Networks and connections belong to the process that uses them.
            "preload_app": False,
            "worker_exit": _worker_exit,
        }
        for name, value in options.items():
            self.cfg.set(name, value)

    def load(self) -> Any:
        """The application of this process."""
        from rules_service.api.app import compose, create_app  # noqa: PLC0415  after the fork

        keep_one_heap()
        services = compose(self.settings)
        services.live.start()
        return create_app(services)


def _worker_exit(server: Any, worker: Any) -> None:
    """Closes what the process held."""
    del server
    app = getattr(worker, "wsgi", None)
    if app is not None:
        app.extensions["rules_service"].store.close()
