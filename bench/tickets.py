"""A store with many open tickets: one is made by the service, the others are its copies."""

from __future__ import annotations

import contextlib
import datetime as dt
from collections.abc import Callable, Iterator

from bench.servers import ROOT
from rules_service.clock import micros
from rules_service.ruleset import Files, read_folder
from rules_service.service.events import Incoming
from rules_service.service.publish import publish
from rules_service.service.roster import set_presence
from rules_service.settings import read_settings
from rules_service.store import Store
from rules_service.tickets import Event
from rules_service.worker import Worker

#: When the tickets are made.
BEGAN = dt.datetime(2026, 3, 2, 2, tzinfo=dt.UTC)


class SetClock:
    """A clock that stands where it was put."""

    def __init__(self) -> None:
        self.now = BEGAN

    def __call__(self) -> dt.datetime:
        return self.now


def travel_files() -> Files:
    """The worked example, without its tests."""
    return {name: text for name, text in read_folder(ROOT / "rulesets" / "travel").items() if "_test" not in name}


@contextlib.contextmanager
def opened(url: str, files: Files, clock: Callable[[], dt.datetime]) -> Iterator[Worker]:
    """A worker on the empty database at `url`, with the ruleset live, one agent online, and no brake on rules."""
    store = Store(url)
    store.upgrade()
    store.hold()
    publish(store, files, clock(), by="bench")
    environment = {"RULES_SERVICE_DATABASE": url, "RULES_SERVICE_FIRINGS_A_RULE": "1000000"}
    worker = Worker(read_settings(environment), store=store, clock=clock)
    worker.live.follow()
    set_presence(store, "ha1", "online", clock(), ruleset_hash=worker.live.ruleset().hash)
    try:
        yield worker
    finally:
        store.close()


def seed(worker: Worker, **data: object) -> None:
    """One ticket of the hotel team, held by an agent who has not answered."""
    body = {"subject": "Halo", "body": "x", "channel": "whatsapp", "group": "hotel", **data}
    event = Event(id="seed", type="ticket.created", at=worker.clock(), ticket_id="seed", data=body)
    worker.events.handle(Incoming(event=event, body="{}"))


def copy(worker: Worker, count: int, *, due_every: int = 1) -> None:
    """`count` copies of the seed, `m0` and on, with everything that it holds; all but every so many are due in a year."""
    store = worker.store
    far = micros(BEGAN + dt.timedelta(days=365))
    with store.connection():
        columns = [name for name in _columns(store) if name not in ("id", "state", "next_due_at")]
        chosen = ", ".join(f"t.{name}" for name in columns)
        store.sql(
            f"WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < {count - 1})"
            f" INSERT INTO ticket (id, {', '.join(columns)}, next_due_at, state) SELECT 'm' || i, {chosen},"
            f" CASE WHEN i / {due_every} * {due_every} = i THEN t.next_due_at ELSE {far} END,"
            " REPLACE(t.state, '\"id\":\"seed\"', '\"id\":\"m' || i || '\"') FROM n CROSS JOIN ticket t WHERE t.id = 'seed'"
        )
        store.sql("UPDATE ticket SET next_due_at = ? WHERE id = 'seed'", far)
        store.sql("ANALYZE")


def _columns(store: Store) -> list[str]:
    return [column.name for column in store.database.get_columns("ticket")]
