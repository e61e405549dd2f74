"""The log of a ticket, read: its events with what was decided."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from rules_service.clock import instant
from rules_service.store.store import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class Logged:
    """One event of the log."""

    #: Its place in the log; never used twice.
    seq: int
    id: str
    type: str
    #: When it happened; of a deadline, when it was due.
    at: dt.datetime
    #: When it was handled.
    handled_at: dt.datetime
    #: The event as it came.
    body: dict[str, Any]
    #: The records of its decisions and of those that followed from it, in order; the first is its own.
    decisions: list[dict[str, Any]]
    ruleset_hash: str


_COLUMNS = "seq, event_id, type, at, received_at, body, decisions, ruleset_hash"


def read_log(store: Store, ticket_id: str, *, after: int, limit: int) -> list[Logged]:
    """The events of a ticket in the order in which they were handled, from the one after `after` (a `seq`) on."""
    rows = store.rows(
        f"SELECT {_COLUMNS} FROM event WHERE ticket_id = ? AND seq > ? ORDER BY seq LIMIT ?", ticket_id, after, limit
    )
    return list(map(_logged, rows))


def latest(store: Store, ticket_id: str, most: int) -> Iterator[Logged]:
    """The last events of a ticket, `most` at the most, the newest first."""
    rows = store.rows(f"SELECT {_COLUMNS} FROM event WHERE ticket_id = ? ORDER BY seq DESC LIMIT ?", ticket_id, most)
    return map(_logged, rows)


def _logged(row: tuple[Any, ...]) -> Logged:
    return Logged(
        seq=row[0],
        id=row[1],
        type=row[2],
        at=instant(row[3]),
        handled_at=instant(row[4]),
        body=json.loads(row[5]),
        decisions=json.loads(row[6]),
        ruleset_hash=row[7],
    )
