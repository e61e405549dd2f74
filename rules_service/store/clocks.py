"""Clocks that are over: written once, read for the history of their ticket."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from rules_service.clock import micros
from rules_service.store import codec
from rules_service.store.store import Store
from rules_service.tickets import ServiceClock

#: Fields with a column of their own; the others are in the column `history`.
_COLUMNS = (
    "name", "stint_number", "status", "calendar", "target_s", "used_s", "started_at", "stopped_at", "breached_at",
)  # fmt: skip
_HISTORY = ("due_at", "warn_at_pct", "warned_pct", "pauses", "calendars")


def write_ended(
    store: Store,
    ticket_id: str,
    ended: Sequence[ServiceClock],
    ruleset_hash: str,
    before: Sequence[ServiceClock] = (),
) -> None:
    """Keeps clocks that are over; their hours are those of the ruleset of that hash.

    One that was over `before`, and ended earlier as is known now, takes the place of what was kept of it.
    """
    for clock in ended:
        if any(_is_earlier(clock, known) for known in before):
            store.sql(
                "DELETE FROM clock WHERE ticket_id = ? AND name = ? AND stint_number = ? AND started_at = ?"
                " AND stopped_at > ?",
                ticket_id, clock.name, clock.stint_number, micros(clock.started_at), codec.plain(clock)["stopped_at"],
            )  # fmt: skip
    store.many(
        f"INSERT INTO clock (ticket_id, {', '.join(_COLUMNS)}, intervals, history)"
        f" VALUES ({', '.join('?' * (len(_COLUMNS) + 3))})",
        [_row(ticket_id, clock, ruleset_hash) for clock in ended],
    )


def read_ended(store: Store, ticket_id: str) -> list[tuple[ServiceClock, str]]:
    """The clocks of a ticket that are over, in the order in which they ended, each with its ruleset's short hash.

    The hash is empty for clocks of before hashes were kept.
    """
    rows = store.rows(
        f"SELECT {', '.join(_COLUMNS)}, intervals, history FROM clock WHERE ticket_id = ? ORDER BY id", ticket_id
    )
    return [_clock(row) for row in rows]


def _is_earlier(clock: ServiceClock, known: ServiceClock) -> bool:
    same = (clock.name, clock.stint_number, clock.started_at) == (known.name, known.stint_number, known.started_at)
    return (
        same and clock.stopped_at is not None and known.stopped_at is not None and clock.stopped_at < known.stopped_at
    )


def _row(ticket_id: str, clock: ServiceClock, ruleset_hash: str) -> tuple[Any, ...]:
    fields = codec.plain(clock)
    history = {name: fields[name] for name in _HISTORY if name in fields} | {"ruleset": ruleset_hash[:12]}
    return (
        ticket_id, clock.name, clock.stint_number, clock.status, clock.calendar, clock.target_s, clock.used_s,
        micros(clock.started_at), fields.get("stopped_at"), fields.get("breached_at"), codec.dump(clock.intervals),
        codec.dump(history),
    )  # fmt: skip


def _clock(row: tuple[Any, ...]) -> tuple[ServiceClock, str]:
    *values, intervals, history = row
    rest = json.loads(history) if history is not None else {}
    under = rest.pop("ruleset", "")
    fields = dict(zip(_COLUMNS, values, strict=True)) | {"intervals": json.loads(intervals)} | rest
    return codec.revive(ServiceClock, fields), under
