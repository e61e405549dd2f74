"""Stored rulesets, which one is active, and the roster that the active one declares."""

from __future__ import annotations

import datetime as dt
import json

from rules_service.store.store import Store
from rules_service.store.tables import Activation, Membership, Ruleset, Skill, User, micros
from rules_service.teams import Roster


def store_files(store: Store, ruleset_hash: str, files: str, now: dt.datetime, by: str) -> None:
    """Keeps a ruleset's files (JSON: name -> content) under its hash; one that is there stays as it is."""
    del store
    Ruleset.insert(hash=ruleset_hash, files=files, published_at=now, published_by=by).on_conflict_ignore().execute()


def active_hash(store: Store) -> str | None:
    """The hash of the active ruleset; None before the first activation."""
    row = store.row("SELECT ruleset_hash FROM activation ORDER BY id DESC LIMIT 1")
    return None if row is None else str(row[0])


def activate(store: Store, ruleset_hash: str, now: dt.datetime, by: str) -> None:
    """Makes a stored ruleset the active one."""
    del store
    Activation.insert(ruleset_hash=ruleset_hash, activated_at=now, activated_by=by).execute()


def find(store: Store, prefix: str) -> tuple[str, dict[str, bytes]] | None:
    """Hash and files of the one stored ruleset whose hash begins so; None when none or several do."""
    del store
    rows = list(Ruleset.select().where(Ruleset.hash.startswith(prefix)).limit(2))
    if len(rows) != 1:
        return None
    texts = json.loads(rows[0].files)
    return rows[0].hash, {name: text.encode() for name, text in texts.items()}


def history(store: Store, limit: int) -> list[tuple[str, dt.datetime, str]]:
    """(hash, when, by whom) of the last activations, newest first."""
    del store
    rows = Activation.select().order_by(Activation.id.desc()).limit(limit)
    return [(row.ruleset_hash, row.activated_at, row.activated_by) for row in rows]


def sync_roster(store: Store, roster: Roster) -> None:
    """Brings users, memberships and skills in line with the rule files; load and presence are kept."""
    known = {row[0] for row in store.rows("SELECT id FROM member")}
    for user in roster.users.values():
        fields = {
            "name": user.name,
            "team": user.group,
            "role": user.role,
            "level": user.level,
            "slot_limit": roster.slot_limit(user),
            "source": "ruleset",
            "active": True,
        }
        if user.id in known:
            User.update(**fields).where(User.id == user.id).execute()
        else:
            User.insert(id=user.id, presence="offline", open_count=0, **fields).execute()
    User.update(active=False).where(
        (User.source == "ruleset") & User.active & User.id.not_in(list(roster.users))
    ).execute()
    Membership.delete().execute()
    members = [{"desk": desk.name, "user_id": user_id} for desk in roster.desks.values() for user_id in desk.members]
    Skill.delete().execute()
    skills = [{"skill": skill, "user_id": user.id} for user in roster.users.values() for skill in sorted(user.skills)]
    for table, rows in ((Membership, members), (Skill, skills)):
        for start in range(0, len(rows), 500):
            table.insert_many(rows[start : start + 500]).execute()
    for desk in sorted(roster.desks):
        store.sql(
            "INSERT INTO timer (subject, kind, due_at) VALUES (?, 'drain', ?)"
            " ON CONFLICT (subject, kind) DO UPDATE SET due_at = excluded.due_at",
            f"desk:{desk}",
            0,
        )


__all__ = ["activate", "active_hash", "find", "history", "micros", "store_files", "sync_roster"]
