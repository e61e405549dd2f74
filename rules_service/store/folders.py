"""Folders of tickets and the queues of desks, for people to look at: each answer is one query by an index."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from typing import Any

from rules_service.clock import instant, micros
from rules_service.store import codec
from rules_service.store.store import Store
from rules_service.tickets import PRIORITIES, Snapshot, Ticket

#: What a folder may be narrowed by -> its column.
FILTERS: Mapping[str, str] = {
    "channel": "channel", "group": "team", "desk": "desk", "assignee": "COALESCE(assignee, '')", "status": "status",
    "priority": "priority", "tier": "tier", "breached": "breached", "escalated": "escalated",
}  # fmt: skip

#: What tickets may be counted by -> its column.
COUNTED_BY: Mapping[str, str] = {name: FILTERS[name] for name in ("channel", "group", "desk", "assignee", "status")}

#: The assignee of tickets that nobody holds. Compared so, a folder is read from its own index, in its order, and not
#: from the index of what people hold.
NOBODY = ""

#: As the two partial indexes of folders say it: open tickets, and closed ones.
_STATES = {True: "live AND closed_at IS NULL", False: "live AND closed_at IS NOT NULL"}


def listed(
    store: Store,
    filters: Mapping[str, Any],
    *,
    is_open: bool | None,
    after: tuple[dt.datetime, str] | None,
    limit: int,
) -> list[dict[str, Any]]:
    """Tickets, newest first, from the one after `after` (created_at, id) on; every filter narrows.

    Open ones, closed ones, or for None both; without those that the helpdesk deleted or merged. Source: R3.12.
    """
    where, parameters = _where(filters)
    if after is not None:
        where += " AND (created_at, id) < (?, ?)"
        parameters += [micros(after[0]), after[1]]
    select = "SELECT created_at, id, queued_at, next_due_at, breached, escalated, state FROM ticket WHERE "
    order = "ORDER BY created_at DESC, id DESC LIMIT ?"
    branches = [f"{select}{state}{where} {order}" for state in _states(is_open)]
    values = [*parameters, limit]
    if len(branches) == 1:
        rows = store.rows(branches[0], *values)
    else:
        both = " UNION ALL ".join(f"SELECT * FROM ({branch}) AS b{number}" for number, branch in enumerate(branches))
        rows = store.rows(f"{both} {order}", *values, *values, limit)
    return [_item(row) for row in rows]


def counts(
    store: Store, by: str, filters: Mapping[str, Any], *, is_open: bool | None
) -> list[tuple[str | None, int]]:  # fmt: skip
    """(value, how many) of the tickets by one of COUNTED_BY, in the order of the values; None: tickets without one."""
    where, parameters = _where(filters)
    column = COUNTED_BY[by]
    branches = [
        f"SELECT {column} AS value, COUNT(*) AS found FROM ticket WHERE {state}{where} GROUP BY {column}"
        for state in _states(is_open)
    ]
    both = " UNION ALL ".join(branches)
    rows = store.rows(
        f"SELECT value, SUM(found) FROM ({both}) AS b GROUP BY value", *parameters * len(branches)
    )  # fmt: skip
    return sorted(
        ((value or None, int(found)) for value, found in rows), key=lambda row: (row[0] is None, row[0] or "")
    )


def queue(store: Store, desk: str, *, after: int, limit: int) -> list[tuple[Ticket, int]]:
    """The tickets that wait at a desk with their positions, from the one after position `after` on, in its order."""
    rows = store.rows(
        "SELECT state FROM ticket WHERE desk = ? AND queued_at IS NOT NULL ORDER BY queue_key, id LIMIT ? OFFSET ?",
        desk,
        limit,
        after,
    )
    return [(_ticket(row[0]), position) for position, row in enumerate(rows, after + 1)]


def queue_length(store: Store, desk: str) -> int:
    """How many tickets wait at a desk."""
    row = store.row("SELECT COUNT(*) FROM ticket WHERE desk = ? AND queued_at IS NOT NULL", desk)
    return int(row[0]) if row else 0


def position(store: Store, desk: str, ticket_id: str) -> int | None:
    """The place of a ticket in the desk's queue, from 1; None where it does not wait there."""
    key = store.row("SELECT queue_key FROM ticket WHERE id = ? AND desk = ? AND queued_at IS NOT NULL", ticket_id, desk)
    if key is None:
        return None
    row = store.row(
        "SELECT COUNT(*) FROM ticket WHERE desk = ? AND queued_at IS NOT NULL AND (queue_key, id) <= (?, ?)",
        desk, key[0], ticket_id,
    )  # fmt: skip
    return int(row[0]) if row else None


def served(store: Store, desk: str, since: dt.datetime) -> int:
    """How many tickets that had waited in the desk's queue were given to somebody since then."""
    row = store.row(
        "SELECT COUNT(*) FROM stint WHERE desk = ? AND queued_at IS NOT NULL AND assigned_at > ?", desk, micros(since)
    )
    return int(row[0]) if row else 0


def _states(is_open: bool | None) -> Iterator[str]:
    return (text for of, text in _STATES.items() if is_open in (None, of))


def _where(filters: Mapping[str, Any]) -> tuple[str, list[Any]]:
    parts, parameters = "", []
    for name, value in filters.items():
        parts += f" AND {FILTERS[name]} = ?"
        parameters.append(PRIORITIES.index(value) if name == "priority" else value)
    return parts, parameters


def _ticket(state: str) -> Ticket:
    found: Ticket = codec.load(Snapshot, state).ticket
    return found


def _item(row: tuple[Any, ...]) -> dict[str, Any]:
    ticket = _ticket(row[6])
    return {
        "id": ticket.id,
        "subject": ticket.subject,
        "status": ticket.status,
        "priority": ticket.priority,
        "tier": ticket.customer_tier,
        "channel": ticket.channel,
        "group": ticket.group,
        "desk": ticket.desk,
        "assignee": ticket.assignee,
        "customer_id": ticket.customer_id,
        "tags": sorted(ticket.tags),
        "created_at": instant(row[0]),
        "queued_at": None if row[2] is None else instant(row[2]),
        "waiting_since_at": ticket.waiting_since_at,
        "closed_at": ticket.closed_at,
        "next_due_at": None if row[3] is None else instant(row[3]),
        "breached": bool(row[4]),
        "escalated": bool(row[5]),
    }
