"""How a story is written in a test file: `given:` and the steps under `story:`, read and checked."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import marshmallow as ma

from rules_service.decide import EVENT_OF, GATHERED
from rules_service.durations import parse_wall_s
from rules_service.problems import Place, check_names, describe, hint, shaped
from rules_service.ruleset import Ruleset
from rules_service.simulate.stories import Happens, Loads, Presence, Step, Until, Waits
from rules_service.tickets import EVENT_TYPES, INTERNAL_EVENT_TYPES, PRIORITIES, ROLES, USER_EVENT_TYPES, Actor

#: The ticket that a step is about unless it says `ticket:`.
FIRST_TICKET = "t1"

#: Events that a story may tell.
TOLD = tuple(name for name in EVENT_TYPES if name not in INTERNAL_EVENT_TYPES | USER_EVENT_TYPES)

#: What a step does, with the keys that it may have besides.
VERBS: Mapping[str, tuple[str, ...]] = {
    "event": ("ticket", "data", "actor", "at", "after", "late_by"),
    "transition": ("ticket", "data", "actor", "at", "after"),
    "wait": (),
    "until": (),
    "online": (),
    "offline": (),
    "away": (),
    "load": (),
    "expect": (),
}

#: Field of an event's data -> what it holds.
DATA_FIELDS: Mapping[str, str] = {
    "subject": "text", "body": "text", "text": "text", "channel": "text", "summary": "text", "reason": "text",
    "into": "text", "action": "text", "detail": "text", "priority": "priority", "status": "status", "group": "group",
    "desk": "desk", "assignee": "user", "policy": "escalation policy", "tags": "list", "add_tags": "list",
    "remove_tags": "list", "automated": "bool", "override": "bool", "start_at": "number", "score": "number",
    "customer": "customer", "custom": "custom",
}  # fmt: skip
_CUSTOMER: Mapping[str, str] = {
    "id": "text", "name": "text", "language": "text", "tier": "tier", "lifetime_value": "number",
}  # fmt: skip
_TYPES: Mapping[str, tuple[type, ...]] = {"text": (str,), "bool": (bool,), "number": (int, float)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """What stands before the story begins."""

    online: tuple[str, ...] = ()
    loads: Mapping[str, int] = field(default_factory=dict)
    #: Fields of every ticket.created that does not say otherwise.
    ticket: Mapping[str, Any] = field(default_factory=dict)
    #: As in Story.
    stated: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


class UsersSchema(ma.Schema):
    """given.users."""

    online = ma.fields.Raw(load_default=[])
    held = ma.fields.Raw(load_default={}, data_key="load")


class GivenSchema(ma.Schema):
    """given."""

    users = ma.fields.Nested(UsersSchema, load_default=None)
    ticket = ma.fields.Raw(load_default={})
    desks = ma.fields.Raw(load_default={})
    customer = ma.fields.Raw(load_default={})


def parse_given(data: object, place: Place, ruleset: Ruleset, before: Given) -> Given:
    """What is given, on top of `before`; every mistake becomes a problem at its place."""
    found = shaped(GivenSchema, data, place)
    if found is None:
        return before
    users = found["users"] or {"online": [], "held": {}}
    online = parse_users(users["online"], place.at("users", "online"), ruleset)
    loads = parse_loads(users["held"], place.at("users", "load"), ruleset)
    stated = {"": parse_stated("customer", found["customer"], place.at("customer"))}
    if isinstance(found["desks"], dict):
        for name, figures in found["desks"].items():
            if check_name(name, ruleset.roster.desks, "desk", place.at("desks", name)):
                stated[name] = parse_stated("desk", figures, place.at("desks", name))
    else:
        place.at("desks").problem("type", f"expected a mapping of desks; not {describe(found['desks'])}")
    ticket = found["ticket"]
    return Given(
        online=tuple(dict.fromkeys((*before.online, *online))),
        loads={**before.loads, **loads},
        ticket=merged(before.ticket, ticket if check_data(ticket, place.at("ticket"), ruleset) else {}),
        stated={**before.stated, **{name: figures for name, figures in stated.items() if figures}},
    )


def parse_users(data: object, place: Place, ruleset: Ruleset) -> tuple[str, ...]:
    """User ids: one, a list, or `all`."""
    if data == "all":
        return tuple(ruleset.roster.users)
    names = [data] if isinstance(data, str) else data
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        place.problem("type", f"expected users, or all; not {describe(data)}")
        return ()
    if isinstance(data, str):
        check_name(data, ruleset.roster.users, "user", place)
    else:
        check_names(names, ruleset.roster.users, "user", place)
    return tuple(name for name in names if name in ruleset.roster.users)


def parse_loads(data: object, place: Place, ruleset: Ruleset) -> dict[str, int]:
    """User id -> how many tickets the user holds."""
    if not isinstance(data, dict):
        place.problem("type", f"expected a mapping of users to counts such as {{ha1: 4}}; not {describe(data)}")
        return {}
    found = {}
    for name, count in data.items():
        if name not in ruleset.roster.users:
            place.at(name).problem("unknown-name", f'unknown user "{name}"{hint(name, ruleset.roster.users)}', key=True)
        elif not isinstance(count, int) or isinstance(count, bool) or count < 0:
            place.at(name).problem("type", f"a load is a count of tickets; not {describe(count)}")
        else:
            found[name] = count
    return found


def parse_stated(prefix: str, data: object, place: Place) -> dict[str, Any]:
    """Values of attributes that the service counts over all tickets, as durations in seconds."""
    if not isinstance(data, dict):
        place.problem("type", f"expected a mapping; not {describe(data)}")
        return {}
    known = {name.removeprefix(f"{prefix}."): kind for name, (kind, _) in GATHERED.items() if name.startswith(prefix)}
    found: dict[str, Any] = {}
    for name, value in data.items():
        here = place.at(name)
        if name not in known:
            here.problem("unknown-key", f'unknown key "{name}"{hint(name, known)}', key=True)
        elif known[name] == "duration":
            found[f"{prefix}.{name}"] = parse_seconds(value, here)
        elif not isinstance(value, int) or isinstance(value, bool):
            here.problem("type", f"expected a count; not {describe(value)}")
        else:
            found[f"{prefix}.{name}"] = value
    return found


def parse_step(data: object, place: Place, ruleset: Ruleset, given: Given, known: set[str]) -> list[Step]:
    """The steps that one entry of `story:` stands for; none for `expect`, and after a problem.

    `known` holds the tickets that exist by then; those that the entry creates are added.
    """
    verb = verb_of(data, place)
    if verb is None or verb == "expect":
        return []
    assert isinstance(data, dict)
    value, here = data[verb], place.at(verb)
    match verb:
        case "wait":
            return [Waits(seconds=parse_seconds(value, here))]
        case "until":
            at = parse_instant(value, here)
            return [] if at is None else [Until(at=at)]
        case "online" | "offline" | "away":
            return [Presence(users=parse_users(value, here, ruleset), online=verb == "online")]
        case "load":
            return [Loads(counts=parse_loads(value, here, ruleset))]
    return _parse_event(verb, data, place, ruleset, given, known)


def verb_of(data: object, place: Place) -> str | None:
    """What an entry of `story:` does; None after a problem."""
    if not isinstance(data, dict):
        place.problem("type", f"a step is a mapping such as {{wait: 6m}}; not {describe(data)}")
        return None
    verbs = [key for key in data if key in VERBS]
    if len(verbs) != 1:
        near = hint(next(iter(data)), VERBS) if len(data) == 1 else ""
        place.problem("unknown-key" if not verbs else "value", f"a step has one of {', '.join(VERBS)}{near}")
        return None
    verb = verbs[0]
    accepted = (verb, *VERBS[verb])
    unknown = [key for key in data if key not in accepted]
    for key in unknown:
        place.at(key).problem("unknown-key", f'unknown key "{key}"{hint(key, accepted)}', key=True)
    return None if unknown else verb


def _parse_event(
    verb: str, data: dict[str, Any], place: Place, ruleset: Ruleset, given: Given, known: set[str]
) -> list[Step]:
    before = len(place.problems)
    steps: list[Step] = []
    if "after" in data:
        steps.append(Waits(seconds=parse_seconds(data["after"], place.at("after"))))
    if "at" in data and (at := parse_instant(data["at"], place.at("at"))) is not None:
        steps.append(Until(at=at))
    ticket_id = str(data.get("ticket", FIRST_TICKET))
    kind = _event_type(verb, data[verb], place.at(verb))
    told = data.get("data", {})
    check_data(told, place.at("data"), ruleset)
    actor = parse_actor(data["actor"], place.at("actor"), ruleset) if "actor" in data else None
    if verb == "transition" and actor is None and "actor" not in data:
        place.problem("missing", "a transition is asked for by somebody: `actor:` is required")
    late_by_s = parse_seconds(data["late_by"], place.at("late_by")) if "late_by" in data else 0
    creates = kind in ("ticket.created", "ticket.imported")
    if kind is not None and not creates and ticket_id not in known:
        text = f'there is no ticket "{ticket_id}" yet; begin with {{event: ticket.created}}'
        place.at(verb).problem("unknown-name", text)
    if len(place.problems) > before or kind is None:
        return []
    known.add(ticket_id)
    happens = Happens(
        type=kind, ticket_id=ticket_id, actor=actor, data=told, request=verb == "transition", late_by_s=late_by_s
    )
    return [*steps, replace(happens, data=merged(given.ticket, told)) if creates else happens]


def _event_type(verb: str, value: object, place: Place) -> str | None:
    known: Iterable[str] = EVENT_OF if verb == "transition" else TOLD
    if isinstance(value, str) and value in known:
        return EVENT_OF[value] if verb == "transition" else value
    if isinstance(value, str) and value in INTERNAL_EVENT_TYPES:
        place.problem("value", f"only the service itself makes {value}; let time pass with {{wait: 5m}}")
    elif isinstance(value, str) and value in USER_EVENT_TYPES:
        place.problem("value", f"write {{{value.removeprefix('user.')}: USER}} instead")
    else:
        what = "transition" if verb == "transition" else "event type"
        near = hint(value, known) if isinstance(value, str) else ""
        place.problem("unknown-name", f"unknown {what} {describe(value)}{near}")
    return None


def parse_actor(data: object, place: Place, ruleset: Ruleset) -> Actor | None:
    """Who does it: a user's id, `customer`, `system`, or `{id, role}`."""
    if isinstance(data, str):
        if data in ("customer", "system"):
            return Actor(role=data)
        user = ruleset.roster.users.get(data)
        if user is not None:
            return Actor(id=user.id, role=user.role)
        known = [*ruleset.roster.users, "customer", "system"]
        place.problem("unknown-name", f'unknown user "{data}"{hint(data, known)}')
        return None
    if not isinstance(data, dict) or set(data) - {"id", "role"}:
        place.problem("type", f"an actor is a user, customer, system or {{id, role}}; not {describe(data)}")
        return None
    role = data.get("role", "agent")
    check_name(role, ROLES, "role", place.at("role"))
    return Actor(id=data.get("id"), role=str(role))


def check_data(data: object, place: Place, ruleset: Ruleset) -> bool:
    """Whether an event's data is as it should be; every mistake becomes a problem at its place."""
    before = len(place.problems)
    if not isinstance(data, dict):
        place.problem("type", f"expected a mapping of fields; not {describe(data)}")
        return False
    for name, value in data.items():
        if name not in DATA_FIELDS:
            place.at(name).problem("unknown-key", f'unknown field "{name}"{hint(name, DATA_FIELDS)}', key=True)
        elif value is not None:
            check_field(DATA_FIELDS[name], value, place.at(name), ruleset)
    return len(place.problems) == before


def check_field(kind: str, value: object, place: Place, ruleset: Ruleset) -> None:
    """Reports a value that a field of this kind cannot hold."""
    names: Mapping[str, Iterable[str]] = {
        "priority": PRIORITIES,
        "status": ruleset.lifecycle.states,
        "group": ruleset.roster.groups,
        "desk": ruleset.roster.desks,
        "user": ruleset.roster.users,
        "escalation policy": ruleset.escalation_policies,
        "tier": ruleset.tiers,
    }
    if kind in names:
        check_name(value, names[kind], kind, place)
    elif kind == "list":
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            place.problem("type", f"expected a list of texts; not {describe(value)}")
    elif kind in ("customer", "custom"):
        _check_inner(kind, value, place, ruleset)
    elif not isinstance(value, _TYPES[kind]) or (kind == "number" and isinstance(value, bool)):
        place.problem("type", f"expected {'true or false' if kind == 'bool' else f'a {kind}'}; not {describe(value)}")


def _check_inner(kind: str, value: object, place: Place, ruleset: Ruleset) -> None:
    if not isinstance(value, dict):
        place.problem("type", f"expected a mapping; not {describe(value)}")
        return
    declared = {name.removeprefix("ticket.custom."): found for name, found in ruleset.custom.items()}
    shapes = {"set": "list", "number": "number", "bool": "bool"}
    fields = _CUSTOMER if kind == "customer" else {
        name: shapes.get(found.kind, "text") for name, found in declared.items()
    }  # fmt: skip
    for name, inner in value.items():
        if name not in fields:
            place.at(name).problem("unknown-key", f'unknown field "{name}"{hint(name, fields)}', key=True)
            continue
        if inner is None:
            continue
        check_field(fields[name], inner, place.at(name), ruleset)
        values = declared[name].values if kind == "custom" else ()
        if values and isinstance(inner, str):
            check_name(inner, values, name, place.at(name))


def check_name(value: object, known: Iterable[str], what: str, place: Place) -> bool:
    """Whether `value` is one of the known names; a problem if not."""
    if isinstance(value, str) and value in known:
        return True
    near = hint(value, known) if isinstance(value, str) else ""
    place.problem("unknown-name", f"unknown {what} {describe(value)}{near}")
    return False


def parse_seconds(data: object, place: Place) -> int:
    """A duration in seconds; 0 after a problem."""
    try:
        return parse_wall_s(data)
    except ValueError as error:
        place.problem("duration", str(error))
        return 0


def parse_instant(data: object, place: Place) -> dt.datetime | None:
    """An instant with its offset; None after a problem."""
    try:
        found = dt.datetime.fromisoformat(data) if isinstance(data, str) else None
    except ValueError:
        found = None
    if found is None or found.tzinfo is None:
        place.problem("value", f"expected an instant such as 2026-03-02T09:00:00+07:00; not {describe(data)}")
        return None
    return found


def merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Two event data on top of each other; `customer` and `custom` field by field."""
    inner = {
        key: {**(below.get(key) or {}), **(above.get(key) or {})}
        for key in ("customer", "custom")
        if key in below or key in above
    }
    return {**below, **above, **inner}
