"""Service time: adds it, measures it and explains it, exact to the microsecond under any change of the clocks.

**What counts.** A period is `[opening, closing)`: the closing instant is closed. A period belongs to the local date on
which it opens: one that crosses midnight runs to its end even where the next day is closed, and a closed day leaves
out the period that opens in its evening, with the hours after midnight. An exception goes before a holiday, a holiday
before the weekday. Time that two days both claim, which exceptions and holidays can cause, counts once.

**When the clocks change.** Every opening and closing is a wall time, and each wall time is one instant: a time that a
jump forward skips is the instant of the jump, and of a time that comes twice the first is meant, for opening as for
closing. So a day from 00:00 to 24:00 lasts the 23 or 25 hours it really has, 24/7 is the plain difference, periods
that touch on paper touch in time, and a period wholly inside the skipped hour has no length. Through the second pass
of a repeated hour the desk stays as it was at the end of the first.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from bisect import bisect_left, bisect_right
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from rules_service.clocks.opening import EPOCH, SECOND, OpeningTimes, Period, Week, instant_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from rules_service.problems import Problem


class CalendarError(ValueError):
    """The configuration is not a calendar; `problems` has every mistake, and the text all their messages."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        super().__init__("; ".join(problem.message for problem in problems))
        self.problems = problems


class NoServiceTimeError(ValueError):
    """The calendar has no service time left for what was asked: it stays closed from some date on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """A stretch of service time, in UTC. The seconds of a breakdown add up to `elapsed` of the same two instants."""

    start_at: dt.datetime
    end_at: dt.datetime
    seconds: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftOut:
    """A stretch that does not count, in UTC, and what set the hours of that day.

    `reason` is `closed` (the usual hours of the weekday), `holiday: NAME`, or `exception`.
    """

    start_at: dt.datetime
    end_at: dt.datetime
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DayBreakdown:
    """One local date: what of it counted and what was left out, each in order of time, together without a gap."""

    on: dt.date
    counted: tuple[Counted, ...]
    left_out: tuple[LeftOut, ...]

    @property
    def seconds(self) -> int:
        """Seconds of service time on this date."""
        return sum(part.seconds for part in self.counted)


@dataclass(frozen=True, kw_only=True)
class Calendar:
    """The service hours of a desk; immutable, compared by what it says, safe to share between threads.

    Instants must be aware, of any zone; a naive one is a ValueError. What comes back is aware UTC. Unless a calendar is
    24/7, local dates from 1970 to 2199 are counted, and an instant on another is a ValueError.
    """

    timezone: str  #: IANA name
    week: Week  #: periods of Monday to Sunday
    exceptions: tuple[tuple[dt.date, tuple[Period, ...]], ...] = ()  #: by date; no periods: closed
    holidays: tuple[tuple[dt.date, str], ...] = ()  #: by date, with their names
    on_holidays: tuple[Period, ...] | None = ()  #: none: closed; None: as usual
    holidays_source: str = field(default="", compare=False)  #: package, version and country, for people
    _zone: ZoneInfo = field(init=False, repr=False, compare=False)
    _times: OpeningTimes = field(init=False, repr=False, compare=False)
    _reasons: Mapping[dt.date, str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        observed = dict(self.holidays) if self.on_holidays is not None else {}
        special = dict.fromkeys(observed, self.on_holidays or ()) | dict(self.exceptions)
        reasons = {on: f"holiday: {name}" for on, name in observed.items()}
        reasons |= {on: "exception" for on, _ in self.exceptions}
        zone = ZoneInfo(self.timezone)
        object.__setattr__(self, "_zone", zone)
        object.__setattr__(self, "_times", OpeningTimes(zone, self.week, special))
        object.__setattr__(self, "_reasons", reasons)

    @classmethod
    def from_config(cls, config: Mapping[str, object]) -> Calendar:
        """The calendar of one entry of a ruleset's `calendars:`; CalendarError, with all mistakes, if it is none."""
        from rules_service.clocks.calendar_config import calendar_from  # noqa: PLC0415  it builds what is defined here

        return calendar_from(config)

    @cached_property
    def content_hash(self) -> str:
        """Tells the hours from others: the same for the same zone, week, exceptions and holidays."""
        content = (self.timezone, self.week, self.exceptions, self.holidays, self.on_holidays)
        return hashlib.sha256(repr(content).encode()).hexdigest()[:16]

    @property
    def is_always_open(self) -> bool:
        """Whether no instant is ever closed, so that service time is wall time."""
        return self._times.always

    def add(self, start: dt.datetime, seconds: int) -> dt.datetime:
        """The earliest instant at which `seconds` of service time have passed since `start`.

        A sum that is used up exactly at closing is due at that closing instant. Zero or less gives `start` itself, open
        or not. NoServiceTimeError if the calendar never opens for that long again.
        """
        at = _micros(start)
        if seconds <= 0:
            return _instant(at)
        if self._times.always:
            return _instant(at + seconds * SECOND)
        for line in self._times.growing(at):
            target = line.open_before(at) + seconds * SECOND
            if line.sums and line.sums[-1] >= target:
                i = bisect_left(line.sums, target)
                return _instant(line.ends[i] - line.sums[i] + target)
        raise NoServiceTimeError(
            f"the calendar has less than {seconds} s of service time left after {_instant(at).isoformat()}"
        )

    def elapsed(self, start: dt.datetime, end: dt.datetime) -> int:
        """Whole seconds of service time in `[start, end)`; 0 if `end` is not after `start`.

        Counted in microseconds and rounded down once, at the end: `elapsed(t, add(t, s)) == s` for every `t`, and at
        whole seconds `elapsed(a, b) + elapsed(b, c) == elapsed(a, c)`.
        """
        first, last = _micros(start), _micros(end)
        if last <= first:
            return 0
        if self._times.always:
            return (last - first) // SECOND
        line = self._times.covering(first, last)
        return (line.open_before(last) - line.open_before(first)) // SECOND

    def is_open(self, at: dt.datetime) -> bool:
        """Whether `at` is service time; an opening instant is, a closing instant is not."""
        instant = _micros(at)
        if self._times.always:
            return True
        line = self._times.covering(instant, instant)
        i = bisect_right(line.starts, instant) - 1
        return i >= 0 and instant < line.ends[i]

    def next_open(self, at: dt.datetime) -> dt.datetime:
        """The first open instant from `at` on, `at` itself if open; NoServiceTimeError if none comes."""
        instant = _micros(at)
        if self._times.always:
            return _instant(instant)
        for line in self._times.growing(instant):
            i = bisect_right(line.ends, instant)
            if i < len(line.ends):
                return _instant(max(instant, line.starts[i]))
        raise NoServiceTimeError(f"the calendar does not open again after {_instant(instant).isoformat()}")

    def next_close(self, at: dt.datetime) -> dt.datetime | None:
        """The first closing instant after `at`, of the period at `at` or of the next one; None if none ever comes."""
        instant = _micros(at)
        if self._times.always:
            return None
        for line in self._times.growing(instant):
            i = bisect_right(line.ends, instant)
            if i < len(line.ends) and line.ends[i] < line.until_us:
                return _instant(line.ends[i])
        return None

    def breakdown(self, start: dt.datetime, end: dt.datetime) -> tuple[DayBreakdown, ...]:
        """How `elapsed(start, end)` comes about, one entry a local date, in order; empty if `end` is not after `start`.

        Costs time in proportion to the days between.
        """
        first, last = _micros(start), _micros(end)
        if last <= first:
            return ()
        days = []
        counted = 0
        on = _instant(first).astimezone(self._zone).date()
        while first < last:
            until = min(last, instant_of(self._zone, on + dt.timedelta(days=1), 0))
            if first < until:  # not so on a date that a zone skipped as a whole
                openings = tuple(self._openings(first, until))
                days.append(self._day(on, first, until, openings, counted))
                counted += sum(closes - opens for opens, closes in openings)
                first = until
            on += dt.timedelta(days=1)
        return tuple(days)

    def _openings(self, first: int, last: int) -> Iterator[tuple[int, int]]:
        if self._times.always:
            yield first, last
            return
        line = self._times.covering(first, last)
        for i in range(bisect_right(line.ends, first), bisect_left(line.starts, last)):
            yield max(first, line.starts[i]), min(last, line.ends[i])

    def _day(
        self, on: dt.date, first: int, last: int, openings: tuple[tuple[int, int], ...], before: int
    ) -> DayBreakdown:
        """The entry of one date; `before` is the microseconds counted so far, whose fractions of a second carry on."""
        reason = self._reasons.get(on, "closed")
        counted, left_out = [], []
        for opens, closes in (*openings, (last, last)):
            if first < opens:
                left_out.append(LeftOut(start_at=_instant(first), end_at=_instant(opens), reason=reason))
            if opens < closes:
                seconds = (before + closes - opens) // SECOND - before // SECOND
                counted.append(Counted(start_at=_instant(opens), end_at=_instant(closes), seconds=seconds))
            before += closes - opens
            first = closes
        return DayBreakdown(on=on, counted=tuple(counted), left_out=tuple(left_out))


def _micros(at: dt.datetime) -> int:
    try:
        since = at - EPOCH
    except TypeError:
        raise ValueError(f"an instant needs its offset from UTC; {at!r} has none") from None
    return (since.days * 86_400 + since.seconds) * SECOND + since.microseconds


def _instant(micros: int) -> dt.datetime:
    return EPOCH + dt.timedelta(microseconds=micros)
