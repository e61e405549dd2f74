"""`rules-service doctor`: everything that the service needs, looked at one by one."""

from __future__ import annotations

import datetime as dt
import importlib
import sqlite3
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from rules_service.clock import utc_now
from rules_service.errors import ServiceError
from rules_service.ruleset import read_folder, unset_variables
from rules_service.service.health import ENABLE
from rules_service.settings import Settings
from rules_service.store import Store, outbox


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One check."""

    name: str
    ok: bool
    detail: str
    #: Whether the service cannot work without it.
    needed: bool = True


def examine(settings: Settings) -> list[Finding]:
    """The findings, in a fixed order; no check can fail but by its finding."""
    return [
        finding
        for check in (_python, _engine, _libraries, _zones, _database, _rules, _clock)
        for finding in check(settings)
    ]


def _python(settings: Settings) -> Iterator[Finding]:
    del settings
    version = ".".join(map(str, sys.version_info[:3]))
    yield Finding(name="Python", ok=sys.version_info >= (3, 11), detail=f"{version}; 3.11 or newer is needed")


def _engine(settings: Settings) -> Iterator[Finding]:
    del settings
    try:
        importlib.import_module("durable_rules_engine")
    except ImportError as error:
        yield Finding(
            name="rule engine",
            ok=False,
            needed=False,
            detail=f"{error}; rules are matched without it, slower. Install again with "
            "CPPFLAGS=-DPyEval_CallObject=PyObject_CallObject and pip's --no-cache-dir",
        )
    else:
        yield Finding(name="rule engine", ok=True, detail="durable-rules can be used")


def _libraries(settings: Settings) -> Iterator[Finding]:
    wanted = [("re2", "google-re2")]
    if settings.database.startswith("postgres"):
        wanted.append(("psycopg", "the extra `postgres`"))
    for module, package in wanted:
        try:
            importlib.import_module(module)
        except ImportError:
            yield Finding(name=module, ok=False, detail=f"missing; install {package}")
        else:
            yield Finding(name=module, ok=True, detail="installed")
    yield Finding(
        name="SQLite",
        ok=sqlite3.sqlite_version_info >= (3, 35),
        detail=f"{sqlite3.sqlite_version}; 3.35 or newer is needed",
        needed=settings.database.startswith("sqlite"),
    )


def _zones(settings: Settings) -> Iterator[Finding]:
    del settings
    try:
        ZoneInfo("Asia/Jakarta")
    except ZoneInfoNotFoundError:
        yield Finding(name="time zones", ok=False, detail="no time zone data; install tzdata")
    else:
        yield Finding(name="time zones", ok=True, detail="known")


def _database(settings: Settings) -> Iterator[Finding]:
    kind = settings.database.split(":", 1)[0]
    try:
        store = Store(settings.database)
        try:
            store.check_ready()
            store.transact(lambda: store.sql("DELETE FROM process WHERE id = 'doctor'"))
            with store.connection():
                disabled = outbox.disabled(store)
        finally:
            store.close()
    except Exception as error:  # noqa: BLE001  whatever it is, it is the finding
        detail = error.detail if isinstance(error, ServiceError) else str(error)
        yield Finding(name="database", ok=False, detail=f"{kind}: {detail}")
    else:
        yield Finding(name="database", ok=True, detail=f"{kind}: writable, up to date")
        for found in disabled:
            detail = f"{found}; {ENABLE.format(found.endpoint)}"
            yield Finding(name=f"endpoint {found.endpoint}", ok=False, needed=False, detail=detail)


def _rules(settings: Settings) -> Iterator[Finding]:
    from rules_service.decide import load_ruleset  # noqa: PLC0415  takes time

    if not settings.rules.is_dir():
        yield Finding(name="rules", ok=False, detail=f"the folder {settings.rules} does not exist", needed=False)
        return
    ruleset, problems = load_ruleset(read_folder(settings.rules))
    if ruleset is None:
        yield Finding(name="rules", ok=False, detail=f"{len(problems)} problems; first: {problems[0]}")
        return
    yield Finding(name="rules", ok=True, detail=f"{len(ruleset.rules.rules)} rules in {settings.rules}")
    for endpoint in ruleset.endpoints.values():
        unset = unset_variables(" ".join(endpoint.texts), settings.variables)
        if unset:
            detail = f"{', '.join(unset)} not set: nothing is delivered there"
            yield Finding(name=f"endpoint {endpoint.name}", ok=False, needed=False, detail=detail)
    for connector in ruleset.connectors.values():
        secret = (connector.inbound.path_secret,) if connector.inbound else ()
        unset = unset_variables(" ".join((*connector.texts, *secret)), settings.variables)
        if unset:
            detail = f"{', '.join(unset)} not set: the helpdesk is not reached"
            yield Finding(name=f"connector {connector.name}", ok=False, needed=False, detail=detail)


def _clock(settings: Settings) -> Iterator[Finding]:
    del settings
    now = utc_now()
    ok = now > dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    yield Finding(name="clock", ok=ok, detail=f"{now:%Y-%m-%d %H:%M:%S} UTC")
