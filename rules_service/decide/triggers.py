"""Which event is which trigger, and how a trigger is fired."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping

from rules_service.decide.draft import Draft, described
from rules_service.machines import Move, Refused
from rules_service.ruleset import Ruleset
from rules_service.tickets import Actor, Event, Person, Reason, Snapshot, Ticket

#: Events that are the trigger of their name.
TRIGGER_OF: Mapping[str, str] = {
    "ticket.opened": "open",
    "ticket.transferred": "transfer",
    "ticket.reassigned": "reassign",
    "ticket.escalated": "escalate",
    "ticket.closed": "close",
    "ticket.reopened": "reopen",
    "ticket.released": "release",
}

#: The other way round, for requests: trigger -> type of the event that records it.
EVENT_OF: Mapping[str, str] = {trigger: kind for kind, trigger in TRIGGER_OF.items()} | {
    "assign": "ticket.assigned",
    "respond": "message.sent",
}


def move_of(
    ruleset: Ruleset, snapshot: Snapshot, ticket: Ticket, actor: Actor, now: dt.datetime, event: Event | None
) -> Move:
    """What the guards look at when `actor` wants to move `ticket`; without an event, a query about what is possible."""

    def person(user_id: str | None) -> Person | None:
        return (snapshot.people.get(user_id) or described(ruleset, user_id)) if user_id else None

    data = event.data if event is not None else {}
    target = data.get("assignee")
    holder = person(ticket.assignee)
    group = ruleset.roster.groups.get(ticket.group or "")
    followers = snapshot.escalation.followers if snapshot.escalation else ()
    reopen_within = ruleset.lifecycle.reopen_within
    return Move(
        ticket=ticket,
        actor=actor,
        now=now,
        actor_person=person(actor.id),
        target=person(target),
        target_named=target is not None,
        override=data.get("override") is True,
        cause=event.cause if event is not None else None,
        escalated_by_groups=frozenset(found.group for name in followers if (found := person(name)) and found.group),
        # Whoever has left the roster holds their tickets for the team until a supervisor moves them.
        assignee_group=holder.group if holder else ticket.group if ticket.assignee else None,
        transfer_limit=group.transfer_limit if group else None,
        reopen_until_at=ruleset.later(ticket.desk, ticket.closed_at, reopen_within)
        if reopen_within is not None and ticket.closed_at is not None
        else None,
        data=data,
    )


def in_order(event: Event) -> bool:
    """Whether events come in the order in which they happened: requests, what the service causes, and connectors.

    A connector tells in order, but its helpdesk's clock may be behind ours, which dates what a poll found.
    """
    return event.request or event.cause is not None or event.source is not None


def trigger(draft: Draft, name: str) -> bool:
    """Fires a trigger; True when the ticket moved.

    A refused request changes nothing. A refused fact is followed all the same, and marked irregular. Source: facts and
    requests, DESIGN section 3.
    """
    move = move_of(draft.ruleset, draft.before, draft.ticket, draft.actor, draft.now, draft.event)
    lifecycle = draft.ruleset.lifecycle
    outcome = lifecycle.fire(name, move)
    if isinstance(outcome, Refused):
        draft.reasons += outcome.reasons
        if draft.event.request:
            draft.outcome = "refused"
            return False
        draft.outcome = "irregular"
        status = lifecycle.target_of(name, draft.ticket.status) or draft.ticket.status
        if lifecycle.states[status].slot_held and draft.stint is None and name not in ("assign", "reassign"):
            # Nobody holds it, so it cannot stand where somebody does.
            status = draft.ticket.status
    else:
        status = outcome.status
        if outcome.moved and status == draft.ticket.status:
            draft.set(status_since_at=draft.now)
    if status != draft.ticket.status:
        stopped = lifecycle.states[status].clock == "stopped"
        closed_at = (draft.ticket.closed_at or draft.at) if stopped else None
        draft.set(status=status, status_since_at=draft.now, closed_at=closed_at)
    return True


def impossible(draft: Draft, reason: Reason) -> None:
    """Notes that the event says nothing that could be done: a request is refused, a fact is irregular."""
    draft.outcome = "refused" if draft.event.request else "irregular"
    draft.reasons.append(reason)
