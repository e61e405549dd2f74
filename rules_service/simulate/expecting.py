"""What a test expects: the keys of `expect:`, read and checked against the ruleset."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from rules_service.clocks import CLOCKS
from rules_service.connectors import ACTION_DATA
from rules_service.problems import Place, check_names, describe, hint
from rules_service.ruleset import Ruleset
from rules_service.simulate.steps import FIRST_TICKET, check_field, check_name, parse_instant, parse_seconds
from rules_service.tickets import EVENT_TYPES

#: Key of `expect:` -> what it says. Lists of rules and actions are about what happened since the `expect` before.
EXPECT: Mapping[str, str] = {
    "of": "the ticket that the other keys are about; left out, rules and actions of all tickets and the first ticket",
    "fires": "exactly these rules fired, in the order in which each first did",
    "fires_at_least": "each of these rules fired, among others",
    "not_fires": "none of these rules fired",
    "times": "how often each of these rules fired",
    "held_back": "each of these rules was held back",
    "shadow": "each of these rules fired in shadow",
    "actions": "these actions were taken, in this order, among others; the keys given are equal",
    "no_actions": "no such action was taken",
    "ticket": "fields of the ticket; `tags`, `custom` and `customer` hold at least these",
    "tickets": "the same of several tickets, by id",
    "clocks": "state of its clocks, or {state, due_at, target, used}; none: there is no such clock",
    "escalation": "the open escalation: none, or {policy, step, approval, acknowledged_by, targets, and so on}",
    "refused": "the transitions that were refused, each with a code of its reasons, or true",
    "irregular": "facts for which the lifecycle had no edge, by event type",
    "marks": "marks that decisions carry: late ones, loops, tickets over the maximum",
    "queue": "the tickets that wait at a desk, in order",
    "loads": "how many tickets users hold",
}

#: Field of `ticket:` -> what it holds.
TICKET_FIELDS: Mapping[str, str] = {
    "status": "status", "priority": "priority", "assignee": "user", "desk": "desk", "group": "group",
    "channel": "text", "subject": "text", "tags": "list", "no_tags": "list", "custom": "custom",
    "customer": "customer", "transfers": "number", "reopens": "number", "stint": "number", "queued": "bool",
    "live": "bool", "last_assignee": "user",
}  # fmt: skip

CLOCK_FIELDS = ("state", "due_at", "target", "used")
CLOCK_STATES = ("running", "paused", "met", "breached", "missed", "void", "none")
ESCALATION_FIELDS = (
    "policy", "step", "round", "approval", "acknowledged_by", "targets", "reasons", "followers", "summary",
)  # fmt: skip
#: Whether an escalation waits for a supervisor's yes, has it, or needs none.
APPROVALS = ("wanted", "given", "none")

#: Action -> its data; `call` is an operation of a connector.
ACTION_FIELDS: Mapping[str, tuple[str, ...]] = {**ACTION_DATA, "call": ("connector", "operation", "data")}

#: What a bare value stands for, as in `{reassign: hx1}`.
_SHORT: Mapping[str, str] = {
    "set_priority": "priority", "add_tags": "tags", "remove_tags": "tags", "reassign": "to", "transfer": "group",
    "escalate": "policy", "alert": "template", "reply": "template", "note": "text", "request_feedback": "template",
    "call": "operation",
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """One action that is expected: its type and the data that has to be equal."""

    type: str
    data: Mapping[str, Any]
    place: Place

    def __str__(self) -> str:
        from rules_service.simulate.why import spoken  # noqa: PLC0415  beside its only use

        return f"{self.type} {spoken(dict(self.data))}" if self.data else self.type


@dataclass(frozen=True, slots=True, kw_only=True)
class Expectation:
    """One `expect:`, checked: it looks at what happened after moment `since`, and how things stand at `until`."""

    data: Mapping[str, Any]
    place: Place
    since: int
    until: int
    #: The ticket that it is about; None for all of them.
    of: str | None
    actions: tuple[Wanted, ...] = ()
    no_actions: tuple[Wanted, ...] = ()


def parse_expectation(
    data: object, place: Place, ruleset: Ruleset, *, since: int, until: int, tickets: Iterable[str]
) -> Expectation | None:
    """The expectation, or None after reporting every problem."""
    before = len(place.problems)
    if not isinstance(data, dict) or not data:
        place.problem("type", f"`expect:` says what has to be so, such as {{fires: [vip]}}; not {describe(data)}")
        return None
    for key, value in data.items():
        here = place.at(key)
        if key not in EXPECT:
            here.problem("unknown-key", f'unknown key "{key}"{hint(key, EXPECT)}', key=True)
        else:
            _check(key, value, here, ruleset, set(tickets))
    actions = _actions(data.get("actions", []), place.at("actions"))
    none_of = _actions(data.get("no_actions", []), place.at("no_actions"))
    if len(place.problems) > before:
        return None
    return Expectation(
        data=data, place=place, since=since, until=until, of=data.get("of"), actions=actions, no_actions=none_of
    )


def _check(key: str, value: object, place: Place, ruleset: Ruleset, tickets: set[str]) -> None:  # noqa: PLR0912  a row a key
    match key:
        case "of":
            check_name(value, tickets, "ticket", place)
        case "fires" | "fires_at_least" | "not_fires" | "held_back" | "shadow":
            _names(value, ruleset.rules.by_id, "rule", place)
        case "times":
            for name, inner in _mapping(value, place):
                if check_name(name, ruleset.rules.by_id, "rule", inner[1]):
                    _count(*inner)
        case "ticket":
            _check_ticket(value, place, ruleset)
        case "tickets":
            for name, (fields, inner_place) in _mapping(value, place):
                if check_name(name, tickets or {FIRST_TICKET}, "ticket", inner_place):
                    _check_ticket(fields, inner_place, ruleset)
        case "clocks":
            for name, (state, inner_place) in _mapping(value, place):
                if check_name(name, CLOCKS, "clock", inner_place):
                    _check_clock(state, inner_place)
        case "escalation":
            _check_escalation(value, place, ruleset)
        case "refused":
            for name, (_, inner_place) in _mapping(value, place):
                check_name(name, {row.trigger for row in ruleset.lifecycle.rows}, "transition", inner_place)
        case "irregular":
            _names(value, EVENT_TYPES, "event type", place)
        case "marks":
            check_field("list", value, place, ruleset)
        case "queue":
            for name, (waiting, inner_place) in _mapping(value, place):
                check_name(name, ruleset.roster.desks, "desk", inner_place)
                _names(waiting, tickets, "ticket", inner_place)
        case "loads":
            for name, inner in _mapping(value, place):
                if check_name(name, ruleset.roster.users, "user", inner[1]):
                    _count(*inner)


def _mapping(value: object, place: Place) -> list[tuple[str, tuple[object, Place]]]:
    if isinstance(value, dict):
        return [(name, (inner, place.at(name))) for name, inner in value.items()]
    place.problem("type", f"expected a mapping; not {describe(value)}")
    return []


def _names(value: object, known: Iterable[str], what: str, place: Place) -> None:
    if isinstance(value, list) and all(isinstance(name, str) for name in value):
        check_names(value, known, what, place)
    else:
        place.problem("type", f"expected a list of {what}s; not {describe(value)}")


def _count(value: object, place: Place) -> None:
    if not isinstance(value, int) or isinstance(value, bool):
        place.problem("type", f"expected a count; not {describe(value)}")


def _check_ticket(value: object, place: Place, ruleset: Ruleset) -> None:
    for name, (wanted, inner_place) in _mapping(value, place):
        if name not in TICKET_FIELDS:
            inner_place.problem("unknown-key", f'unknown field "{name}"{hint(name, TICKET_FIELDS)}', key=True)
        elif wanted is not None:
            check_field(TICKET_FIELDS[name], wanted, inner_place, ruleset)


def _check_clock(value: object, place: Place) -> None:
    if isinstance(value, str):
        check_name(value, CLOCK_STATES, "state", place)
        return
    for name, (wanted, inner_place) in _mapping(value, place):
        if name == "state":
            check_name(wanted, CLOCK_STATES, "state", inner_place)
        elif name == "due_at":
            parse_instant(wanted, inner_place)
        elif name in CLOCK_FIELDS:
            parse_seconds(wanted, inner_place)
        else:
            inner_place.problem("unknown-key", f'unknown key "{name}"{hint(name, CLOCK_FIELDS)}', key=True)


def _check_escalation(value: object, place: Place, ruleset: Ruleset) -> None:
    if value == "none":
        return
    for name, (wanted, inner_place) in _mapping(value, place):
        if name not in ESCALATION_FIELDS:
            inner_place.problem("unknown-key", f'unknown key "{name}"{hint(name, ESCALATION_FIELDS)}', key=True)
        elif name == "policy":
            check_name(wanted, {*ruleset.escalation_policies, "supervisor"}, "escalation policy", inner_place)
        elif name == "approval":
            check_name(wanted, APPROVALS, "approval", inner_place)
        elif name in ("targets", "followers", "reasons"):
            check_field("list", wanted, inner_place, ruleset)


def _actions(data: object, place: Place) -> tuple[Wanted, ...]:
    if not isinstance(data, list):
        place.problem("type", f"expected a list of actions such as [{{reassign: hx1}}]; not {describe(data)}")
        return ()
    found = (_action(item, place.at(index)) for index, item in enumerate(data))
    return tuple(one for one in found if one is not None)


def _action(data: object, place: Place) -> Wanted | None:
    if isinstance(data, str):
        data = {data: {}}
    if not isinstance(data, dict) or len(data) != 1:
        place.problem("type", f"an action is a name, or a mapping of one name to its data; not {describe(data)}")
        return None
    kind, given = next(iter(data.items()))
    if kind not in ACTION_FIELDS:
        place.at(kind).problem("unknown-action", f'unknown action "{kind}"{hint(kind, ACTION_FIELDS)}', key=True)
        return None
    if given is None and kind != "reassign":
        given = {}
    if not isinstance(given, dict):
        if kind not in _SHORT:
            place.at(kind).problem("type", f'"{kind}" takes a mapping; not {describe(given)}')
            return None
        given = {_SHORT[kind]: given}
    if kind == "set":
        given = {} if not given else {"fields": given}
    for name in given:
        if name not in ACTION_FIELDS[kind]:
            near = hint(name, ACTION_FIELDS[kind])
            place.at(kind, name).problem("unknown-key", f'"{kind}" has no "{name}"{near}', key=True)
    return Wanted(type=kind, data=given, place=place)
