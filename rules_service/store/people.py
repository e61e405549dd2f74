"""Users with their load and presence, and the timers of desks."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Collection
from typing import Any

from rules_service.clock import instant, micros
from rules_service.store.store import Store

_USER = (
    "m.id, m.name, m.team, m.role, m.level, m.presence, m.open_count, m.slot_limit, m.active, m.source,"
    " m.max_assignment, m.desks"
)


def read_user(store: Store, user_id: str) -> dict[str, Any] | None:
    """A user as the API shows it; None for an unknown one."""
    found = _users(store, f"SELECT {_USER} FROM member m WHERE m.id = ?", user_id)
    return found[0] if found else None


def list_users(
    store: Store,
    *,
    after: str,
    limit: int,
    group: str | None = None,
    role: str | None = None,
    presence: str | None = None,
    skill: str | None = None,
    desk: str | None = None,
) -> list[dict[str, Any]]:
    """Active users in the order of their ids, from the one after `after` on; every filter that is given narrows."""
    parts, parameters = ["m.active", "m.id > ?"], [after]
    for value, part in (
        (group, "m.team = ?"),
        (role, "m.role = ?"),
        (presence, "m.presence = ?"),
        (skill, "m.id IN (SELECT user_id FROM skill WHERE skill = ?)"),
        (desk, "m.id IN (SELECT user_id FROM membership WHERE desk = ?)"),
    ):
        if value is not None:
            parts.append(part)
            parameters.append(value)
    text = f"SELECT {_USER} FROM member m WHERE {' AND '.join(parts)} ORDER BY m.id LIMIT ?"
    return _users(store, text, *parameters, limit)


def _users(store: Store, text: str, *parameters: Any) -> list[dict[str, Any]]:
    rows = store.rows(text, *parameters)
    ids = [row[0] for row in rows]
    skills = _listed(store, "skill", "skill", ids)
    desks = _listed(store, "membership", "desk", ids)
    return [
        {
            "id": row[0], "name": row[1], "group": row[2], "role": row[3], "level": row[4],
            "skills": skills.get(row[0], []), "presence": row[5], "open_count": row[6], "slot_limit": row[7],
            "max_assignment": row[10], "active": bool(row[8]), "source": "file" if row[9] == "ruleset" else "api",
            "desks": None if row[11] is None else json.loads(row[11]), "serves": desks.get(row[0], []),
        }
        for row in rows
    ]  # fmt: skip


def _listed(store: Store, table: str, column: str, user_ids: list[str]) -> dict[str, list[str]]:
    """User id -> the values of a table of pairs, sorted."""
    found: dict[str, list[str]] = {}
    if user_ids:
        marks = ", ".join("?" * len(user_ids))
        text = f"SELECT user_id, {column} FROM {table} WHERE user_id IN ({marks}) ORDER BY {column}"
        for user_id, value in store.rows(text, *user_ids):
            found.setdefault(user_id, []).append(value)
    return found


def groups(store: Store) -> dict[str, tuple[int, int]]:
    """Group -> how many active users it has, and how many of them are online."""
    rows = store.rows(
        "SELECT team, COUNT(*), SUM(CASE WHEN presence = 'online' THEN 1 ELSE 0 END) FROM member"
        " WHERE active AND team IS NOT NULL GROUP BY team"
    )
    return {team: (total, int(online)) for team, total, online in rows}


def next_queued(store: Store, desk: str, passed_over: Collection[str] = ()) -> str | None:
    """Id of the first ticket of a desk's queue but those passed over, by the index of queues; None when it is empty."""
    rows = store.rows(
        "SELECT id FROM ticket WHERE desk = ? AND queued_at IS NOT NULL ORDER BY queue_key, id LIMIT ?",
        desk,
        len(passed_over) + 1,
    )
    return next((str(row[0]) for row in rows if row[0] not in passed_over), None)


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
