"""The ladder of an escalation: opened, climbed, acknowledged, closed. It never changes state or owner by itself.

Source: R1.8-21, R2.9-15, R2.19, R2.29, R4.11.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

from rules_service.decide.draft import Draft
from rules_service.decide.telling import supervisors, told, with_role
from rules_service.durations import Duration
from rules_service.ruleset import Ruleset
from rules_service.teams import EscalationPolicy, Step
from rules_service.tickets import SYSTEM, Escalation, Reason, Ticket

#: Acts by which a target takes an escalation up.
_ACTS = (
    "ticket.opened", "ticket.assigned", "ticket.reassigned", "ticket.transferred", "ticket.closed", "ticket.updated",
    "message.sent", "note.added", "escalation.acknowledged",
)  # fmt: skip

DEFAULT_POLICY = EscalationPolicy(name="supervisor", steps=(Step(party="supervisor"),))


def move_escalation(draft: Draft) -> None:
    """Brings the escalation in line with the event."""
    kind = draft.event.type
    if kind == "ticket.escalated" and draft.outcome != "refused" and draft.ticket.closed_at is None:
        _open(draft)
    elif draft.escalation is None:
        return
    elif not draft.ticket.live or draft.ticket.closed_at is not None or kind == "escalation.closed":
        draft.escalation = None
    elif kind in ("escalation.approved", "escalation.refused"):
        _answer_request(draft, draft.escalation)
    elif kind == "escalation.step_due":
        _climb(draft)
    elif kind == "escalation.overdue":
        draft.escalation = replace(draft.escalation, overdue_at=None)
        text = f"Escalation of ticket {draft.ticket.id} is open longer than its policy allows"
        draft.alert("escalation", ["supervisor", "management"], "critical", text)
    elif kind == "sla.corrected":
        _take_back(draft, _breach(draft.event.data.get("clock")))
    elif kind in _ACTS and _is_awaited(draft.escalation) and _is_target(draft):
        draft.escalation = replace(
            draft.escalation, acknowledged_at=draft.at, acknowledged_by=draft.actor.id, step_due_at=None
        )
        draft.marks.append("escalation_acknowledged")


def targets_of(ruleset: Ruleset, ticket: Ticket, step: Step) -> tuple[str, ...]:
    """The users whom a step asks, online or not, in file order; none where nobody fits."""
    users = ruleset.roster.users.values()
    if step.user is not None:
        return (step.user,)
    if step.group is not None:
        return tuple(user.id for user in users if user.group == step.group)
    if step.level is not None:
        holder = ruleset.roster.users.get(ticket.assignee or ticket.last_assignee or "")
        level = (holder.level if holder else 0) + 1 if step.level == "next" else step.level
        return tuple(user.id for user in users if user.group == ticket.group and user.level == level)
    if step.party == "supervisor":
        return supervisors(ruleset, ticket.desk, ticket.group)
    return with_role(ruleset, step.party or "")


def _breach(clock: object) -> str:
    return f"clock {clock}"


def _is_awaited(escalation: Escalation) -> bool:
    return escalation.acknowledged_at is None and escalation.approval_wanted_at is None


def _is_target(draft: Draft) -> bool:
    assert draft.escalation is not None
    return draft.actor.id in draft.escalation.targets or draft.event.type == "escalation.acknowledged"


def _policy(draft: Draft, name: str | None) -> EscalationPolicy:
    ruleset = draft.ruleset
    group = ruleset.roster.groups.get(draft.ticket.group or "")
    found = ruleset.escalation_policies.get(name or (group.escalation if group else None) or "")
    return found or DEFAULT_POLICY


def _open(draft: Draft) -> None:
    """Opens the ladder, or adds a reason to the open one."""
    data = draft.event.data
    reason = str(data.get("reason") or f"{draft.actor.role} {draft.actor.id or ''}".strip())
    policy = _policy(draft, draft.escalation.policy if draft.escalation is not None else data.get("policy"))
    start = min(max(0, int(data.get("start_at") or 1) - 1), len(policy.steps) - 1)
    asks = draft.actor.role == "agent"
    if draft.escalation is not None:
        _add_reason(draft, draft.escalation, reason, policy, start, asks=asks)
        return
    followers = [found for found in (draft.actor.id, draft.ticket.assignee) if found]
    draft.escalation = Escalation(
        id=f"{draft.event.id}",
        policy=policy.name,
        reasons=(reason,),
        summary=str(data.get("summary") or ""),
        opened_at=draft.now,
        opened_by=draft.actor.id,
        followers=tuple(dict.fromkeys(followers)),
        overdue_at=_later(draft, policy.close_within),
    )
    # The group's own policy says it too: an agent does not get round it by naming another one.
    if asks and (policy.needs_approval or _policy(draft, None).needs_approval):
        answer_due_at = _later(draft, policy.steps[start].ack_within)
        draft.escalation = replace(
            draft.escalation, step=start, approval_wanted_at=draft.now, step_due_at=answer_due_at
        )
        who, summary = draft.actor.id or "An agent", draft.escalation.summary
        text = f"{who} asks to escalate ticket {draft.ticket.id}: {summary}"
        draft.alert("escalation", ["supervisor"], "warning", text)
        draft.marks.append("escalation_waits_for_approval")
        return
    _stand_on(draft, policy, start, 0)


def _add_reason(
    draft: Draft, escalation: Escalation, reason: str, policy: EscalationPolicy, start: int, *, asks: bool
) -> None:
    """Adds a reason to the open ladder, which may only jump to a higher step; one that waits may start higher."""
    escalation = replace(escalation, reasons=(*escalation.reasons, reason))
    if escalation.approval_wanted_at is not None:
        draft.escalation = replace(escalation, step=max(start, escalation.step))
        if not asks:
            # Whoever may call help without asking has said yes by doing so.
            _approve(draft, draft.escalation)
        return
    draft.escalation = escalation
    if start > escalation.step:
        _stand_on(draft, policy, start, escalation.round)


def _answer_request(draft: Draft, escalation: Escalation) -> None:
    """A yes starts the ladder where the agent wanted it; a no closes the escalation, and the agent is told."""
    if draft.outcome != "done":
        # Nothing waits for it, or it is not theirs to say, or it is about an earlier request.
        return
    if draft.event.type == "escalation.approved":
        _approve(draft, escalation)
        return
    draft.escalation = None
    draft.marks.append("escalation_refused")
    if escalation.opened_by is not None:
        why = draft.event.data.get("reason")
        text = f"The escalation of ticket {draft.ticket.id} was refused{f': {why}' if why else ''}"
        draft.alert("escalation", [f"user:{escalation.opened_by}"], "info", text)


def _approve(draft: Draft, escalation: Escalation) -> None:
    draft.escalation = replace(escalation, approval_wanted_at=None, approved_by=draft.actor.id, step_due_at=None)
    draft.marks.append("escalation_approved")
    _stand_on(draft, _policy(draft, escalation.policy), escalation.step, 0)


def _take_back(draft: Draft, reason: str) -> None:
    """Closes an escalation that had no other reason."""
    assert draft.escalation is not None
    left = tuple(found for found in draft.escalation.reasons if found != reason)
    if left:
        draft.escalation = replace(draft.escalation, reasons=left)
    else:
        draft.escalation = None
        draft.marks.append("escalation_closed")


def _climb(draft: Draft) -> None:
    assert draft.escalation is not None
    if draft.escalation.approval_wanted_at is not None:
        # It goes on waiting for the yes, but not unseen. Source: R1.7.
        draft.escalation = replace(draft.escalation, step_due_at=None)
        text = f"Nobody decided about the escalation of ticket {draft.ticket.id}: {draft.escalation.summary}"
        draft.alert("escalation", ["supervisor", "management"], "critical", text)
        return
    policy = _policy(draft, draft.escalation.policy)
    step, round_ = draft.escalation.step + 1, draft.escalation.round
    if step >= len(policy.steps):
        step, round_ = 0, round_ + 1
    if round_ > policy.repeat:
        draft.escalation = replace(draft.escalation, step_due_at=None)
        draft.reasons.append(Reason(code="ladder_ended", text="nobody acted on any step of the escalation"))
        return
    _stand_on(draft, policy, step, round_)


def _stand_on(draft: Draft, policy: EscalationPolicy, index: int, round_: int) -> None:
    """Involves the targets of a step; a step without anybody is passed over, with an alert."""
    assert draft.escalation is not None
    for number in range(index, len(policy.steps)):
        step = policy.steps[number]
        targets = targets_of(draft.ruleset, draft.ticket, step)
        if targets or step.group is not None:
            break
        draft.marks.append("escalation_step_skipped")
        text = f"Escalation of ticket {draft.ticket.id}: nobody to ask at step {number + 1} ({step})"
        draft.alert("escalation", ["supervisor"], "warning", text)
    else:
        draft.escalation = replace(draft.escalation, step=len(policy.steps) - 1, round=round_, step_due_at=None)
        return
    due_at = _later(draft, step.ack_within)
    draft.escalation = replace(
        draft.escalation,
        step=number,
        round=round_,
        targets=tuple(dict.fromkeys((*draft.escalation.targets, *targets))),
        step_due_at=None if draft.escalation.acknowledged_at else due_at,
    )
    _involve(draft, step, targets)


def _later(draft: Draft, length: Duration | None) -> dt.datetime | None:
    return draft.ruleset.later(draft.ticket.desk, draft.now, length) if length is not None else None


def _involve(draft: Draft, step: Step, targets: tuple[str, ...]) -> None:
    escalation, ticket = draft.escalation, draft.ticket
    assert escalation is not None
    meant = told(draft.ruleset, step.notify, ticket.desk, ticket, escalation)
    users = dict.fromkeys((*targets, *escalation.followers, *meant["users"]))
    draft.act(
        "escalate",
        draft.event.cause or "request",
        escalation_id=escalation.id,
        policy=escalation.policy,
        step=escalation.step + 1,
        to=str(step),
        targets=list(targets),
        parties=[*users, *(party for party in step.notify if party in ("group", "customer"))],
        reason=escalation.reasons[-1],
        summary=escalation.summary,
        context={
            "subject": ticket.subject, "status": ticket.status, "priority": ticket.priority, "channel": ticket.channel,
            "assignee": ticket.assignee, "tags": sorted(ticket.tags), "transfers": ticket.transfers_count,
            "customer": {"id": ticket.customer_id, "name": ticket.customer_name, "tier": ticket.customer_tier},
        },
    )  # fmt: skip
    if not step.hand_over:
        return
    if step.group is not None:
        draft.follow("ticket.transferred", {"group": step.group}, cause="escalation", actor=SYSTEM, request=True)
    elif targets:
        draft.follow("ticket.assigned", {"wanted": {"users": targets}}, cause="escalation", actor=SYSTEM, request=True)
