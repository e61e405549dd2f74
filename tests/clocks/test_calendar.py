"""What a calendar answers, case by case; times are wall times of the calendar's zone unless they say an offset."""

import datetime as dt
import threading
from zoneinfo import ZoneInfo

import pytest

from rules_service.clocks import Calendar, LeftOut, NoServiceTimeError

JAKARTA, BERLIN = "Asia/Jakarta", "Europe/Berlin"
OFFICE = {"mon-fri": ["08:00-12:00", "13:00-17:00"]}


def calendar(hours="24/7", timezone=JAKARTA, **more):
    return Calendar.from_config({"timezone": timezone, "hours": hours, **more})


def instant(text, timezone=JAKARTA):
    at = dt.datetime.fromisoformat(text)
    # In UTC: a difference of two times in one zone would be that of their wall clocks.
    return (at if at.tzinfo else at.replace(tzinfo=ZoneInfo(timezone))).astimezone(dt.UTC)


def hours(count):
    return int(count * 3600)


# 2026-03-02 is a Monday.
@pytest.mark.parametrize(
    ("start", "seconds", "expected"),
    [
        ("2026-03-02 09:00", hours(1), "2026-03-02 10:00"),
        ("2026-03-02 09:00", hours(3), "2026-03-02 12:00"),
        ("2026-03-02 09:00", hours(3) + 1, "2026-03-02 13:00:01"),
        ("2026-03-02 12:00", hours(1), "2026-03-02 14:00"),
        ("2026-03-02 12:30", 1, "2026-03-02 13:00:01"),
        ("2026-03-02 16:59:59", 1, "2026-03-02 17:00"),
        ("2026-03-02 16:59:59", 2, "2026-03-03 08:00:01"),
        ("2026-03-06 16:00", hours(1), "2026-03-06 17:00"),
        ("2026-03-06 16:00", hours(2), "2026-03-09 09:00"),
        ("2026-03-07 12:00", hours(8), "2026-03-09 17:00"),
        ("2026-03-02 08:00", hours(40), "2026-03-06 17:00"),
        ("2026-03-02 08:00", hours(40 * 52), "2027-02-26 17:00"),
        ("2026-03-02 09:00:00.250000", hours(3), "2026-03-02 13:00:00.250000"),
        ("2026-03-07 12:00", 0, "2026-03-07 12:00"),
        ("2026-03-07 12:00", -5, "2026-03-07 12:00"),
    ],
)
def test_a_sum_of_office_hours(start, seconds, expected):
    due = calendar(OFFICE).add(instant(start), seconds)
    assert due == instant(expected)
    assert due.tzinfo is dt.UTC


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        ("2026-03-02 09:00", "2026-03-02 10:00", hours(1)),
        ("2026-03-02 11:00", "2026-03-02 14:00", hours(2)),
        ("2026-03-02 12:00", "2026-03-02 13:00", 0),
        ("2026-03-06 16:00", "2026-03-09 09:00", hours(2)),
        ("2026-03-02 10:00", "2026-03-02 09:00", 0),
        ("2026-03-02 09:00", "2026-03-02 09:00", 0),
        ("2026-03-02 09:00", "2026-03-02 09:00:00.999999", 0),
        ("2026-03-02 09:00:00.500000", "2026-03-02 09:00:01.500000", 1),
        ("2026-03-02 02:00+00:00", "2026-03-02 05:00-05:00", hours(7)),
    ],
)
def test_a_measure_of_office_hours(start, end, expected):
    assert calendar(OFFICE).elapsed(instant(start), instant(end)) == expected


@pytest.mark.parametrize(
    ("at", "is_open", "next_open", "next_close"),
    [
        ("2026-03-02 07:59:59", False, "2026-03-02 08:00", "2026-03-02 12:00"),
        ("2026-03-02 08:00", True, "2026-03-02 08:00", "2026-03-02 12:00"),
        ("2026-03-02 11:59:59.999999", True, "2026-03-02 11:59:59.999999", "2026-03-02 12:00"),
        ("2026-03-02 12:00", False, "2026-03-02 13:00", "2026-03-02 17:00"),
        ("2026-03-06 17:00", False, "2026-03-09 08:00", "2026-03-09 12:00"),
    ],
)
def test_an_opening_instant_is_open_and_a_closing_instant_is_closed(at, is_open, next_open, next_close):
    office = calendar(OFFICE)
    assert office.is_open(instant(at)) is is_open
    assert office.next_open(instant(at)) == instant(next_open)
    assert office.next_close(instant(at)) == instant(next_close)


@pytest.mark.parametrize(
    "open_hours", ["24/7", {"mon-sun": "00:00-24:00"}, {"mon-sun": ["06:00-18:00", "18:00-06:00"]}, None]
)
def test_however_it_is_written_a_calendar_that_never_closes_is_24_7(open_hours):
    config = {"timezone": JAKARTA} | ({"hours": open_hours} if open_hours else {})
    always = Calendar.from_config(config)
    at = instant("2026-03-02 09:00:00.000001")
    assert always.is_always_open
    assert always.next_close(at) is None
    assert always.next_open(at) == at
    assert always.add(at, 86_400) == at + dt.timedelta(days=1)
    assert [day.seconds for day in always.breakdown(at, at + dt.timedelta(days=1))] == [53_999, 32_401]


def test_a_period_past_midnight_belongs_to_the_day_on_which_it_opens():
    night = calendar({"mon-fri": "22:00-06:00"}, exceptions={"2026-03-05": "closed"})
    friday_night = instant("2026-03-07 05:00")
    assert night.is_open(friday_night)
    assert night.is_open(instant("2026-03-05 05:00"))
    assert not night.is_open(instant("2026-03-05 23:00"))
    assert not night.is_open(instant("2026-03-06 05:00"))
    assert night.next_close(instant("2026-03-07 00:00")) == instant("2026-03-07 06:00")
    assert night.elapsed(instant("2026-03-02 00:00"), instant("2026-03-09 00:00")) == hours(4 * 8)


def test_days_that_touch_at_midnight_are_one_opening_also_at_new_year():
    most = calendar({"mon-sun": "00:00-24:00"}, exceptions={"2027-01-03": "closed"})
    assert most.next_close(instant("2026-12-30 12:00")) == instant("2027-01-03 00:00")
    assert most.next_close(instant("2027-01-04 12:00")) is None


def test_a_night_runs_over_new_year_and_a_closed_one_is_closed_on_both_sides():
    night = calendar({"mon-sun": "22:00-06:00"})
    assert night.elapsed(instant("2027-01-01 00:00"), instant("2027-01-01 12:00")) == hours(6)
    shifts = calendar({"mon-sun": ["06:00-18:00", "18:00-06:00"]}, exceptions={"2026-12-31": "closed"})
    assert shifts.next_open(instant("2026-12-31 06:00")) == instant("2027-01-01 06:00")


def test_time_that_two_days_claim_counts_once():
    night = calendar({"mon-sun": "20:00-04:00"}, exceptions={"2026-03-03": ["02:00-10:00"]})
    assert night.elapsed(instant("2026-03-02 20:00"), instant("2026-03-03 12:00")) == hours(14)
    short = calendar({"mon-sun": "20:00-04:00"}, exceptions={"2026-03-03": ["01:00-02:00"]})
    assert short.elapsed(instant("2026-03-02 20:00"), instant("2026-03-03 12:00")) == hours(8)


def test_an_exception_goes_before_a_holiday_and_a_holiday_before_the_weekday():
    office = calendar(
        OFFICE,
        holidays={"country": "ID", "remove": ["2026-06-01"], "add": [{"2026-06-03": "Anniversary"}, "2026-06-04"]},
        on_holidays=["09:00-10:00"],
        exceptions={dt.date(2026, 6, 4): "09:00-11:00", "2026-06-05": "closed"},
    )
    week = office.breakdown(instant("2026-06-01 00:00"), instant("2026-06-08 00:00"))
    assert [(day.on.day, day.seconds / 3600) for day in week] == [
        (1, 8),
        (2, 8),
        (3, 1),
        (4, 2),
        (5, 0),
        (6, 0),
        (7, 0),
    ]
    assert [{part.reason for part in day.left_out} for day in week] == [
        {"closed"},
        {"closed"},
        {"holiday: Anniversary"},
        {"exception"},
        {"exception"},
        {"closed"},
        {"closed"},
    ]


def test_holidays_that_are_as_usual_change_nothing():
    plain = calendar(OFFICE)
    usual = calendar(OFFICE, holidays={"country": "ID"}, on_holidays="as usual")
    new_year = instant("2026-01-01 09:00")
    assert usual.is_open(new_year)
    assert usual.elapsed(new_year, instant("2027-01-01 09:00")) == plain.elapsed(new_year, instant("2027-01-01 09:00"))
    assert calendar("24/7", holidays={"country": "ID"}, on_holidays="as usual").is_always_open
    assert not calendar("24/7", holidays={"country": "ID"}).is_always_open


def test_joint_holidays_of_indonesia_are_the_category_government():
    public = calendar(OFFICE, holidays={"country": "ID"})
    both = calendar(OFFICE, holidays={"country": "ID", "categories": ["public", "government"]})
    christmas_eve = instant("2026-12-24 09:00")
    assert public.is_open(christmas_eve)
    assert not both.is_open(christmas_eve)
    (day,) = both.breakdown(christmas_eve, christmas_eve + dt.timedelta(hours=1))
    assert day.left_out == (
        LeftOut(start_at=christmas_eve, end_at=instant("2026-12-24 10:00"), reason="holiday: Christmas Joint Holiday"),
    )
    assert "ID, government, public" in both.holidays_source


def test_a_breakdown_explains_every_second_by_local_day():
    days = calendar(OFFICE).breakdown(instant("2026-03-06 16:00:00.600000"), instant("2026-03-09 08:00:01.500000"))
    assert [(day.on.isoformat(), day.seconds) for day in days] == [
        ("2026-03-06", 3599),
        ("2026-03-07", 0),
        ("2026-03-08", 0),
        ("2026-03-09", 1),
    ]
    friday, saturday = days[:2]
    assert [(part.start_at, part.end_at) for part in friday.counted] == [
        (instant("2026-03-06 16:00:00.600000"), instant("2026-03-06 17:00"))
    ]
    assert [(part.start_at, part.end_at, part.reason) for part in saturday.left_out] == [
        (instant("2026-03-07 00:00"), instant("2026-03-08 00:00"), "closed")
    ]
    assert calendar(OFFICE).breakdown(instant("2026-03-09 08:00"), instant("2026-03-06 16:00")) == ()


def test_a_calendar_with_nothing_but_exceptions_ends_with_the_last_of_them():
    event = calendar({}, exceptions={"2026-05-01": "22:00-02:00", "2026-05-03": ["09:00-10:00"]})
    start = instant("2026-04-01 00:00")
    assert event.add(start, hours(5)) == instant("2026-05-03 10:00")
    with pytest.raises(NoServiceTimeError, match="less than 18001 s"):
        event.add(start, hours(5) + 1)
    assert event.next_close(instant("2026-05-02 03:00")) == instant("2026-05-03 10:00")
    with pytest.raises(NoServiceTimeError, match="does not open again after 2026-05-03T03:00:00"):
        event.next_open(instant("2026-05-03 10:00"))
    assert event.next_close(instant("2026-05-03 10:00")) is None
    assert event.elapsed(start, instant("2031-01-01 00:00")) == hours(5)


@pytest.mark.parametrize("question", ["add", "elapsed", "is_open", "next_open", "next_close", "breakdown"])
@pytest.mark.parametrize("open_hours", ["24/7", OFFICE])
def test_an_instant_without_its_offset_is_refused(question, open_hours):
    naive = dt.datetime(2026, 3, 2, 9)  # noqa: DTZ001  that is the point
    more = {"add": [60], "elapsed": [naive], "breakdown": [naive]}.get(question, [])
    with pytest.raises(ValueError, match="needs its offset"):
        getattr(calendar(open_hours), question)(naive, *more)


def test_years_outside_those_counted_are_refused():
    with pytest.raises(ValueError, match="from 1970 to 2199"):
        calendar(OFFICE).is_open(dt.datetime.min.replace(tzinfo=dt.UTC))
    with pytest.raises(ValueError, match="from 1970 to 2199"):
        calendar(OFFICE).elapsed(instant("2026-03-02 09:00"), instant("2200-01-01 00:00"))


def test_calendars_are_equal_by_what_they_say():
    written = calendar({"mon-fri": ["13:00-17:00", "08:00-12:00"]}, exceptions={"2026-12-25": "closed"})
    same = calendar(
        dict.fromkeys(("fri", "mon", "tue", "wed", "thu"), OFFICE["mon-fri"]), exceptions={dt.date(2026, 12, 25): []}
    )
    other = calendar(OFFICE)
    assert written == same
    assert hash(written) == hash(same)
    assert written != other


def test_answers_do_not_depend_on_what_was_asked_before():
    start, end = instant("2026-03-02 09:00"), instant("2027-03-02 09:00")
    expected = calendar(OFFICE).elapsed(start, end)
    asked = calendar(OFFICE)
    asked.elapsed(instant("2040-01-01 00:00"), instant("2041-01-01 00:00"))
    asked.add(instant("1999-12-31 00:00"), hours(10_000))
    assert asked.elapsed(start, end) == expected
    assert asked.add(start, expected) == end


def test_threads_that_ask_at_once_get_the_same_answers():
    office = calendar(OFFICE, BERLIN)
    questions = [(instant(f"{year}-01-01 00:00"), instant(f"{year + 1}-06-01 00:00")) for year in range(2010, 2030, 3)]
    expected = [calendar(OFFICE, BERLIN).elapsed(*question) for question in questions]
    together = threading.Barrier(len(questions))
    answers = {}

    def ask(i):
        together.wait(timeout=60)
        answers[i] = [office.elapsed(*question) for question in questions[i:] + questions[:i]]

    threads = [threading.Thread(target=ask, args=(i,)) for i in range(len(questions))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert answers == {i: expected[i:] + expected[:i] for i in range(len(questions))}
