"""`ticket.updated`: fields that are set, and moves that follow as events of their own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rules_service.decide.draft import Draft
from rules_service.decide.triggers import EVENT_OF
from rules_service.machines import TRIGGERS
from rules_service.tickets import PRIORITIES, Ticket

#: Fields that `ticket.updated` sets, with the ticket's name for them.
_FIELDS: Mapping[str, str] = {"subject": "subject", "priority": "priority", "channel": "channel"}
_CUSTOMER_FIELDS = ("id", "name", "tier", "lifetime_value", "language")


def update(draft: Draft) -> None:
    """Assignee, desk and status become events of their own; other fields are set, and told when they were asked for."""
    data, ticket = draft.event.data, draft.ticket
    priority = data.get("priority_at_least")
    if priority is not None and PRIORITIES.index(priority) > PRIORITIES.index(ticket.priority):
        data = {**data, "priority": priority}
    changed: dict[str, Any] = {
        field: data[key]
        for key, field in _FIELDS.items()
        if data.get(key) is not None and data[key] != getattr(ticket, field)
    }
    customer = data.get("customer") or {}
    for key in _CUSTOMER_FIELDS:
        if key in customer and customer[key] != getattr(ticket, f"customer_{key}"):
            changed[f"customer_{key}"] = customer[key]
    tags = frozenset(data.get("tags", ticket.tags)) | frozenset(data.get("add_tags", ()))
    tags -= frozenset(data.get("remove_tags", ()))
    custom = {**ticket.custom, **(data.get("custom") or {})}
    if tags != ticket.tags:
        changed["tags"] = tags
    if custom != ticket.custom:
        changed["custom"] = custom
    draft.set(**changed)
    _follow_moves(draft, data)
    if not changed and not draft.follow_ups:
        draft.outcome = "unchanged"
    if draft.event.request:
        _tell_fields(draft, changed, ticket)


def _tell_fields(draft: Draft, changed: Mapping[str, Any], before: Ticket) -> None:
    if "priority" in changed:
        draft.tell("set_priority", priority=changed["priority"], previous=before.priority)
    if "tags" in changed:
        added, removed = draft.ticket.tags - before.tags, before.tags - draft.ticket.tags
        if added:
            draft.tell("add_tags", tags=sorted(added))
        if removed:
            draft.tell("remove_tags", tags=sorted(removed))
    fields = {f"custom.{key}": value for key, value in (draft.event.data.get("custom") or {}).items()}
    if "customer_tier" in changed:
        fields["customer.tier"] = changed["customer_tier"]
    if fields and ("custom" in changed or "customer_tier" in changed):
        draft.tell("set", fields=fields)


def _follow_moves(draft: Draft, data: Mapping[str, Any]) -> None:
    def follow(kind: str, moved: Mapping[str, Any]) -> None:
        draft.follow(kind, moved, cause=None, actor=draft.event.actor, at=draft.at)

    ticket = draft.ticket
    if (data.get("desk") or data.get("group")) and (data.get("desk"), data.get("group")) != (ticket.desk, ticket.group):
        follow("ticket.transferred", {key: data[key] for key in ("desk", "group") if data.get(key)})
    if "assignee" in data and data["assignee"] != ticket.assignee:
        follow("ticket.assigned", {"assignee": data["assignee"]})
    status = data.get("status")
    if status and status != ticket.status:
        names = (
            row.trigger for row in draft.ruleset.lifecycle.rows if row.source == ticket.status and row.target == status
        )
        name = next(names, None) or next(
            (row.trigger for row in draft.ruleset.lifecycle.rows if row.target == status), None
        )
        if name in TRIGGERS and name not in ("assign", "respond", "transfer", "reassign"):
            follow(EVENT_OF[name], {})
