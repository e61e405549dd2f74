"""Actions that were held go out when their time has come."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence

from rules_service.decide import told_together
from rules_service.store import Outgoing, Store, action_id, due_notice_keys, take_notices, write_actions

#: Notices that one look takes on.
BATCH = 100

#: A connector's name, or None -> who receives which type of action.
Receivers = Callable[[str | None], Mapping[str, Sequence[str]]]


def send_notices(store: Store, receivers: Receivers, now: dt.datetime) -> bool:
    """Sends what is due, each key in a transaction of its own; True when there may be more.

    What is told together goes to endpoints only: a connector tells of single tickets. A key that fails holds up no
    other.
    """
    with store.connection():
        keys = due_notice_keys(store, now, BATCH)
    store.transact_each(keys, lambda key: _send(store, key, receivers, now))
    return len(keys) == BATCH


def _send(store: Store, key: str, receivers: Receivers, now: dt.datetime) -> None:
    notices = take_notices(store, key, now)
    if not notices:
        return
    first = notices[0]
    if len(notices) == 1:
        out = Outgoing(id=first.id, subject=first.subject, event_id=first.event_id, action=first.action)
        write_actions(store, [out], receivers(first.source), now)
        return
    event_id = f"digest:{first.id}"
    out = Outgoing(
        id=action_id(event_id, 1), subject=first.action.cause, event_id=event_id, action=told_together(notices)
    )
    write_actions(store, [out], receivers(None), now)
