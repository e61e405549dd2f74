"""What an event does to its ticket: the trigger it becomes, and the fields and the stint that change with it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import replace

from rules_service.decide.draft import Draft
from rules_service.decide.holders import assigned, begin_stint, end_stint, released, to_queue, transferred
from rules_service.decide.triggers import impossible, in_order, move_of, trigger
from rules_service.decide.updates import update
from rules_service.machines import Refused
from rules_service.ruleset import Ruleset
from rules_service.tickets import SYSTEM, Actor, Event, Reason, Ticket

#: Triggers that an unnamed actor is taken to be the assignee for.
_BY_ASSIGNEE = ("ticket.opened", "message.sent", "ticket.closed")


def actor_of(event: Event, ticket: Ticket | None, ruleset: Ruleset) -> Actor:
    """Who did it. A role that is not given is the roster's; an unnamed actor is the assignee or the system."""
    actor = event.actor
    if actor is None and event.type in _BY_ASSIGNEE and ticket is not None and ticket.assignee is not None:
        actor = Actor(id=ticket.assignee, role="")
    if actor is None:
        return Actor(role="customer") if event.type in ("ticket.created", "message.received") else SYSTEM
    if actor.role:
        return actor
    user = ruleset.roster.users.get(actor.id or "")
    return replace(actor, role=user.role if user else "agent")


def new_ticket(ruleset: Ruleset, event: Event, now: dt.datetime) -> Ticket:
    """The ticket that `ticket.created` or `ticket.imported` makes known, in the lifecycle's initial status."""
    data = event.data
    at = min(event.at, now)
    desk = ruleset.roster.desk_for(desk=data.get("desk"), group=data.get("group"), channel=data.get("channel"))
    customer = data.get("customer") or {}
    return Ticket(
        id=event.ticket_id,
        status=ruleset.lifecycle.initial,
        priority=data.get("priority") or "medium",
        channel=data.get("channel"),
        group=ruleset.roster.desks[desk].group,
        desk=desk,
        tags=frozenset(data.get("tags") or ()),
        subject=data.get("subject"),
        custom=data.get("custom") or {},
        source=event.source,
        customer_id=customer.get("id"),
        customer_name=customer.get("name"),
        customer_tier=customer.get("tier"),
        customer_lifetime_value=customer.get("lifetime_value"),
        customer_language=customer.get("language"),
        created_at=at,
        status_since_at=at,
        queued_at=at,
        last_act_at=at,
    )


def is_answer(draft: Draft) -> bool:
    """Whether a person wrote to the customer; a machine's message is never a response."""
    by_person = draft.event.data.get("automated") is not True and draft.actor.role not in ("system", "customer")
    return draft.event.type == "message.sent" and by_person


def happen(draft: Draft) -> None:
    """Carries the event over to the ticket."""
    _HANDLERS.get(draft.event.type, _recorded)(draft)


def gone(draft: Draft) -> None:
    """Nothing can happen any more to a ticket that the helpdesk deleted or merged."""
    draft.outcome = "refused" if draft.event.request else "recorded"
    draft.marks.append("gone")
    if draft.event.request:
        draft.reasons.append(Reason(code="gone", text="the helpdesk deleted the ticket, or merged it into another"))


def _opened(draft: Draft) -> None:
    by_holder = draft.stint is not None and draft.actor.id == draft.stint.agent_id
    if not by_holder and not draft.event.request:
        draft.outcome = "recorded"
    elif draft.stint is not None and draft.stint.opened_at is not None and not draft.event.request:
        draft.outcome = "unchanged"
    elif trigger(draft, "open") and draft.stint is not None:
        draft.stint = replace(draft.stint, opened_at=draft.at)


def _sent(draft: Draft) -> None:
    """An answer by a person is a response; one by a machine is recorded only."""
    if not is_answer(draft):
        draft.outcome = "recorded"
        return
    if trigger(draft, "respond"):
        draft.set(waiting_since_at=_asked_after(draft), last_sent_at=draft.at, last_sent_by=draft.actor.id)
        if draft.stint is not None and draft.stint.responded_at is None and draft.actor.id == draft.stint.agent_id:
            draft.stint = replace(draft.stint, responded_at=draft.at)


def _asked_after(draft: Draft) -> dt.datetime | None:
    """Since when the customer waits in spite of this answer: a question of later was told before it."""
    ticket = draft.ticket
    if ticket.waiting_since_at is None or in_order(draft.event):
        return None
    if ticket.waiting_since_at > draft.at:
        return ticket.waiting_since_at
    last = ticket.last_received_at
    return last if last is not None and last > draft.at else None


def _received(draft: Draft) -> None:
    """The customer waits from the first message that nobody answered; on a closed ticket a message reopens it."""
    ticket = draft.ticket
    answered = ticket.last_sent_at is not None and draft.at < ticket.last_sent_at and not in_order(draft.event)
    since = ticket.waiting_since_at
    if not answered and (since is None or (draft.at < since and not in_order(draft.event))):
        since = draft.at
    draft.set(waiting_since_at=since, last_received_at=draft.at)
    if ticket.closed_at is None:
        return
    move = move_of(draft.ruleset, draft.before, ticket, draft.actor, draft.now, None)
    if isinstance(draft.ruleset.lifecycle.fire("reopen", move), Refused):
        draft.outcome = "recorded"
        draft.marks.append("after_close")
        draft.set(waiting_since_at=None)
    else:
        # Asked for, so that a helpdesk that does not reopen by itself is told.
        draft.follow("ticket.reopened", {}, cause="message", actor=draft.actor, at=draft.at, request=True)


def _closed(draft: Draft) -> None:
    if draft.ticket.closed_at is not None and not draft.event.request:
        draft.outcome = "unchanged"
    elif trigger(draft, "close"):
        end_stint(draft, "close")
        draft.set(closed_at=draft.at, queued_at=None, waiting_since_at=None)
        draft.tell("close")


def _reopened(draft: Draft) -> None:
    if draft.ticket.closed_at is None and not draft.event.request:
        draft.outcome = "unchanged"
    elif trigger(draft, "reopen"):
        to_queue(draft, "reopen")
        draft.set(closed_at=None, reopens_count=draft.ticket.reopens_count + 1)
        draft.tell("reopen")


def _escalated(draft: Draft) -> None:
    # The ladder itself is climbed in `escalating`, once the trigger has passed.
    policies = draft.ruleset.escalation_policies
    name = draft.event.data.get("policy")
    if name is not None and name not in policies:
        accepted = ", ".join(policies) or "none is defined"
        impossible(
            draft, Reason(code="unknown_target", text=f'unknown escalation policy "{name}"; accepted: {accepted}')
        )
        return
    trigger(draft, "escalate")


def _created(draft: Draft) -> None:
    """The first message, where there is one, follows as an event of its own; so does an assignee named at once."""
    data = draft.event.data
    if data.get("body"):
        draft.follow(
            "message.received",
            {"text": "\n".join(part for part in (data.get("subject"), data.get("body")) if part), "first": True},
            cause="ticket.created",
            actor=draft.actor
            if draft.actor.role == "customer"
            else Actor(id=draft.ticket.customer_id, role="customer"),
            at=draft.at,
        )
    if data.get("assignee"):
        draft.follow("ticket.assigned", {"assignee": data["assignee"]}, cause=None, actor=None, at=draft.at)


def _imported(draft: Draft) -> None:
    """State, assignee and times as carried; clocks start at their true times."""
    data, ticket = draft.event.data, draft.ticket
    status = data.get("status") or ticket.status
    if status not in draft.ruleset.lifecycle.states:
        reason = f'unknown status "{status}"; accepted: {", ".join(draft.ruleset.lifecycle.states)}'
        draft.reasons.append(Reason(code="unknown_status", text=reason))
        status = draft.ruleset.lifecycle.initial
    state = draft.ruleset.lifecycle.states[status]
    draft.set(status=status, last_act_at=draft.now)
    if state.clock == "stopped":
        draft.set(closed_at=draft.now, queued_at=None, assignee=data.get("assignee"))
    elif data.get("assignee"):
        begin_stint(draft, data["assignee"])
        if not state.slot_held:
            held = next(name for name, found in draft.ruleset.lifecycle.states.items() if found.slot_held)
            draft.set(status=held)


def _gone(draft: Draft) -> None:
    """It leaves queues, its slot is free, its clocks are void, its rules stop."""
    end_stint(draft, draft.event.type.removeprefix("ticket."))
    draft.set(live=False, queued_at=None, waiting_since_at=None)


def _acknowledged(draft: Draft) -> None:
    if draft.escalation is None or draft.escalation.acknowledged_at is not None:
        draft.outcome = "unchanged"
    elif draft.escalation.approval_wanted_at is not None:
        draft.outcome = "recorded"


def _judged(draft: Draft) -> None:
    """A yes or no to an escalation that waits for it: by a supervisor or management, or as the helpdesk says."""
    if draft.escalation is None or draft.escalation.approval_wanted_at is None:
        draft.outcome = "unchanged"
    elif draft.actor.role not in ("supervisor", "management", "system"):
        draft.outcome = "recorded"
        draft.reasons.append(
            Reason(code="role", text=f"a {draft.actor.role} cannot decide about an escalation; a supervisor can")
        )


def _failed(draft: Draft) -> None:
    """A placement that the helpdesk could not carry out goes back to the previous owner, else to the queue."""
    draft.outcome = "recorded"
    action = draft.event.data.get("action")
    detail = draft.event.data.get("detail") or "no reason given"
    draft.alert("action.failed", ["supervisor"], "warning", f"{action} failed: {detail}")
    if action != "reassign" or draft.stint is None:
        return
    # It has moved on since, or has been taken back too often.
    if draft.event.data.get("to") not in (None, draft.ticket.assignee) or draft.event.data.get("stays"):
        return
    previous = draft.stint.taken_from
    if previous is None:
        draft.follow("ticket.released", {}, cause="action.failed")
    else:
        # A fact: in the helpdesk it never left them.
        draft.follow("ticket.assigned", {"assignee": previous}, cause="action.failed")


def _recorded(draft: Draft) -> None:
    draft.outcome = "recorded"


_HANDLERS: Mapping[str, Callable[[Draft], None]] = {
    "ticket.created": _created,
    "ticket.imported": _imported,
    "ticket.opened": _opened,
    "ticket.assigned": assigned,
    "ticket.reassigned": assigned,
    "ticket.released": released,
    "ticket.transferred": transferred,
    "ticket.escalated": _escalated,
    "ticket.closed": _closed,
    "ticket.reopened": _reopened,
    "ticket.updated": update,
    "ticket.deleted": _gone,
    "ticket.merged": _gone,
    "message.sent": _sent,
    "message.received": _received,
    "escalation.approved": _judged,
    "escalation.refused": _judged,
    "escalation.acknowledged": _acknowledged,
    "action.failed": _failed,
}
