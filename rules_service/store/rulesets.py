"""Stored rulesets, and which one is active."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

from rules_service.clock import instant
from rules_service.store import codec
from rules_service.store.store import Store
from rules_service.store.tables import Activation, Ruleset, Watched
from rules_service.tickets import Snapshot

#: How many earlier activations a ticket's rules are remembered of.
KNOWN = 200


def store_files(ruleset_hash: str, files: str, rules: str, now: dt.datetime, by: str) -> None:
    """Keeps a ruleset's files (JSON: name -> content) under its hash; one that is there stays as it is."""
    Ruleset.insert(
        hash=ruleset_hash, files=files, rules=rules, published_at=now, published_by=by
    ).on_conflict_ignore().execute()


def active_hash(store: Store) -> str | None:
    """The hash of the active ruleset; None before the first activation."""
    row = store.row("SELECT ruleset_hash FROM activation ORDER BY id DESC LIMIT 1")
    return None if row is None else str(row[0])


def activate(ruleset_hash: str, now: dt.datetime, by: str) -> None:
    """Makes a stored ruleset the active one."""
    Activation.insert(ruleset_hash=ruleset_hash, activated_at=now, activated_by=by).execute()


def find(store: Store, prefix: str) -> tuple[str, dict[str, bytes]] | None:
    """Hash and files of the one stored ruleset whose hash begins so; None when none or several do."""
    rows = store.rows(
        "SELECT hash, files FROM ruleset WHERE hash >= ? AND hash < ? LIMIT 2", prefix, f"{prefix}\U0010ffff"
    )
    if len(rows) != 1:
        return None
    return rows[0][0], {name: text.encode() for name, text in json.loads(rows[0][1]).items()}


def history(store: Store, *, before: int | None, limit: int) -> list[dict[str, Any]]:
    """Activations, newest first, from the one before `before` (an `id`) on."""
    rows = store.rows(
        "SELECT a.id, a.ruleset_hash, a.activated_at, a.activated_by FROM activation a WHERE a.id < ?"
        " ORDER BY a.id DESC LIMIT ?",
        before if before is not None else 2**62,
        limit,
    )
    return [{"id": row[0], "hash": row[1], "activated_at": instant(row[2]), "activated_by": row[3]} for row in rows]


def known_rules(store: Store) -> dict[str, frozenset[tuple[str, str]]]:
    """For the last rulesets that were active: hash -> (rule id, hash of its conditions) of the rules without `on:`."""
    rows = store.rows(
        "SELECT hash, rules FROM ruleset WHERE hash IN (SELECT ruleset_hash FROM activation ORDER BY id DESC LIMIT ?)",
        KNOWN,
    )
    return {row[0]: frozenset(json.loads(row[1]).items()) for row in rows}


def open_statuses(store: Store) -> list[str]:
    """The statuses in which open tickets stand."""
    rows = store.rows("SELECT DISTINCT status FROM ticket WHERE live AND closed_at IS NULL ORDER BY status")
    return [row[0] for row in rows]


def open_snapshots(store: Store, limit: int) -> list[Snapshot]:
    """The first open tickets, for a look at what a ruleset would find."""
    return [
        codec.load(Snapshot, row[0])
        for row in store.rows("SELECT state FROM ticket WHERE live AND closed_at IS NULL ORDER BY id LIMIT ?", limit)
    ]


def tickets_to_judge(store: Store, ruleset_hash: str, limit: int) -> list[str]:
    """Ids of open tickets that were last judged under another ruleset; found by an index, however many there are."""
    return [row[0] for row in store.rows(f"{_TO_JUDGE.format('id')} LIMIT ?", *[ruleset_hash[:12]] * 2, limit)]


def count_to_judge(store: Store, ruleset_hash: str) -> int:
    """How many open tickets were last judged under another ruleset."""
    rows = store.rows(_TO_JUDGE.format("COUNT(*)"), *[ruleset_hash[:12]] * 2)
    return sum(row[0] for row in rows)


#: Before and after the hash in the order of the index, since `<>` would read all of it.
_TO_JUDGE = " UNION ALL ".join(
    f"SELECT {{0}} FROM ticket WHERE live AND closed_at IS NULL AND judged_under {side} ?" for side in "<>"
)


def watched(store: Store) -> tuple[str, list[str]] | None:
    """Hash and problems of what the watched folder held last; None before the first look."""
    row = store.row("SELECT content_hash, problems FROM watched WHERE id = 1")
    return None if row is None else (row[0], json.loads(row[1]))


def set_watched(store: Store, content_hash: str, problems: str, now: dt.datetime) -> None:
    """Notes what the watched folder holds."""
    del store
    Watched.insert(id=1, content_hash=content_hash, problems=problems, seen_at=now).on_conflict(
        conflict_target=[Watched.id],
        update={Watched.content_hash: content_hash, Watched.problems: problems, Watched.seen_at: now},
    ).execute()
