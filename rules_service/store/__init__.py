"""The database: tables, claims, queries. The only room that knows peewee."""

from rules_service.store import api_keys, figures, outbox, people, plugged, rulesets
from rules_service.store.store import Lost, Store
from rules_service.store.tickets import (
    Chain,
    Change,
    action_id,
    actions_of,
    claim_slot,
    digest,
    due_tickets,
    freed_slot,
    gather,
    next_deadline,
    queue_waits,
    read_event,
    read_loads,
    read_ticket,
    write_change,
    write_user_event,
)

__all__ = [
    "Chain",
    "Change",
    "Lost",
    "Store",
    "action_id",
    "actions_of",
    "api_keys",
    "claim_slot",
    "digest",
    "due_tickets",
    "figures",
    "freed_slot",
    "gather",
    "next_deadline",
    "outbox",
    "people",
    "plugged",
    "queue_waits",
    "read_event",
    "read_loads",
    "read_ticket",
    "rulesets",
    "write_change",
    "write_user_event",
]
