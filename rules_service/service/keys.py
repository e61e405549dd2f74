"""API keys: `rsk_<id>_<secret>`; the secret is shown once and kept as SHA-256 only."""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
import json
import secrets
from dataclasses import dataclass

from rules_service.errors import NotAuthenticated
from rules_service.store import Store, api_keys

#: What a key may be allowed to do.
SCOPES = {
    "events:write": "send events",
    "tickets:read": "read tickets and ask for allowed transitions",
    "tickets:write": "ask for transitions",
    "users:read": "read users",
    "users:write": "set users' presence",
    "roster:write": "add, change, import and take out users",
    "rules:read": "read the active ruleset and the lifecycle",
    "rules:write": "publish rulesets and roll back",
    "actions:read": "read the feed of actions and the deliveries",
    "actions:write": "send deliveries again",
    "metrics:read": "read metrics",
}

PREFIX = "rsk"


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """An API key that was presented and found good."""

    id: str
    name: str
    scopes: frozenset[str]
    #: `integration`, or a role of people.
    role: str
    #: The user as whom, and only as whom, the key acts; None for integrations.
    user_id: str | None


def create_key(
    store: Store,
    now: dt.datetime,
    *,
    name: str,
    scopes: list[str],
    role: str = "integration",
    user_id: str | None = None,
) -> str:
    """Makes a key and returns it; it cannot be shown again."""
    key_id, secret = secrets.token_hex(4), secrets.token_urlsafe(32)

    def work() -> None:
        api_keys.insert(
            store, key_id=key_id, name=name, secret_sha256=_sha256(secret), scopes=json.dumps(sorted(scopes)),
            role=role, user_id=user_id, now=now,
        )  # fmt: skip

    store.transact(work)
    return f"{PREFIX}_{key_id}_{secret}"


def find_key(store: Store, presented: str) -> Key:
    """The key that was presented; NotAuthenticated for any other text. Compared in constant time."""
    prefix, _, rest = presented.partition("_")
    key_id, _, secret = rest.partition("_")
    row = api_keys.read(store, key_id) if prefix == PREFIX and key_id.isalnum() and secret else None
    known = row.secret_sha256 if row is not None else _sha256("")
    if not hmac.compare_digest(known, _sha256(secret)) or row is None:
        raise NotAuthenticated
    return Key(id=row.id, name=row.name, scopes=frozenset(json.loads(row.scopes)), role=row.role, user_id=row.user_id)


def _sha256(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()
