"""Users with their load and presence, and the timers of desks."""

from __future__ import annotations

import datetime as dt
from typing import Any

from rules_service.store.store import Store
from rules_service.store.tables import instant, micros


def set_presence(store: Store, user_id: str, presence: str, now: dt.datetime) -> bool:
    """Sets a user's presence; False for an unknown or inactive user."""
    cursor = store.sql(
        "UPDATE member SET presence = ?, presence_at = ? WHERE id = ? AND active", presence, micros(now), user_id
    )
    return bool(cursor.rowcount == 1)


def read_user(store: Store, user_id: str) -> dict[str, Any] | None:
    """A user as the API shows it; None for an unknown one."""
    row = store.row(
        "SELECT id, name, team, role, level, presence, open_count, slot_limit, active FROM member WHERE id = ?", user_id
    )
    return None if row is None else _user(row)


def list_users(store: Store, *, after: str, limit: int) -> list[dict[str, Any]]:
    """Active users in the order of their ids, from the one after `after` on."""
    rows = store.rows(
        "SELECT id, name, team, role, level, presence, open_count, slot_limit, active FROM member"
        " WHERE active AND id > ? ORDER BY id LIMIT ?",
        after,
        limit,
    )
    return [_user(row) for row in rows]


def _user(row: tuple[Any, ...]) -> dict[str, Any]:
    return {
        "id": row[0], "name": row[1], "group": row[2], "role": row[3], "level": row[4], "presence": row[5],
        "open_count": row[6], "slot_limit": row[7], "active": bool(row[8]),
    }  # fmt: skip


#: A desk's queue key -> how SQL orders by it.
_QUEUE_SQL = {"tier": "tier", "priority": "priority", "created": "created_at", "waiting": "waiting_since_at"}


def next_queued(store: Store, desk: str, order: tuple[tuple[str, bool], ...]) -> str | None:
    """Id of the first ticket of a desk's queue; None when it is empty."""
    keys = ", ".join(f"{_QUEUE_SQL[key]} {'ASC' if ascending else 'DESC'}" for key, ascending in order)
    row = store.row(
        f"SELECT id FROM ticket WHERE desk = ? AND queued_at IS NOT NULL ORDER BY {keys}, queued_at, id LIMIT 1",
        desk,
    )
    return None if row is None else str(row[0])


def due_timers(store: Store, now: dt.datetime, limit: int) -> list[tuple[str, str, dt.datetime]]:
    """(subject, kind, due) of the timers that are due, oldest first."""
    rows = store.rows(
        "SELECT subject, kind, due_at FROM timer WHERE due_at <= ? ORDER BY due_at LIMIT ?", micros(now), limit
    )
    return [(subject, kind, instant(due_at)) for subject, kind, due_at in rows]


def take_timer(store: Store, subject: str, kind: str, due_at: dt.datetime) -> bool:
    """Removes a timer as it was seen; False when another worker had it first or it was set anew."""
    cursor = store.sql("DELETE FROM timer WHERE subject = ? AND kind = ? AND due_at = ?", subject, kind, micros(due_at))
    return bool(cursor.rowcount == 1)


def lease_timer(store: Store, subject: str, kind: str, due_at: dt.datetime, until: dt.datetime) -> bool:
    """Puts a timer off until `until`, for who works on it now; False when another worker had it first.

    Whoever sets it meanwhile brings it forward again, and so it is not lost; nor is it when the worker dies.
    """
    cursor = store.sql(
        "UPDATE timer SET due_at = ? WHERE subject = ? AND kind = ? AND due_at = ?",
        micros(until), subject, kind, micros(due_at),
    )  # fmt: skip
    return bool(cursor.rowcount == 1)


def next_timer(store: Store) -> dt.datetime | None:
    """When the next timer is due."""
    row = store.row("SELECT MIN(due_at) FROM timer")
    return None if row is None or row[0] is None else instant(row[0])
