"""Actions on their way out: to the feed and the outbox at once, or to the notices that are held."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from rules_service.clock import instant, micros
from rules_service.store import codec
from rules_service.store.store import Store
from rules_service.tickets import Action, Decision, Event, Notice

#: Most notices that one digest tells: one message has to be taken, and one statement names them all.
MOST_TOLD = 1_000


def action_id(event_id: str, number: int) -> str:
    """The id of the `number`th action of an event's chain: stable, unique, telling nothing."""
    return f"act_{hashlib.sha256(f'{event_id}#{number}'.encode('utf-8', 'surrogatepass')).hexdigest()[:24]}"


def actions_of(chain_event: Event, decisions: Iterable[Decision]) -> list[tuple[str, Action]]:
    """The actions of a chain in order, each with its id."""
    found = [action for decision in decisions for action in decision.actions]
    return [(action_id(chain_event.id, number), action) for number, action in enumerate(found, 1)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outgoing:
    """An action as it goes to the feed and, by the receivers of its type, to the outbox."""

    id: str
    #: A ticket's id, or `desk:NAME`.
    subject: str
    event_id: str
    action: Action
    #: The connector of the ticket; None for none.
    source: str | None = None


def write_actions(
    store: Store, actions: Sequence[Outgoing], receivers: Mapping[str, Sequence[str]], now: dt.datetime
) -> None:
    """Writes actions to the feed, and a delivery for each of their receivers; those that are held to the notices."""
    _hold(store, [out for out in actions if out.action.held_until_at is not None], now)
    actions = [out for out in actions if out.action.held_until_at is None]
    if not actions:
        return
    marks = ", ".join(["(?, ?, ?, ?, ?, ?, ?)"] * len(actions))
    values = [
        value
        for out in actions
        for value in (
            out.id, out.subject, out.event_id, out.action.type, out.action.cause, codec.dump(out.action.data),
            micros(now),
        )
    ]  # fmt: skip
    rows = store.rows(
        f"INSERT INTO action (id, ticket_id, event_id, type, cause, data, created_at) VALUES {marks} RETURNING id, seq",
        *values,
    )
    seqs = dict(rows)
    store.many(
        "INSERT INTO delivery (action_seq, ticket_id, endpoint, state, attempts, next_attempt_at)"
        " VALUES (?, ?, ?, ?, ?, ?)",
        [
            (seqs[out.id], out.subject, receiver, "pending", 0, micros(now))
            for out in actions
            for receiver in _receivers_of(out.action, receivers)
        ],
    )


def _receivers_of(action: Action, receivers: Mapping[str, Sequence[str]]) -> list[str]:
    if action.type == "call":
        return list(receivers.get(f"call:{action.data['connector']}", ()))
    parties = action.data.get("to", ()) if action.type == "alert" else ()
    named = [name for party in parties if party.startswith("endpoint:") for name in receivers.get(party, ())]
    # Who names endpoints only wants to be heard there only.
    others = (
        () if parties and all(party.startswith("endpoint:") for party in parties) else receivers.get(action.type, ())
    )
    return list(dict.fromkeys((*others, *named)))


def _hold(store: Store, held: Sequence[Outgoing], now: dt.datetime) -> None:
    store.many(
        "INSERT INTO notice (id, key, ticket_id, event_id, type, cause, data, source, decided_at, due_at)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [
            (
                out.id, out.action.digest_key or out.id, out.subject, out.event_id, out.action.type, out.action.cause,
                codec.dump(out.action.data), out.source, micros(now), micros(out.action.held_until_at),
            )
            for out in held
            if out.action.held_until_at is not None
        ],
    )  # fmt: skip


def due_notice_keys(store: Store, now: dt.datetime, limit: int) -> list[str]:
    """Keys of the notices whose time has come, the oldest first."""
    rows = store.rows(
        "SELECT key FROM notice WHERE due_at <= ? ORDER BY due_at, decided_at LIMIT ?", micros(now), limit
    )
    return list(dict.fromkeys(row[0] for row in rows))


def take_notices(store: Store, key: str, now: dt.datetime) -> list[Notice]:
    """Removes and returns the notices of a key, oldest first and MOST_TOLD at most, once the first of them is due.

    None where another worker has them: one that came in since is not due and begins the next digest, as does what is
    over the most.
    """
    found = store.rows(
        "SELECT id, key, ticket_id, event_id, type, cause, data, source, decided_at, due_at FROM notice"
        f" WHERE key = ? ORDER BY due_at, decided_at, id LIMIT ?{store.skip_locked}",
        key,
        MOST_TOLD,
    )
    if min((row[9] for row in found), default=micros(now)) > micros(now):
        return []
    if found:
        marks = ", ".join("?" * len(found))
        store.sql(f"DELETE FROM notice WHERE id IN ({marks})", *(row[0] for row in found))
    return [
        Notice(
            id=row[0],
            key=row[1],
            subject=row[2],
            event_id=row[3],
            action=Action(type=row[4], cause=row[5], data=json.loads(row[6])),
            source=row[7],
            decided_at=instant(row[8]),
            due_at=instant(row[9]),
        )
        for row in sorted(found, key=lambda row: (row[8], row[0]))
    ]
