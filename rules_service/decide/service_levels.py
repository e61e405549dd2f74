"""Which clocks an event starts, pauses, stops or re-targets. Source: R5.20-26, R5.31."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import replace

from rules_service import clocks
from rules_service.clocks import LIVE, Target
from rules_service.decide.attributes import Facts, row_of
from rules_service.decide.draft import Draft
from rules_service.decide.moves import is_answer
from rules_service.decide.triggers import in_order
from rules_service.ruleset import has_other_hours, short_hash
from rules_service.tickets import ServiceClock, Snapshot, Stint, Ticket

#: Attributes that change with the ticket alone; what policies say of others is judged when these change.
_OF_TICKET = ("ticket.", "customer.")


def move_clocks(draft: Draft, before: Snapshot) -> None:
    """Brings the clocks in line with what the event did to ticket and stint; everything at the time it happened."""
    if not draft.ticket.live:
        _end(draft, draft.clocks, void=True)
        return
    _redefine(draft, before)
    started = before.ticket is None
    new_stint = draft.stint is not None and (before.stint is None or before.stint.number != draft.stint.number)
    if draft.ended_stints:
        _end(draft, ["assigned_to_responded"], void=True)
    _respond(draft)
    closed_before = before.ticket is not None and before.ticket.closed_at is not None
    if draft.ticket.closed_at is not None and not closed_before:
        _end(draft, ["resolution"], void=False)
        _end(draft, ["created_to_responded", "next_response", "assigned_to_responded"], void=True)
    _ask_earlier(draft)
    waits = draft.ticket.waiting_since_at is not None and draft.event.type in ("message.received", "message.sent")
    if started or new_stint or closed_before or waits or _retargets(draft, before):
        _start_or_retarget(draft, before, new_stint=new_stint)
    if new_stint and draft.stint is not None and draft.stint.responded_at is not None:
        _end(draft, ["assigned_to_responded"], void=False, at=draft.stint.responded_at)
    _follow_status(draft)
    if draft.event.type == "ticket.imported":
        _settle(draft)


def _redefine(draft: Draft, before: Snapshot) -> None:
    """Clocks whose calendar has other hours since another ruleset is in force."""
    earlier = before.ruleset_hash
    if earlier is None or earlier == draft.ruleset.hash:
        return
    for name, clock in draft.clocks.items():
        if has_other_hours(draft.ruleset, clock.calendar, earlier):
            hours = draft.ruleset.hours(clock.calendar)
            draft.clocks[name] = clocks.redefine(clock, hours, draft.now, under=short_hash(earlier))


def _settle(draft: Draft) -> None:
    """What was over before the ticket was known to us is no news: it breached then, and warns of nothing any more."""
    for name, clock in draft.clocks.items():
        hours = draft.ruleset.hours(clock.calendar)
        while (due_at := clocks.next_change_at(clock, hours)) is not None and due_at <= draft.now:
            pct = clocks.next_warning_pct(clock)
            clock = clocks.breach(clock) if pct is None else clocks.warn(clock, pct)  # noqa: PLW2901  the next state of the same
        draft.clocks[name] = clock


def targets(draft: Draft) -> dict[str, Target]:
    """Clock name -> target of this ticket: its desk's, else the first policy that applies. Source: R5.20."""
    ruleset, ticket = draft.ruleset, draft.ticket
    desk = ruleset.roster.desks.get(ticket.desk)
    calendar = desk.calendar if desk else "always"
    found: dict[str, Target] = {}
    if ruleset.sla_policies:
        snapshot = replace(draft.before, ticket=ticket, stint=draft.stint, escalation=draft.escalation)
        facts = Facts(ruleset=ruleset, snapshot=snapshot, ticket=ticket, event=draft.event, now=draft.now)
        for policy in ruleset.sla_policies:
            if policy.applies(row_of(facts, policy.needs)):
                for name, seconds in policy.targets_s.items():
                    found[name] = Target(seconds=seconds, calendar=calendar, warn_at_pct=policy.warn_at_pct)
                break
    for name, seconds in (desk.sla_s if desk else {}).items():
        warn_at_pct = found[name].warn_at_pct if name in found else ()
        found[name] = Target(seconds=seconds, calendar=calendar, warn_at_pct=warn_at_pct)
    return found


def _respond(draft: Draft) -> None:
    """A response by a person; by somebody else than the assignee it leaves the assignee's own clock running."""
    if not is_answer(draft):
        return
    names = ["created_to_responded"]
    asked = draft.clocks.get("next_response")
    if asked is not None and (draft.at >= asked.started_at or in_order(draft.event)):
        # What was written before the question does not answer it.
        names.append("next_response")
    holder = draft.stint.agent_id if draft.stint is not None else draft.ticket.last_assignee
    if holder is not None and draft.actor.id == holder:
        names.append("assigned_to_responded")
    _end(draft, names, void=False)
    _correct(draft, names)


def _ask_earlier(draft: Draft) -> None:
    """A question that is told after a later one is what the customer waits for."""
    clock, since = draft.clocks.get("next_response"), draft.ticket.waiting_since_at
    if clock is None or clock.status != "running" or clock.intervals or since is None or since >= clock.started_at:
        return
    target = Target(seconds=clock.target_s, calendar=clock.calendar, warn_at_pct=clock.warn_at_pct)
    hours = draft.ruleset.hours(clock.calendar)
    draft.clocks[clock.name] = clocks.start(clock.name, target=target, hours=hours, at=since)


def _correct(draft: Draft, names: Iterable[str]) -> None:
    """Clocks that were over before an answer was told that came first: a later answer, or the end of the stint."""
    for name in names:
        clock = draft.clocks.get(name)
        if clock is None or clock.stopped_at is None or in_order(draft.event):
            continue
        if not clock.started_at <= draft.at < clock.stopped_at:
            continue
        ended = clocks.end_earlier(clock, draft.ruleset.hours, draft.at)
        _over(draft, clock, ended)


def _end(draft: Draft, names: Iterable[str], *, void: bool, at: dt.datetime | None = None) -> None:
    for name in list(names):
        clock = draft.clocks.get(name)
        if clock is None or clock.status not in LIVE:
            continue
        at_ = max(at or draft.at, clock.started_at)
        rewound = clocks.rewind(clock, draft.ruleset.hours, at_)
        hours = draft.ruleset.hours(rewound.calendar)
        _over(draft, clock, clocks.void(rewound, hours, at_) if void else clocks.stop(rewound, hours, at_))


def _over(draft: Draft, clock: ServiceClock, ended: ServiceClock) -> None:
    """Notes a clock that is over; one that had breached, as was thought until now, is told to be corrected."""
    if clock.status in ("breached", "missed") and ended.status != "missed":
        draft.follow("sla.corrected", {"clock": clock.name}, cause="late report")
    draft.clocks[clock.name] = ended
    draft.ended_clocks.append(ended)


def _retargets(draft: Draft, before: Snapshot) -> bool:
    ticket, was = draft.ticket, before.ticket
    if was is None or before.ruleset_hash != draft.ruleset.hash or ticket.desk != was.desk:
        return True
    read = {name for policy in draft.ruleset.sla_policies for name in policy.needs if name.startswith(_OF_TICKET)}
    return bool(read) and _read(draft, was, before.stint, read) != _read(draft, ticket, draft.stint, read)


def _read(draft: Draft, ticket: Ticket, stint: Stint | None, names: Iterable[str]) -> dict[str, object]:
    snapshot = replace(draft.before, ticket=ticket, stint=stint)
    facts = Facts(ruleset=draft.ruleset, snapshot=snapshot, ticket=ticket, event=draft.event, now=draft.now)
    return row_of(facts, names)


def _start_or_retarget(draft: Draft, before: Snapshot, *, new_stint: bool) -> None:
    wanted = targets(draft)
    ticket = draft.ticket
    # Other rules hold from now on, whenever that happened which is told.
    at = draft.at if before.ruleset_hash == draft.ruleset.hash else draft.now
    for name, target in wanted.items():
        clock = draft.clocks.get(name)
        if clock is not None and clock.status in LIVE:
            old, new = draft.ruleset.hours(clock.calendar), draft.ruleset.hours(target.calendar)
            draft.clocks[name] = clocks.retarget(clock, target, old, new, at, under=_under(draft))
            continue
        begins = {
            # When an imported ticket was assigned, and whether it was answered, nobody knows.
            "assigned_to_responded": new_stint and draft.event.type != "ticket.imported",
            "created_to_responded": before.ticket is None and draft.event.type == "ticket.created",
            "next_response": ticket.waiting_since_at is not None and ticket.closed_at is None,
            "resolution": ticket.closed_at is None and (clock is None or _reopened(draft, before)),
        }[name]
        if begins:
            draft.clocks[name] = _started(draft, name, target, clock)


def _reopened(draft: Draft, before: Snapshot) -> bool:
    return before.ticket is not None and before.ticket.closed_at is not None and draft.ticket.closed_at is None


def _started(draft: Draft, name: str, target: Target, previous: ServiceClock | None) -> ServiceClock:
    hours = draft.ruleset.hours(target.calendar)
    at = draft.at
    if name == "next_response" and draft.ticket.waiting_since_at is not None:
        at = draft.ticket.waiting_since_at
    elif name == "resolution" and previous is None and not _reopened(draft, draft.before):
        # Of one that was closed when it became known nobody knows what it had used.
        at = draft.ticket.created_at
    stint_number = draft.ticket.stint_number if clocks.CLOCKS[name].scope == "stint" else 0
    if name == "resolution" and previous is not None and _on_reopen(draft) == "continue":
        state = draft.before.ticket.status if draft.before.ticket else draft.ticket.status
        return clocks.reopen(previous, target, hours, at, state, _under(draft))
    return clocks.start(name, target=target, hours=hours, at=at, stint_number=stint_number)


def _on_reopen(draft: Draft) -> str:
    facts = Facts(ruleset=draft.ruleset, snapshot=draft.before, ticket=draft.ticket, event=draft.event, now=draft.now)
    found = (policy for policy in draft.ruleset.sla_policies if policy.applies(row_of(facts, policy.needs)))
    policy = next(found, None)
    return policy.on_reopen if policy else "continue"


def _follow_status(draft: Draft) -> None:
    """Clocks run, or pause, by the property of the state, never by its name."""
    state = draft.ruleset.lifecycle.states.get(draft.ticket.status)
    if state is None or state.clock == "stopped":
        return
    for name, clock in draft.clocks.items():
        hours = draft.ruleset.hours(clock.calendar)
        at = max(draft.at, clock.started_at)
        if state.clock == "running":
            draft.clocks[name] = clocks.resume(clock, hours, at)
        else:
            draft.clocks[name] = clocks.pause(clock, hours, at, draft.ticket.status)


def _under(draft: Draft) -> str:
    return short_hash(draft.ruleset.hash)
