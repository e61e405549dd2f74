"""The sum behind a clock: it adds up exactly, whatever happened to the clock."""

import datetime as dt
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rules_service import clocks
from rules_service.clocks import Calendar, Target, days_of, end_of
from rules_service.store import codec
from rules_service.tickets import ServiceClock
from tests.clocks.test_calendar_properties import configs

LAWS = settings(max_examples=80)
STATES = ("on hold", "waiting for partner", "closed")


@st.composite
def stories(draw):
    """Two calendars, a day of interest, and what happens: (seconds since the last event, told how late, what)."""
    (first, _, _, around), (second, *_) = draw(configs()), draw(configs())
    calendars = {"first": Calendar.from_config(first), "second": Calendar.from_config(second)}
    calendars["always"] = Calendar.from_config({"timezone": "Asia/Jakarta"})
    start = dt.datetime.combine(around, dt.time(), tzinfo=dt.UTC) - dt.timedelta(days=2)
    start += dt.timedelta(microseconds=draw(st.integers(0, 10**12)))
    step = st.tuples(
        st.floats(0, 40_000),
        st.one_of(st.just(0), st.integers(0, 20_000)),
        st.sampled_from([*STATES, "resume", "resume", "first", "second", "always", "breach"]),
    )
    ending = draw(st.sampled_from(["stop", "void", "reopen", None]))
    return calendars, start, draw(st.lists(step, max_size=12)), ending, draw(st.integers(0, 50_000))


def told(calendars, start, steps, ending, late_s):
    """The clock after a story, and when that is."""
    hours = calendars.__getitem__
    clock = clocks.start("resolution", target=Target(seconds=10**6, calendar="first"), hours=hours("first"), at=start)
    now = start
    for after_s, step_late_s, what in steps:
        now += dt.timedelta(seconds=after_s)
        at = max(start, now - dt.timedelta(seconds=step_late_s))
        on = hours(clock.calendar)
        if what == "resume":
            clock = clocks.resume(clock, on, at)
        elif what in STATES:
            clock = clocks.pause(clock, on, at, what)
        elif what == "breach":
            clock = replace(clock, status="breached") if clock.status == "running" else clock
        else:
            clock = clocks.retarget(clock, Target(seconds=10**6, calendar=what), on, hours(what), now)
    at = max(start, now - dt.timedelta(seconds=late_s))
    if ending is not None:
        clock = clocks.rewind(clock, hours, at)
        finish = clocks.void if ending == "void" else clocks.stop
        clock = finish(clock, hours(clock.calendar), at)
    if ending == "reopen":
        now += dt.timedelta(seconds=late_s)
        target = Target(seconds=10**6, calendar="second")
        clock = clocks.reopen(clock, target, hours("second"), now, "closed", "")
        now += dt.timedelta(seconds=3_000)
    return clock, now


@pytest.mark.req("R5.31")
@LAWS
@given(stories())
def test_the_seconds_of_all_days_are_what_the_clock_has_used_and_no_time_is_left_out_or_told_twice(story):
    calendars = story[0]
    clock, now = told(*story)
    days = days_of(clock, lambda name, _: calendars[name], now)
    assert sum(day.seconds for day in days) == clocks.used_s(clock, calendars[clock.calendar], now)
    parts = [
        part
        for day in days
        for part in sorted((*day.counted, *day.not_counted), key=lambda part: (part.start_at, part.end_at))
    ]
    at = clock.started_at
    for part in parts:
        assert part.start_at == at
        assert part.end_at > at
        at = part.end_at
    assert at == end_of(clock, now)
    if clock.stopped_at is not None:
        assert at == clock.stopped_at


@LAWS
@given(stories())
def test_every_pause_names_its_state_and_every_part_lies_on_its_local_date(story):
    calendars = story[0]
    clock, now = told(*story)
    for day in days_of(clock, lambda name, _: calendars[name], now):
        assert day.timezone == calendars[day.calendar].timezone
        for part in (*day.counted, *day.not_counted):
            start = clocks.local(part.start_at, day.timezone)
            # A midnight that comes twice begins its date the first time.
            assert start.date() == day.on or start.fold
        for part in day.not_counted:
            assert (part.why == "paused") is (part.name in STATES)


@LAWS
@given(stories())
def test_a_clock_survives_the_database(story):
    clock, _ = told(*story)
    assert codec.load(ServiceClock, codec.dump(clock)) == clock


def test_a_clock_that_was_kept_before_pauses_were_has_them_without_a_state():
    at = [dt.datetime(2026, 3, 2, hour, tzinfo=dt.UTC) for hour in range(6)]
    old = ServiceClock(
        name="resolution", target_s=9_000, calendar="always", started_at=at[0], used_s=7_200, status="paused",
        intervals=((at[0], at[1]), (at[2], at[3])),
    )  # fmt: skip
    always = Calendar.from_config({"timezone": "Asia/Jakarta"})
    assert codec.load(ServiceClock, codec.dump(old)) == old
    assert "pauses" not in codec.dump(old)
    (day,) = days_of(old, lambda *_: always, at[4])
    assert day.seconds == 7_200
    assert [(part.start_at, part.end_at, part.why, part.name) for part in day.not_counted] == [
        (at[1], at[2], "paused", None),
        (at[3], at[4], "paused", None),
    ]
    halted = clocks.pause(old, always, at[4], "on hold")
    assert [part.name for part in days_of(halted, lambda *_: always, at[5])[0].not_counted] == [None, None, "on hold"]


def test_a_resume_told_with_an_earlier_time_counts_no_minute_twice():
    at = [dt.datetime(2026, 3, 2, 2, minute, tzinfo=dt.UTC) for minute in range(0, 60, 10)]
    always = Calendar.from_config({"timezone": "Asia/Jakarta"})
    clock = clocks.start("resolution", target=Target(seconds=9_000, calendar="always"), hours=always, at=at[0])
    paused = clocks.pause(clock, always, at[3], "on hold")
    assert clocks.used_s(clocks.resume(paused, always, at[1]), always, at[4]) == 2_400


def test_an_answer_told_late_takes_back_what_was_counted_after_it():
    at = [dt.datetime(2026, 3, 2, 2, minute, tzinfo=dt.UTC) for minute in range(0, 60, 10)]
    always = Calendar.from_config({"timezone": "Asia/Jakarta"})
    clock = clocks.start("resolution", target=Target(seconds=9_000, calendar="always"), hours=always, at=at[0])
    paused = clocks.pause(clock, always, at[3], "on hold")
    stopped = clocks.stop(clocks.rewind(paused, lambda _: always, at[1]), always, at[1])
    assert (stopped.status, stopped.used_s, stopped.stopped_at) == ("met", 600, at[1])


def test_other_hours_keep_what_was_counted_and_move_what_is_due():
    nine = dt.datetime(2026, 3, 2, 2, tzinfo=dt.UTC)
    hour = dt.timedelta(hours=1)
    long = Calendar.from_config({"timezone": "Asia/Jakarta", "hours": {"mon-sun": ["08:00-18:00"]}})
    short = Calendar.from_config({"timezone": "Asia/Jakarta", "hours": {"mon-sun": ["08:00-12:00"]}})
    clock = clocks.start("resolution", target=Target(seconds=6 * 3_600, calendar="office"), hours=long, at=nine)
    clock = clocks.resume(clocks.pause(clock, long, nine + 4 * hour, "on hold"), long, nine + 5 * hour)
    clock = clocks.redefine(clock, short, nine + 6 * hour, under="abc")
    assert clock.due_at == nine + 25 * hour  # Tuesday at ten: two hours from eight on
    of = {"abc": long, "": short}
    days = days_of(clock, lambda _, ruleset: of[ruleset], nine + 24 * hour)
    assert [(day.on.day, day.seconds) for day in days] == [(2, 4 * 3_600), (3, 3_600)]
    assert sum(day.seconds for day in days) == clocks.used_s(clock, short, nine + 24 * hour)


def test_hours_by_which_a_clock_was_due_already_have_it_breach_now_and_warn_of_nothing():
    nine = dt.datetime(2026, 3, 2, 2, tzinfo=dt.UTC)
    hour = dt.timedelta(hours=1)
    short = Calendar.from_config({"timezone": "Asia/Jakarta", "hours": {"mon-sun": ["08:00-10:00"]}})
    always = Calendar.from_config({"timezone": "Asia/Jakarta"})
    target = Target(seconds=4 * 3_600, calendar="office", warn_at_pct=(50, 80))
    clock = clocks.start("resolution", target=target, hours=short, at=nine)
    same = clocks.redefine(clock, short, nine + 5 * hour, under="abc")
    assert same == clock
    changed = clocks.redefine(clock, always, nine + 5 * hour, under="abc")
    assert (changed.due_at, clocks.next_change_at(changed, always)) == (nine + 5 * hour, nine + 5 * hour)
    later = clocks.redefine(clock, always, nine + 3 * hour, under="abc")
    assert (later.due_at, later.warned_pct) == (nine + 4 * hour, 0)
