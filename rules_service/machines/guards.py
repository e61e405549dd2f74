"""The guards that a lifecycle row may name: a closed table, each pure, each with the reason why it refuses."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from rules_service.tickets import Actor, Person, Reason, Ticket


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """All that a guard may look at when somebody wants to move a ticket."""

    ticket: Ticket
    actor: Actor
    now: dt.datetime
    #: The actor's and the target's place in the roster; None where unknown or not named yet.
    actor_person: Person | None = None
    target: Person | None = None
    #: Whether a target was named at all; a query about the future names none, and guards on it pass.
    target_named: bool = False
    override: bool = False
    #: What caused a move by the service itself; `escalation` passes the transfer limit.
    cause: str | None = None
    #: The groups of the people who escalated the ticket.
    escalated_by_groups: frozenset[str] = frozenset()
    #: Group of the user who holds the ticket.
    assignee_group: str | None = None
    transfer_limit: int | None = None
    #: Until when a customer may reopen it; None: for ever.
    reopen_until_at: dt.datetime | None = None
    data: Mapping[str, Any] = field(default_factory=dict)


def is_assignee(move: Move) -> Reason | None:
    """Only the person who holds the ticket."""
    holder = move.ticket.assignee
    if holder is not None and move.actor.id == holder:
        return None
    held = f"{holder} holds it" if holder else "nobody holds it"
    return Reason(code="not_assignee", text=f"only the person who holds the ticket may do this; {held}")


def may_act_for(move: Move) -> Reason | None:
    """The assignee; on a queued ticket a member of its desk; supervisors of its group; the system."""
    actor, person, ticket = move.actor, move.actor_person, move.ticket
    if actor.role == "system" or (ticket.assignee is not None and actor.id == ticket.assignee):
        return None
    if person is not None:
        if ticket.assignee is None and ticket.desk in person.desks:
            return None
        if person.role == "supervisor" and (person.group == ticket.group or person.group in move.escalated_by_groups):
            return None
    return Reason(
        code="may_not_act_for",
        text="only the assignee, a member of the desk while the ticket is queued, or a supervisor of its group may",
    )


def own_desk(move: Move) -> Reason | None:
    """An agent takes a ticket of a desk of theirs; a supervisor gives it to the team; the system to any member."""
    if not move.target_named:
        return None
    target, actor, ticket = move.target, move.actor, move.ticket
    if target is None:
        return Reason(code="unknown_target", text="the target is not a user of the roster")
    if actor.role == "system":
        return None
    if actor.role == "supervisor":
        person = move.actor_person
        if person is not None and person.group == target.group:
            return None
        return Reason(
            code="other_team", text=f"a supervisor assigns within the own team; {target.id} is of {target.group}"
        )
    if actor.id != target.id:
        return Reason(code="not_self", text="an agent may take a ticket, not give it to somebody else")
    if ticket.desk not in target.desks:
        return Reason(code="other_desk", text=f"{target.id} is no member of the desk {ticket.desk}")
    return None


def same_team(move: Move) -> Reason | None:
    """A supervisor moves tickets within the own group, or back to it after it escalated them. Source: R4.15, R4.16."""
    if move.actor.role == "system":
        return None
    group = move.actor_person.group if move.actor_person else None
    if group is None:
        return Reason(code="unknown_actor", text=f"{move.actor.id} is not a user of the roster")
    if group in move.escalated_by_groups:
        return None
    if move.assignee_group != group:
        return Reason(code="other_team", text=f"the ticket is held in {move.assignee_group}, not in {group}")
    if move.target_named and (move.target is None or move.target.group != group):
        return Reason(code="other_team", text=f"the new assignee is not of {group}")
    return None


def has_free_slot(move: Move) -> Reason | None:
    """The target is below the maximum, or a supervisor overrides it. Source: R4.20."""
    if not move.target_named or move.target is None or move.target.has_free_slot:
        return None
    if move.override and move.actor.role == "supervisor":
        return None
    limit = move.target.slot_limit
    return Reason(
        code="no_free_slot",
        text=f"{move.target.id} holds {move.target.open_count} of {limit} tickets; a supervisor may say override: true",
    )


def under_transfer_limit(move: Move) -> Reason | None:
    """Below the group's limit of transfers, or overridden, or caused by an escalation. Source: R2.30."""
    limit = move.transfer_limit
    if limit is None or move.ticket.transfers_count < limit or move.cause == "escalation":
        return None
    if move.override and move.actor.role == "supervisor":
        return None
    return Reason(
        code="transfer_limit",
        text=f"the ticket was transferred {move.ticket.transfers_count} times, the limit is {limit}; "
        "a supervisor may say override: true",
    )


def within_reopen(move: Move) -> Reason | None:
    """Inside the lifecycle's reopen_within; staff always."""
    if move.actor.role not in ("customer", "system") or move.reopen_until_at is None:
        return None
    if move.now <= move.reopen_until_at:
        return None
    return Reason(code="reopen_too_late", text="the time in which a customer may reopen the ticket is over")


#: Name in the rule files -> guard.
GUARDS: Mapping[str, Callable[[Move], Reason | None]] = {
    "is_assignee": is_assignee,
    "may_act_for": may_act_for,
    "own_desk": own_desk,
    "same_team": same_team,
    "has_free_slot": has_free_slot,
    "under_transfer_limit": under_transfer_limit,
    "within_reopen": within_reopen,
}
