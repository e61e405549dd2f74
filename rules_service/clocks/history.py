"""The sum behind a clock: day by day what counted, and what did not and why. Pure.

Source: R5.31, and the promise that every deadline can be checked with pencil and paper.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Literal
from zoneinfo import ZoneInfo

from rules_service.clocks.calendar import Calendar, Counted, DayBreakdown, LeftOut
from rules_service.tickets import ServiceClock

#: `closed`: outside the hours of the weekday; `holiday`; `exception`: the calendar says so for that date; `paused`.
Why = Literal["closed", "holiday", "exception", "paused"]

#: The calendar of that name, as the ruleset of that short hash has it; the hash is empty for the one in force.
CalendarOf = Callable[[str, str], Calendar]


@dataclass(frozen=True, slots=True, kw_only=True)
class NotCounted:
    """A stretch that did not count, in UTC, and why."""

    start_at: dt.datetime
    end_at: dt.datetime
    why: Why
    #: The holiday, or the state that paused the clock; None where there is none, or where it was not kept.
    name: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """One local date on one calendar; its stretches are in order and leave no gap."""

    on: dt.date
    calendar: str
    timezone: str
    counted: tuple[Counted, ...]
    not_counted: tuple[NotCounted, ...]

    @property
    def seconds(self) -> int:
        """What of this day counted."""
        return sum(part.seconds for part in self.counted)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Stretch:
    """A time between two changes of the clock: one interval that counted, or one pause."""

    start_at: dt.datetime
    end_at: dt.datetime
    counted: bool
    state: str | None = None


def end_of(clock: ServiceClock, now: dt.datetime) -> dt.datetime:
    """Until when the clock has a history: where it stopped, else `now`."""
    return max(clock.started_at, clock.stopped_at or now, *(end for _, end in clock.intervals[-1:]))


def days_of(clock: ServiceClock, calendar_of: CalendarOf, now: dt.datetime, *, under: str = "") -> tuple[Day, ...]:
    """The clock's history until `now` or its end, a day after the other.

    The seconds of all days add up to what the clock has used; what counted and what did not cover the time from its
    start without gap or overlap. A date comes twice where the clock went to another calendar on it. `under` is the
    short hash of the ruleset by whose hours the intervals that are over were counted last.
    """
    days: list[Day] = []
    name, ruleset = "", ""
    for stretch in _stretches(clock, end_of(clock, now)):
        if stretch.counted or not name:  # a pause is told with what it interrupts
            name, ruleset = _counted_on(clock, stretch, under)
        calendar = calendar_of(name, ruleset)
        for part in calendar.breakdown(stretch.start_at, stretch.end_at):
            day = _day(part, stretch, name, calendar.timezone)
            if days and (days[-1].on, days[-1].calendar, days[-1].timezone) == (day.on, day.calendar, day.timezone):
                days[-1] = _joined(days[-1], day)
            else:
                days.append(day)
    return tuple(days)


def local(at: dt.datetime, timezone: str) -> dt.datetime:
    """The instant on the wall clock of a zone."""
    return at.astimezone(ZoneInfo(timezone))


def _counted_on(clock: ServiceClock, stretch: _Stretch, under: str) -> tuple[str, str]:
    """Name and ruleset of the calendar of a stretch; one that still runs is counted by the hours in force."""
    for until, name, ruleset in clock.calendars:
        if stretch.start_at < until:
            return name, ruleset
    return clock.calendar, "" if stretch.start_at == clock.running_since_at else under


def _stretches(clock: ServiceClock, end: dt.datetime) -> Iterator[_Stretch]:
    """What the clock did from its start to `end`, in order, without gap."""
    intervals = list(clock.intervals)
    if clock.running_since_at is not None and clock.running_since_at < end:
        intervals.append((clock.running_since_at, end))
    at = clock.started_at
    for since, until in intervals:
        yield from _paused(clock, at, since)
        yield _Stretch(start_at=since, end_at=until, counted=True)
        at = until
    yield from _paused(clock, at, end)


def _paused(clock: ServiceClock, start: dt.datetime, end: dt.datetime) -> Iterator[_Stretch]:
    """The pauses of which the time between two intervals consists, one for each state."""
    if start >= end:
        return
    began = [state for since, state in clock.pauses if since <= start]
    state = began[-1] if began else None
    for since, following in (*(found for found in clock.pauses if start < found[0] < end), (end, "")):
        yield _Stretch(start_at=start, end_at=since, counted=False, state=state)
        start, state = since, following


def _day(part: DayBreakdown, stretch: _Stretch, calendar: str, timezone: str) -> Day:
    day = Day(on=part.on, calendar=calendar, timezone=timezone, counted=(), not_counted=())
    if stretch.counted:
        left_out = []
        for left in part.left_out:
            why, _, name = left.reason.partition(": ")
            left_out.append(NotCounted(start_at=left.start_at, end_at=left.end_at, why=why, name=name or None))  # type: ignore[arg-type]  # the reasons of Calendar
        return replace(day, counted=part.counted, not_counted=tuple(left_out))
    ends: tuple[Counted | LeftOut, ...] = (*part.counted, *part.left_out)
    pause = NotCounted(
        start_at=min(found.start_at for found in ends),
        end_at=max(found.end_at for found in ends),
        why="paused",
        name=stretch.state,
    )
    return replace(day, not_counted=(pause,))


def _joined(first: Day, second: Day) -> Day:
    return replace(
        first, counted=(*first.counted, *second.counted), not_counted=(*first.not_counted, *second.not_counted)
    )
