"""Rows for tests of the store, with values for whatever a test does not care about."""

from __future__ import annotations

import datetime as dt
import json

from rules_service.clock import micros
from rules_service.store import Change, Store
from rules_service.teams import queue_key
from rules_service.tickets import Snapshot, Ticket
from tests.scene import NINE


def ticket(ticket_id="t1", **fields):
    named = {
        "status": "unassigned",
        "desk": "hotel-chat",
        "created_at": NINE,
        "status_since_at": NINE,
        "queued_at": NINE,
        "last_act_at": NINE,
    }
    return Ticket(id=ticket_id, **(named | fields))


def change(
    after: Ticket,
    *,
    version=0,
    before=None,
    chains=(),
    next_due_at=None,
    tier=-1,
    slots=None,
    receivers=None,
    order=(("created", True),),
):
    return Change(
        version=version,
        before=before or Snapshot(),
        after=Snapshot(ticket=after),
        chains=chains,
        now=NINE,
        ruleset_hash="hash",
        next_due_at=next_due_at,
        tier=tier,
        queue_key=queue_key(order, after, tier),
        slots=slots or {},
        receivers=receivers or {},
    )


def member(store: Store, user_id, *, desks=("hotel-chat",), skills=(), presence="online", **fields):
    """A user of the roster; the limit is 5 and nothing is held, if nothing else is said."""
    named = {"team": "hotel", "level": 0, "active": True, "open_count": 0, "slot_limit": 5, "last_assigned_at": None}
    named |= fields
    if isinstance(named["last_assigned_at"], dt.datetime):
        named["last_assigned_at"] = micros(named["last_assigned_at"])
    columns = ("id", "name", "role", "source", "presence", *named)

    def work():
        marks = ", ".join("?" * len(columns))
        store.sql(
            f"INSERT INTO member ({', '.join(columns)}) VALUES ({marks})",
            user_id, user_id, "agent", "ruleset", presence, *named.values(),
        )  # fmt: skip
        for desk in desks:
            store.sql("INSERT INTO membership (desk, user_id) VALUES (?, ?)", desk, user_id)
        for skill in skills:
            store.sql("INSERT INTO skill (skill, user_id) VALUES (?, ?)", skill, user_id)

    store.transact(work)


def delivery(store: Store, ticket_id="t1", *, endpoint="helpdesk", at=NINE, **data):
    """An action with its delivery; returns the delivery's id."""

    def work():
        ((count,),) = store.rows("SELECT COUNT(*) FROM action")
        ((seq,),) = store.rows(
            "INSERT INTO action (id, ticket_id, event_id, type, cause, data, created_at) VALUES (?, ?, ?, ?, ?, ?, ?)"
            " RETURNING seq",
            f"act_{count + 1}", ticket_id, "e1", "reply", "rule:x", json.dumps(data), micros(NINE),
        )  # fmt: skip
        ((delivery_id,),) = store.rows(
            "INSERT INTO delivery (action_seq, ticket_id, endpoint, state, attempts, next_attempt_at)"
            " VALUES (?, ?, ?, 'pending', 0, ?) RETURNING id",
            seq, ticket_id, endpoint, micros(at),
        )  # fmt: skip
        return delivery_id

    return store.transact(work)
