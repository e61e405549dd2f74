"""Service time agrees with what two public suites for business time expect, where the rules are the same."""

import datetime as dt
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
import yaml

from rules_service.clocks import Calendar

SUITES = yaml.load(  # a loader that leaves dates as the text they are, as that of rule files does
    Path(__file__).with_name("calendar_public_suites.yaml").read_text(encoding="utf-8"), Loader=yaml.BaseLoader
)
CALENDARS = {name: Calendar.from_config(config) for name, config in SUITES["calendars"].items()}


def cases(name):
    return [pytest.param(*row[:-1], id=row[-1]) for row in SUITES[name]]


def instant(calendar, text):
    at = dt.datetime.fromisoformat(text)
    return (at if at.tzinfo else at.replace(tzinfo=ZoneInfo(calendar.timezone))).astimezone(dt.UTC)


def seconds(text):
    hours, minutes, rest = [*map(int, text.split(":")), 0, 0][:3]
    return hours * 3600 + minutes * 60 + rest


@pytest.mark.parametrize(("name", "start", "end", "expected"), cases("elapsed"))
def test_elapsed(name, start, end, expected):
    calendar = CALENDARS[name]
    assert calendar.elapsed(instant(calendar, start), instant(calendar, end)) == seconds(expected)


@pytest.mark.parametrize(("name", "start", "length", "expected"), cases("add"))
def test_add(name, start, length, expected):
    calendar = CALENDARS[name]
    assert calendar.add(instant(calendar, start), seconds(length)) == instant(calendar, expected)


@pytest.mark.parametrize(("name", "at", "expected"), cases("next_open"))
def test_next_open(name, at, expected):
    calendar = CALENDARS[name]
    assert calendar.next_open(instant(calendar, at)) == instant(calendar, expected)


@pytest.mark.parametrize(("name", "at", "expected"), cases("is_open"))
def test_is_open(name, at, expected):
    calendar = CALENDARS[name]
    assert calendar.is_open(instant(calendar, at)) is (expected == "true")


@pytest.mark.parametrize(("name", "start", "expected"), cases("periods"))
def test_periods(name, start, expected):
    calendar = CALENDARS[name]
    at = instant(calendar, start)
    for opens, closes in expected:
        at = calendar.next_open(at)
        assert at == instant(calendar, opens)
        at = calendar.next_close(at)
        assert at == instant(calendar, closes)
