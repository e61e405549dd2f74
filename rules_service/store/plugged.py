"""What connectors remember, and the webhooks that wait to be read."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

from rules_service.clock import instant, micros
from rules_service.store.store import Store


def read_memory(store: Store, connector: str, ticket_id: str, *, lock: bool) -> dict[str, Any] | None:
    """What is remembered of a ticket of the helpdesk (or, with an empty id, of the connector); None at first."""
    row = store.row(
        "SELECT memory FROM plugged WHERE connector = ? AND ticket_id = ?" + (store.for_update if lock else ""),
        connector,
        ticket_id,
    )
    return None if row is None else json.loads(row[0])


def write_memory(store: Store, connector: str, ticket_id: str, memory: dict[str, Any], now: dt.datetime) -> None:
    """Keeps it."""
    store.sql(
        "INSERT INTO plugged (connector, ticket_id, memory, changed_at) VALUES (?, ?, ?, ?)"
        " ON CONFLICT (connector, ticket_id) DO UPDATE SET memory = excluded.memory, changed_at = excluded.changed_at",
        connector, ticket_id, json.dumps(memory, ensure_ascii=False), micros(now),
    )  # fmt: skip


def forget(store: Store, connector: str, ticket_id: str) -> None:
    """Drops it, once the helpdesk no longer knows the ticket."""
    store.sql("DELETE FROM plugged WHERE connector = ? AND ticket_id = ?", connector, ticket_id)


def store_inbound(store: Store, connector: str, source: str, payload: str, now: dt.datetime) -> None:
    """Keeps a webhook until it was read."""
    store.sql(
        "INSERT INTO inbound (connector, source, payload, received_at) VALUES (?, ?, ?, ?)",
        connector, source, payload, micros(now),
    )  # fmt: skip


def first_inbound(store: Store) -> tuple[int, str, str, str, dt.datetime] | None:
    """(id, connector, source, payload, arrival) of the oldest webhook that was not read yet; None when all were."""
    row = store.row(
        "SELECT id, connector, source, payload, received_at FROM inbound WHERE error IS NULL ORDER BY id LIMIT 1"
        + store.skip_locked
    )
    return None if row is None else (row[0], row[1], row[2], row[3], instant(row[4]))


def settle_inbound(store: Store, inbound_id: int, error: str | None) -> None:
    """Removes a webhook that was read; one that could not be read stays, with the reason."""
    if error is None:
        store.sql("DELETE FROM inbound WHERE id = ?", inbound_id)
    else:
        store.sql("UPDATE inbound SET error = ? WHERE id = ?", error[:500], inbound_id)


def open_tickets_not_in(store: Store, source_ids: set[str], candidates: list[str]) -> list[str]:
    """Those of `candidates` that are open tickets here and not in `source_ids`."""
    missing = [ticket_id for ticket_id in candidates if ticket_id not in source_ids]
    found = []
    for start in range(0, len(missing), 500):
        part = missing[start : start + 500]
        marks = ", ".join("?" * len(part))
        found += [
            row[0] for row in store.rows(f"SELECT id FROM ticket WHERE closed_at IS NULL AND id IN ({marks})", *part)
        ]
    return found


def remembered_ids(store: Store, connector: str) -> list[str]:
    """Ids of all tickets of a connector that are open here."""
    return [
        row[0]
        for row in store.rows(
            "SELECT p.ticket_id FROM plugged p JOIN ticket t ON t.id = p.ticket_id"
            " WHERE p.connector = ? AND t.closed_at IS NULL ORDER BY p.ticket_id",
            connector,
        )
    ]


def placements_failed_since(store: Store, ticket_id: str, since: dt.datetime) -> int:
    """How many placements of a ticket its helpdesk has not taken since then."""
    row = store.row(
        "SELECT COUNT(*) FROM event WHERE ticket_id = ? AND type = 'action.failed' AND received_at > ? AND body LIKE ?",
        ticket_id,
        micros(since),
        '%"data":{"action":"reassign"%',
    )
    assert row is not None
    return int(row[0])
