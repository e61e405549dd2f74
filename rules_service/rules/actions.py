"""The closed list of actions that a rule may take, with their parameters."""

from __future__ import annotations

from collections.abc import Callable, Collection, Container, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import marshmallow as ma

from rules_service.durations import Duration, parse_duration
from rules_service.parties import check_party
from rules_service.problems import DURATION, Place, describe, hint, shaped
from rules_service.tickets import PRIORITIES

#: Mildest first.
SEVERITIES = ("info", "warning", "critical")

#: Until when a message may be deferred: the next opening of the ticket's desk.
DEFERRALS = ("service_hours",)


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionSpec:
    """One action of a rule, checked: its type and normalised parameters."""

    type: str
    data: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """The names of a ruleset that actions refer to."""

    users: Container[str] = ()
    groups: Container[str] = ()
    desks: Container[str] = ()
    endpoints: Container[str] = ()
    templates: Iterable[str] = ()
    policies: Iterable[str] = ()
    #: connector -> its operations; None where they cannot be read
    connectors: Mapping[str, Collection[str] | None] = field(default_factory=dict)
    custom: Iterable[str] = ()
    tiers: Iterable[str] = ()


class SetPrioritySchema(ma.Schema):
    """set_priority: to one value, or to at least one."""

    to = ma.fields.String(validate=ma.validate.OneOf(PRIORITIES))
    at_least = ma.fields.String(validate=ma.validate.OneOf(PRIORITIES))


class TagsSchema(ma.Schema):
    """add_tags, remove_tags."""

    tags = ma.fields.List(ma.fields.String(), required=True, validate=ma.validate.Length(min=1, max=50))


class ReassignSchema(ma.Schema):
    """reassign: to a user, or to whoever fits best among those with a skill, level, group or desk."""

    to = ma.fields.String()
    skill = ma.fields.String()
    level = ma.fields.Integer(strict=True, validate=ma.validate.Range(min=0, max=3))
    group = ma.fields.String()
    desk = ma.fields.String()


class TransferSchema(ma.Schema):
    """transfer: to a group or to one of its desks."""

    group = ma.fields.String()
    desk = ma.fields.String()


class EscalateSchema(ma.Schema):
    """escalate: opens the ladder of a policy."""

    policy = ma.fields.String()
    summary = ma.fields.String(required=True)
    start_at = ma.fields.Integer(strict=True, load_default=1, validate=ma.validate.Range(min=1, max=20))


class MessageSchema(ma.Schema):
    """reply, note, request_feedback: a text of its own, or a template by name."""

    template = ma.fields.String()
    text = ma.fields.String()


class ToCustomerSchema(MessageSchema):
    """reply, request_feedback: a message that may wait for the desk's opening."""

    defer = ma.fields.String(validate=ma.validate.OneOf(DEFERRALS))


class AlertSchema(ToCustomerSchema):
    """alert: parties to tell, now, together with others, or once the desk is open."""

    to = ma.fields.List(ma.fields.String(), required=True, validate=ma.validate.Length(min=1))
    severity = ma.fields.String(load_default="warning", validate=ma.validate.OneOf(SEVERITIES))
    digest = ma.fields.String(metadata={DURATION: True})


class EmptySchema(ma.Schema):
    """close, reopen: nothing to say."""


class CallSchema(ma.Schema):
    """call: an operation of a connector."""

    connector = ma.fields.String(required=True)
    operation = ma.fields.String(required=True)
    data = ma.fields.Dict(keys=ma.fields.String(), load_default={})


#: Action type -> (schema, the parameter that a bare scalar or list stands for, parameters of which exactly one is due).
SHAPES: Mapping[str, tuple[type[ma.Schema], str | None, tuple[str, ...]]] = {
    "set_priority": (SetPrioritySchema, "to", ("to", "at_least")),
    "add_tags": (TagsSchema, "tags", ()),
    "remove_tags": (TagsSchema, "tags", ()),
    "reassign": (ReassignSchema, "to", ()),
    "transfer": (TransferSchema, "group", ("group", "desk")),
    "escalate": (EscalateSchema, "summary", ()),
    "alert": (AlertSchema, "to", ("template", "text")),
    "reply": (ToCustomerSchema, "template", ("template", "text")),
    "note": (MessageSchema, "text", ("template", "text")),
    "close": (EmptySchema, None, ()),
    "reopen": (EmptySchema, None, ()),
    "request_feedback": (ToCustomerSchema, "template", ("template", "text")),
    "call": (CallSchema, None, ()),
}

#: Every action with what it does.
ACTIONS: Mapping[str, str] = {
    "set_priority": "sets the priority, to a value or to at least one",
    "add_tags": "adds tags",
    "remove_tags": "removes tags",
    "set": "sets custom attributes, or the customer's tier",
    "reassign": "gives the ticket to a user, or to whoever fits by skill, level, group or desk",
    "transfer": "moves the ticket to a group or desk, into its queue",
    "escalate": "calls help: opens the ladder of an escalation policy",
    "alert": "tells people",
    "reply": "writes to the customer, marked as automatic",
    "note": "writes an internal note",
    "close": "closes the ticket",
    "reopen": "reopens the ticket",
    "request_feedback": "asks the customer for a judgement",
    "call": "carries out an operation of a connector",
}

#: Actions that decide who holds the ticket or whether it is closed: one in a generation.
PLACEMENTS = frozenset({"reassign", "transfer", "close", "reopen"})


def parse_actions(data: object, place: Place, names: Names) -> tuple[ActionSpec, ...]:
    """The actions under a rule's `then:`, in order; every mistake becomes a problem at its place."""
    if not isinstance(data, list) or not data:
        place.problem("type", f"`then:` is a list of at least one action; not {describe(data)}")
        return ()
    found = (parse_action(item, place.at(index), names) for index, item in enumerate(data))
    return tuple(spec for spec in found if spec is not None)


def parse_action(data: object, place: Place, names: Names) -> ActionSpec | None:
    """One action: a name (`close`), or a mapping from one name to its parameters."""
    if isinstance(data, str):
        data = {data: {}}
    if not isinstance(data, dict) or len(data) != 1:
        place.problem("type", f"an action is a mapping of one name to its parameters; not {describe(data)}")
        return None
    kind, given = next(iter(data.items()))
    if kind not in ACTIONS:
        place.at(kind).problem("unknown-action", f'unknown action "{kind}"{hint(kind, ACTIONS)}', key=True)
        return None
    inner = place.at(kind)
    if kind == "set":
        return _parse_set(given, inner, names)
    schema, short, one_of = SHAPES[kind]
    if not isinstance(given, dict) and short is not None:
        given = {short: given}
    if given is None:
        given = {}
    found = shaped(schema, given, inner)
    if found is None:
        return None
    present = [name for name in one_of if name in found]
    if one_of and len(present) != 1:
        inner.problem("missing" if not present else "value", f'"{kind}" takes exactly one of {", ".join(one_of)}')
        return None
    if kind == "reassign" and (not found or ("to" in found and len(found) > 1)):
        inner.problem("value", '"reassign" takes either `to: USER`, or some of skill, level, group, desk')
        return None
    _CHECKS.get(kind, _check_message)(found, inner, names)
    return ActionSpec(type=kind, data=found)


def _parse_set(given: object, place: Place, names: Names) -> ActionSpec | None:
    if not isinstance(given, dict) or not given:
        place.problem("type", f'"set" takes a mapping from fields to values; not {describe(given)}')
        return None
    accepted = ["customer.tier", *(f"custom.{name}" for name in names.custom)]
    for key, value in given.items():
        if key not in accepted:
            place.at(key).problem("unknown-key", f'"set" knows no field "{key}"{hint(key, accepted)}', key=True)
        elif key == "customer.tier" and value not in names.tiers:
            place.at(key).problem("unknown-name", f"unknown tier {describe(value)}{hint(value, names.tiers)}")
        elif isinstance(value, dict | list):
            place.at(key).problem("type", f"expected one value, not {describe(value)}")
    return ActionSpec(type="set", data=given)


def _check_message(found: dict[str, Any], place: Place, names: Names) -> None:
    if "template" in found and found["template"] not in names.templates:
        name = found["template"]
        place.at("template").problem("unknown-name", f'unknown template "{name}"{hint(name, names.templates)}')


def _check_alert(found: dict[str, Any], place: Place, names: Names) -> None:
    _check_message(found, place, names)
    if "digest" in found:
        try:
            found["digest"] = parse_duration(found["digest"])
        except ValueError as error:
            place.at("digest").problem("duration", str(error))
    for index, party in enumerate(found["to"]):
        check_party(party, place.at("to", index), names.users, names.endpoints)


def _check_target(found: dict[str, Any], place: Place, names: Names) -> None:
    for key, known, what in (
        ("to", names.users, "user"),
        ("group", names.groups, "group"),
        ("desk", names.desks, "desk"),
    ):
        if key in found and found[key] not in known:
            listed = known if isinstance(known, Iterable) else ()
            place.at(key).problem("unknown-name", f'unknown {what} "{found[key]}"{hint(found[key], listed)}')


def _check_escalate(found: dict[str, Any], place: Place, names: Names) -> None:
    if "policy" in found and found["policy"] not in names.policies:
        name = found["policy"]
        place.at("policy").problem("unknown-name", f'unknown escalation policy "{name}"{hint(name, names.policies)}')


def _check_call(found: dict[str, Any], place: Place, names: Names) -> None:
    name, operation = found["connector"], found["operation"]
    if name not in names.connectors:
        place.at("connector").problem("unknown-name", f'unknown connector "{name}"{hint(name, names.connectors)}')
        return
    known = names.connectors[name]
    if known is not None and operation not in known:
        said = hint(operation, known) or "; it has none"
        place.at("operation").problem("unknown-name", f'the connector "{name}" has no operation "{operation}"{said}')


_CHECKS: Mapping[str, Callable[[dict[str, Any], Place, Names], None]] = {
    "reassign": _check_target,
    "transfer": _check_target,
    "escalate": _check_escalate,
    "alert": _check_alert,
    "call": _check_call,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Repeat:
    """Fire again every so long while the conditions stay true, `at_most` times in all (None: without end)."""

    every: Duration
    at_most: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """At most `count` firings per ticket, per stint, or within a length of time."""

    count: int
    #: ticket, stint or duration.
    scope: str
    within: Duration | None = None

    def __str__(self) -> str:
        return f"{self.count} per {self.within or self.scope}"


def parse_limit(text: object) -> Limit:
    """`1 per ticket`, `2 per stint`, `2 per 1h`; ValueError for anything else."""
    words = str(text).split(" per ", 1)
    if len(words) == 2 and words[0].strip().isdecimal() and int(words[0]) > 0:  # noqa: PLR2004  a count and a scope
        count, scope = int(words[0]), words[1].strip()
        if scope in ("ticket", "stint"):
            return Limit(count=count, scope=scope)
        return Limit(count=count, scope="duration", within=parse_duration(scope))
    raise ValueError(f'a limit is written "1 per ticket", "1 per stint" or "2 per 1h"; not {text!r}')
