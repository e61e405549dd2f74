"""A chain: one event and all that it causes on the same ticket, generation by generation."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

from rules_service.decide.decide import DEFAULT_BRAKES, decide, evolve
from rules_service.decide.draft import described
from rules_service.decide.firing import Brakes, Chain
from rules_service.decide.telling import alert
from rules_service.decide.triggers import move_of
from rules_service.machines import Refused
from rules_service.ruleset import Ruleset
from rules_service.teams import Wanted
from rules_service.tickets import SYSTEM, Decision, Event, Person, Snapshot

#: Generations after which a chain stops; what stands by then is committed and marked `loop`.
MAX_GENERATIONS = 8


class World(Protocol):
    """The only call out of the pure core."""

    def claim(self, wanted: Wanted) -> Person | None:
        """Takes a slot of the best person who fits, at once and for good; None when nobody has a free one."""


class EmptyWorld:
    """A world in which nobody has a free slot."""

    def claim(self, wanted: Wanted) -> Person | None:  # noqa: ARG002  it takes what any world takes
        """Nobody."""
        return None


def run(
    ruleset: Ruleset,
    snapshot: Snapshot,
    event: Event,
    now: dt.datetime,
    world: World,
    *,
    brakes: Brakes = DEFAULT_BRAKES,
) -> tuple[list[Decision], Snapshot]:
    """Every decision of the chain that `event` starts, in order, and the snapshot after it.

    Events that a decision causes are the next generation. When nothing is left and the ticket rests in a queue that
    distributes, a member of its desk is claimed; that too is an event.
    """
    chain = Chain(fired=set())
    decisions: list[Decision] = []
    queue: list[Event] = [event]
    generation = 0
    while queue and generation < MAX_GENERATIONS:
        following: list[Event] = []
        for asked in queue:
            ready, note = _claimed(ruleset, snapshot, asked, now, world)
            if ready is None:
                decisions = _noted(ruleset, snapshot, decisions, asked, note)
                continue
            decision = replace(decide(ruleset, snapshot, ready, now, chain=chain, brakes=brakes), generation=generation)
            snapshot = evolve(snapshot, decision)
            decisions.append(decision)
            following += decision.follow_ups
        queue = following
        generation += 1
        if not queue:
            queue = _distribute(ruleset, snapshot, event, now, world)
    if queue and decisions:
        decisions[-1] = replace(decisions[-1], marks=(*decisions[-1].marks, "loop"))
    return decisions, snapshot


def _claimed(
    ruleset: Ruleset, snapshot: Snapshot, event: Event, now: dt.datetime, world: World
) -> tuple[Event | None, str]:
    """An assignment that says whom it wants, with the person who was claimed for it; None, and why, when nobody was.

    The lifecycle is asked before the world, so that a claim is never given back.
    """
    described_as = event.data.get("wanted")
    if described_as is None:
        return event, ""
    ticket = snapshot.ticket
    assert ticket is not None
    trigger = "assign" if snapshot.stint is None else "reassign"
    if ticket.closed_at is not None:
        return None, "the ticket is closed"
    outcome = ruleset.lifecycle.fire(trigger, move_of(ruleset, snapshot, ticket, SYSTEM, now, None))
    if isinstance(outcome, Refused):
        return None, outcome.reasons[0].text
    without = frozenset({ticket.assignee}) if ticket.assignee else frozenset[str]()
    for wanted in _wanted(described_as, without):
        if wanted.user in without:
            return None, f"{wanted.user} holds it already"
        person = world.claim(wanted)
        if person is not None:
            data = {"assignee": person.id, "claimed": True}
            return replace(event, data=data), ""
    return None, f"nobody with a free slot: {', '.join(str(wanted) for wanted in _wanted(described_as, without))}"


def _wanted(data: dict[str, object], without: frozenset[str]) -> list[Wanted]:
    if "users" in data:
        users = data["users"]
        assert isinstance(users, Sequence)
        return [Wanted(user=user, without=without) for user in users]
    fields = {("user" if key == "to" else key): value for key, value in data.items()}
    return [Wanted(**fields, without=without)]  # type: ignore[arg-type]


def _noted(ruleset: Ruleset, snapshot: Snapshot, decisions: list[Decision], event: Event, note: str) -> list[Decision]:
    """The decisions with the firing that asked in vain saying so, and its supervisor told."""
    rule_id = (event.cause or "").removeprefix("rule:")
    for index in range(len(decisions) - 1, -1, -1):
        decision = decisions[index]
        if event.id not in {follow_up.id for follow_up in decision.follow_ups}:
            continue
        firings = tuple(
            replace(firing, notes=(*firing.notes, f"reassign: {note}")) if firing.rule_id == rule_id else firing
            for firing in decision.firings
        )
        told = alert(
            ruleset, event.cause or "request", ["supervisor"], "warning",
            f"Ticket {event.ticket_id} stays where it is: {note}",
            ticket=snapshot.ticket, escalation=snapshot.escalation,
        )  # fmt: skip
        decisions[index] = replace(decision, firings=firings, actions=(*decision.actions, told))
        break
    return decisions


def _distribute(ruleset: Ruleset, snapshot: Snapshot, event: Event, now: dt.datetime, world: World) -> list[Event]:
    """The assignment of a ticket that rests in the queue of an open, distributing desk. Source: R4.19-22."""
    ticket = snapshot.ticket
    if ticket is None or not ticket.live or ticket.queued_at is None or ticket.assignee is not None:
        return []
    desk = ruleset.roster.desks.get(ticket.desk)
    if desk is None or not desk.proactive_assignment or not ruleset.calendar_of_desk(ticket.desk).is_open(now):
        return []
    outcome = ruleset.lifecycle.fire("assign", move_of(ruleset, snapshot, ticket, SYSTEM, now, None))
    if isinstance(outcome, Refused):
        return []
    person = None
    if ticket.reopens_count and ticket.last_assignee and ruleset.roster.is_member(ticket.last_assignee, desk.name):
        person = world.claim(Wanted(user=ticket.last_assignee, desk=desk.name))
    if person is None:
        person = world.claim(Wanted(desk=desk.name, strategy=desk.strategy))
    if person is None:
        return []
    data = {"assignee": person.id, "claimed": True}
    return [
        Event(
            id=f"{event.id}.distribution.{ticket.stint_number + 1}", type="ticket.assigned", at=now,
            ticket_id=ticket.id, actor=SYSTEM, data=data, request=True, cause="distribution",
        )
    ]  # fmt: skip


__all__ = ["MAX_GENERATIONS", "EmptyWorld", "World", "described", "run"]
