"""Slots: who has a free one, taking it, and who is to be asked when one is freed."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from rules_service.clock import micros
from rules_service.store.store import Store
from rules_service.teams import Wanted
from rules_service.tickets import Person


def read_loads(store: Store, user_ids: Iterable[str], people: Mapping[str, Person]) -> dict[str, Person]:
    """The users among `people` with their present load and presence, locked until the transaction ends.

    Without the lock two supervisors could both find the last slot free. In the order of their ids, so that two who want
    the same users wait for each other instead of locking each other out.
    """
    wanted = sorted({user_id for user_id in user_ids if user_id in people})
    if not wanted:
        return {}
    marks = ", ".join("?" * len(wanted))
    rows = store.rows(
        f"SELECT id, presence, open_count, slot_limit FROM member WHERE id IN ({marks}) ORDER BY id{store.for_update}",
        *wanted,
    )
    return {
        user_id: replace(people[user_id], online=presence == "online", open_count=open_count, slot_limit=slot_limit)
        for user_id, presence, open_count, slot_limit in rows
    }


_ORDER = {
    "least_loaded": "m.open_count, m.last_assigned_at IS NOT NULL, m.last_assigned_at, m.id",
    "round_robin": "m.last_assigned_at IS NOT NULL, m.last_assigned_at, m.id",
}


def claim_slot(store: Store, wanted: Wanted, now: dt.datetime) -> str | None:
    """Takes one slot of the best user who fits and returns the user's id; None when nobody has a free one.

    The choice and the taking are one statement, so that no maximum is ever passed. Least loaded: fewest tickets, then
    longest since the last assignment. Where another transaction holds the only candidates, it is waited for.
    """
    where, parameters = _conditions(wanted)
    chosen = f"SELECT m.id FROM member m WHERE {where} ORDER BY {_ORDER[wanted.strategy]} LIMIT 1"
    take = "UPDATE member SET open_count = open_count + 1, last_assigned_at = ? WHERE id = ({}) RETURNING id"
    for lock in (store.skip_locked, store.for_update, store.for_update, store.for_update):
        row = store.row(take.format(chosen + lock), micros(now), *parameters)
        if row is not None:
            return str(row[0])
        if not store.is_postgres or store.row(chosen, *parameters) is None:
            return None
    return None


def _conditions(wanted: Wanted) -> tuple[str, list[Any]]:
    parts = ["m.active", "m.presence = 'online'", "(m.slot_limit IS NULL OR m.open_count < m.slot_limit)"]
    parameters: list[Any] = []
    for value, part in (
        (wanted.user, "m.id = ?"),
        (wanted.group, "m.team = ?"),
        (wanted.level, "m.level >= ?"),
        (wanted.desk, "m.id IN (SELECT user_id FROM membership WHERE desk = ?)"),
        (wanted.skill, "m.id IN (SELECT user_id FROM skill WHERE skill = ?)"),
    ):
        if value is not None:
            parts.append(part)
            parameters.append(value)
    for user_id in sorted(wanted.without):
        parts.append("m.id <> ?")
        parameters.append(user_id)
    return " AND ".join(parts), parameters


def freed_slot(store: Store, user_id: str, now: dt.datetime) -> None:
    """Marks the desks of a user whose slot was freed, where somebody waits, to be drained now."""
    store.sql(
        "INSERT INTO timer (subject, kind, due_at) SELECT 'desk:' || m.desk, 'drain', ? FROM membership m"
        " WHERE m.user_id = ? AND EXISTS (SELECT 1 FROM ticket t WHERE t.desk = m.desk AND t.queued_at IS NOT NULL)"
        " ON CONFLICT (subject, kind) DO UPDATE SET due_at = excluded.due_at WHERE timer.due_at > excluded.due_at",
        micros(now),
        user_id,
    )


def queue_waits(store: Store, desk: str, at: dt.datetime) -> None:
    """Has the desk's queue looked at by then at the latest."""
    store.sql(
        "INSERT INTO timer (subject, kind, due_at) VALUES (?, 'drain', ?)"
        " ON CONFLICT (subject, kind) DO UPDATE SET due_at = excluded.due_at WHERE timer.due_at > excluded.due_at",
        f"desk:{desk}",
        micros(at),
    )
