"""One database: SQLite or PostgreSQL, with the few places where they differ."""

from __future__ import annotations

import contextlib
import random
import sqlite3
import threading
import time
import weakref
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

import peewee as pw
from playhouse.db_url import connect
from playhouse.migrations import Runner

from rules_service.errors import NotReady
from rules_service.store import tables

S = TypeVar("S")
T = TypeVar("T")

#: Where the migrations lie.
MIGRATIONS = Path(__file__).parent / "migrations"

#: Longest wait for SQLite's one write lock, in seconds, and the time between two looks at it.
LOCK_WITHIN_S = 10
LOCK_EVERY_S = 0.0005

#: How often a transaction is tried again after losing to another one.
MAX_TRIES = 8

#: What losing to another transaction looks like: deadlock, serialisation, a row or lock that another one had first.
_LOST = ("deadlock", "could not serialize", "database is locked", "lock timeout", "unique", "duplicate key")

#: What is raised while the database cannot be reached or used, whatever is asked of it.
AWAY = (pw.OperationalError, pw.InterfaceError)


class PromptSqlite(pw.SqliteDatabase):
    """SQLite that looks for the write lock at short, even intervals.

    SQLite's own wait grows to 100 ms between two looks. A busy worker takes the lock again and again in between, so
    that one request in a hundred would wait for longer than that.
    """

    lock_every_s = LOCK_EVERY_S

    def begin(self, lock_type: str | None = None) -> None:
        """Begins a transaction; OperationalError when the lock is not free within LOCK_WITHIN_S."""
        cursor: Any = self.cursor()  # type: ignore[no-untyped-call]  # peewee
        cursor.execute("PRAGMA busy_timeout = 0")
        deadline = time.monotonic() + LOCK_WITHIN_S
        try:
            while True:
                try:
                    super().begin(lock_type)
                except pw.OperationalError as error:
                    if "locked" not in str(error) or time.monotonic() > deadline:
                        raise
                else:
                    return
                time.sleep(self.lock_every_s)
        finally:
            cursor.execute(f"PRAGMA busy_timeout = {LOCK_WITHIN_S * 1000}")


class Store:
    """A database and its connections, one per thread."""

    def __init__(self, url: str, *, max_connections: int = 20, lock_every_s: float = LOCK_EVERY_S) -> None:
        """`url` is sqlite:///PATH or postgresql://USER:PASSWORD@HOST:PORT/NAME.

        On SQLite, who looks for the lock more rarely gives way to the others: a worker to those who wait for an answer.
        """
        self.url = url
        self.is_postgres = url.startswith(("postgresql", "postgres"))
        if self.is_postgres:
            scheme, _, rest = url.partition("://")
            pooled = f"{scheme.removesuffix('+pool')}+pool://{rest}"
            self.database = connect(
                pooled, unquote_password=True, max_connections=max_connections, stale_timeout=300, timeout=10
            )
        else:
            pragmas = {"journal_mode": "wal", "synchronous": 1, "foreign_keys": 1}
            path = url.removeprefix("sqlite:///")
            self.database = PromptSqlite(path, lock_type="IMMEDIATE", timeout=LOCK_WITHIN_S, pragmas=pragmas)
            self.database.lock_every_s = lock_every_s
        self._anchor: sqlite3.Connection | None = None
        tables.database.initialize(self.database)
        self.kind = "PostgreSQL" if self.is_postgres else "SQLite"
        #: Appended to a SELECT that goes on to write the row.
        self.for_update = " FOR UPDATE" if self.is_postgres else ""
        self.skip_locked = " FOR UPDATE SKIP LOCKED" if self.is_postgres else ""
        self._tries = random.Random()  # noqa: S311  spreads retries, keeps no secret
        self._local = threading.local()

    def hold(self) -> None:
        """Keeps one connection open for as long as the process works; `close` ends it.

        The last connection that closes folds SQLite's journal into the database, which takes milliseconds. With one
        that stays, the short ones, one a request or pass, are never the last.
        """
        if not self.is_postgres and self._anchor is None:
            self._anchor = sqlite3.connect(self.url.removeprefix("sqlite:///"), check_same_thread=False)
            self._anchor.execute("SELECT COUNT(*) FROM sqlite_master").fetchone()
            # A store that is dropped without `close` lets go of it too.
            weakref.finalize(self, self._anchor.close)

    def skip_locked_of(self, alias: str) -> str:
        """As `skip_locked`, for the rows of one table of a query."""
        return f" FOR UPDATE OF {alias} SKIP LOCKED" if self.is_postgres else ""

    @contextlib.contextmanager
    def connection(self) -> Iterator[None]:
        """A connection of this thread for the block; one that is open already is used."""
        if not self.database.is_closed():
            yield
            return
        self.database.connect()
        try:
            yield
        finally:
            self.database.close()

    def sql(self, text: str, *parameters: Any) -> Any:
        """Runs one statement with `?` for parameters and returns its cursor."""
        if self.is_postgres:
            text = text.replace("?", "%s")
        return self.database.execute_sql(text, parameters)

    def rows(self, text: str, *parameters: Any) -> list[tuple[Any, ...]]:
        """All rows of a query."""
        found: list[tuple[Any, ...]] = self.sql(text, *parameters).fetchall()
        return found

    def row(self, text: str, *parameters: Any) -> tuple[Any, ...] | None:
        """The first row of a query, or None."""
        found: tuple[Any, ...] | None = self.sql(text, *parameters).fetchone()
        return found

    def many(self, text: str, parameters: Sequence[Sequence[Any]]) -> None:
        """Runs `INSERT ... VALUES (?, ...)` for every tuple of parameters, in one statement."""
        if not parameters:
            return
        head, _, values = text.partition(" VALUES ")
        self.sql(
            f"{head} VALUES {', '.join([values] * len(parameters))}", *(item for row in parameters for item in row)
        )

    def transact(self, work: Callable[[], T]) -> T:
        """Runs `work` in one transaction and returns its result; nothing of it stays if it raises.

        A transaction that lost to another one (deadlock, lock, a row that the other inserted first) is run again from
        the start, so `work` must have no effect outside the database.
        """
        for attempt in range(MAX_TRIES):
            try:
                with self.connection(), self.database.atomic():
                    return work()
            except (pw.OperationalError, pw.IntegrityError, pw.InternalError, Lost) as error:
                text = str(error).lower()
                if attempt == MAX_TRIES - 1 or not (isinstance(error, Lost) or any(word in text for word in _LOST)):
                    raise
                time.sleep(self._tries.uniform(0, 0.005 * 2**attempt))
        raise AssertionError("unreachable")

    def transact_each(self, items: Iterable[S], work: Callable[[S], T]) -> list[T]:
        """Runs `work` on each in a transaction of its own; returns what came of those that went well, in order.

        One that fails holds up no other; what the first of them raised is raised at the end. A database that is away
        ends it at once: the next would fare no better.
        """
        found: list[T] = []
        failures: list[Exception] = []
        for item in items:
            try:
                found.append(self.transact(lambda item=item: work(item)))  # type: ignore[misc]
            except AWAY:
                raise
            except Exception as error:  # noqa: BLE001  raised below
                failures.append(error)
        if failures:
            raise failures[0]
        return found

    def upgrade(self) -> list[str]:
        """Applies the migrations that are missing, under a lock; returns their names. NotReady without a database."""
        with self._reached():
            self.sql("SELECT 1")
        with self.database.connection_context():
            if self.is_postgres:
                self.sql("SELECT pg_advisory_lock(7201)")
            try:
                applied: list[str] = Runner(self.database, str(MIGRATIONS)).up()
                return applied
            finally:
                if self.is_postgres:
                    self.sql("SELECT pg_advisory_unlock(7201)")

    def pending_migrations(self) -> list[str]:
        """Names of the migrations that are not applied yet. NotReady without a database."""
        with self._reached():
            found = Runner(self.database, str(MIGRATIONS)).status()
        return [migration.name for migration in found if migration.applied is None]

    @contextlib.contextmanager
    def _reached(self) -> Iterator[None]:
        """As `connection`; NotReady where the database cannot be used."""
        try:
            with self.connection():
                yield
        except pw.DatabaseError as error:
            raise NotReady(f"the database cannot be opened: {' '.join(str(error).split())}") from None

    def check_ready(self) -> None:
        """NotReady, with what to do, when the database is missing or old."""
        pending = self.pending_migrations()
        if pending:
            raise NotReady(f"the database lacks {', '.join(pending)}; run `rules-service db upgrade`")

    def close(self) -> None:
        """Closes every connection of the process."""
        if self._anchor is not None:
            self._anchor.close()
            self._anchor = None
        if self.is_postgres:
            self.database.close_all()
        elif not self.database.is_closed():
            self.database.close()


class Lost(Exception):
    """Another transaction changed what this one had read."""
