"""Who is online, and what follows from it."""

from __future__ import annotations

import datetime as dt
import json
import uuid
from typing import Any

from rules_service.errors import EventIdReused, UnknownUser
from rules_service.ruleset import Ruleset
from rules_service.store import Store, digest, freed_slot, people, presence, read_event, write_user_event

#: What a user's presence can be.
PRESENCES = ("online", "offline", "away")

#: Silent users that one look takes on.
BATCH = 100


def set_presence(
    store: Store, user_id: str, wanted: str, now: dt.datetime, *, ruleset_hash: str, event_id: str | None = None
) -> dict[str, Any]:
    """Sets and records a user's presence; one who comes online drains the queues of their desks.

    The presence that a user has already is a sign of life and no event. The same event again changes nothing and is
    answered with `duplicate: true`. Errors: UnknownUser, EventIdReused.
    """
    kind = "user.online" if wanted == "online" else "user.offline"
    body = json.dumps({"user": user_id, "presence": wanted})
    id_ = event_id or f"{kind}:{uuid.uuid4().hex}"

    def work() -> dict[str, Any]:
        known = read_event(store, id_)
        if known is not None and known[0] != digest(body):
            raise EventIdReused(
                f'the event id "{id_}" was used with another body; send the new event under an id of its own',
                event_id=id_,
            )
        if known is None:
            changed = presence.set_presence(store, user_id, wanted, now)
            if changed is None:
                raise UnknownUser(f'no user "{user_id}" is in the roster', user_id=user_id)
            if changed or event_id is not None:
                write_user_event(store, id_, kind, now, body, ruleset_hash)
            if changed and wanted == "online":
                freed_slot(store, user_id, now)
        found = people.read_user(store, user_id)
        assert found is not None
        return {**found, "duplicate": known is not None}

    return store.transact(work)


def end_silence(store: Store, ruleset: Ruleset, now: dt.datetime) -> list[str]:
    """Takes users offline who were not heard of for the ruleset's heartbeat; returns them. Recorded as user.offline."""
    heartbeat_s = ruleset.presence.heartbeat_s
    if heartbeat_s is None:
        return []

    def work(found: tuple[str, dt.datetime]) -> str | None:
        user_id, heard_at = found
        if not presence.fall_silent(store, user_id, heard_at, now):
            return None
        body = json.dumps({"user": user_id, "presence": "offline", "silent_since": heard_at.isoformat()})
        write_user_event(store, f"silent:{user_id}:{heard_at.isoformat()}", "user.offline", now, body, ruleset.hash)
        return user_id

    with store.connection():
        silent = presence.silent_users(store, now - dt.timedelta(seconds=heartbeat_s), BATCH)
    return [user_id for user_id in store.transact_each(silent, work) if user_id is not None]
