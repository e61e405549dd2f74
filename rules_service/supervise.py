"""`rules-service up`: sets up what is missing, then runs API and worker as one."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from rules_service.clock import utc_now
from rules_service.errors import NotAuthenticated
from rules_service.ruleset import content_hash, read_folder
from rules_service.service.keys import SCOPES, create_key, find_key
from rules_service.service.publish import check, publish_if_none, watch
from rules_service.settings import PREFIX, Settings
from rules_service.store import Store, rulesets

#: Where the first key is kept, readable by its owner only.
KEY_FILE = Path("var/admin.key")

#: Seconds that both processes get to stop by themselves.
GRACE_S = 25


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """What was set up, in a person's words."""

    lines: tuple[str, ...]


def prepare(settings: Settings) -> Prepared:
    """Database, ruleset and first key, each only if it is missing. InvalidRuleset, OSError with what to do."""
    _check_port(settings)
    if not settings.rules.is_dir():
        raise OSError(f"the folder {settings.rules} (RULES_SERVICE_RULES) does not exist")
    files = read_folder(settings.rules)
    check(files)
    if settings.database.startswith("sqlite:///"):
        path = Path(settings.database.removeprefix("sqlite:///"))
        path.parent.mkdir(parents=True, exist_ok=True)
    store = Store(settings.database)
    try:
        store.upgrade()
        publish_if_none(store, files, utc_now(), by="start")
        if settings.watch is None:
            watch(store, files, utc_now())
        with store.connection():
            active = rulesets.active_hash(store)
        key = _first_key(store)
    finally:
        store.close()
    address = f"http://{_in_url(settings.host)}:{settings.port}"
    lines = [f"rules-service at {address}  (documentation at {address}/docs)"]
    if settings.watch is not None:
        lines.append(f"ruleset  {active or 'none':.12}; changes in {settings.watch} go live by themselves")
    elif active == content_hash(files):
        lines.append(f"ruleset  {settings.rules} ({active[:12]}); changes in it go live by themselves")
    else:
        lines.append(
            f"ruleset  {active or 'none':.12} is live, by a rollback; "
            f"`rules-service publish {settings.rules}` puts {settings.rules} live"
        )
    lines += [
        f"key      {key}  (also in {KEY_FILE})",
        f"try      {_example(address, key)}",
        "stop     Ctrl-C",
    ]
    return Prepared(lines=tuple(lines))


def _example(address: str, key: str) -> str:
    """One line for the shell that opens a ticket."""
    event = {
        "id": "try-1",
        "type": "ticket.created",
        "ticket_id": "1",
        "data": {"subject": "Sistem macet", "body": "tidak bisa bayar", "channel": "whatsapp"},
    }
    headers = f"-H 'Authorization: Bearer {key}' -H 'Content-Type: application/json'"
    return f"curl -s {headers} {address}/v1/events -d '{json.dumps(event)}'"


def run(settings: Settings, ready: Callable[[], None]) -> int:
    """Runs API and worker until a signal comes or one of them ends; then stops both. The exit status for the shell.

    `ready` is called once, when the API answers.
    """
    stopping = False

    def stop(*_: object) -> None:
        nonlocal stopping
        stopping = True

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, stop)
    # Sessions of their own: a Ctrl-C reaches this process alone, which then stops them in order. Their standard input
    # is what tells them that this process is gone, should it be killed.
    children = [
        subprocess.Popen(  # noqa: S603  ourselves
            [sys.executable, "-m", "rules_service.lifeline", name],
            stdin=subprocess.PIPE,
            start_new_session=True,
            env={**settings.variables, f"{PREFIX}WATCH": str(settings.watch or settings.rules)},
        )
        for name in ("serve", "worker")
    ]
    failed = announced = False
    while not stopping:
        if any(child.poll() is not None for child in children):
            failed = True
            break
        if not announced and _answers(settings):
            announced = True
            ready()
        time.sleep(0.1)
    for child in children:
        if child.poll() is None:
            child.terminate()
    deadline = time.monotonic() + GRACE_S
    for child in children:
        try:
            child.wait(max(0.1, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            os.killpg(child.pid, signal.SIGKILL)
            child.wait()
    return 1 if failed else 0


def _in_url(host: str) -> str:
    """The host as a URL has it: an IPv6 address in brackets."""
    return f"[{host}]" if ":" in host else host


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET


def _answers(settings: Settings) -> bool:
    """Whether something takes connections where the API listens."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(settings.host, settings.host)  # noqa: S104  compared, not bound
    with socket.socket(_family(host)) as probe:
        probe.settimeout(1)
        return probe.connect_ex((host, settings.port)) == 0


def _check_port(settings: Settings) -> None:
    with socket.socket(_family(settings.host)) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.host, settings.port))
        except OSError as error:
            raise OSError(
                f"port {settings.port} of {settings.host} cannot be used ({error.strerror}); "
                "choose another, such as `make run PORT=9000`"
            ) from None


def _first_key(store: Store) -> str:
    """The key in KEY_FILE if it is good, else a new one with every scope, written there."""
    if KEY_FILE.is_file():
        key = KEY_FILE.read_text().strip()
        try:
            with store.connection():
                find_key(store, key)
        except NotAuthenticated:
            pass
        else:
            return key
    key = create_key(store, utc_now(), name="admin", scopes=list(SCOPES))
    KEY_FILE.parent.mkdir(parents=True, exist_ok=True)
    KEY_FILE.unlink(missing_ok=True)
    with os.fdopen(os.open(KEY_FILE, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(f"{key}\n")
    return key
