"""The one place that reads the machine's clock; everything else is given `now`."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

#: Gives the present instant, aware, in UTC.
Clock = Callable[[], dt.datetime]


def utc_now() -> dt.datetime:
    """The present instant, aware, in UTC, to the microsecond."""
    return dt.datetime.now(dt.UTC)
