"""API keys at rest."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from rules_service.store.store import Store
from rules_service.store.tables import ApiKey


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredKey:
    """One row."""

    id: str
    name: str
    secret_sha256: str
    scopes: str
    role: str
    user_id: str | None


def insert(
    store: Store,
    *,
    key_id: str,
    name: str,
    secret_sha256: str,
    scopes: str,
    role: str,
    user_id: str | None,
    now: dt.datetime,
) -> None:
    """Keeps a new key."""
    del store
    ApiKey.insert(
        id=key_id, name=name, secret_sha256=secret_sha256, scopes=scopes, role=role, user_id=user_id, created_at=now
    ).execute()


def read(store: Store, key_id: str) -> StoredKey | None:
    """The key with this id, unless it was disabled or its user is no longer in the roster."""
    row = store.row(
        "SELECT id, name, secret_sha256, scopes, role, user_id FROM api_key k WHERE id = ? AND disabled_at IS NULL"
        " AND NOT EXISTS (SELECT 1 FROM member m WHERE m.id = k.user_id AND NOT m.active)",
        key_id,
    )
    if row is None:
        return None
    return StoredKey(id=row[0], name=row[1], secret_sha256=row[2], scopes=row[3], role=row[4], user_id=row[5])


def listed(store: Store) -> list[tuple[str, str, str, str, str | None]]:
    """(id, name, role, scopes, user) of every key in use, oldest first."""
    return store.rows(
        "SELECT id, name, role, scopes, user_id FROM api_key WHERE disabled_at IS NULL ORDER BY created_at"
    )


def disable(store: Store, key_id: str, now: dt.datetime) -> bool:
    """Ends a key; False when there is none."""
    del store
    return bool(ApiKey.update(disabled_at=now).where(ApiKey.id == key_id, ApiKey.disabled_at.is_null()).execute())
