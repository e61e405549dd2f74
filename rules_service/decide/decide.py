"""One event of one ticket, decided: pure, so that stories, tests beside rulesets and backtests decide the same."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import replace

from rules_service import clocks
from rules_service.decide.draft import Draft
from rules_service.decide.escalating import move_escalation
from rules_service.decide.firing import Brakes, Chain, fire_rules, prime
from rules_service.decide.moves import actor_of, gone, happen, is_answer, new_ticket
from rules_service.decide.service_levels import move_clocks
from rules_service.decide.triggers import in_order
from rules_service.ruleset import Ruleset
from rules_service.tickets import INTERNAL_EVENT_TYPES, STAFF_ROLES, Decision, Event, Snapshot

#: Beyond this a time that was clamped is marked.
SKEW_S = 60

#: Events after which a person has acted on the ticket. Source: `time.idle`.
_NOT_ACTS = frozenset({"action.applied", "action.failed", "ticket.imported"}) | INTERNAL_EVENT_TYPES

#: Most events of one type that `recent.*` can count in a window.
MOST_RECENT = 1_000

DEFAULT_BRAKES = Brakes()


def decide(
    ruleset: Ruleset,
    snapshot: Snapshot,
    event: Event,
    now: dt.datetime,
    *,
    chain: Chain | None = None,
    brakes: Brakes = DEFAULT_BRAKES,
) -> Decision:
    """What `event` does to the ticket of `snapshot`, which rules fire and why, and what follows.

    The snapshot is of the moment before. `now` is when it is decided, aware UTC; `event.at` is when it happened. A
    ticket that the snapshot does not hold is made by ticket.created and ticket.imported; for any other event it must
    exist. `chain` is shared by the events of one chain.
    """
    draft = _begin(ruleset, snapshot, event, now)
    if snapshot.ticket is not None and event.type in ("ticket.created", "ticket.imported"):
        draft.outcome = "unchanged"
        return draft.decision()
    if snapshot.ticket is not None and not snapshot.ticket.live:
        # Without this it would stand in a queue again, where nobody can be given it, and hold up all behind it.
        gone(draft)
        return draft.decision()
    late = _is_late(draft)
    ticket, stint = draft.ticket, draft.stint
    _tick(draft)
    happen(draft)
    if late and draft.outcome != "refused":
        # A fact older than the last of its kind moves clocks only, and since when the customer waits.
        since = draft.ticket.waiting_since_at if event.type == "message.received" else ticket.waiting_since_at
        draft.ticket, draft.stint, draft.outcome = replace(ticket, waiting_since_at=since), stint, "late"
        draft.ended_stints.clear()
        draft.follow_ups.clear()
    if draft.outcome == "refused":
        draft.follow_ups.clear()
        return draft.decision()
    _touch(draft)
    move_clocks(draft, snapshot)
    move_escalation(draft)
    if event.type in ("ticket.deleted", "ticket.merged"):
        draft.memory = {}
    fire_rules(draft, chain or Chain(fired=set()), brakes)
    return draft.decision()


def adopt(ruleset: Ruleset, snapshot: Snapshot, event: Event, now: dt.datetime) -> Decision:
    """A ticket brought under another ruleset: state, clocks and memory as that says; no rule fires, nothing is told."""
    draft = _begin(ruleset, snapshot, event, now)
    draft.outcome = "recorded"
    move_clocks(draft, snapshot)
    return draft.decision()


def evolve(snapshot: Snapshot, decision: Decision) -> Snapshot:
    """The snapshot after the decision."""
    return replace(snapshot, **decision.changes, judged_at=decision.judged_at or decision.now)


def _begin(ruleset: Ruleset, snapshot: Snapshot, event: Event, now: dt.datetime) -> Draft:
    ticket = snapshot.ticket or new_ticket(ruleset, event, now)
    if ticket.status not in ruleset.lifecycle.states:
        # The state went with an earlier lifecycle; publishing made sure that there is somewhere to go on.
        status = ruleset.lifecycle.maps.get(ticket.status, ruleset.lifecycle.initial)
        ticket = replace(ticket, status=status)
    at = max(ticket.created_at, min(event.at, now))
    memory = snapshot.memory
    if snapshot.ticket is not None and snapshot.ruleset_hash != ruleset.hash:
        memory = {**memory, **prime(ruleset, snapshot, event, now)}
    draft = Draft(
        ruleset=ruleset,
        before=snapshot,
        event=event,
        actor=actor_of(event, snapshot.ticket, ruleset),
        at=at,
        now=now,
        ticket=ticket,
        stint=snapshot.stint,
        clocks={clock.name: clock for clock in snapshot.clocks},
        escalation=snapshot.escalation,
        memory=memory,
        last_fact_at=snapshot.last_fact_at,
        replies_at=snapshot.replies_at,
        firings_at=snapshot.firings_at,
        recent=_recent(ruleset, snapshot, event, at),
    )
    if abs((at - event.at).total_seconds()) > SKEW_S:
        draft.marks.append("skewed")
    return draft


def _recent(
    ruleset: Ruleset, snapshot: Snapshot, event: Event, at: dt.datetime
) -> Mapping[str, tuple[dt.datetime, ...]]:
    """The instants that `recent.*` counts, with this event's."""
    window_s = ruleset.recent_s.get(event.type)
    if window_s is None:
        return snapshot.recent
    window = dt.timedelta(seconds=window_s)
    kept = tuple(found for found in snapshot.recent.get(event.type, ()) if at - found < window)
    return {**snapshot.recent, event.type: (*kept, at)[-MOST_RECENT:]}


def _is_late(draft: Draft) -> bool:
    """Whether a newer fact of the same kind was there first; notes the time of this one otherwise."""
    event = draft.event
    if in_order(event) or (event.type == "message.sent" and not is_answer(draft)):
        # What a machine wrote does not make a person's answer old.
        return False
    last = draft.last_fact_at.get(event.type)
    if last is not None and draft.at < last:
        return True
    draft.last_fact_at = {**draft.last_fact_at, event.type: draft.at}
    return False


def _tick(draft: Draft) -> None:
    """A deadline of a clock changes the clock itself."""
    name = draft.event.data.get("clock")
    clock = draft.clocks.get(name) if isinstance(name, str) else None
    if clock is None:
        return
    if draft.event.type == "clock.warned":
        draft.clocks[clock.name] = clocks.warn(clock, int(draft.event.data["pct"]))
    elif draft.event.type == "clock.breached":
        draft.clocks[clock.name] = clocks.breach(clock)


def _touch(draft: Draft) -> None:
    """A person acted: the ticket is not idle."""
    by_machine = draft.event.data.get("automated") is True or draft.actor.role not in (*STAFF_ROLES, "customer")
    if draft.event.type in _NOT_ACTS or by_machine or draft.event.cause is not None or draft.outcome == "unchanged":
        return
    draft.set(last_act_at=max(draft.ticket.last_act_at, draft.at))
