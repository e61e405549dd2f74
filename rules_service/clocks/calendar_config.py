"""Reads a calendar from a ruleset, and reports every mistake in it at its place."""

from __future__ import annotations

import functools
import re
import zoneinfo
from typing import TYPE_CHECKING

import marshmallow as ma

from rules_service.clocks.calendar import Calendar, CalendarError
from rules_service.clocks.holidays_config import NO_HOLIDAYS, Holidays, parse_date, parse_holidays
from rules_service.clocks.opening import DAY_MINUTES, FIRST_YEAR, LAST_YEAR, Period, Week
from rules_service.problems import Marks, Place, describe, hint, shaped

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Mapping

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
ALWAYS: Week = ((Period(start_min=0, end_min=DAY_MINUTES),),) * 7

_PERIOD = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])-(?:([01][0-9]|2[0-3]):([0-5][0-9])|24:00)")
_A_PERIOD = 'a period is "HH:MM-HH:MM", such as "08:00-17:00", "22:00-06:00" (past midnight) or "00:00-24:00" (all day)'
_PERIODS = 'expected a list of periods such as ["08:00-12:00", "13:00-17:00"], or "closed"'
_HOURS = 'hours are 24/7, or a mapping of days to periods such as {mon-fri: ["08:00-17:00"]}'

#: Periods as written, each with its day of the week (0 is Monday) and where it stands.
_Written = list[tuple[int, Period, Place]]


class CalendarSchema(ma.Schema):
    """The keys of a calendar; what each may hold is checked one by one, so that every mistake is found."""

    timezone = ma.fields.Raw(required=True, allow_none=True)
    hours = ma.fields.Raw(allow_none=True)
    exceptions = ma.fields.Raw(allow_none=True)
    holidays = ma.fields.Raw(allow_none=True)
    on_holidays = ma.fields.Raw(allow_none=True)


def calendar_from(config: Mapping[str, object]) -> Calendar:
    """The calendar that `config` describes; CalendarError, with every mistake, if there are any."""
    place = Place("calendar", Marks(), [])
    calendar = parse_calendar(dict(config), place)
    if calendar is None:
        raise CalendarError(tuple(place.problems))
    return calendar


def parse_calendar(data: object, place: Place) -> Calendar | None:
    """The calendar written at `place`; None, and a problem for each mistake, if there are any."""
    before = len(place.problems)
    shaped(CalendarSchema, data, place)
    if not isinstance(data, dict):
        return None
    timezone = _timezone(data["timezone"], place.at("timezone")) if "timezone" in data else ""
    week = _week(data["hours"], place.at("hours")) if "hours" in data else ALWAYS
    exceptions = _exceptions(data["exceptions"], place.at("exceptions")) if "exceptions" in data else ()
    observed = parse_holidays(data["holidays"], place.at("holidays")) if "holidays" in data else NO_HOLIDAYS
    on_holidays = _on_holidays(data["on_holidays"], place.at("on_holidays")) if "on_holidays" in data else ()
    if len(place.problems) == before:
        _check_it_opens(week, exceptions, observed, on_holidays, place.at("hours"))
    if len(place.problems) > before:
        return None
    return Calendar(
        timezone=timezone,
        week=week,
        exceptions=exceptions,
        holidays=observed.days,
        on_holidays=on_holidays,
        holidays_source=observed.source,
    )


@functools.cache
def zones() -> frozenset[str]:
    """The names of time zones that a calendar may have; none that depend on how a machine is set up."""
    return frozenset(zoneinfo.available_timezones() - {"localtime", "Factory"})


def _timezone(value: object, place: Place) -> str:
    if not isinstance(value, str):
        place.problem("type", f'expected the name of a time zone such as "Asia/Jakarta", not {describe(value)}')
        return ""
    if value not in zones():
        # The nearest name to an offset is another offset, or none: `UTC` for `UTC+7`.
        near = "" if any(sign in value for sign in "+-:0123456789") else hint(value, zones())
        accepted = near or '; accepted: names of the IANA database, such as "Asia/Jakarta"'
        place.problem("calendar", f'unknown time zone "{value}"{accepted}')
    return value


def _week(value: object, place: Place) -> Week:
    if value == "24/7":
        return ALWAYS
    if not isinstance(value, dict):
        place.problem("calendar" if isinstance(value, str) else "type", f"{_HOURS}; not {describe(value)}")
        return ALWAYS
    written: _Written = []
    given: dict[int, object] = {}
    for key, periods in value.items():
        inside = place.at(key)
        days = _days(key, inside)
        twice = [day for day in days if day in given]
        if twice:
            inside.problem("duplicate", f'{DAYS[twice[0]]} has its hours in "{given[twice[0]]}" already', key=True)
        found = _periods(periods, inside)
        fresh = [day for day in days if day not in given]
        given |= dict.fromkeys(fresh, key)
        written += [(day, period, where) for day in fresh for period, where in found]
    _report_overlaps(written, ring=7)
    return tuple(tuple(sorted(p for on, p, _ in written if on == day)) for day in range(7))


def _days(key: object, place: Place) -> list[int]:
    """The days that a key of `hours` names, `mon` or `fri-sun`, as numbers; a range may run over Sunday."""
    names = str(key).split("-")
    if len(names) > 2 or not set(names) <= set(DAYS):  # noqa: PLR2004  first and last
        near = hint(key, DAYS)
        place.problem("unknown-key", f'"{key}" is neither a day nor a range of days such as mon-fri{near}', key=True)
        return []
    first, last = DAYS.index(names[0]), DAYS.index(names[-1])
    return [(first + step) % 7 for step in range((last - first) % 7 + 1)]


def _periods(value: object, place: Place) -> list[tuple[Period, Place]]:
    if value == "closed":
        return []
    if isinstance(value, str):
        value, places = [value], [place]
    elif isinstance(value, list):
        places = [place.at(i) for i in range(len(value))]
    else:
        place.problem("type", f"{_PERIODS}; not {describe(value)}")
        return []
    found = []
    for text, where in zip(value, places, strict=True):
        period = _period(text, where)
        if period is not None:
            found.append((period, where))
    return found


def _period(text: object, place: Place) -> Period | None:
    if not isinstance(text, str):
        place.problem("type", f"{_A_PERIOD}; not {describe(text)}")
        return None
    match = _PERIOD.fullmatch(text)
    if match is None:
        place.problem("calendar", f"{_A_PERIOD}; not {describe(text)}")
        return None
    hour, minute, end_hour, end_minute = match.groups()
    start = int(hour) * 60 + int(minute)
    end = int(end_hour) * 60 + int(end_minute) if end_hour else DAY_MINUTES
    if start == end:
        place.problem("calendar", f'"{text}" ends when it starts; all day is "00:00-24:00", not at all is "closed"')
        return None
    return Period(start_min=start, end_min=end if end > start else end + DAY_MINUTES)


def _separate_periods(value: object, place: Place) -> tuple[Period, ...]:
    found = _periods(value, place)
    _report_overlaps([(0, period, where) for period, where in found])
    return tuple(sorted(period for period, _ in found))


def _exceptions(value: object, place: Place) -> tuple[tuple[dt.date, tuple[Period, ...]], ...]:
    if not isinstance(value, dict):
        example = '{2026-12-24: ["08:00-12:00"], 2026-12-25: closed}'
        place.problem("type", f"exceptions are a mapping of dates to periods, such as {example}; not {describe(value)}")
        return ()
    found: dict[dt.date, tuple[Period, ...]] = {}
    for key, periods in value.items():
        inside = place.at(str(key))
        on = parse_date(key, inside, (FIRST_YEAR, LAST_YEAR), key=True)
        separate = _separate_periods(periods, inside)
        if on in found:
            inside.problem("duplicate", f"{on} is an exception already", key=True)
        elif on is not None:
            found[on] = separate
    return tuple(sorted(found.items()))


def _on_holidays(value: object, place: Place) -> tuple[Period, ...] | None:
    if value == "as usual":
        return None
    if isinstance(value, str) and value != "closed" and _PERIOD.fullmatch(value) is None:
        place.problem("calendar", f'on_holidays is "closed", "as usual" or periods; not {describe(value)}')
        return ()
    return _separate_periods(value, place)


def _report_overlaps(written: _Written, ring: int = 0) -> None:
    """A problem at each period that begins before an earlier one ends; after `ring` days the first comes again."""
    line = sorted(written, key=lambda row: row[:2])
    if ring:
        line += [(day + ring, period, where) for day, period, where in line if day == 0]
    reported = set()
    reach, reaching, of_day = 0, None, 0
    for day, period, where in line:
        if reaching is not None and day * DAY_MINUTES + period.start_min < reach and where.path not in reported:
            reported.add(where.path)
            of = f" of {DAYS[of_day]}" if day != of_day else ""
            where.problem("calendar", f'"{_text(period)}" overlaps "{_text(reaching)}"{of}')
        end = day * DAY_MINUTES + period.end_min
        if end > reach:
            reach, reaching, of_day = end, period, day


def _text(period: Period) -> str:
    end = period.end_min if period.end_min <= DAY_MINUTES else period.end_min - DAY_MINUTES
    return f"{period.start_min // 60:02}:{period.start_min % 60:02}-{end // 60:02}:{end % 60:02}"


def _check_it_opens(
    week: Week,
    exceptions: tuple[tuple[dt.date, tuple[Period, ...]], ...],
    observed: Holidays,
    on_holidays: tuple[Period, ...] | None,
    place: Place,
) -> None:
    opens = any(week) or any(periods for _, periods in exceptions) or bool(observed.days and on_holidays)
    if not opens:
        place.problem("calendar", "this calendar never opens; give at least one period, or leave `hours` out for 24/7")
