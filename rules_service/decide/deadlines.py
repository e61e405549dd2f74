"""When time alone next changes something about a ticket, and the event that this instant becomes."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator

from rules_service.clocks import next_change_at, next_warning_pct
from rules_service.decide.attributes import Facts, crossings, row_of
from rules_service.decide.firing import limit_ends_at, next_repeat_at
from rules_service.rules import Rule
from rules_service.ruleset import Ruleset
from rules_service.tickets import SYSTEM, Event, RuleMemory, Snapshot, Ticket

#: One thing that time brings: when, the type of its event, its data, and what tells it from others of that instant.
Due = tuple[dt.datetime, str, dict[str, object], str]


def next_due_at(ruleset: Ruleset, snapshot: Snapshot, now: dt.datetime) -> dt.datetime | None:
    """The earliest instant at which time alone changes anything about the ticket; None when it never does.

    That is where a clock warns or breaches, a step of an escalation ends, a repeat or limit of a rule ends, or the
    conditions of a rule without `on:` change their truth. An instant that has passed is still due. What a clock brings
    waits for the lag of the ticket's connector.
    """
    return min((_acts_at(ruleset, snapshot, due) for due in _dues(ruleset, snapshot, now)), default=None)


def due_event(ruleset: Ruleset, snapshot: Snapshot, now: dt.datetime, *, waits: bool = False) -> Event | None:
    """The event of the earliest deadline that is due at `now`, with the deadline as its time; None when none is.

    With `waits`, what a clock brings is due only once the lag of the ticket's connector is over too.
    """
    dues = _dues(ruleset, snapshot, now)
    ready = (due for due in dues if (_acts_at(ruleset, snapshot, due) if waits else due[0]) <= now)
    due = min(ready, key=lambda found: found[0], default=None)
    ticket = snapshot.ticket
    if due is None or ticket is None:
        return None
    at, kind, data, name = due
    return Event(
        id=f"due:{ticket.id}:{kind}:{name}:{at.isoformat()}",
        type=kind,
        at=at,
        ticket_id=ticket.id,
        actor=SYSTEM,
        data=data,
        cause="deadline",
    )


def _acts_at(ruleset: Ruleset, snapshot: Snapshot, due: Due) -> dt.datetime:
    """When it is worked off: what a clock brings, once the helpdesk has had the time to tell what came before."""
    at, kind, data, _ = due
    assert snapshot.ticket is not None
    atoms = ruleset.timed_atoms.get(str(data["rule"]), ()) if data.get("why") == "holds" else ()
    if kind in ("clock.warned", "clock.breached") or any(name.startswith("sla.") for name, _ in atoms):
        return at + ruleset.lag(snapshot.ticket.source)
    return at


def _dues(ruleset: Ruleset, snapshot: Snapshot, now: dt.datetime) -> Iterator[Due]:
    ticket = snapshot.ticket
    if ticket is None or not ticket.live:
        return
    for clock in snapshot.clocks:
        at = next_change_at(clock, ruleset.hours(clock.calendar))
        if at is not None:
            pct = next_warning_pct(clock)
            # Two stints, or a clock that went on, can be due at one instant; two shares of a short target, too.
            name = f"{clock.name}.{clock.stint_number}.{len(clock.intervals)}"
            if pct is None:
                yield at, "clock.breached", {"clock": clock.name, "target_s": clock.target_s}, name
            else:
                yield at, "clock.warned", {"clock": clock.name, "pct": pct}, f"{name}:{pct}"
    escalation = snapshot.escalation
    if escalation is not None:
        if escalation.step_due_at is not None:
            yield escalation.step_due_at, "escalation.step_due", {"step": escalation.step + 1}, "escalation"
        if escalation.overdue_at is not None:
            yield escalation.overdue_at, "escalation.overdue", {"escalation_id": escalation.id}, "escalation"
    yield from _rule_dues(ruleset, snapshot, now)


def _rule_dues(ruleset: Ruleset, snapshot: Snapshot, now: dt.datetime) -> Iterator[Due]:
    ticket = snapshot.ticket
    assert ticket is not None
    judged_at = snapshot.judged_at or now
    event = Event(id="", type="timer.due", at=now, ticket_id=ticket.id, actor=SYSTEM)

    def holds_at(rule: Rule, at: dt.datetime) -> bool:
        facts = Facts(ruleset=ruleset, snapshot=snapshot, ticket=ticket, event=event, now=at)
        return ruleset.rules.holds[rule.id](row_of(facts, ruleset.rules.reads[rule.id]))

    for rule in ruleset.rules.edge_rules:
        memory = snapshot.memory.get(rule.id)
        if memory is not None and memory.spent:
            repeat_at = _repeat_due(ruleset, rule, memory, ticket)
            if repeat_at is not None:
                yield repeat_at, "timer.due", {"rule": rule.id, "why": "repeat"}, rule.id
        if memory is not None and not memory.spent and rule.limit is not None and holds_at(rule, judged_at):
            yield from _limit_due(ruleset, rule, memory, ticket, judged_at)
        timed = ruleset.timed_atoms.get(rule.id)
        if timed is None:
            continue
        facts = Facts(ruleset=ruleset, snapshot=snapshot, ticket=ticket, event=event, now=judged_at)
        instants = {at for name, value in timed for at in crossings(facts, name, value)}
        held = None
        for at in sorted(instants):
            if at <= judged_at:
                continue
            if held is None:
                held = holds_at(rule, judged_at)
            if holds_at(rule, at) != held:
                yield at, "timer.due", {"rule": rule.id, "why": "no longer holds" if held else "holds"}, rule.id
                break


def _repeat_due(ruleset: Ruleset, rule: Rule, memory: RuleMemory, ticket: Ticket) -> dt.datetime | None:
    """When the rule fires again if its conditions stay true: after its pause, and once its limit allows it."""
    repeat_at = next_repeat_at(ruleset, ticket.desk, rule, memory)
    if repeat_at is None or rule.limit is None:
        return repeat_at
    ends_at = limit_ends_at(ruleset, ticket.desk, rule.limit, memory, ticket.stint_number, repeat_at)
    if ends_at is None:
        return repeat_at
    return max(repeat_at, ends_at) if ends_at.year < dt.MAXYEAR else None


def _limit_due(
    ruleset: Ruleset, rule: Rule, memory: RuleMemory, ticket: Ticket, judged_at: dt.datetime
) -> Iterator[Due]:
    """The end of a limit that holds back a rule whose conditions are true."""
    assert rule.limit is not None
    ends_at = limit_ends_at(ruleset, ticket.desk, rule.limit, memory, ticket.stint_number, judged_at)
    if ends_at is not None and ends_at.year < dt.MAXYEAR:
        yield ends_at, "timer.due", {"rule": rule.id, "why": "limit"}, rule.id
