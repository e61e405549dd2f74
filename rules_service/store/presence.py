"""Who is there, who fell silent, and the tickets of those who are gone."""

from __future__ import annotations

import datetime as dt

from rules_service.clock import instant, micros
from rules_service.store.store import Store

#: Since when they are online, or not: from `away` to `offline` nobody comes back.
_SINCE = "CASE WHEN (presence = 'online') = ? AND presence_at IS NOT NULL THEN presence_at ELSE ? END"


def set_presence(store: Store, user_id: str, presence: str, now: dt.datetime) -> bool | None:
    """Sets a user's presence, also a sign of life; returns whether it changed, None for an unknown or inactive user."""
    heard_at = None if presence == "offline" else micros(now)
    changed = store.sql(
        f"UPDATE member SET presence = ?, presence_at = {_SINCE}, heard_at = ?"
        " WHERE id = ? AND active AND presence <> ?",
        presence, presence == "online", micros(now), heard_at, user_id, presence,
    )  # fmt: skip
    if changed.rowcount == 1:
        return True
    same = store.sql("UPDATE member SET heard_at = ? WHERE id = ? AND active", heard_at, user_id)
    return False if same.rowcount == 1 else None


def hear(store: Store, user_id: str, now: dt.datetime) -> None:
    """Notes a sign of life of a user who is there."""
    store.sql("UPDATE member SET heard_at = ? WHERE id = ? AND presence <> 'offline'", micros(now), user_id)


def silent_users(store: Store, since: dt.datetime, limit: int) -> list[tuple[str, dt.datetime]]:
    """(user, last sign of life) of those who count as there and were not heard of since, the longest silent first."""
    found: list[tuple[str, dt.datetime]] = []
    for presence in ("online", "away"):
        rows = store.rows(
            "SELECT id, heard_at FROM member WHERE presence = ? AND heard_at IS NOT NULL AND heard_at <= ?"
            " ORDER BY heard_at LIMIT ?",
            presence, micros(since), limit,
        )  # fmt: skip
        found += [(row[0], instant(row[1])) for row in rows]
    return sorted(found, key=lambda one: one[1])[:limit]


def fall_silent(store: Store, user_id: str, heard_at: dt.datetime, now: dt.datetime) -> bool:
    """Takes a silent user offline; False when they were heard of meanwhile."""
    cursor = store.sql(
        f"UPDATE member SET presence = 'offline', presence_at = {_SINCE}, heard_at = NULL"
        " WHERE id = ? AND heard_at = ? AND presence <> 'offline'",
        False, micros(now), user_id, micros(heard_at),
    )  # fmt: skip
    return bool(cursor.rowcount == 1)


def left_tickets(store: Store, since: dt.datetime, limit: int) -> list[tuple[str, str, dt.datetime]]:
    """(ticket, holder, since when) of open tickets whose holder is not online, or not in the roster, since then.

    Tickets that could not be released from that absence before, by the lifecycle, are not named again.
    """
    rows = store.rows(
        "SELECT t.id, m.id, m.presence_at FROM member m"
        " JOIN ticket t ON t.assignee = m.id AND t.live AND t.closed_at IS NULL"
        " WHERE (m.presence <> 'online' OR NOT m.active) AND m.presence_at <= ? AND NOT EXISTS"
        " (SELECT 1 FROM event e WHERE e.event_id = 'left:' || t.id || ':' || m.id || ':' || m.presence_at)"
        " ORDER BY m.presence_at, t.created_at LIMIT ?",
        micros(since), limit,
    )  # fmt: skip
    return [(row[0], row[1], instant(row[2])) for row in rows]


def is_gone(store: Store, user_id: str, since: dt.datetime) -> bool:
    """Whether a user is not online, or not in the roster, since then, and stays so until the transaction ends."""
    row = store.row(
        "SELECT 1 FROM member WHERE id = ? AND (presence <> 'online' OR NOT active) AND presence_at = ?"
        + store.for_update,
        user_id, micros(since),
    )  # fmt: skip
    return row is not None


def left_event_id(ticket_id: str, user_id: str, since: dt.datetime) -> str:
    """The id of the event by which a ticket leaves a holder who is gone since then."""
    return f"left:{ticket_id}:{user_id}:{micros(since)}"
