"""Folders of tickets, and what waits where, for people to look at."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Mapping
from typing import Any

from rules_service.clock import instant, iso, micros
from rules_service.errors import UnknownName
from rules_service.problems import hint
from rules_service.ruleset import Ruleset
from rules_service.store import Store, folders
from rules_service.tickets import Ticket

#: What a desk served within it says how long the next will wait.
SERVED_WITHIN = dt.timedelta(hours=1)


def queue(
    store: Store, active: Ruleset, desk: str, now: dt.datetime, *, after: int, limit: int
) -> dict[str, Any]:  # fmt: skip
    """What waits at a desk, in its order; UnknownName for no desk of the ruleset in force."""
    known = active.roster.desks
    if desk not in known:
        raise UnknownName(f'no desk "{desk[:80]}" is in the ruleset in force{hint(desk, known)}')
    served = folders.served(store, desk, now - SERVED_WITHIN)
    items = [
        {
            "position": position,
            "ticket_id": ticket.id,
            "subject": ticket.subject,
            "priority": ticket.priority,
            "tier": ticket.customer_tier,
            "channel": ticket.channel,
            "created_at": iso(ticket.created_at),
            "queued_at": iso(ticket.queued_at),
            "waiting_since_at": iso(ticket.waiting_since_at),
            "estimated_wait_s": estimated_wait_s(position, served),
        }
        for ticket, position in folders.queue(store, desk, after=after, limit=limit)
    ]
    return {
        "desk": desk,
        "order": [f"{key} {'asc' if ascending else 'desc'}" for key, ascending in known[desk].queue],
        "total": folders.queue_length(store, desk),
        "served_within_1h": served,
        "items": items,
        "next_after": after + limit if len(items) == limit else None,
    }


def estimated_wait_s(position: int, served_within_1h: int) -> int | None:
    """Seconds until a ticket at this position is given to somebody, if the desk goes on as within the last hour.

    The position by the number of tickets that had waited and were given to somebody within that hour; None, for
    nothing to go by, where there was none.
    """
    if served_within_1h == 0:
        return None
    return math.ceil(position * SERVED_WITHIN.total_seconds() / served_within_1h)


def place_in_queue(store: Store, ticket: Ticket, now: dt.datetime) -> dict[str, Any] | None:
    """Where a ticket stands in the queue of its desk; None where it does not wait."""
    if ticket.queued_at is None:
        return None
    position = folders.position(store, ticket.desk, ticket.id)
    if position is None:
        return None
    served = folders.served(store, ticket.desk, now - SERVED_WITHIN)
    return {
        "position": position,
        "length": folders.queue_length(store, ticket.desk),
        "estimated_wait_s": estimated_wait_s(position, served),
    }


def tickets(
    store: Store, active: Ruleset, filters: Mapping[str, Any], *, is_open: bool | None, after: str | None, limit: int
) -> dict[str, Any]:
    """A page of a folder, newest first; `after` is the `next_after` of the page before. Source: R3.12."""
    cursor = None
    if after is not None:
        at, _, ticket_id = after.partition(".")
        cursor = (instant(int(at)), ticket_id)
    found = folders.listed(store, _folder(active, filters), is_open=is_open, after=cursor, limit=limit)
    last = found[-1] if len(found) == limit else None
    next_after = None if last is None else f"{micros(last['created_at'])}.{last['id']}"
    items = [
        {name: iso(value) if isinstance(value, dt.datetime) else value for name, value in item.items()}
        for item in found
    ]
    return {"items": items, "next_after": next_after}


def ticket_counts(
    store: Store, active: Ruleset, by: str, filters: Mapping[str, Any], *, is_open: bool | None
) -> dict[str, Any]:  # fmt: skip
    """How many tickets of a folder there are by channel, group, desk, assignee or status. Source: R3.12."""
    found = folders.counts(store, by, _folder(active, filters), is_open=is_open)
    return {
        "by": by,
        "total": sum(count for _, count in found),
        "items": [{"value": value, "count": count} for value, count in found],
    }


def _folder(active: Ruleset, filters: Mapping[str, Any]) -> dict[str, Any]:
    """The filters as the store wants them; UnknownName for a tier that the ruleset does not have."""
    found = {name: value for name, value in filters.items() if value is not None}
    if found.get("assignee") == "none":
        found["assignee"] = folders.NOBODY
    tier = found.get("tier")
    if tier is not None:
        if tier not in active.tiers:
            raise UnknownName(f'no customer tier "{tier}" is in the ruleset in force{hint(tier, active.tiers)}')
        found["tier"] = active.tiers.index(tier)
    return found
