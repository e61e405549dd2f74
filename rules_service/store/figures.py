"""Numbers for metrics and health, each from one indexed query."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence

from rules_service.clock import instant, micros
from rules_service.store import outbox, rulesets
from rules_service.store.store import Store

#: name, meaning, label names, [(label values, value)].
Figure = tuple[str, str, list[str], Sequence[tuple[tuple[str, ...], float]]]


def all_figures(store: Store, now: dt.datetime) -> Iterator[Figure]:
    """Every figure that the database knows."""
    yield (
        "queue_length", "tickets in a desk's queue", ["desk"],
        [((desk,), count) for desk, count in store.rows(
            "SELECT desk, COUNT(*) FROM ticket WHERE queued_at IS NOT NULL GROUP BY desk ORDER BY desk")],
    )  # fmt: skip
    yield (
        "users", "users of the roster by presence", ["presence"],
        [((presence,), count) for presence, count in store.rows(
            "SELECT presence, COUNT(*) FROM member WHERE active GROUP BY presence ORDER BY presence")],
    )  # fmt: skip
    row = store.row("SELECT MIN(next_due_at) FROM ticket WHERE next_due_at IS NOT NULL")
    late_s = max(0.0, (micros(now) - row[0]) / 1e6) if row is not None and row[0] is not None else 0.0
    yield "deadline_lag_seconds", "how long the oldest deadline has been due", [], [((), late_s)]
    held_at = micros(outbox.HELD_AT)
    row = store.row(
        "SELECT COUNT(*), MIN(next_attempt_at) FROM delivery WHERE state = 'pending' AND next_attempt_at < ?", held_at
    )
    assert row is not None
    lag_s = max(0.0, (micros(now) - row[1]) / 1e6) if row[1] is not None else 0.0
    yield "deliveries_pending", "actions on their way", [], [((), row[0])]
    yield "delivery_lag_seconds", "how long the oldest delivery has been due", [], [((), lag_s)]
    row = store.row("SELECT COUNT(*) FROM delivery WHERE state = 'pending' AND next_attempt_at = ?", held_at)
    yield "deliveries_held", "actions that wait for a disabled endpoint", [], [((), row[0] if row else 0)]
    yield (
        "endpoint_disabled", "1 for each endpoint that answered 410 Gone", ["endpoint"],
        [((found.endpoint,), 1) for found in outbox.disabled(store)],
    )  # fmt: skip
    row = store.row("SELECT COUNT(*) FROM delivery WHERE state = 'dead'")
    yield "deliveries_dead", "actions given up, kept to be sent again", [], [((), row[0] if row else 0)]
    row = store.row("SELECT COUNT(*) FROM notice")
    yield "notices_held", "actions held for a desk's opening or to be told together", [], [((), row[0] if row else 0)]
    row = store.row("SELECT COUNT(*) FROM inbound WHERE error IS NOT NULL")
    yield "inbound_unreadable", "webhooks that no connector could read", [], [((), row[0] if row else 0)]
    active = rulesets.active_hash(store)
    if active is not None:
        to_judge = rulesets.count_to_judge(store, active)
        yield "tickets_to_judge", "open tickets not yet judged under the active ruleset", [], [((), to_judge)]
    row = store.row("SELECT COUNT(*) FROM watched WHERE problems <> '[]'")
    yield "ruleset_rejected", "1 while the watched folder holds a broken ruleset", [], [((), row[0] if row else 0)]
    yield (
        "ruleset_in_force", "processes by the ruleset that they have in force", ["kind", "hash"],
        [((kind, ruleset_hash or ""), 1) for _, kind, ruleset_hash, _ in processes(store)],
    )  # fmt: skip
    row = store.row("SELECT COALESCE(MAX(seq), 0) FROM event")
    yield "events_total", "events in the log", [], [((), row[0] if row else 0)]


def worker_silent_s(store: Store, now: dt.datetime) -> int | None:
    """Seconds since a worker was last alive; None when there never was one."""
    row = store.row("SELECT MAX(seen_at) FROM process WHERE kind = 'worker'")
    return None if row is None or row[0] is None else max(0, (micros(now) - row[0]) // 1_000_000)


def processes(store: Store) -> list[tuple[str, str, str | None, dt.datetime]]:
    """(id, kind, hash of its ruleset, last sign of life) of the processes heard of within the last minute."""
    rows = store.rows(
        "SELECT id, kind, ruleset_hash, seen_at FROM process WHERE seen_at >="
        " (SELECT MAX(seen_at) FROM process) - 60000000 ORDER BY kind, id"
    )
    return [(row[0], row[1], row[2], instant(row[3])) for row in rows]


def beat(store: Store, process_id: str, kind: str, ruleset_hash: str | None, now: dt.datetime) -> None:
    """Notes that a process is alive."""
    store.sql(
        "INSERT INTO process (id, kind, ruleset_hash, seen_at) VALUES (?, ?, ?, ?)"
        " ON CONFLICT (id) DO UPDATE SET ruleset_hash = excluded.ruleset_hash, seen_at = excluded.seen_at",
        process_id, kind, ruleset_hash, micros(now),
    )  # fmt: skip
