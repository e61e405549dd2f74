"""Writing what was decided about a ticket, and the log.

The hot path: plain SQL, since building these few statements anew would cost more than running them.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from rules_service.clock import micros
from rules_service.store import codec
from rules_service.store.actions import Outgoing, actions_of, write_actions
from rules_service.store.clocks import write_ended
from rules_service.store.store import Lost, Store
from rules_service.tickets import PRIORITIES, Decision, Event, Snapshot, Stint


@dataclass(frozen=True, slots=True, kw_only=True)
class Chain:
    """One event with all decisions that it caused, as it goes to the log."""

    event: Event
    decisions: Sequence[Decision]
    #: Canonical JSON of the event as it came, and what its sender is answered; None for the service's own events.
    body: str
    answer: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """All that one transaction writes about one ticket."""

    #: Version that was read; 0 for a new ticket.
    version: int
    before: Snapshot
    after: Snapshot
    chains: Sequence[Chain]
    now: dt.datetime
    ruleset_hash: str
    next_due_at: dt.datetime | None
    #: Index of the customer's tier; -1 without one.
    tier: int
    #: What its desk's queue is sorted by; None outside of a queue.
    queue_key: str | None
    #: Change of open_count by user: slots taken and freed that no claim has accounted for.
    slots: Mapping[str, int]
    #: Action type -> names of the endpoints that receive it.
    receivers: Mapping[str, Sequence[str]]


def read_event(store: Store, event_id: str) -> tuple[str, str | None] | None:
    """Digest and answer of the event that was processed under this id; None if none was."""
    return store.row("SELECT digest, answer FROM event WHERE event_id = ?", event_id)


def digest(body: str) -> str:
    """SHA-256 of an event's canonical body, in hexadecimal."""
    return hashlib.sha256(body.encode("utf-8", "surrogatepass")).hexdigest()


def write_change(store: Store, change: Change) -> None:
    """Writes ticket, stints, clocks, log, actions and outbox of one change, all in the transaction that is open."""
    _write_ticket(store, change)
    _write_stints(store, change)
    decisions = [decision for chain in change.chains for decision in chain.decisions]
    ended = [clock for decision in decisions for clock in decision.ended_clocks]
    write_ended(store, _ticket_id(change), ended, change.ruleset_hash, change.before.clocks)
    _write_log(store, change)
    _write_actions(store, change)
    for user_id, delta in sorted(change.slots.items()):
        store.sql("UPDATE member SET open_count = open_count + ? WHERE id = ?", delta, user_id)


def _write_ticket(store: Store, change: Change) -> None:
    ticket = change.after.ticket
    assert ticket is not None
    state = codec.dump(replace(change.after, people={}, gathered={}))
    values = (
        change.version + 1,
        ticket.status,
        PRIORITIES.index(ticket.priority),
        change.tier,
        ticket.channel,
        ticket.group,
        ticket.desk,
        ticket.assignee,
        ticket.customer_id,
        micros(ticket.created_at),
        _micros(ticket.queued_at),
        change.queue_key,
        _micros(ticket.waiting_since_at),
        _micros(ticket.closed_at),
        _micros(change.next_due_at),
        any(clock.status in ("breached", "missed") for clock in change.after.clocks),
        change.after.escalation is not None and change.after.escalation.approval_wanted_at is None,
        ticket.live,
        change.ruleset_hash[:12],
        state,
    )
    if change.version == 0:
        store.sql(f"INSERT INTO ticket (id, {', '.join(_COLUMNS)}) VALUES ({_MARKS})", ticket.id, *values)
        return
    cursor = store.sql(_UPDATE, *values, ticket.id, change.version)
    if cursor.rowcount != 1:
        raise Lost(f"ticket {ticket.id} was changed meanwhile")


_COLUMNS = (
    "version", "status", "priority", "tier", "channel", "team", "desk", "assignee", "customer_id", "created_at",
    "queued_at", "queue_key", "waiting_since_at", "closed_at", "next_due_at", "breached", "escalated",
    "live", "judged_under", "state",
)  # fmt: skip
_MARKS = ", ".join("?" * (len(_COLUMNS) + 1))
_UPDATE = f"UPDATE ticket SET {', '.join(f'{name} = ?' for name in _COLUMNS)} WHERE id = ? AND version = ?"


def _write_stints(store: Store, change: Change) -> None:
    before, after = change.before.stint, change.after.stint
    ended: list[Stint] = [
        stint for chain in change.chains for decision in chain.decisions for stint in decision.ended_stints
    ]
    known = before.number if before else change.before.ticket.stint_number if change.before.ticket else 0
    for stint in ended:
        if stint.number <= known:
            store.sql(
                "UPDATE stint SET opened_at = ?, responded_at = ?, ended_at = ?, ended_by = ?"
                " WHERE ticket_id = ? AND number = ?",
                _micros(stint.opened_at), _micros(stint.responded_at), _micros(stint.ended_at), stint.ended_by,
                _ticket_id(change), stint.number,
            )  # fmt: skip
    new = [stint for stint in (*ended, *([after] if after else ())) if stint.number > known]
    store.many(
        "INSERT INTO stint (ticket_id, number, agent_id, desk, queued_at, assigned_at, opened_at, responded_at,"
        " ended_at, ended_by, over_maximum) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [
            (
                _ticket_id(change), stint.number, stint.agent_id, stint.desk, _waited_since(change, stint),
                micros(stint.assigned_at), _micros(stint.opened_at), _micros(stint.responded_at),
                _micros(stint.ended_at), stint.ended_by,
                stint.over_maximum,
            )
            for stint in new
        ],
    )  # fmt: skip


def _waited_since(change: Change, stint: Stint) -> int | None:
    """Since when the ticket of a new stint had waited in the queue of the stint's desk; None where it had not."""
    before = change.before.ticket
    if before is None or before.queued_at is None or before.desk != stint.desk or stint.taken_from is not None:
        return None
    return micros(before.queued_at)


def _write_log(store: Store, change: Change) -> None:
    store.many(
        "INSERT INTO event (event_id, ticket_id, type, at, received_at, digest, body, answer, decisions, ruleset_hash)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [
            (
                chain.event.id, chain.event.ticket_id, chain.event.type, micros(chain.event.at), micros(change.now),
                digest(chain.body), chain.body, chain.answer,
                codec.dump([logged(decision) for decision in chain.decisions]), change.ruleset_hash,
            )
            for chain in change.chains
        ],
    )  # fmt: skip


def logged(decision: Decision) -> dict[str, Any]:
    """A decision as the log keeps it: small, since what can be told from the event or the ruleset is left out."""
    event = decision.event
    record: dict[str, Any] = {"type": event.type, "outcome": decision.outcome}
    if decision.generation:
        record |= {"id": event.id, "generation": decision.generation, "cause": event.cause, "data": event.data}
    if event.actor is not None:
        record["actor"] = {"id": event.actor.id, "role": event.actor.role}
    for name in ("reasons", "marks", "firings"):
        found = getattr(decision, name)
        if found:
            record[name] = found
    if decision.actions:
        record["actions"] = [action.type for action in decision.actions]
    ticket = decision.changes.get("ticket")
    if ticket is not None:
        record["ticket"] = {
            "status": ticket.status,
            "assignee": ticket.assignee,
            "desk": ticket.desk,
            "priority": ticket.priority,
        }
    row = {name: value for name, value in decision.row.items() if name not in _SAID}
    if row:
        record["row"] = row
    return record


#: Texts of the row that the event itself holds already.
_SAID = frozenset({"message.text", "ticket.subject"})


def _write_actions(store: Store, change: Change) -> None:
    ticket = change.after.ticket
    assert ticket is not None
    actions = [
        Outgoing(id=found_id, subject=ticket.id, event_id=chain.event.id, action=action, source=ticket.source)
        for chain in change.chains
        for found_id, action in actions_of(chain.event, chain.decisions)
    ]
    write_actions(store, actions, change.receivers, change.now)


def _ticket_id(change: Change) -> str:
    assert change.after.ticket is not None
    return change.after.ticket.id


def _micros(at: dt.datetime | None) -> int | None:
    return None if at is None else micros(at)


def write_user_event(store: Store, event_id: str, kind: str, now: dt.datetime, body: str, ruleset_hash: str) -> None:
    """Notes an event about a person in the log."""
    store.sql(
        "INSERT INTO event (event_id, ticket_id, type, at, received_at, digest, body, answer, decisions, ruleset_hash)"
        " VALUES (?, '', ?, ?, ?, ?, ?, NULL, '[]', ?)",
        event_id, kind, micros(now), micros(now), digest(body), body, ruleset_hash,
    )  # fmt: skip


def write_desk_event(
    store: Store, event_id: str, subject: str, now: dt.datetime, decisions: str, ruleset_hash: str
) -> None:
    """Notes in the log what the rules for desks did."""
    store.sql(
        "INSERT INTO event (event_id, ticket_id, type, at, received_at, digest, body, answer, decisions, ruleset_hash)"
        " VALUES (?, ?, 'timer.due', ?, ?, '', '{}', NULL, ?, ?)",
        event_id, subject, micros(now), micros(now), decisions, ruleset_hash,
    )  # fmt: skip
