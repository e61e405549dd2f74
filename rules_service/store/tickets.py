"""Reading a ticket to decide about it, claiming slots for it, and writing what was decided.

The hot path: plain SQL, since building these few statements anew would cost more than running them.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from rules_service.clock import instant, micros
from rules_service.store import codec
from rules_service.store.actions import Outgoing, actions_of, write_actions
from rules_service.store.clocks import write_ended
from rules_service.store.store import Lost, Store
from rules_service.teams import Wanted
from rules_service.tickets import PRIORITIES, Decision, Event, Person, Snapshot, Stint


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """A ticket as it was read: its snapshot, its version (0: there is none), and its indexed deadline."""

    snapshot: Snapshot
    version: int
    next_due_at: dt.datetime | None


def read_ticket(store: Store, ticket_id: str, *, lock: bool) -> Stored:
    """A ticket, with `lock` locked until the transaction ends; version 0 and an empty snapshot if it is unknown."""
    row = store.row(
        "SELECT state, version, next_due_at FROM ticket WHERE id = ?" + (store.for_update if lock else ""), ticket_id
    )
    if row is None:
        return Stored(snapshot=Snapshot(), version=0, next_due_at=None)
    due_at = None if row[2] is None else instant(row[2])
    return Stored(snapshot=codec.load(Snapshot, row[0]), version=row[1], next_due_at=due_at)


def claim_due(store: Store, ticket_id: str, now: dt.datetime) -> Stored | None:
    """A ticket whose deadline has come, locked; None when it is due no more, or while somebody else works on it."""
    row = store.row(
        f"SELECT state, version, next_due_at FROM ticket WHERE id = ? AND next_due_at <= ?{store.skip_locked}",
        ticket_id,
        micros(now),
    )
    if row is None:
        return None
    return Stored(snapshot=codec.load(Snapshot, row[0]), version=row[1], next_due_at=instant(row[2]))


def read_event(store: Store, event_id: str) -> tuple[str, str | None] | None:
    """Digest and answer of the event that was processed under this id; None if none was."""
    return store.row("SELECT digest, answer FROM event WHERE event_id = ?", event_id)


def digest(body: str) -> str:
    """SHA-256 of an event's canonical body, in hexadecimal."""
    return hashlib.sha256(body.encode("utf-8", "surrogatepass")).hexdigest()


def read_loads(store: Store, user_ids: Iterable[str], people: Mapping[str, Person]) -> dict[str, Person]:
    """The users among `people` with their present load and presence, locked until the transaction ends.

    Without the lock two supervisors could both find the last slot free. In the order of their ids, so that two who want
    the same users wait for each other instead of locking each other out.
    """
    wanted = sorted({user_id for user_id in user_ids if user_id in people})
    if not wanted:
        return {}
    marks = ", ".join("?" * len(wanted))
    rows = store.rows(
        f"SELECT id, presence, open_count, slot_limit FROM member WHERE id IN ({marks}) ORDER BY id{store.for_update}",
        *wanted,
    )
    return {
        user_id: replace(people[user_id], online=presence == "online", open_count=open_count, slot_limit=slot_limit)
        for user_id, presence, open_count, slot_limit in rows
    }


# --- claiming --------------------------------------------------------------------------------------------------------

_ORDER = {
    "least_loaded": "m.open_count, m.last_assigned_at IS NOT NULL, m.last_assigned_at, m.id",
    "round_robin": "m.last_assigned_at IS NOT NULL, m.last_assigned_at, m.id",
}


def claim_slot(store: Store, wanted: Wanted, now: dt.datetime) -> str | None:
    """Takes one slot of the best user who fits and returns the user's id; None when nobody has a free one.

    The choice and the taking are one statement, so that no maximum is ever passed. Least loaded: fewest tickets, then
    longest since the last assignment. Where another transaction holds the only candidates, it is waited for.
    """
    where, parameters = _conditions(wanted)
    chosen = f"SELECT m.id FROM member m WHERE {where} ORDER BY {_ORDER[wanted.strategy]} LIMIT 1"
    take = "UPDATE member SET open_count = open_count + 1, last_assigned_at = ? WHERE id = ({}) RETURNING id"
    for lock in (store.skip_locked, store.for_update, store.for_update, store.for_update):
        row = store.row(take.format(chosen + lock), micros(now), *parameters)
        if row is not None:
            return str(row[0])
        if not store.is_postgres or store.row(chosen, *parameters) is None:
            return None
    return None


def _conditions(wanted: Wanted) -> tuple[str, list[Any]]:
    parts = ["m.active", "m.presence = 'online'", "(m.slot_limit IS NULL OR m.open_count < m.slot_limit)"]
    parameters: list[Any] = []
    for value, part in (
        (wanted.user, "m.id = ?"),
        (wanted.group, "m.team = ?"),
        (wanted.level, "m.level >= ?"),
        (wanted.desk, "m.id IN (SELECT user_id FROM membership WHERE desk = ?)"),
        (wanted.skill, "m.id IN (SELECT user_id FROM skill WHERE skill = ?)"),
    ):
        if value is not None:
            parts.append(part)
            parameters.append(value)
    for user_id in sorted(wanted.without):
        parts.append("m.id <> ?")
        parameters.append(user_id)
    return " AND ".join(parts), parameters


# --- writing ---------------------------------------------------------------------------------------------------------


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


# --- what time brings ------------------------------------------------------------------------------------------------


def due_tickets(store: Store, now: dt.datetime, limit: int) -> list[str]:
    """Ids of the tickets whose deadline has come, the oldest deadline first, by the index of deadlines."""
    return [
        row[0]
        for row in store.rows(
            "SELECT id FROM ticket WHERE next_due_at IS NOT NULL AND next_due_at <= ? ORDER BY next_due_at LIMIT ?",
            micros(now),
            limit,
        )
    ]


def next_deadline(store: Store) -> dt.datetime | None:
    """The nearest deadline of any ticket; None when there is none."""
    row = store.row("SELECT MIN(next_due_at) FROM ticket WHERE next_due_at IS NOT NULL")
    return None if row is None or row[0] is None else instant(row[0])


# --- queues ----------------------------------------------------------------------------------------------------------


def freed_slot(store: Store, user_id: str, now: dt.datetime) -> None:
    """Marks the desks of a user whose slot was freed, where somebody waits, to be drained now."""
    store.sql(
        "INSERT INTO timer (subject, kind, due_at) SELECT 'desk:' || m.desk, 'drain', ? FROM membership m"
        " WHERE m.user_id = ? AND EXISTS (SELECT 1 FROM ticket t WHERE t.desk = m.desk AND t.queued_at IS NOT NULL)"
        " ON CONFLICT (subject, kind) DO UPDATE SET due_at = excluded.due_at WHERE timer.due_at > excluded.due_at",
        micros(now),
        user_id,
    )


def queue_waits(store: Store, desk: str, at: dt.datetime) -> None:
    """Has the desk's queue looked at by then at the latest."""
    store.sql(
        "INSERT INTO timer (subject, kind, due_at) VALUES (?, 'drain', ?)"
        " ON CONFLICT (subject, kind) DO UPDATE SET due_at = excluded.due_at WHERE timer.due_at > excluded.due_at",
        f"desk:{desk}",
        micros(at),
    )


def gather(
    store: Store, needs: frozenset[str], *, desk: str, customer_id: str | None, now: dt.datetime
) -> dict[str, Any]:
    """The values of the attributes in `needs` that only the database knows; one query a subject."""
    found: dict[str, Any] = {}
    if needs & {"desk.queue_length", "desk.oldest_waiting"}:
        row = store.row("SELECT COUNT(*), MIN(queued_at) FROM ticket WHERE desk = ? AND queued_at IS NOT NULL", desk)
        assert row is not None
        found["desk.queue_length"] = row[0]
        if row[1] is not None:
            found["desk.oldest_waiting"] = max(0, (micros(now) - row[1]) // 1_000_000)
    if needs & {"desk.online", "desk.free_slots"}:
        row = store.row(
            "SELECT COUNT(*), COALESCE(SUM(CASE WHEN m.slot_limit > m.open_count THEN m.slot_limit - m.open_count"
            " ELSE 0 END), 0) FROM membership s JOIN member m ON m.id = s.user_id"
            " WHERE s.desk = ? AND m.active AND m.presence = 'online'",
            desk,
        )
        assert row is not None
        found["desk.online"], found["desk.free_slots"] = row[0], int(row[1])
    if "customer.open_tickets" in needs and customer_id is not None:
        row = store.row("SELECT COUNT(*) FROM ticket WHERE customer_id = ? AND live AND closed_at IS NULL", customer_id)
        assert row is not None
        found["customer.open_tickets"] = row[0]
    return found


def write_user_event(store: Store, event_id: str, kind: str, now: dt.datetime, body: str, ruleset_hash: str) -> None:
    """Notes an event about a person in the log."""
    store.sql(
        "INSERT INTO event (event_id, ticket_id, type, at, received_at, digest, body, answer, decisions, ruleset_hash)"
        " VALUES (?, '', ?, ?, ?, ?, ?, NULL, '[]', ?)",
        event_id, kind, micros(now), micros(now), digest(body), body, ruleset_hash,
    )  # fmt: skip


def recent_events(
    store: Store, ticket_id: str, windows_s: Mapping[str, int], now: dt.datetime
) -> dict[str, tuple[dt.datetime, ...]]:
    """Event type -> when events of it happened to the ticket within the type's window (in seconds), oldest first.

    A ticket's first contact counts as a message received.
    """
    found: dict[str, list[dt.datetime]] = {}
    since = now - dt.timedelta(seconds=max(windows_s.values()))
    rows = store.rows("SELECT type, at FROM event WHERE ticket_id = ? AND at > ? ORDER BY at", ticket_id, micros(since))
    for logged_type, at in rows:
        kind = "message.received" if logged_type == "ticket.created" else logged_type
        if kind in windows_s and now - instant(at) < dt.timedelta(seconds=windows_s[kind]):
            found.setdefault(kind, []).append(instant(at))
    return {kind: tuple(instants) for kind, instants in found.items()}


def write_desk_event(
    store: Store, event_id: str, subject: str, now: dt.datetime, decisions: str, ruleset_hash: str
) -> None:
    """Notes in the log what the rules for desks did."""
    store.sql(
        "INSERT INTO event (event_id, ticket_id, type, at, received_at, digest, body, answer, decisions, ruleset_hash)"
        " VALUES (?, ?, 'timer.due', ?, ?, '', '{}', NULL, ?, ?)",
        event_id, subject, micros(now), micros(now), decisions, ruleset_hash,
    )  # fmt: skip
