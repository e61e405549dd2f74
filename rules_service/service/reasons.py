"""Why a rule fires on a ticket or does not, condition by condition."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

from rules_service.clock import iso
from rules_service.decide import Facts, row_of
from rules_service.errors import UnknownName
from rules_service.problems import hint
from rules_service.rules import Explanation, Rule, explain
from rules_service.ruleset import Ruleset
from rules_service.service.reading import snapshot_of
from rules_service.simulate import conditions, first_false
from rules_service.store import Store, log
from rules_service.tickets import SYSTEM, Event, Snapshot

#: How far back in a ticket's log an event is looked for that a rule listens to.
_MOST_EVENTS = 1_000


def why_rule(store: Store, ruleset: Ruleset, ticket_id: str, rule_id: str, now: dt.datetime) -> dict[str, Any]:
    """Why the rule fires on the ticket or does not: a sentence, its conditions one by one, and its last firing.

    A rule without `on:` is judged on the ticket as it stands; one with `on:` on what it saw at the last event that it
    listens to. UnknownTicket; UnknownName for a rule that the ruleset in force does not have.
    """
    snapshot = snapshot_of(store, ticket_id)
    rule = ruleset.rules.by_id.get(rule_id)
    if rule is None:
        known = hint(rule_id, ruleset.rules.by_id)
        raise UnknownName(f'the ruleset in force has no rule "{rule_id[:80]}", or it says mode: off{known}')
    last = _last_firing(store, ticket_id, rule_id)
    heard, found = None, None
    if rule.subject == "desk":
        why = "it is a rule for desks; it fires on no ticket"
    elif rule.on:
        heard = _heard(store, ticket_id, rule)
        found = None if heard is None else explain(rule.when, heard["row"], ruleset.rules.vocabulary)
        why = _at_event(ruleset, rule, heard, found)
    else:
        found = explain(rule.when, _row(ruleset, snapshot, rule, now), ruleset.rules.vocabulary)
        why = _edge(ruleset, snapshot, rule, found, last)
    return {
        "ticket_id": ticket_id,
        "rule": rule.id,
        "about": rule.about,
        "mode": "shadow" if rule.id in ruleset.braked else rule.mode,
        "on": sorted(rule.on),
        "holds": None if found is None else found.holds,
        "why": why,
        "judged_at": iso(heard["handled_at"] if heard else now) if found is not None else None,
        "event_id": heard["id"] if heard else None,
        "conditions": None if found is None else conditions(found, ruleset.rules.vocabulary),
        "last": last,
    }


def _row(ruleset: Ruleset, snapshot: Snapshot, rule: Rule, now: dt.datetime) -> Mapping[str, Any]:
    ticket = snapshot.ticket
    assert ticket is not None
    event = Event(id="", type="timer.due", at=now, ticket_id=ticket.id, actor=SYSTEM)
    facts = Facts(ruleset=ruleset, snapshot=snapshot, ticket=ticket, event=event, now=now)
    return row_of(facts, ruleset.rules.reads[rule.id])


def _edge(ruleset: Ruleset, snapshot: Snapshot, rule: Rule, found: Explanation, last: Mapping[str, Any] | None) -> str:
    """A rule that fires when its conditions become true."""
    ticket = snapshot.ticket
    if ticket is None or not ticket.live:
        return "the helpdesk deleted the ticket, or merged it into another; no rule fires"
    if not found.holds:
        return f"its conditions do not hold: {first_false(found, ruleset.rules.vocabulary)}"
    memory = snapshot.memory.get(rule.id)
    spent = memory is not None and memory.when_hash == rule.when_hash and memory.spent
    if spent and memory is not None and memory.fired_count:
        times = "once" if memory.fired_count == 1 else f"{memory.fired_count} times"
        again = f"; it repeats every {rule.repeat.every}" if rule.repeat is not None else ""
        return f"its conditions hold, and it fired {times} since they became true{again}"
    if spent:
        return "its conditions hold, and did when the rule came to the ticket; it fires when they become true anew"
    if last is not None and last["outcome"] == "held_back":
        return f"its conditions hold, and it was held back: {last['reason']}"
    return "its conditions hold; it fires with the next event or deadline of the ticket"


def _at_event(ruleset: Ruleset, rule: Rule, heard: Mapping[str, Any] | None, found: Explanation | None) -> str:
    """A rule that fires at events."""
    if heard is None or found is None:
        return f"it listens to {', '.join(sorted(rule.on))}, and no such event came"
    event = f"at the last {heard['type']}"
    firing = heard["firing"]
    if firing is not None:
        words = {"fired": "it fired", "shadow": "its conditions held, and it only shadowed"}
        return f"{event} {words.get(firing['outcome'], 'it was held back: ' + firing['reason'])}"
    if found.holds:
        return f"{event} another ruleset was in force; by the conditions it has now it would have fired"
    return f"{event} its conditions did not hold: {first_false(found, ruleset.rules.vocabulary)}"


def _heard(store: Store, ticket_id: str, rule: Rule) -> dict[str, Any] | None:
    """The last decision about an event that the rule listens to, with the row that the rules saw."""
    for logged in log.latest(store, ticket_id, _MOST_EVENTS):
        for decision in reversed(logged.decisions):
            irregular = decision["outcome"] == "irregular" and "event.irregular" in rule.on
            if decision["outcome"] == "refused" or not (irregular or decision["type"] in rule.on):
                continue
            return {
                "id": logged.id,
                "type": decision["type"],
                "handled_at": logged.handled_at,
                "row": _seen(logged.body, decision),
                "firing": next((one for one in decision.get("firings", ()) if one["rule_id"] == rule.id), None),
            }
    return None


def _seen(body: Mapping[str, Any], decision: Mapping[str, Any]) -> dict[str, Any]:
    """The row of a decision as the rules saw it; texts that the event holds are not in the log twice."""
    data = decision.get("data") or body.get("data") or {}
    row = {
        name: frozenset(value) if isinstance(value, list) else value for name, value in decision.get("row", {}).items()
    }
    subject = data.get("subject")
    first = "\n".join(part for part in (subject, data.get("body")) if part)
    return {"message.text": data.get("text") or first or None, "ticket.subject": subject, **row}


def _last_firing(store: Store, ticket_id: str, rule_id: str) -> dict[str, Any] | None:
    """The last time that the rule fired on the ticket, shadowed, or was held back."""
    for logged in log.latest(store, ticket_id, _MOST_EVENTS):
        for decision in reversed(logged.decisions):
            for firing in decision.get("firings", ()):
                if firing["rule_id"] == rule_id:
                    return {
                        "event_id": logged.id,
                        "at": iso(logged.at),
                        "outcome": firing["outcome"],
                        "reason": firing["reason"],
                        "because": firing.get("because", {}),
                        "notes": firing.get("notes", []),
                    }
    return None
