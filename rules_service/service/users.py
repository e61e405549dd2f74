"""Users who are added, changed and taken out by API or import, beside those of the rule files."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from rules_service.errors import UnknownUser, UserOfFile
from rules_service.problems import hint
from rules_service.ruleset import Ruleset
from rules_service.service.user_rows import Row, RowError, checked, refused, refused_one
from rules_service.store import Store, people, roster
from rules_service.teams import Added, Roster

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """What an import did."""

    created: int
    updated: int
    unchanged: int


def put_user(store: Store, current: Callable[[], Ruleset], person: Added, now: dt.datetime) -> dict[str, Any]:
    """Adds the user, or replaces all of what is known of one; the answer is the user as he or she stands.

    `current` brings the active ruleset up to date and gives it. Errors: UserOfFile, InvalidUsers.
    """

    def work(active: Roster) -> dict[str, Any]:
        _refuse_users_of_files(active, person.user.id)
        errors = list(_unknown_names(active, 1, person))
        if errors:
            raise refused_one(errors)
        _apply(store, active, [person], now)
        found = people.read_user(store, person.user.id)
        assert found is not None
        return found

    return _transact(store, current, work)


def import_users(
    store: Store, current: Callable[[], Ruleset], rows: Sequence[Row], now: dt.datetime
) -> Imported:  # fmt: skip
    """Adds or replaces the users of all rows, or of none: InvalidUsers tells of every row that cannot be taken.

    Users who are not in the rows stay as they are. Source: R5.2, R5.9.
    """
    found, shape_errors = checked(rows)

    def work(active: Roster) -> Imported:
        errors = list(shape_errors)
        for number, person in found:
            of_file = (active.files or active).users.get(person.user.id)
            if of_file is not None:
                errors.append(RowError(row=number, column="id", detail=_owned(of_file.id, of_file.defined_at)))
            errors += _unknown_names(active, number, person)
        if errors:
            raise refused(errors)
        return _apply(store, active, [person for _, person in found], now)

    return _transact(store, current, work)


def deactivate_user(store: Store, current: Callable[[], Ruleset], user_id: str, now: dt.datetime) -> dict[str, Any]:
    """Takes a user out: offline, no desk, their keys ended. Tickets they hold stay theirs until somebody moves them.

    Errors: UnknownUser, UserOfFile.
    """

    def work(active: Roster) -> dict[str, Any]:
        found = people.read_user(store, user_id)
        if found is None:
            raise UnknownUser(f'no user "{user_id}" is in the roster', user_id=user_id)
        _refuse_users_of_files(active, user_id)
        if found["active"]:
            roster.deactivate(store, user_id, now)
        return {**found, **(people.read_user(store, user_id) or {})}

    return _transact(store, current, work)


def _transact(store: Store, current: Callable[[], Ruleset], work: Callable[[Roster], T]) -> T:
    """Runs `work` on the roster of the active ruleset, one change of the roster at a time."""
    current()  # What takes time is done before anybody has to wait.

    def locked() -> T:
        roster.lock(store)
        # Nobody puts another one live now.
        return work(roster.whole(store, current().roster))

    return store.transact(locked)


def _apply(store: Store, before: Roster, persons: Sequence[Added], now: dt.datetime) -> Imported:
    known = roster.known_ids(store)
    stored = roster.added(store)
    changed = [person for person in persons if stored.get(person.user.id) != person]
    if not changed:
        return Imported(created=0, updated=0, unchanged=len(persons))
    after = before.with_added({**stored, **{person.user.id: person for person in changed}}.values())
    roster.write(
        store, after, [person.user for person in changed], {person.user.id: person.desks for person in changed}
    )
    roster.drain(store, {desk for person in changed for desk in _desks_to_look_at(before, after, person)}, now)
    created = sum(person.user.id not in known for person in changed)
    return Imported(created=created, updated=len(changed) - created, unchanged=len(persons) - len(changed))


def _desks_to_look_at(before: Roster, after: Roster, person: Added) -> Sequence[str]:
    """Desks whose queue the user may now take more of."""
    user_id = person.user.id
    serves, served = after.desks_of.get(user_id, ()), before.desks_of.get(user_id, ())
    old = before.users.get(user_id)
    most, most_before = after.slot_limit(person.user), before.slot_limit(old) if old is not None else 0
    raised = most_before is not None and (most is None or most > most_before)
    return serves if raised else [desk for desk in serves if desk not in served]


def _unknown_names(active: Roster, number: int, person: Added) -> Sequence[RowError]:
    found = []
    group = person.user.group
    if group is not None and group not in active.groups:
        detail = f'unknown group "{group}"{hint(group, active.groups)}'
        found.append(RowError(row=number, column="group", detail=detail))
    for desk in person.desks or ():
        if desk not in active.desks:
            detail = f'unknown desk "{desk}"{hint(desk, active.desks)}'
            found.append(RowError(row=number, column="desks", detail=detail))
    return found


def _refuse_users_of_files(active: Roster, user_id: str) -> None:
    of_file = (active.files or active).users.get(user_id)
    if of_file is not None:
        raise UserOfFile(_owned(user_id, of_file.defined_at), user_id=user_id, defined_at=of_file.defined_at)


def _owned(user_id: str, defined_at: str) -> str:
    return f"{user_id} is defined in {defined_at}; change it there and publish"


def patched(store: Store, user_id: str, changes: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a user with some of them changed, as `put_user` wants them; defaults for a new one."""
    found = people.read_user(store, user_id)
    kept = {} if found is None or not found["active"] else found
    fields = {name: kept[name] for name in _FIELDS if name in kept}
    return {"id": user_id, **fields, **changes}


_FIELDS = ("name", "group", "role", "level", "skills", "max_assignment", "desks")
