"""One rule of a ruleset: when it fires and what it does."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from typing import Any, Literal

import marshmallow as ma

from rules_service.durations import parse_duration
from rules_service.parties import TICKET_PARTIES
from rules_service.problems import DURATION, Place, check_names, describe, shaped
from rules_service.rules.actions import ActionSpec, Limit, Names, Repeat, parse_actions, parse_limit
from rules_service.rules.conditions import (
    All,
    Condition,
    Vocabulary,
    attributes_of,
    changing_attributes,
    parse_condition,
)
from rules_service.tickets import EVENT_TYPES, USER_EVENT_TYPES

#: What `on:` may name beside the event types: a fact that the lifecycle had no edge for.
IRREGULAR = "event.irregular"

#: What a rule for desks can do: tell people, or call an operation of a connector.
DESK_ACTIONS = ("alert", "call")

LISTENABLE = (*(name for name in EVENT_TYPES if name not in USER_EVENT_TYPES), IRREGULAR)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """Conditions and actions."""

    id: str
    about: str | None
    #: desk: judged for each desk by its `desk.*` alone, fired once for the desk.
    subject: Literal["ticket", "desk"] = "ticket"
    #: The events at which it fires while `when` holds; empty: it fires as soon as `when` holds, once.
    on: frozenset[str]
    when: Condition
    #: Names the conditions in a ticket's memory: other text, order or actions neither re-fire nor forget.
    when_hash: str
    then: tuple[ActionSpec, ...]
    order: int = 0
    stop: bool = False
    repeat: Repeat | None = None
    limit: Limit | None = None
    #: live; shadow: recorded, nothing done.
    mode: Literal["live", "shadow"] = "live"
    #: Whether events by machines (automated messages) fire it too.
    automated: bool = False
    #: Whether it fires on open tickets for which it holds already when it is published.
    catch_up: bool = False
    #: `file:line:col` of its definition.
    defined_at: str = ""


_AN_ID = 'an id has at most 80 letters, digits, "_", "." and "-", and begins with a letter or digit; not "{input}"'


class RepeatSchema(ma.Schema):
    """repeat."""

    every = ma.fields.String(required=True, metadata={DURATION: True})
    at_most = ma.fields.Integer(strict=True, load_default=None, validate=ma.validate.Range(min=1, max=10_000))


class RuleSchema(ma.Schema):
    """One rule."""

    id = ma.fields.String(
        required=True, validate=ma.validate.Regexp(r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,79}$", error=_AN_ID)
    )
    about = ma.fields.String(load_default=None)
    for_ = ma.fields.String(load_default="ticket", data_key="for", validate=ma.validate.OneOf(["ticket", "desk"]))
    on = ma.fields.Raw(load_default=None)
    when = ma.fields.Raw(load_default=None)
    then = ma.fields.Raw(required=True)
    order = ma.fields.Integer(strict=True, load_default=0)
    stop = ma.fields.Boolean(load_default=False, truthy={True}, falsy={False})
    repeat = ma.fields.Nested(RepeatSchema, load_default=None)
    limit = ma.fields.String(load_default=None)
    mode = ma.fields.String(load_default="live", validate=ma.validate.OneOf(["live", "shadow", "off"]))
    automated = ma.fields.String(load_default="skip", validate=ma.validate.OneOf(["include", "skip"]))
    catch_up = ma.fields.Boolean(load_default=False, truthy={True}, falsy={False})


def parse_rule(data: object, place: Place, vocabulary: Vocabulary, names: Names) -> Rule | None:
    """The rule, or None after reporting every problem, and for `mode: off`."""
    before = len(place.problems)
    found = shaped(RuleSchema, data, place)
    if found is None:
        return None
    on = _parse_on(found["on"], place.at("on"))
    when: Condition | None = All(())
    if found["when"] is not None:
        when = parse_condition(found["when"], place.at("when"), vocabulary)
    elif not on:
        place.problem("missing", "a rule needs `when:`, or `on:` with the events at which it fires")
    if found["for_"] == "desk":
        _check_desk_rule(found, when, place)
    elif when is not None and not on and (changing := changing_attributes(when, vocabulary)):
        message = (
            f"{' and '.join(sorted(changing))} changes without an event of the ticket, so that the rule needs `on:`"
        )
        place.at("when").problem("needs-on", message)
    repeat, limit = _parse_firing(found, place)
    if repeat is not None and on:
        place.at("repeat").problem("value", "a rule with `on:` fires at each event; `repeat:` is for rules without it")
    then = parse_actions(found["then"], place.at("then"), names)
    if len(place.problems) > before or when is None or found["mode"] == "off":
        return None
    return Rule(
        id=found["id"],
        about=found["about"],
        subject=found["for_"],
        on=on,
        when=when,
        when_hash=short_hash(found["when"]),
        then=then,
        order=found["order"],
        stop=found["stop"],
        repeat=repeat,
        limit=limit,
        mode=found["mode"],
        automated=found["automated"] == "include",
        catch_up=found["catch_up"],
        defined_at=str(place),
    )


def _check_desk_rule(found: dict[str, Any], when: Condition | None, place: Place) -> None:
    """A rule for desks has no ticket: nothing to listen to, to read or to move."""
    if found["on"] is not None:
        place.at("on").problem("value", "a rule `for: desk` is judged all the time; it takes no `on:`")
    for name in sorted(attributes_of(when) if when is not None else ()):
        if not name.startswith("desk."):
            place.at("when").problem("value", f"a rule `for: desk` reads desk.* only; not {name}")
    for index, item in enumerate(found["then"] if isinstance(found["then"], list) else ()):
        kind = next(iter(item), None) if isinstance(item, dict) else item
        if kind not in DESK_ACTIONS:
            accepted = " or ".join(DESK_ACTIONS)
            place.at("then", index).problem("value", f"a rule `for: desk` can only {accepted}; not {kind}")
            continue
        told = item[kind].get("to") if isinstance(item, dict) and isinstance(item[kind], dict) else None
        for number, party in enumerate(told if isinstance(told, list) else ()):
            if party in TICKET_PARTIES:
                text = f"a desk has no {party}; a rule `for: desk` tells supervisor, group, technical, management,"
                place.at("then", index, kind, "to", number).problem("value", f"{text} user:ID or endpoint:ID")


def short_hash(value: object) -> str:
    """Eight hexadecimal digits that name a plain value."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, default=str).encode()).hexdigest()[:8]


def _parse_on(data: object, place: Place) -> frozenset[str]:
    if data is None:
        return frozenset()
    listed = [data] if isinstance(data, str) else data
    if not isinstance(listed, list) or not listed or not all(isinstance(name, str) for name in listed):
        place.problem("type", f"`on:` is an event type or a list of them; not {describe(data)}")
        return frozenset()
    if isinstance(data, str):
        if data not in LISTENABLE:
            check_names([data], LISTENABLE, "event type", place)
    else:
        check_names(listed, LISTENABLE, "event type", place)
    return frozenset(listed)


def _parse_firing(found: dict[str, Any], place: Place) -> tuple[Repeat | None, Limit | None]:
    repeat = limit = None
    if found["repeat"] is not None:
        try:
            every = parse_duration(found["repeat"]["every"])
        except ValueError as error:
            place.at("repeat", "every").problem("duration", str(error))
        else:
            every = replace(every, seconds=max(1, every.seconds))
            repeat = Repeat(every=every, at_most=found["repeat"]["at_most"])
    if found["limit"] is not None:
        try:
            limit = parse_limit(found["limit"])
        except ValueError as error:
            place.at("limit").problem("value", str(error))
    return repeat, limit
