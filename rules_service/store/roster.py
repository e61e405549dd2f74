"""The roster at rest: users of the rule files beside those added by API, and who serves which desk."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from rules_service.clock import micros
from rules_service.store.store import Store
from rules_service.teams import Added, Roster, User

#: Rows that one statement writes.
_CHUNK = 500


def version(store: Store) -> int:
    """Counts the changes of the roster."""
    row = store.row("SELECT version FROM roster_version WHERE id = 1")
    return 0 if row is None else int(row[0])


def lock(store: Store) -> None:
    """Has whoever else changes the roster, or puts a ruleset live, wait until the transaction ends."""
    store.sql("INSERT INTO roster_version (id, version) VALUES (1, 0) ON CONFLICT DO NOTHING")
    store.sql("SELECT version FROM roster_version WHERE id = 1" + store.for_update)


def _count_change(store: Store) -> None:
    """Has every process look at the users again."""
    store.sql("UPDATE roster_version SET version = version + 1 WHERE id = 1")


def added(store: Store) -> dict[str, Added]:
    """The active users who were added by API, by id."""
    skills: dict[str, set[str]] = {}
    for user_id, skill in store.rows(
        "SELECT s.user_id, s.skill FROM skill s JOIN member m ON m.id = s.user_id WHERE m.source = 'api' AND m.active"
    ):
        skills.setdefault(user_id, set()).add(skill)
    rows = store.rows(
        "SELECT id, name, team, role, level, max_assignment, desks FROM member"
        " WHERE source = 'api' AND active ORDER BY id"
    )
    return {
        row[0]: Added(
            user=User(
                id=row[0], name=row[1], group=row[2], role=row[3], level=row[4], max_assignment=row[5],
                skills=frozenset(skills.get(row[0], ())),
            ),
            desks=None if row[6] is None else tuple(json.loads(row[6])),
        )
        for row in rows
    }  # fmt: skip


def whole(store: Store, roster: Roster) -> Roster:
    """The roster of the rule files with the users who were added by API."""
    return roster.with_added(added(store).values())


def known_ids(store: Store) -> frozenset[str]:
    """Ids of everybody who was ever in the roster."""
    return frozenset(row[0] for row in store.rows("SELECT id FROM member"))


def sync(store: Store, roster: Roster, now: dt.datetime) -> None:
    """Brings users, memberships, skills and maxima in line with new rule files; load and presence are kept.

    A user of a file takes over one of the same id who was added by API; a user whom no file defines any more becomes
    inactive, and counts as gone from now on. Every desk's queue is looked at, since who may receive what has changed.
    """
    lock(store)
    added_by_api = added(store)
    merged = roster.with_added(added_by_api.values())
    known = {row[0] for row in store.rows("SELECT id FROM member WHERE source = 'ruleset' AND active")}
    gone = sorted(known - merged.users.keys())
    for start in range(0, len(gone), _CHUNK):
        chunk = gone[start : start + _CHUNK]
        store.sql(
            "UPDATE member SET active = FALSE,"
            " presence_at = CASE WHEN presence = 'online' OR presence_at IS NULL THEN ? ELSE presence_at END"
            f" WHERE id IN ({', '.join('?' * len(chunk))})",
            micros(now),
            *chunk,
        )
    write(store, merged, merged.users.values(), {user_id: found.desks for user_id, found in added_by_api.items()})
    store.sql("DELETE FROM membership WHERE user_id NOT IN (SELECT id FROM member WHERE active)")
    for desk in sorted(roster.desks):
        store.sql(
            "INSERT INTO timer (subject, kind, due_at) VALUES (?, 'drain', 0)"
            " ON CONFLICT (subject, kind) DO UPDATE SET due_at = excluded.due_at",
            f"desk:{desk}",
        )


def write(
    store: Store, roster: Roster, users: Iterable[User], desks: Mapping[str, Sequence[str] | None]
) -> None:  # fmt: skip
    """Writes these users of the roster: who they are, what they can do and serve, and their maximum in force.

    `desks` are the desks that users by API were given, by id; None for those of their group.
    """
    _count_change(store)
    # As whoever locks several users does, so that nobody locks another out.
    found = sorted(users, key=lambda user: user.id)
    for start in range(0, len(found), _CHUNK):
        chunk = found[start : start + _CHUNK]
        _write_members(store, roster, chunk, desks)
        _replace(store, "skill", {user.id: sorted(user.skills) for user in chunk})
        _replace(store, "membership", {user.id: roster.desks_of.get(user.id, ()) for user in chunk})


def deactivate(store: Store, user_id: str, now: dt.datetime) -> None:
    """Takes a user out of the roster: offline, in no desk, their keys ended; the tickets they hold stay theirs."""
    _count_change(store)
    store.sql(
        "UPDATE member SET active = FALSE, presence = 'offline', heard_at = NULL,"
        " presence_at = CASE WHEN presence = 'online' OR presence_at IS NULL THEN ? ELSE presence_at END WHERE id = ?",
        micros(now),
        user_id,
    )
    _replace(store, "skill", {user_id: ()})
    _replace(store, "membership", {user_id: ()})
    store.sql("UPDATE api_key SET disabled_at = ? WHERE user_id = ? AND disabled_at IS NULL", micros(now), user_id)


def drain(store: Store, desks: Collection[str], now: dt.datetime) -> None:
    """Marks those of the desks where somebody waits to be drained now."""
    for desk in sorted(desks):
        store.sql(
            "INSERT INTO timer (subject, kind, due_at) SELECT 'desk:' || CAST(? AS TEXT), 'drain', CAST(? AS BIGINT)"
            " WHERE EXISTS (SELECT 1 FROM ticket WHERE desk = ? AND queued_at IS NOT NULL)"
            " ON CONFLICT (subject, kind) DO UPDATE SET due_at = excluded.due_at WHERE timer.due_at > excluded.due_at",
            desk,
            micros(now),
            desk,
        )


_OWN = ("name", "team", "role", "level", "max_assignment", "slot_limit", "source", "desks", "active")


def _write_members(
    store: Store, roster: Roster, users: Sequence[User], desks: Mapping[str, Sequence[str] | None]
) -> None:  # fmt: skip
    files = roster.files or roster
    values: list[Any] = []
    for user in users:
        of_file = user.id in files.users
        own = None if of_file else desks.get(user.id)
        values += (
            user.id, user.name, user.group, user.role, user.level, user.max_assignment, roster.slot_limit(user),
            "ruleset" if of_file else "api", None if own is None else json.dumps(list(own)), True, "offline", 0,
        )  # fmt: skip
    row = f"({', '.join('?' * (len(_OWN) + 3))})"
    store.sql(
        f"INSERT INTO member (id, {', '.join(_OWN)}, presence, open_count) VALUES {', '.join([row] * len(users))}"
        f" ON CONFLICT (id) DO UPDATE SET {', '.join(f'{name} = excluded.{name}' for name in _OWN)}",
        *values,
    )


def _replace(store: Store, table: str, values: Mapping[str, Iterable[str]]) -> None:
    """Gives the users these values, and no other, in a table of pairs."""
    column = {"skill": "skill", "membership": "desk"}[table]
    store.sql(f"DELETE FROM {table} WHERE user_id IN ({', '.join('?' * len(values))})", *values)
    pairs = [(value, user_id) for user_id, found in values.items() for value in found]
    for start in range(0, len(pairs), _CHUNK):
        store.many(f"INSERT INTO {table} ({column}, user_id) VALUES (?, ?)", pairs[start : start + _CHUNK])
