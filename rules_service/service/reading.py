"""What other services ask: a ticket as it stands, what may be done with it, a user."""

from __future__ import annotations

import datetime as dt
from typing import Any

from rules_service.clock import instant, iso
from rules_service.clocks import used_pct, used_s
from rules_service.decide import move_of
from rules_service.errors import UnknownTicket
from rules_service.ruleset import Ruleset
from rules_service.service.folders import place_in_queue
from rules_service.store import Store, figures, people, read_ticket, rulesets
from rules_service.tickets import Actor, ServiceClock, Snapshot


def snapshot_of(store: Store, ticket_id: str) -> Snapshot:
    """The ticket's snapshot; UnknownTicket when there is none."""
    snapshot = read_ticket(store, ticket_id, lock=False).snapshot
    if snapshot.ticket is None:
        raise UnknownTicket(
            f'no ticket "{ticket_id}" is known; send ticket.created or ticket.imported first', ticket_id=ticket_id
        )
    return snapshot


def options(store: Store, ruleset: Ruleset, ticket_id: str, actor: Actor, now: dt.datetime) -> dict[str, Any]:
    """What `actor` may do with the ticket now (`allowed`), and every reason why not the rest (`refused`)."""
    snapshot = snapshot_of(store, ticket_id)
    ticket = snapshot.ticket
    assert ticket is not None
    move = move_of(ruleset, snapshot, ticket, actor, now, None)
    allowed, refused = ruleset.lifecycle.options(actor.role, move)
    return {
        "status": ticket.status,
        "allowed": [
            {"trigger": row.trigger, "to": row.target or ticket.status, "requires": list(row.requires)}
            for row in allowed
        ],
        "refused": [
            {"trigger": trigger, "reasons": [{"code": reason.code, "text": reason.text} for reason in reasons]}
            for trigger, reasons in refused.items()
        ],
    }


def ticket(store: Store, ruleset: Ruleset, ticket_id: str, now: dt.datetime) -> dict[str, Any]:
    """The ticket with its stint, clocks and escalation."""
    snapshot = snapshot_of(store, ticket_id)
    found = snapshot.ticket
    assert found is not None
    stint, escalation = snapshot.stint, snapshot.escalation
    row = store.row("SELECT next_due_at FROM ticket WHERE id = ?", ticket_id)
    return {
        "id": found.id,
        "status": found.status,
        "priority": found.priority,
        "channel": found.channel,
        "group": found.group,
        "desk": found.desk,
        "assignee": found.assignee,
        "tags": sorted(found.tags),
        "subject": found.subject,
        "custom": dict(found.custom),
        "customer": {
            "id": found.customer_id,
            "name": found.customer_name,
            "tier": found.customer_tier,
            "lifetime_value": found.customer_lifetime_value,
            "language": found.customer_language,
        },
        "created_at": iso(found.created_at),
        "status_since_at": iso(found.status_since_at),
        "queued_at": iso(found.queued_at),
        "queue": place_in_queue(store, found, now),
        "closed_at": iso(found.closed_at),
        "waiting_since_at": iso(found.waiting_since_at),
        "transfers": found.transfers_count,
        "reopens": found.reopens_count,
        "stint": None
        if stint is None
        else {
            "number": stint.number,
            "agent": stint.agent_id,
            "assigned_at": iso(stint.assigned_at),
            "opened_at": iso(stint.opened_at),
            "responded_at": iso(stint.responded_at),
            "over_maximum": stint.over_maximum,
        },
        "clocks": [_clock(ruleset, clock, now) for clock in snapshot.clocks],
        "escalation": None
        if escalation is None
        else {
            "id": escalation.id,
            "policy": escalation.policy,
            "step": escalation.step + 1,
            "reasons": list(escalation.reasons),
            "summary": escalation.summary,
            "opened_at": iso(escalation.opened_at),
            "opened_by": escalation.opened_by,
            "approval_wanted_at": iso(escalation.approval_wanted_at),
            "approved_by": escalation.approved_by,
            "targets": list(escalation.targets),
            "followers": list(escalation.followers),
            "acknowledged_at": iso(escalation.acknowledged_at),
            "acknowledged_by": escalation.acknowledged_by,
            "step_due_at": iso(escalation.step_due_at),
        },
        "next_due_at": None if row is None or row[0] is None else iso(instant(row[0])),
    }


def user(store: Store, user_id: str) -> dict[str, Any] | None:
    """A user with the present load; None for an unknown one."""
    return people.read_user(store, user_id)


def _clock(ruleset: Ruleset, clock: ServiceClock, now: dt.datetime) -> dict[str, Any]:
    hours = ruleset.hours(clock.calendar)
    return {
        "name": clock.name,
        "state": clock.status,
        "target_s": clock.target_s,
        "used_s": used_s(clock, hours, now),
        "used_pct": used_pct(clock, hours, now),
        "started_at": iso(clock.started_at),
        "due_at": iso(clock.due_at),
        "stopped_at": iso(clock.stopped_at),
        "breached_at": iso(clock.breached_at),
    }


def ruleset(store: Store, active: Ruleset) -> dict[str, Any]:
    """The ruleset in force here and in each process, how many tickets it is still new to, what the folder holds."""
    watched = rulesets.watched(store)
    return {
        "hash": active.hash,
        "rules": [
            {
                "id": rule.id,
                "about": rule.about,
                "mode": rule.mode,
                "on": sorted(rule.on),
                "defined_at": rule.defined_at,
            }
            for rule in active.rules.rules
        ],
        "processes": [
            {"id": row[0], "kind": row[1], "hash": row[2], "seen_at": iso(row[3])} for row in figures.processes(store)
        ],
        "tickets_to_judge": rulesets.count_to_judge(store, active.hash),
        "watched": None if watched is None else {"hash": watched[0], "problems": watched[1]},
    }


def activations(store: Store, *, before: int | None, limit: int) -> dict[str, Any]:
    """A page of the history of rulesets, newest first."""
    found = rulesets.history(store, before=before, limit=limit)
    items = [{**row, "activated_at": iso(row["activated_at"])} for row in found]
    return {"items": items, "next_before": items[-1]["id"] if len(items) == limit else None}


def groups(store: Store, active: Ruleset) -> list[dict[str, Any]]:
    """The groups with supervisors, desks, how many people they have and how many are online. Source: R5.9."""
    counts = people.groups(store)
    found = []
    for group in active.roster.groups.values():
        total, online = counts.get(group.name, (0, 0))
        found.append(
            {
                "id": group.name,
                "supervisors": list(group.supervisors),
                "desks": [desk.name for desk in active.roster.desks.values() if desk.group == group.name],
                "members": {"total": total, "online": online},
                "transfer_limit": group.transfer_limit,
                "escalation": group.escalation,
            }
        )
    return found
