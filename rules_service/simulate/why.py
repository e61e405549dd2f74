"""Why a rule did not fire in a story: the first of its conditions that did not hold, in a sentence."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rules_service.decide import Facts, row_of
from rules_service.durations import format_duration
from rules_service.rules import All, AnyOf, Atom, Explanation, Not, Rule, Vocabulary, explain
from rules_service.ruleset import Ruleset
from rules_service.simulate.stories import Chained, Moment
from rules_service.tickets import SYSTEM, Decision, Event, Snapshot

#: Parts of an `any:` that a sentence lists.
_MOST_PARTS = 3

_WORDS = {
    "is": "", "is_not": "other than ", "in": "one of ", "not_in": "none of ", "at_least": "at least ",
    "at_most": "at most ", "more_than": "more than ", "less_than": "less than ", "contains_any": "with any of ",
    "contains_all": "with all of ", "contains_none": "with none of ", "matches": "a match of ",
    "starts_with": "a text that starts with ",
}  # fmt: skip


def why_not(ruleset: Ruleset, rule: Rule, chains: Sequence[Chained], moment: Moment, ticket_id: str) -> str:
    """Why `rule` did not fire on a ticket during `chains`, which end at `moment`."""
    decisions = [
        decision
        for chain in chains
        if (chain.event.ticket_id == ticket_id or rule.subject == "desk") and not chain.refused
        for decision in chain.decisions
    ]
    for decision in reversed(decisions):
        for firing in decision.firings:
            if firing.rule_id == rule.id and firing.outcome == "held_back":
                return f"it was held back: {firing.reason}"
            if firing.rule_id == rule.id and firing.outcome == "shadow":
                return "it is in mode shadow, which records and does nothing"
    if rule.subject == "desk":
        return _of_desk(ruleset, rule, moment, ticket_id)
    snapshot = moment.tickets.get(ticket_id)
    if snapshot is None:
        return f"there is no ticket {ticket_id}"
    if not rule.on:
        return _edge(ruleset, rule, snapshot, moment)
    heard = [decision for decision in decisions if _hears(rule, decision)]
    if not heard:
        return f"it listens to {', '.join(sorted(rule.on))}, and no such event came"
    return first_false(explain(rule.when, heard[-1].row, ruleset.rules.vocabulary), ruleset.rules.vocabulary)


def first_false(found: Explanation, vocabulary: Vocabulary) -> str:
    """The first condition that does not hold, with what it found instead."""
    match found.condition:
        case Atom():
            return _atom(found.condition, found.actual, vocabulary)
        case All():
            part = next((one for one in found.parts if not one.holds), None)
            return "its conditions hold" if part is None else first_false(part, vocabulary)
        case AnyOf():
            sentences = [first_false(one, vocabulary) for one in found.parts[:_MOST_PARTS]]
            more = len(found.parts) - len(sentences)
            return "none of these holds: " + "; ".join(sentences) + (f"; and {more} more" if more > 0 else "")
        case Not():
            return f"{_first_true(found.parts[0], vocabulary)}, which `none:` excludes"


def spoken(value: Any, unit: str | None = None) -> str:
    """A value as rule files write it."""
    match value:
        case None:
            return "nothing"
        case bool():
            return str(value).lower()
        case str():
            return value if value.isidentifier() or value.replace("-", "_").isidentifier() else f'"{value[:80]}"'
        case list() | tuple() | frozenset() | set():
            items = sorted(value, key=repr) if isinstance(value, frozenset | set) else value
            return f"[{', '.join(spoken(item, unit) for item in items)}]"
        case dict():
            return f"{{{', '.join(f'{key}: {spoken(item)}' for key, item in value.items())}}}"
        case int() | float() if unit == "s":
            return format_duration(value)
        case int() | float() if unit == "pct":
            return f"{value}%"
    return str(value)


def _of_desk(ruleset: Ruleset, rule: Rule, moment: Moment, ticket_id: str) -> str:
    snapshot = moment.tickets.get(ticket_id)
    desk = snapshot.ticket.desk if snapshot is not None and snapshot.ticket else ruleset.roster.default_desk
    row = {
        "desk.name": desk,
        "desk.group": ruleset.roster.desks[desk].group,
        "desk.open": ruleset.calendar_of_desk(desk).is_open(moment.now),
        **moment.desks.get(desk, {}),
    }
    found = explain(rule.when, row, ruleset.rules.vocabulary)
    return f"of {desk}, {first_false(found, ruleset.rules.vocabulary)}"


def _edge(ruleset: Ruleset, rule: Rule, snapshot: Snapshot, moment: Moment) -> str:
    ticket = snapshot.ticket
    if ticket is None or not ticket.live:
        return "the ticket is gone"
    event = Event(id="", type="timer.due", at=moment.now, ticket_id=ticket.id, actor=SYSTEM)
    facts = Facts(ruleset=ruleset, snapshot=snapshot, ticket=ticket, event=event, now=moment.now)
    found = explain(rule.when, row_of(facts, ruleset.rules.reads[rule.id]), ruleset.rules.vocabulary)
    if found.holds:
        return "its conditions held already before this; it fires when they become true"
    return first_false(found, ruleset.rules.vocabulary)


def _hears(rule: Rule, decision: Decision) -> bool:
    if decision.outcome == "refused":
        return False
    return decision.event.type in rule.on or (decision.outcome == "irregular" and "event.irregular" in rule.on)


def _atom(atom: Atom, actual: Any, vocabulary: Vocabulary) -> str:
    unit, name = vocabulary.attribute(atom.attribute).unit, named(atom.attribute)
    if atom.operator == "keywords":
        return f'{name} hits no keyword of "{atom.value}"'
    if atom.operator == "exists":
        return f"{name} is {'missing' if atom.value else f'there: {spoken(actual, unit)}'}"
    wanted = f"{_WORDS[atom.operator]}{spoken(atom.value, unit)}"
    if actual is None:
        return f"{name} has no value, wanted: {wanted}"
    return f"{name} is {spoken(actual, unit)}, wanted: {wanted}"


def named(attribute: str) -> str:
    """`recent.messages_received[600]` as people say it."""
    name, _, window_s = attribute.partition("[")
    return f"{name} within {format_duration(int(window_s.rstrip(']')))}" if window_s else name


def _first_true(found: Explanation, vocabulary: Vocabulary) -> str:
    """The first comparison that makes a part true."""
    match found.condition:
        case Atom():
            actual = spoken(found.actual, vocabulary.attribute(found.condition.attribute).unit)
            return f"{named(found.condition.attribute)} is {actual}"
        case Not():
            return f"not: {first_false(found.parts[0], vocabulary)}"
        case AnyOf() | All():
            part = next((one for one in found.parts if one.holds), None)
            return "they all hold" if part is None else _first_true(part, vocabulary)
