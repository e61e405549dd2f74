"""Opening hours on the time line: each local day becomes UTC intervals once, and sums over them answer every question.

Inside this file an instant is a whole number of microseconds since 1970-01-01T00:00Z, so that nothing is ever rounded.
"""

from __future__ import annotations

import datetime as dt
import threading
from bisect import bisect_right
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from zoneinfo import ZoneInfo

#: Service time is counted in these years, first to last, on local dates; an instant outside them is refused.
FIRST_YEAR, LAST_YEAR = 1970, 2199

EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
SECOND = 1_000_000
_EPOCH_DAY = EPOCH.toordinal()
DAY_MINUTES = 1_440
WEEK_MINUTES = 7 * DAY_MINUTES


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Period:
    """One opening of one day, `[start_min, end_min)`, in minutes of wall time after that day's midnight.

    `start_min` is 0 to 1439; `end_min` is later, by at most 1440. Beyond 1440 it runs into the next day, and still
    belongs to the day on which it opened.
    """

    start_min: int
    end_min: int


#: The periods of the seven days, Monday first.
Week = tuple[tuple[Period, ...], ...]


def instant_of(zone: ZoneInfo, on: dt.date, minute: int) -> int:
    """The one instant at which the wall clock of `zone` reads `minute` minutes after the midnight that begins `on`.

    A wall time that a jump skips is the instant of the jump; of one that comes twice it is the first. So the result
    never falls as the wall time rises, and periods that do not overlap on paper do not overlap in time.
    """
    wall = dt.datetime(on.year, on.month, on.day, tzinfo=zone) + dt.timedelta(minutes=minute)
    as_utc = ((on.toordinal() - _EPOCH_DAY) * DAY_MINUTES + minute) * 60 * SECOND
    first, second = _offset(wall), _offset(wall.replace(fold=1))
    if first >= second:
        return as_utc - first
    before, jump = as_utc - second, as_utc - first  # before the jump, and not before it
    while jump - before > SECOND:
        middle = (before + jump) // (2 * SECOND) * SECOND
        if _offset((EPOCH + dt.timedelta(microseconds=middle)).astimezone(zone)) == second:
            jump = middle
        else:
            before = middle
    return jump


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """Every opening of `[from_us, until_us)`, in order, without overlaps; openings that touch are one."""

    from_us: int
    until_us: int
    starts: tuple[int, ...]
    ends: tuple[int, ...]
    sums: tuple[int, ...]  #: open microseconds from `from_us` up to the end of each opening

    def open_before(self, at: int) -> int:
        """Open microseconds from `from_us` to `at`."""
        i = bisect_right(self.starts, at) - 1
        if i < 0:
            return 0
        left = self.ends[i] - at
        return self.sums[i] - left if left > 0 else self.sums[i]


class OpeningTimes:
    """The openings of a week with special days, laid out year by year as questions reach further; thread-safe.

    `special` gives a date its own periods in place of its weekday's. `always` is true when no instant is ever closed.
    Where a period of one day runs into those of the next, which special days can cause, the time counts once.
    """

    def __init__(self, zone: ZoneInfo, week: Week, special: Mapping[dt.date, tuple[Period, ...]]) -> None:
        self._zone = zone
        self._week = week
        self._special = {on: periods for on, periods in special.items() if periods != week[on.weekday()]}
        # A special day can change the year that follows it: an evening of 31 December reaches into 1 January.
        self._uneven = {(on + dt.timedelta(days=reach)).year for on in self._special for reach in (0, 1)}
        self._full = len(_minutes_of(week)) == WEEK_MINUTES
        self._empty = not any(week)
        self.always = self._full and not self._special
        self._begin, self._end = self._midnight(FIRST_YEAR), self._midnight(LAST_YEAR + 1)
        self._lock = threading.Lock()
        self._years: dict[int, list[tuple[int, int]]] = {}
        self._line: Line | None = None

    def covering(self, first: int, last: int) -> Line:
        """A line on which both instants lie; ValueError where the years counted do not reach."""
        line = self._line
        if line is not None and line.from_us <= first and last < line.until_us:
            return line
        return self._longer(first, last)

    def growing(self, at: int) -> Iterator[Line]:
        """Lines on which `at` lies, each reaching further than the one before; the last ends with LAST_YEAR."""
        line = self.covering(at, at)
        yield line
        while line.until_us < self._end:
            line = self.covering(at, min(self._end - 1, 2 * line.until_us - line.from_us))
            yield line

    def _longer(self, first: int, last: int) -> Line:
        if first < self._begin or last >= self._end:
            raise ValueError(f"service time is counted from {FIRST_YEAR} to {LAST_YEAR}, on local dates")
        first_year, last_year = self._year_of(first), self._year_of(last)
        with self._lock:
            if self._line is not None:
                first_year = min(first_year, self._year_of(self._line.from_us))
                last_year = max(last_year, self._year_of(self._line.until_us - 1))
            self._line = self._laid_out(first_year, last_year)
            return self._line

    def _laid_out(self, first_year: int, last_year: int) -> Line:
        starts: list[int] = []
        ends: list[int] = []
        for year in range(first_year, last_year + 1):
            for start, end in self._openings(year):
                if ends and start <= ends[-1]:
                    ends[-1] = max(end, ends[-1])
                else:
                    starts.append(start)
                    ends.append(end)
        sums: list[int] = []
        total = 0
        for start, end in zip(starts, ends, strict=True):
            total += end - start
            sums.append(total)
        return Line(
            from_us=self._midnight(first_year),
            until_us=self._midnight(last_year + 1),
            starts=tuple(starts),
            ends=tuple(ends),
            sums=tuple(sums),
        )

    def _openings(self, year: int) -> list[tuple[int, int]]:
        if year not in self._years:
            self._years[year] = self._expanded(year)
        return self._years[year]

    def _expanded(self, year: int) -> list[tuple[int, int]]:
        first, last = self._midnight(year), self._midnight(year + 1)
        if year not in self._uneven and self._full:
            return [(first, last)]
        if year not in self._uneven and self._empty:
            return []
        found = []
        on, stop = dt.date(year - 1, 12, 31), dt.date(year + 1, 1, 1)
        while on < stop:
            for period in self._special.get(on, self._week[on.weekday()]):
                start = max(first, instant_of(self._zone, on, period.start_min))
                end = min(last, instant_of(self._zone, on, period.end_min))
                if start < end:
                    found.append((start, end))
            on += dt.timedelta(days=1)
        return sorted(found)

    def _midnight(self, year: int) -> int:
        return instant_of(self._zone, dt.date(year, 1, 1), 0)

    def _year_of(self, at: int) -> int:
        return (EPOCH + dt.timedelta(microseconds=at)).astimezone(self._zone).year


def _minutes_of(week: Week) -> set[int]:
    return {
        (day * DAY_MINUTES + minute) % WEEK_MINUTES
        for day, periods in enumerate(week)
        for period in periods
        for minute in range(period.start_min, period.end_min)
    }


def _offset(local: dt.datetime) -> int:
    offset = local.utcoffset()
    assert offset is not None  # a ZoneInfo always has one
    return (offset.days * 86_400 + offset.seconds) * SECOND  # whole seconds, in every zone
