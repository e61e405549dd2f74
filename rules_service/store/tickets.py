"""Reading a ticket to decide about it, and which are due."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rules_service.clock import instant, micros
from rules_service.store import codec
from rules_service.store.store import Store
from rules_service.tickets import Snapshot


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """A ticket as it was read: its snapshot, its version (0: there is none), and its indexed deadline."""

    snapshot: Snapshot
    version: int
    next_due_at: dt.datetime | None


def read_ticket(store: Store, ticket_id: str, *, lock: bool) -> Stored:
    """A ticket, with `lock` locked until the transaction ends; version 0 and an empty snapshot if it is unknown."""
    row = store.row(
        "SELECT state, version, next_due_at FROM ticket WHERE id = ?" + (store.for_update if lock else ""), ticket_id
    )
    if row is None:
        return Stored(snapshot=Snapshot(), version=0, next_due_at=None)
    due_at = None if row[2] is None else instant(row[2])
    return Stored(snapshot=codec.load(Snapshot, row[0]), version=row[1], next_due_at=due_at)


def claim_due(store: Store, ticket_id: str, now: dt.datetime) -> Stored | None:
    """A ticket whose deadline has come, locked; None when it is due no more, or while somebody else works on it."""
    row = store.row(
        f"SELECT state, version, next_due_at FROM ticket WHERE id = ? AND next_due_at <= ?{store.skip_locked}",
        ticket_id,
        micros(now),
    )
    if row is None:
        return None
    return Stored(snapshot=codec.load(Snapshot, row[0]), version=row[1], next_due_at=instant(row[2]))


def due_tickets(store: Store, now: dt.datetime, limit: int) -> list[str]:
    """Ids of the tickets whose deadline has come, the oldest deadline first, by the index of deadlines."""
    return [
        row[0]
        for row in store.rows(
            "SELECT id FROM ticket WHERE next_due_at IS NOT NULL AND next_due_at <= ? ORDER BY next_due_at LIMIT ?",
            micros(now),
            limit,
        )
    ]


def next_deadline(store: Store) -> dt.datetime | None:
    """The nearest deadline of any ticket; None when there is none."""
    row = store.row("SELECT MIN(next_due_at) FROM ticket WHERE next_due_at IS NOT NULL")
    return None if row is None or row[0] is None else instant(row[0])


def gather(
    store: Store, needs: frozenset[str], *, desk: str, customer_id: str | None, now: dt.datetime
) -> dict[str, Any]:
    """The values of the attributes in `needs` that only the database knows; one query a subject."""
    found: dict[str, Any] = {}
    if needs & {"desk.queue_length", "desk.oldest_waiting"}:
        row = store.row("SELECT COUNT(*), MIN(queued_at) FROM ticket WHERE desk = ? AND queued_at IS NOT NULL", desk)
        assert row is not None
        found["desk.queue_length"] = row[0]
        if row[1] is not None:
            found["desk.oldest_waiting"] = max(0, (micros(now) - row[1]) // 1_000_000)
    if needs & {"desk.online", "desk.free_slots"}:
        row = store.row(
            "SELECT COUNT(*), COALESCE(SUM(CASE WHEN m.slot_limit > m.open_count THEN m.slot_limit - m.open_count"
            " ELSE 0 END), 0) FROM membership s JOIN member m ON m.id = s.user_id"
            " WHERE s.desk = ? AND m.active AND m.presence = 'online'",
            desk,
        )
        assert row is not None
        found["desk.online"], found["desk.free_slots"] = row[0], int(row[1])
    if "customer.open_tickets" in needs and customer_id is not None:
        row = store.row("SELECT COUNT(*) FROM ticket WHERE customer_id = ? AND live AND closed_at IS NULL", customer_id)
        assert row is not None
        found["customer.open_tickets"] = row[0]
    return found


def recent_events(
    store: Store, ticket_id: str, windows_s: Mapping[str, int], now: dt.datetime
) -> dict[str, tuple[dt.datetime, ...]]:
    """Event type -> when events of it happened to the ticket within the type's window (in seconds), oldest first.

    A ticket's first contact counts as a message received.
    """
    found: dict[str, list[dt.datetime]] = {}
    since = now - dt.timedelta(seconds=max(windows_s.values()))
    rows = store.rows("SELECT type, at FROM event WHERE ticket_id = ? AND at > ? ORDER BY at", ticket_id, micros(since))
    for logged_type, at in rows:
        kind = "message.received" if logged_type == "ticket.created" else logged_type
        if kind in windows_s and now - instant(at) < dt.timedelta(seconds=windows_s[kind]):
            found.setdefault(kind, []).append(instant(at))
    return {kind: tuple(instants) for kind, instants in found.items()}
