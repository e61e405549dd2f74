"""Who is online, and what follows from it."""

from __future__ import annotations

import datetime as dt
import json
import uuid
from typing import Any

from rules_service.errors import EventIdReused, UnknownUser
from rules_service.store import Store, digest, freed_slot, people, read_event, write_user_event

#: What a user's presence can be.
PRESENCES = ("online", "offline", "away")


def set_presence(
    store: Store, user_id: str, presence: str, now: dt.datetime, *, ruleset_hash: str, event_id: str | None = None
) -> dict[str, Any]:
    """Sets and records a user's presence; one who comes online drains the queues of their desks.

    The same event again changes nothing and is answered with `duplicate: true`. Errors: UnknownUser, EventIdReused.
    """
    kind = "user.online" if presence == "online" else "user.offline"
    body = json.dumps({"user": user_id, "presence": presence})
    id_ = event_id or f"{kind}:{uuid.uuid4().hex}"

    def work() -> dict[str, Any]:
        known = read_event(store, id_)
        if known is not None and known[0] != digest(body):
            raise EventIdReused(
                f'the event id "{id_}" was used with another body; send the new event under an id of its own',
                event_id=id_,
            )
        if known is None:
            if not people.set_presence(store, user_id, presence, now):
                raise UnknownUser(f'no user "{user_id}" is in the roster', user_id=user_id)
            write_user_event(store, id_, kind, now, body, ruleset_hash)
            if presence == "online":
                freed_slot(store, user_id, now)
        found = people.read_user(store, user_id)
        assert found is not None
        return {**found, "duplicate": known is not None}

    return store.transact(work)
