"""What rules for desks remember, and rules that are braked."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping

from rules_service.clock import micros
from rules_service.store import codec
from rules_service.store.store import Store
from rules_service.tickets import RuleMemory


def read_memory(store: Store, desk: str) -> dict[str, RuleMemory]:
    """Memory of one desk by rule id, locked until the transaction ends."""
    found = "SELECT memory FROM desk_memory WHERE desk = ?" + store.for_update
    row = store.row(found, desk)
    if row is None:
        # There must be a row to lock, or two workers would both find the desk unjudged.
        store.sql("INSERT INTO desk_memory (desk, memory) VALUES (?, '{}') ON CONFLICT DO NOTHING", desk)
        row = store.row(found, desk)
    assert row is not None
    return {rule_id: codec.revive(RuleMemory, data) for rule_id, data in json.loads(row[0]).items()}


def write_memory(store: Store, desk: str, memory: Mapping[str, RuleMemory]) -> None:
    """Keeps it."""
    store.sql(
        "INSERT INTO desk_memory (desk, memory) VALUES (?, ?)"
        " ON CONFLICT (desk) DO UPDATE SET memory = excluded.memory",
        desk,
        codec.dump(memory),
    )


def brake(store: Store, ruleset_hash: str, rule_id: str, now: dt.datetime) -> bool:
    """Has a rule of a ruleset shadow from now on; False when it does already."""
    cursor = store.sql(
        "INSERT INTO braked (ruleset_hash, rule_id, braked_at) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
        ruleset_hash,
        rule_id,
        micros(now),
    )
    return bool(cursor.rowcount == 1)


def braked_rules(store: Store, ruleset_hash: str) -> frozenset[str]:
    """The rules of a ruleset that only shadow."""
    return frozenset(row[0] for row in store.rows("SELECT rule_id FROM braked WHERE ruleset_hash = ?", ruleset_hash))
