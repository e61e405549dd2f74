"""Who is online, and what follows from it."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

from rules_service.errors import UnknownUser
from rules_service.store import Store, freed_slot, people, write_user_event

#: What a user's presence can be.
PRESENCES = ("online", "offline", "away")


def set_presence(
    store: Store, user_id: str, presence: str, now: dt.datetime, *, ruleset_hash: str, event_id: str | None = None
) -> dict[str, Any]:
    """Sets and records a user's presence; one who comes online drains the queues of their desks. UnknownUser else."""

    def work() -> dict[str, Any]:
        if not people.set_presence(store, user_id, presence, now):
            raise UnknownUser(f'no user "{user_id}" is in the roster', user_id=user_id)
        kind = "user.online" if presence == "online" else "user.offline"
        body = json.dumps({"user": user_id, "presence": presence})
        write_user_event(store, event_id or f"{kind}:{user_id}:{now.isoformat()}", kind, now, body, ruleset_hash)
        if presence == "online":
            freed_slot(store, user_id, now)
        found = people.read_user(store, user_id)
        assert found is not None
        return found

    return store.transact(work)
