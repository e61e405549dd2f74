"""Laws of service time, on random calendars in zones whose clocks change in different ways."""

import datetime as dt
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st

from rules_service.clocks import Calendar

#: Zones with days around which the interesting things happen.
ZONES = {
    "Asia/Jakarta": ["2026-06-01"],
    "Europe/Berlin": ["2026-03-29", "2026-10-25", "2027-01-01"],
    "America/New_York": ["2026-03-08", "2026-11-01"],
    "Australia/Lord_Howe": ["2026-04-05", "2026-10-04"],
    "America/Sao_Paulo": ["2018-02-18", "2018-11-04"],
    "Asia/Kathmandu": ["1986-01-01"],
    "America/St_Johns": ["2010-03-14", "2010-11-07"],
}
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
QUARTERS = 96  # of an hour, in a day
LAWS = settings(max_examples=60)


def clock(quarter):
    return f"{quarter // 4:02}:{quarter % 4 * 15:02}"


def period(start, end):
    """Text of a period in quarters of an hour after midnight; past 96 it is the next day."""
    return f"{clock(start)}-{clock(end if end <= QUARTERS else end - QUARTERS)}"


@st.composite
def configs(draw):
    """A calendar's configuration, with the weekly hours and exceptions also as quarters of an hour."""
    cuts = sorted(draw(st.sets(st.integers(0, 7 * QUARTERS - 1), min_size=2, max_size=28)))
    week = {}
    for start, end in zip(cuts[::2], cuts[1::2], strict=False):
        day, first = divmod(start, QUARTERS)
        week.setdefault(day, []).append((first, first + min(end - start, QUARTERS - 1)))
    zone = draw(st.sampled_from(sorted(ZONES)))
    around = dt.date.fromisoformat(draw(st.sampled_from(ZONES[zone])))
    exceptions = {}
    for shift in draw(st.sets(st.integers(-2, 2), max_size=2)):
        first = draw(st.integers(0, QUARTERS - 1))
        length = draw(st.integers(1, QUARTERS - 1))
        exceptions[around + dt.timedelta(days=shift)] = draw(st.sampled_from([[], [(first, first + length)]]))
    config = {
        "timezone": zone,
        "hours": {DAYS[day]: [period(*p) for p in periods] for day, periods in week.items()},
        "exceptions": {on: [period(*p) for p in periods] for on, periods in exceptions.items()},
    }
    return config, week, exceptions, around


@st.composite
def situations(draw):
    """A calendar, and an instant to the microsecond near a day of interest."""
    config, _, _, around = draw(configs())
    midnight = dt.datetime.combine(around, dt.time(), tzinfo=dt.UTC)
    at = midnight + dt.timedelta(microseconds=draw(st.integers(-3 * 86_400 * 10**6, 3 * 86_400 * 10**6)))
    return Calendar.from_config(config), at


@LAWS
@given(situations(), st.integers(0, 30 * 86_400))
def test_adding_and_measuring_are_inverse_to_the_microsecond(situation, seconds):
    calendar, at = situation
    due = calendar.add(at, seconds)
    assert calendar.elapsed(at, due) == seconds
    if seconds:
        assert calendar.elapsed(at, due - dt.timedelta(microseconds=1)) == seconds - 1


@LAWS
@given(situations(), st.integers(0, 20 * 86_400), st.integers(0, 20 * 86_400))
def test_measures_of_adjoining_stretches_add_up(situation, first, second):
    calendar, at = situation
    start = at.replace(microsecond=0)
    middle = start + dt.timedelta(seconds=first)
    end = middle + dt.timedelta(seconds=second)
    whole = calendar.elapsed(start, end)
    assert calendar.elapsed(start, middle) + calendar.elapsed(middle, end) == whole
    assert sum(day.seconds for day in calendar.breakdown(start, end)) == whole
    assert calendar.add(calendar.add(at, first), second) == calendar.add(at, first + second)


@LAWS
@given(situations())
def test_openings_and_closings_alternate_and_enclose_the_time_that_counts(situation):
    calendar, at = situation
    opens = calendar.next_open(at)
    closes = calendar.next_close(at)
    assert calendar.is_open(opens)
    assert calendar.is_open(at) is (opens == at)
    assert closes is not None
    assert not calendar.is_open(closes)
    assert calendar.elapsed(at, opens) == 0
    assert calendar.elapsed(opens, closes) == (closes - opens) // dt.timedelta(seconds=1)
    assert calendar.add(at, 1) >= opens


@LAWS
@given(situations(), st.integers(0, 10**7))
def test_a_breakdown_leaves_no_gap(situation, length):
    calendar, at = situation
    end = at + dt.timedelta(seconds=length % (20 * 86_400))
    days = calendar.breakdown(at, end)
    parts = sorted((p.start_at, p.end_at) for day in days for p in (*day.counted, *day.left_out))
    assert [start for start, _ in parts] == [at, *(until for _, until in parts)][: len(parts)]
    assert not parts or parts[-1][1] == end
    assert sum(day.seconds for day in days) == calendar.elapsed(at, end)


@LAWS
@given(
    st.sampled_from(sorted(ZONES)),
    st.integers(0, 2 * 10**15),
    st.integers(0, 10**9),
)
def test_24_7_is_the_plain_difference(zone, micros, seconds):
    at = dt.datetime(1980, 1, 1, tzinfo=dt.UTC) + dt.timedelta(microseconds=micros)
    expected = at + dt.timedelta(seconds=seconds)
    always = Calendar.from_config({"timezone": zone})
    assert always.add(at, seconds) == expected
    assert always.elapsed(at, expected) == seconds


@settings(max_examples=30)
@given(configs(), st.integers(0, 24 * 60))
def test_a_naive_count_minute_by_minute_agrees(drawn, offset):
    config, week, exceptions, around = drawn
    calendar = Calendar.from_config(config)
    zone = ZoneInfo(config["timezone"])
    start = dt.datetime.combine(around, dt.time(), tzinfo=dt.UTC) - dt.timedelta(minutes=offset + 720)
    minutes = [start + dt.timedelta(minutes=i) for i in range(48 * 60)]
    states = naive_states(minutes, zone, week, exceptions)
    assert [calendar.is_open(at) for at in minutes] == states
    assert calendar.elapsed(start, minutes[-1]) == sum(states[:-1]) * 60
    if any(states):
        last = len(states) - states[::-1].index(True)
        assert calendar.add(start, sum(states) * 60) == start + dt.timedelta(minutes=last)


def naive_states(minutes, zone, week, exceptions):
    """Whether each minute is open, read off the wall clock; in the second pass of a repeated hour nothing changes."""

    def on_paper(wall):
        for back in (0, 1):
            on = wall.date() - dt.timedelta(days=back)
            quarter = (wall.hour * 60 + wall.minute) / 15 + back * QUARTERS
            if any(start <= quarter < end for start, end in exceptions.get(on, week.get(on.weekday(), []))):
                return True
        return False

    states = []
    state = False
    before = [minutes[0] - dt.timedelta(minutes=i) for i in range(180, 0, -1)]
    for at in before + minutes:
        wall = at.astimezone(zone)
        if not wall.fold:
            state = on_paper(wall)
        states.append(state)
    return states[len(before) :]
