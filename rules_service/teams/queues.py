"""The order of a desk's queue, as one text for each ticket. Source: R3.20-25."""

from __future__ import annotations

from collections.abc import Sequence

from rules_service.clock import micros
from rules_service.tickets import PRIORITIES, Ticket

#: Digits of each part: an instant in microseconds, a tier, a priority.
_INSTANT, _TIER, _PRIORITY = 16, 3, 1


def queue_key(order: Sequence[tuple[str, bool]], ticket: Ticket, tier: int) -> str | None:
    """What a queue is sorted by: digits only, so that every database sorts them alike. None outside of a queue.

    `order` is (key of QUEUE_KEYS, whether ascending); `tier` is the place of the customer's tier, -1 without one. By
    `waiting`, tickets whose customer waits for nothing come last either way. Equals stand as they came in.
    """
    if ticket.queued_at is None:
        return None
    parts = []
    for name, ascending in order:
        match name:
            case "tier":
                parts.append(_digits(tier + 1, _TIER, ascending=ascending))
            case "priority":
                parts.append(_digits(PRIORITIES.index(ticket.priority), _PRIORITY, ascending=ascending))
            case "created":
                parts.append(_digits(micros(ticket.created_at), _INSTANT, ascending=ascending))
            case "waiting":
                since = ticket.waiting_since_at
                parts.append("9" * _INSTANT if since is None else _digits(micros(since), _INSTANT, ascending=ascending))
    parts.append(_digits(micros(ticket.queued_at), _INSTANT, ascending=True))
    return "".join(parts)


def _digits(value: int, width: int, *, ascending: bool) -> str:
    return str(value if ascending else 10**width - 1 - value).zfill(width)
