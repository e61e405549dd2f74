"""Instants: the one place that reads the machine's clock, and how an instant is written as a number or a text.

Everything else is given `now`.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

#: Gives the present instant, aware, in UTC.
Clock = Callable[[], dt.datetime]

_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_MICRO = dt.timedelta(microseconds=1)


def utc_now() -> dt.datetime:
    """The present instant, aware, in UTC, to the microsecond."""
    return dt.datetime.now(dt.UTC)


def micros(at: dt.datetime) -> int:
    """Microseconds since 1970; ValueError for a naive instant."""
    if at.tzinfo is None:
        raise ValueError(f"naive instant {at}")
    return (at - _EPOCH) // _MICRO


def instant(value: int) -> dt.datetime:
    """The aware UTC instant of so many microseconds since 1970."""
    return _EPOCH + dt.timedelta(microseconds=value)


def iso(at: dt.datetime | None) -> str | None:
    """An instant in UTC as the API writes it, `2026-03-02T02:00:00Z`; None for None."""
    return None if at is None else at.isoformat().replace("+00:00", "Z")
