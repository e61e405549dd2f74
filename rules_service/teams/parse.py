"""The sections `groups:`, `desks:` and `users:` of a ruleset, read and checked together."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

import marshmallow as ma

from rules_service.durations import parse_duration
from rules_service.problems import Place, check_names, describe, hint, shaped
from rules_service.teams.roster import QUEUE_KEYS, Desk, Group, Roster, User
from rules_service.tickets import STAFF_ROLES

#: name -> (data, place), for each section: what several files add up to.
Entries = Mapping[str, tuple[object, Place]]

_COUNT = ma.validate.Range(min=0, max=10_000)


class GroupSchema(ma.Schema):
    """One group."""

    supervisors = ma.fields.List(ma.fields.String(), load_default=[])
    transfer_limit = ma.fields.Integer(strict=True, load_default=None, validate=_COUNT)
    escalation = ma.fields.String(load_default=None)


class DeskSchema(ma.Schema):
    """One desk."""

    group = ma.fields.String(required=True)
    channels = ma.fields.List(ma.fields.String(), required=True)
    supervisor = ma.fields.String(required=True)
    members = ma.fields.List(ma.fields.String(), load_default=None)
    max_assignment = ma.fields.Integer(strict=True, required=True, validate=ma.validate.Range(min=1, max=10_000))
    proactive_assignment = ma.fields.Boolean(load_default=True, truthy={True}, falsy={False})
    strategy = ma.fields.String(
        load_default="least_loaded", validate=ma.validate.OneOf(["least_loaded", "round_robin"])
    )
    calendar = ma.fields.String(load_default="always")
    queue = ma.fields.List(ma.fields.Raw(), load_default=["created"])
    sla = ma.fields.Dict(keys=ma.fields.String(), load_default={})


class UserSchema(ma.Schema):
    """One user."""

    name = ma.fields.String(load_default=None)
    group = ma.fields.String(load_default=None)
    role = ma.fields.String(load_default="agent", validate=ma.validate.OneOf(STAFF_ROLES))
    level = ma.fields.Integer(strict=True, load_default=0, validate=ma.validate.Range(min=0, max=3))
    skills = ma.fields.List(ma.fields.String(), load_default=[])
    max_assignment = ma.fields.Integer(strict=True, load_default=None, allow_none=True, validate=_COUNT)


def parse_teams(
    *,
    groups: Entries,
    desks: Entries,
    users: Entries,
    default_desk: tuple[object, Place] | None,
    calendars: Collection[str],
    clocks: Iterable[str],
    escalation_policies: Iterable[str],
    whole: Place,
) -> Roster | None:
    """The roster, or None after reporting every problem. `whole` is where something absent altogether is reported."""
    before = len(whole.problems)
    _check_names_fit(groups, desks, users)
    known_users = {name: user for name, entry in users.items() if (user := _user(name, *entry, groups)) is not None}
    known_groups = {}
    for name, (data, place) in groups.items():
        group = _group(name, data, place, users, escalation_policies)
        if group is not None:
            known_groups[name] = group
    known_desks = {}
    for name, (data, place) in desks.items():
        desk = _desk(name, data, place, groups=groups, users=known_users, calendars=calendars, clocks=clocks)
        if desk is not None:
            known_desks[name] = desk
    _check_default(default_desk, desks, whole)
    if len(whole.problems) > before or default_desk is None:
        return None
    desks_of: dict[str, list[str]] = {}
    for desk in known_desks.values():
        for member in desk.members:
            desks_of.setdefault(member, []).append(desk.name)
    return Roster(
        groups=known_groups,
        desks=known_desks,
        users=known_users,
        default_desk=str(default_desk[0]),
        desks_of={user: tuple(names) for user, names in desks_of.items()},
    )


def _check_default(default_desk: tuple[object, Place] | None, desks: Entries, whole: Place) -> None:
    if not desks:
        whole.problem("missing", "a ruleset needs at least one desk under `desks:`")
    elif default_desk is None:
        whole.problem("missing", "`default_desk:` is required: the desk of a ticket that names neither desk nor group")
    elif not isinstance(default_desk[0], str):
        default_desk[1].problem("type", f"`default_desk:` is the name of a desk; not {describe(default_desk[0])}")
    elif default_desk[0] not in desks:
        default_desk[1].problem("unknown-name", f'unknown desk "{default_desk[0]}"{hint(default_desk[0], desks)}')


def addressable(name: str) -> bool:
    """Whether the path of an address can name it."""
    return "/" not in name and name not in (".", "..")


def _check_names_fit(*sections: Entries) -> None:
    """Users, groups and desks are part of addresses."""
    for entries in sections:
        for name, (_, place) in entries.items():
            if not addressable(name):
                text = f'"{name}" cannot be part of an address; use a name without slash that is not . or ..'
                place.problem("value", text, key=True)


def _user(name: str, data: object, place: Place, groups: Entries) -> User | None:
    found = shaped(UserSchema, data, place)
    if found is None:
        return None
    if found["group"] is not None:
        check_names([found["group"]], groups, "group", place.at("group"))
    return User(
        id=name,
        name=found["name"] or name,
        group=found["group"],
        role=found["role"],
        level=found["level"],
        skills=frozenset(found["skills"]),
        max_assignment=found["max_assignment"],
        defined_at=str(place),
    )


def _group(name: str, data: object, place: Place, users: Entries, policies: Iterable[str]) -> Group | None:
    found = shaped(GroupSchema, {} if data is None else data, place)
    if found is None:
        return None
    check_names(found["supervisors"], users, "user", place.at("supervisors"))
    if found["escalation"] is not None:
        check_names([found["escalation"]], policies, "escalation policy", place.at("escalation"))
    return Group(
        name=name,
        supervisors=tuple(found["supervisors"]),
        transfer_limit=found["transfer_limit"],
        escalation=found["escalation"],
    )


def _desk(
    name: str,
    data: object,
    place: Place,
    *,
    groups: Entries,
    users: Mapping[str, User],
    calendars: Collection[str],
    clocks: Iterable[str],
) -> Desk | None:
    found = shaped(DeskSchema, data, place)
    if found is None:
        return None
    check_names([found["group"]], groups, "group", place.at("group"))
    check_names([found["supervisor"]], users, "user", place.at("supervisor"))
    members = found["members"]
    if members is None:
        members = [user.id for user in users.values() if user.group == found["group"] and user.role == "agent"]
    else:
        check_names(members, users, "user", place.at("members"))
    if found["calendar"] not in calendars:
        place.at("calendar").problem(
            "unknown-name", f'unknown calendar "{found["calendar"]}"{hint(found["calendar"], calendars)}'
        )
    return Desk(
        name=name,
        group=found["group"],
        channels=tuple(found["channels"]),
        supervisor=found["supervisor"],
        members=tuple(dict.fromkeys(members)),
        max_assignment=found["max_assignment"],
        proactive_assignment=found["proactive_assignment"],
        strategy=found["strategy"],
        calendar=found["calendar"],
        queue=_queue(found["queue"], place.at("queue")),
        sla_s=parse_targets(found["sla"], place.at("sla"), clocks),
        by_group=found["members"] is None,
    )


def _queue(keys: list[Any], place: Place) -> tuple[tuple[str, bool], ...]:
    order = []
    for index, key in enumerate(keys):
        name, direction = next(iter(key.items())) if isinstance(key, dict) and len(key) == 1 else (key, None)
        if name not in QUEUE_KEYS or direction not in (None, "asc", "desc"):
            accepted = f"{', '.join(QUEUE_KEYS)}, or one of them with a direction, such as {{created: desc}}"
            place.at(index).problem("value", f"a queue is ordered by {accepted}; not {describe(key)}")
            continue
        order.append((name, (direction or QUEUE_KEYS[name]) == "asc"))
    return tuple(order)


def parse_targets(data: Mapping[str, object], place: Place, clocks: Iterable[str]) -> dict[str, int]:
    """Clock name -> target in seconds; a target of zero and a clock that does not exist are problems."""
    targets = {}
    for name, value in data.items():
        if name not in clocks:
            place.at(name).problem("unknown-name", f'unknown clock "{name}"{hint(name, clocks)}', key=True)
            continue
        try:
            # Clocks count service hours in any case; `service 5m` says the same as `5m`.
            seconds = parse_duration(value).seconds
        except ValueError as error:
            place.at(name).problem("duration", str(error))
            continue
        if seconds == 0:
            place.at(name).problem("value", "a target of zero can never be met; the least is 1s")
            continue
        targets[name] = seconds
    return targets
