"""The outbox: deliveries are claimed, sent outside any transaction, and settled.

At least once: a claim is a lease; one that is not settled in time is claimed again. In order: of each endpoint and
ticket only the oldest pending delivery can be claimed.

What is for a disabled endpoint is held: it stays pending, and is due at HELD_AT, which never comes.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rules_service.clock import instant, iso, micros
from rules_service.store.store import Store

#: When a delivery is due that waits for its endpoint to be enabled.
HELD_AT = dt.datetime(9999, 1, 1, tzinfo=dt.UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Disabled:
    """An endpoint that answered 410 Gone."""

    endpoint: str
    #: SHA-256 of the address that answered so.
    address_sha256: str
    disabled_at: dt.datetime

    def __str__(self) -> str:
        return f"{self.endpoint} answered 410 Gone at {iso(self.disabled_at)} and is disabled"


@dataclass(frozen=True, slots=True, kw_only=True)
class Claimed:
    """A delivery that this worker may attempt until its lease ends."""

    id: int
    endpoint: str
    ticket_id: str
    #: Attempts begun, this one included.
    attempts: int
    #: End of the lease; settling names it, so that a worker whose lease was taken over settles nothing.
    lease_until: dt.datetime
    action_id: str
    action_type: str
    cause: str
    data: dict[str, Any]
    event_id: str
    created_at: dt.datetime


def is_due(store: Store, now: dt.datetime) -> bool:
    """Whether some delivery may be due; a look that locks nothing, before a claim that does."""
    return (
        store.row("SELECT 1 FROM delivery WHERE state = 'pending' AND next_attempt_at <= ? LIMIT 1", micros(now))
        is not None
    )


def claim_deliveries(
    store: Store, now: dt.datetime, *, lease_s: int, limit: int, without: Sequence[str] = ()
) -> list[Claimed]:
    """Up to `limit` deliveries that are due, oldest first, each the first pending one of its endpoint and ticket.

    They are leased for `lease_s` seconds. Endpoints in `without` are passed over. Call it in a transaction.
    """
    until = now + dt.timedelta(seconds=lease_s)
    skipped = f" AND d.endpoint NOT IN ({', '.join('?' * len(without))})" if without else ""
    rows = store.rows(
        "UPDATE delivery SET attempts = attempts + 1, next_attempt_at = ? WHERE id IN ("
        "SELECT d.id FROM delivery d WHERE d.state = 'pending' AND d.next_attempt_at <= ?" + skipped +
        " AND NOT EXISTS (SELECT 1 FROM delivery e WHERE e.state = 'pending' AND e.endpoint = d.endpoint"
        " AND e.ticket_id = d.ticket_id AND e.id < d.id)"
        " ORDER BY d.next_attempt_at, d.id LIMIT ?" + store.skip_locked_of("d") + ")"
        " RETURNING id, endpoint, ticket_id, attempts, action_seq",
        micros(until),
        micros(now),
        *without,
        limit,
    )  # fmt: skip
    if not rows:
        return []
    seqs = sorted({row[4] for row in rows})
    actions = {
        seq: rest
        for seq, *rest in store.rows(
            "SELECT seq, id, type, cause, data, event_id, created_at FROM action"
            f" WHERE seq IN ({', '.join('?' * len(seqs))})",
            *seqs,
        )
    }
    return [
        Claimed(
            id=row[0],
            endpoint=row[1],
            ticket_id=row[2],
            attempts=row[3],
            lease_until=until,
            action_id=actions[row[4]][0],
            action_type=actions[row[4]][1],
            cause=actions[row[4]][2],
            data=json.loads(actions[row[4]][3]),
            event_id=actions[row[4]][4],
            created_at=instant(actions[row[4]][5]),
        )
        for row in sorted(rows)
    ]


def settle_delivered(store: Store, claimed: Claimed, now: dt.datetime) -> bool:
    """Marks a delivery as done; False when its lease was lost."""
    return _settle(store, claimed, "state = 'delivered', delivered_at = ?, last_error = NULL", micros(now))


def settle_later(store: Store, claimed: Claimed, at: dt.datetime, error: str) -> bool:
    """Has a delivery tried again at `at`; False when its lease was lost."""
    return _settle(store, claimed, "next_attempt_at = ?, last_error = ?", micros(at), error[:500])


def settle_dead(store: Store, claimed: Claimed, error: str) -> bool:
    """Gives a delivery up, to be sent again by hand; False when its lease was lost."""
    return _settle(store, claimed, "state = 'dead', last_error = ?", error[:500])


def disabled(store: Store) -> list[Disabled]:
    """The endpoints that are disabled, by name."""
    rows = store.rows("SELECT endpoint, address_sha256, disabled_at FROM disabled_endpoint ORDER BY endpoint")
    return [Disabled(endpoint=row[0], address_sha256=row[1], disabled_at=instant(row[2])) for row in rows]


def disable(store: Store, claimed: Claimed, address_sha256: str, now: dt.datetime, error: str) -> bool:
    """Disables the endpoint of a delivery, which is held; False, and nothing done, when its lease was lost."""
    if not settle_later(store, claimed, HELD_AT, error):
        return False
    store.sql(
        "INSERT INTO disabled_endpoint (endpoint, address_sha256, disabled_at) VALUES (?, ?, ?)"
        " ON CONFLICT (endpoint) DO UPDATE SET address_sha256 = excluded.address_sha256",
        claimed.endpoint, address_sha256, micros(now),
    )  # fmt: skip
    return True


def hold(store: Store, found: Disabled, now: dt.datetime) -> None:
    """Holds what is due for a disabled endpoint, unless it was enabled meanwhile.

    Locked, since what is held after `enable` had looked for it would never be sent.
    """
    locked = store.row("SELECT 1 FROM disabled_endpoint WHERE endpoint = ?" + store.for_update, found.endpoint)
    if locked is None:
        return
    store.sql(
        "UPDATE delivery SET next_attempt_at = ?, last_error = ? WHERE state = 'pending' AND next_attempt_at <= ?"
        " AND endpoint = ?",
        micros(HELD_AT), str(found), micros(now), found.endpoint,
    )  # fmt: skip


def enable(store: Store, endpoint: str, now: dt.datetime) -> int | None:
    """Enables an endpoint and has what was held for it sent; returns how much that is, None if it was not disabled."""
    if store.sql("DELETE FROM disabled_endpoint WHERE endpoint = ?", endpoint).rowcount == 0:
        return None
    cursor = store.sql(
        "UPDATE delivery SET next_attempt_at = ?, attempts = 0, last_error = NULL WHERE state = 'pending'"
        " AND next_attempt_at = ? AND endpoint = ?",
        micros(now), micros(HELD_AT), endpoint,
    )  # fmt: skip
    return int(cursor.rowcount)


def revive(store: Store, delivery_id: int, now: dt.datetime) -> bool:
    """Sends a dead delivery again; False when there is none."""
    cursor = store.sql(
        "UPDATE delivery SET state = 'pending', attempts = 0, next_attempt_at = ? WHERE id = ? AND state = 'dead'",
        micros(now),
        delivery_id,
    )
    return bool(cursor.rowcount == 1)


def feed(store: Store, *, after: int, limit: int) -> list[dict[str, Any]]:
    """Actions in order from the one after `after` (a `seq`) on."""
    rows = store.rows(
        "SELECT seq, id, ticket_id, event_id, type, cause, data, created_at FROM action WHERE seq > ?"
        " ORDER BY seq LIMIT ?",
        after,
        limit,
    )
    return [
        {
            "seq": row[0], "id": row[1], "ticket_id": row[2], "decision_id": row[3], "type": row[4], "cause": row[5],
            "data": json.loads(row[6]), "created_at": instant(row[7]).isoformat().replace("+00:00", "Z"),
        }
        for row in rows
    ]  # fmt: skip


def deliveries(store: Store, *, state: str | None, after: int, limit: int) -> list[dict[str, Any]]:
    """Deliveries by id from the one after `after` on, of one state or all; what waits for its endpoint is `held`."""
    shown = f"CASE WHEN d.state = 'pending' AND d.next_attempt_at = {micros(HELD_AT)} THEN 'held' ELSE d.state END"
    rows = store.rows(
        f"SELECT d.id, d.endpoint, d.ticket_id, {shown}, d.attempts, d.next_attempt_at, d.delivered_at, d.last_error,"
        " a.id, a.type FROM delivery d JOIN action a ON a.seq = d.action_seq"
        f" WHERE d.id > ? AND (? = '' OR {shown} = ?) ORDER BY d.id LIMIT ?",
        after, state or "", state or "", limit,
    )  # fmt: skip
    return [
        {
            "id": row[0], "endpoint": row[1], "ticket_id": row[2], "state": row[3], "attempts": row[4],
            "next_attempt_at": iso(instant(row[5])) if row[3] == "pending" else None,
            "delivered_at": None if row[6] is None else iso(instant(row[6])),
            "last_error": row[7], "action_id": row[8], "type": row[9],
        }
        for row in rows
    ]  # fmt: skip


def _settle(store: Store, claimed: Claimed, change: str, *values: Any) -> bool:
    cursor = store.sql(
        f"UPDATE delivery SET {change} WHERE id = ? AND state = 'pending' AND next_attempt_at = ?",
        *values,
        claimed.id,
        micros(claimed.lease_until),
    )
    return bool(cursor.rowcount == 1)
