"""Every mistake in a calendar is reported at its place, with what would be accepted."""

import datetime as dt

import pytest

from rules_service.clocks import Calendar, CalendarError, Period, parse_calendar
from rules_service.problems import Marks, Place

GOOD = {
    "timezone": "Asia/Jakarta",
    "hours": {"mon-fri": ["08:00-12:00", "13:00-17:00"], "sat": "22:00-06:00", "sun": "closed"},
    "exceptions": {"2026-12-24": ["08:00-12:00"], "2026-12-25": "closed"},
    "holidays": {
        "country": "ID",
        "categories": ["public", "government"],
        "add": ["2026-12-31"],
        "remove": ["2026-06-01"],
    },
    "on_holidays": ["10:00-12:00"],
}


def mistakes(change, *, without=()):
    """The problems of GOOD with `change`: each its path in the calendar, kind and message."""
    config = {key: value for key, value in (GOOD | change).items() if key not in without}
    seen = []

    class Recorded(Place):
        def at(self, *steps):
            return Recorded(self.file, self.marks, self.problems, self.path + steps)

        def problem(self, kind, message, *, key=False):
            super().problem(kind, message, key=key)
            seen.append((self.path, kind, message))

    assert (parse_calendar(config, Recorded("desk.yaml", Marks(), [])) is None) is bool(seen)
    return seen


def test_a_good_calendar_is_read_whole():
    calendar = Calendar.from_config(GOOD)
    office = (Period(start_min=480, end_min=720), Period(start_min=780, end_min=1020))
    assert calendar.week == (office,) * 5 + ((Period(start_min=1320, end_min=1800),), ())
    assert calendar.exceptions == ((dt.date(2026, 12, 24), office[:1]), (dt.date(2026, 12, 25), ()))
    assert calendar.on_holidays == (Period(start_min=600, end_min=720),)
    days = dict(calendar.holidays)
    assert days[dt.date(2026, 12, 31)] == "added"
    assert days[dt.date(2026, 8, 17)] == "Independence Day"
    assert dt.date(2026, 6, 1) not in days


@pytest.mark.parametrize(
    ("change", "path", "kind", "message"),
    [
        (
            {"timezone": "Asia/Jakata"},
            ("timezone",),
            "calendar",
            'unknown time zone "Asia/Jakata"; did you mean "Asia/Jakarta"?',
        ),
        ({"timezone": "WIB"}, ("timezone",), "calendar", 'such as "Asia/Jakarta"'),
        ({"timezone": "localtime"}, ("timezone",), "calendar", "unknown time zone"),
        ({"timezone": 7}, ("timezone",), "type", "not the number 7"),
        ({"timezone": None}, ("timezone",), "type", "not nothing"),
        ({"hour": {}}, ("hour",), "unknown-key", 'did you mean "hours"?'),
        ({"hours": "always"}, ("hours",), "calendar", "hours are 24/7, or a mapping"),
        ({"hours": ["08:00-12:00"]}, ("hours",), "type", "not a list"),
        ({"hours": {"monday": "08:00-12:00"}}, ("hours", "monday"), "unknown-key", 'did you mean "mon"?'),
        (
            {"hours": {"mon-wed-fri": "08:00-12:00"}},
            ("hours", "mon-wed-fri"),
            "unknown-key",
            "range of days such as mon-fri",
        ),
        (
            {"hours": {"mon-fri": "08:00-12:00", "wed": "13:00-14:00"}},
            ("hours", "wed"),
            "duplicate",
            'wed has its hours in "mon-fri" already',
        ),
        ({"hours": {"mon": ["8-9", "10:00-11:00"]}}, ("hours", "mon", 0), "calendar", 'a period is "HH:MM-HH:MM"'),
        ({"hours": {"mon": "24:00-06:00"}}, ("hours", "mon"), "calendar", "HH:MM-HH:MM"),
        ({"hours": {"mon": "08:00-24:30"}}, ("hours", "mon"), "calendar", "HH:MM-HH:MM"),
        ({"hours": {"mon": "08:60-10:00"}}, ("hours", "mon"), "calendar", "HH:MM-HH:MM"),
        ({"hours": {"mon": "08:00-08:00"}}, ("hours", "mon"), "calendar", 'all day is "00:00-24:00"'),
        ({"hours": {"mon": [480]}}, ("hours", "mon", 0), "type", "not the number 480"),
        ({"hours": {"mon": 480}}, ("hours", "mon"), "type", "expected a list of periods"),
        (
            {"hours": {"mon-fri": ["13:00-17:00", "08:00-13:01"]}},
            ("hours", "mon-fri", 0),
            "calendar",
            '"13:00-17:00" overlaps "08:00-13:01"',
        ),
        (
            {"hours": {"mon": "22:00-06:00", "tue": "05:59-12:00"}},
            ("hours", "tue"),
            "calendar",
            '"05:59-12:00" overlaps "22:00-06:00" of mon',
        ),
        (
            {"hours": {"mon": "05:00-12:00", "sun": "22:00-06:00"}},
            ("hours", "mon"),
            "calendar",
            '"05:00-12:00" overlaps "22:00-06:00" of sun',
        ),
        ({"exceptions": ["2026-12-24"]}, ("exceptions",), "type", "a mapping of dates to periods"),
        (
            {"exceptions": {"24.12.2026": "closed"}},
            ("exceptions", "24.12.2026"),
            "calendar",
            "a date such as 2026-12-31",
        ),
        (
            {"exceptions": {"2026-02-29": "closed"}},
            ("exceptions", "2026-02-29"),
            "calendar",
            "not a day of any calendar",
        ),
        ({"exceptions": {"2206-12-24": "closed"}}, ("exceptions", "2206-12-24"), "calendar", "years 1970 to 2199"),
        (
            {"exceptions": {"2026-12-24": ["08:00-12:00", "11:00-13:00"]}},
            ("exceptions", "2026-12-24", 1),
            "calendar",
            '"11:00-13:00" overlaps "08:00-12:00"',
        ),
        (
            {"exceptions": {"2026-12-24": "closed", dt.date(2026, 12, 24): "closed"}},
            ("exceptions", "2026-12-24"),
            "duplicate",
            "is an exception already",
        ),
        ({"holidays": "ID"}, ("holidays",), "type", 'expected a mapping, not "ID"'),
        ({"holidays": {"country": "ID", "region": "x"}}, ("holidays", "region"), "unknown-key", 'unknown key "region"'),
        ({"holidays": {"country": "id"}}, ("holidays", "country"), "calendar", 'did you mean "ID"?'),
        ({"holidays": {"country": "Indonesia"}}, ("holidays", "country"), "calendar", 'did you mean "ID"?'),
        ({"holidays": {"country": "United States"}}, ("holidays", "country"), "calendar", 'did you mean "US"?'),
        ({"holidays": {"country": "Atlantis"}}, ("holidays", "country"), "calendar", "code of two or three letters"),
        ({"holidays": {"country": False}}, ("holidays", "country"), "type", "not false"),
        (
            {"holidays": {"country": "ID", "categories": ["public", "goverment"]}},
            ("holidays", "categories", 1),
            "calendar",
            'did you mean "government"?',
        ),
        ({"holidays": {"country": "ID", "categories": []}}, ("holidays", "categories"), "type", "a list of categories"),
        (
            {"holidays": {"country": "ID", "subdivision": "JK"}},
            ("holidays", "subdivision"),
            "calendar",
            "accepted: none",
        ),
        ({"holidays": {"country": "DE", "subdivision": "Bayer"}}, ("holidays", "subdivision"), "calendar", '"Bayern"?'),
        ({"holidays": {"country": "ID", "add": "2026-12-31"}}, ("holidays", "add"), "type", "expected a list of dates"),
        (
            {"holidays": {"country": "ID", "add": ["2041-01-01"]}},
            ("holidays", "add", 0),
            "calendar",
            "years 2020 to 2040",
        ),
        ({"holidays": {"add": ["2026-12-31"] * 2}}, ("holidays", "add", 1), "duplicate", "in this list already"),
        (
            {"holidays": {"add": [{"2026-12-31": 5}]}},
            ("holidays", "add", 0, "2026-12-31"),
            "type",
            "name of the holiday",
        ),
        (
            {"holidays": {"country": "ID", "remove": ["2026-06-01"], "add": ["2026-06-01"]}},
            ("holidays", "remove"),
            "calendar",
            "2026-06-01 is both added and removed",
        ),
        (
            {"holidays": {"remove": ["2026-06-01"], "add": ["2026-12-31"]}},
            ("holidays", "remove"),
            "calendar",
            'needs a "country"',
        ),
        ({"holidays": {}}, ("holidays",), "missing", 'need a "country", or dates in "add"'),
        ({"on_holidays": "open"}, ("on_holidays",), "calendar", '"closed", "as usual" or periods'),
        ({"on_holidays": ["08:00-12:00", "09:00-10:00"]}, ("on_holidays", 1), "calendar", "overlaps"),
    ],
)
def test_a_mistake_is_reported_once_at_its_place(change, path, kind, message):
    ((found_path, found_kind, found_message),) = mistakes(change)
    assert (found_path, found_kind) == (path, kind)
    assert message in found_message


def test_a_calendar_without_a_zone_is_refused():
    assert mistakes({}, without=["timezone"]) == [(("timezone",), "missing", '"timezone" is required')]


@pytest.mark.parametrize("hours", [{}, {"mon-sun": "closed"}, {"mon": []}])
def test_a_calendar_that_never_opens_is_refused(hours):
    ((path, kind, message),) = mistakes({"hours": hours}, without=["exceptions", "holidays", "on_holidays"])
    assert (path, kind) == (("hours",), "calendar")
    assert "never opens" in message


@pytest.mark.parametrize(
    "accepted",
    [
        {"hours": {"fri-mon": ["08:00-12:00"]}},
        {"hours": {"mon-sun": ["06:00-18:00", "18:00-06:00"]}},
        {"hours": {"mon": ["22:00-00:00"], "tue": "00:00-24:00", "wed": "00:00-01:00"}},
        {"holidays": {"country": "IDN", "remove": ["2026-06-02"]}},
        {"holidays": {"country": "DE", "subdivision": "Bayern", "categories": "public"}},
        {"holidays": {"add": [dt.date(2026, 12, 31), {"2026-12-30": "Stocktaking"}]}},
        {"on_holidays": "closed"},
        {"on_holidays": "as usual"},
        {"on_holidays": "10:00-12:00"},
    ],
)
def test_what_is_accepted(accepted):
    assert mistakes(accepted) == []


def test_all_mistakes_are_reported_together_at_their_lines():
    marks = Marks(
        keys={("calendars", "desk", "hour"): (4, 5)},
        values={
            ("calendars", "desk"): (2, 3),
            ("calendars", "desk", "timezone"): (3, 15),
            ("calendars", "desk", "holidays", "add", 0): (6, 12),
        },
    )
    place = Place("desk.yaml", marks, [], ("calendars", "desk"))
    assert parse_calendar({"timezone": "Jakarta", "hour": {}, "holidays": {"add": ["tomorrow"]}}, place) is None
    assert sorted((problem.line, problem.col, problem.kind) for problem in place.problems) == [
        (3, 15, "calendar"),
        (4, 5, "unknown-key"),
        (6, 12, "calendar"),
    ]


@pytest.mark.parametrize("data", [None, [], "24/7", 24])
def test_what_is_no_mapping_is_no_calendar(data):
    place = Place("desk.yaml", Marks(), [])
    assert parse_calendar(data, place) is None
    assert [problem.kind for problem in place.problems] == ["type"]


def test_every_period_inside_a_longer_one_is_reported():
    found = mistakes({"hours": {"mon": ["08:00-17:00", "09:00-10:00", "11:00-12:00", "17:00-18:00"]}})
    assert [path for path, _, _ in found] == [("hours", "mon", 1), ("hours", "mon", 2)]


def test_an_error_of_from_config_has_every_problem_and_all_their_messages():
    with pytest.raises(CalendarError) as caught:
        Calendar.from_config({"timezone": "Nowhere", "hours": {"mon": "8-9"}})
    assert len(caught.value.problems) == 2
    assert all(problem.message in str(caught.value) for problem in caught.value.problems)


def test_names_of_holidays_do_not_depend_on_the_environment(monkeypatch):
    monkeypatch.setenv("LANGUAGE", "id")
    monkeypatch.setenv("LANG", "id_ID.UTF-8")
    days = dict(Calendar.from_config({"timezone": "UTC", "holidays": {"country": "TH"}}).holidays)
    assert days[dt.date(2026, 4, 13)] == "Songkran Festival"
    alone = Calendar.from_config({"timezone": "UTC", "holidays": {"country": "BB"}})  # a country of one language
    assert dict(alone.holidays)[dt.date(2026, 11, 30)] == "Independence Day"
