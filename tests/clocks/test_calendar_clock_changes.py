"""Service time on the days on which the clocks of a zone jump; wall times of the zone unless they say an offset."""

import datetime as dt
from zoneinfo import ZoneInfo

import pytest

from rules_service.clocks import Calendar

JAKARTA, BERLIN, NEW_YORK = "Asia/Jakarta", "Europe/Berlin", "America/New_York"
LORD_HOWE, SAO_PAULO, APIA = "Australia/Lord_Howe", "America/Sao_Paulo", "Pacific/Apia"


def calendar(hours, timezone, **more):
    return Calendar.from_config({"timezone": timezone, "hours": hours, **more})


def instant(text, timezone=None):
    at = dt.datetime.fromisoformat(text)
    # In UTC: a difference of two times in one zone would be that of their wall clocks.
    return (at if at.tzinfo else at.replace(tzinfo=ZoneInfo(timezone))).astimezone(dt.UTC)


# The clocks of Berlin jump from 02:00 to 03:00 on 2026-03-29, and go back from 03:00 to 02:00 on 2026-10-25.
@pytest.mark.parametrize(
    ("timezone", "open_hours", "day", "opens", "closes"),
    [
        (BERLIN, "02:00-03:00", "2026-03-29", None, None),
        (BERLIN, "02:15-02:45", "2026-03-29", None, None),
        (BERLIN, "02:30-05:00", "2026-03-29", "03:00+02:00", "05:00+02:00"),
        (BERLIN, "01:00-02:30", "2026-03-29", "01:00+01:00", "03:00+02:00"),
        (BERLIN, "02:30-05:00", "2026-10-25", "02:30+02:00", "05:00+01:00"),
        (BERLIN, "01:00-02:30", "2026-10-25", "01:00+02:00", "02:30+02:00"),
        (BERLIN, "02:00-03:00", "2026-10-25", "02:00+02:00", "03:00+01:00"),
        (NEW_YORK, "02:30-05:00", "2026-03-08", "03:00-04:00", "05:00-04:00"),
        (NEW_YORK, "01:30-05:00", "2026-11-01", "01:30-04:00", "05:00-05:00"),
        (LORD_HOWE, "02:10-05:00", "2026-10-04", "02:30+11:00", "05:00+11:00"),
        (LORD_HOWE, "01:40-05:00", "2026-04-05", "01:40+11:00", "05:00+10:30"),
        (SAO_PAULO, "00:30-05:00", "2018-11-04", "01:00-02:00", "05:00-02:00"),
        (SAO_PAULO, "23:30-24:00", "2018-02-17", "23:30-02:00", "2018-02-18T00:00-03:00"),
        (APIA, "08:00-17:00", "2011-12-30", None, None),
        ("Asia/Kathmandu", "00:05-01:00", "1986-01-01", "00:15+05:45", "01:00+05:45"),
    ],
)
def test_a_skipped_time_is_the_jump_and_a_repeated_time_the_first(timezone, open_hours, day, opens, closes):
    start = instant(f"{day} 00:00", timezone) - dt.timedelta(hours=12)
    end = start + dt.timedelta(hours=48)
    one_day = calendar({}, timezone, exceptions={day: open_hours})
    counted = [part for entry in one_day.breakdown(start, end) for part in entry.counted]
    if opens is None:
        assert counted == []
    else:
        closing = closes if "T" in closes else f"{day}T{closes}"
        assert counted[0].start_at == instant(f"{day}T{opens}")
        assert counted[-1].end_at == instant(closing)


@pytest.mark.parametrize("timezone", [JAKARTA, BERLIN, NEW_YORK, LORD_HOWE, SAO_PAULO, APIA, "America/St_Johns"])
def test_over_ten_years_of_clock_changes_whole_days_add_up_to_the_plain_difference(timezone):
    whole = calendar({"mon-sun": "00:00-24:00"}, timezone, exceptions={"1990-01-01": "closed"})
    early = calendar({"mon-sun": "00:00-02:30"}, timezone)
    late = calendar({"mon-sun": "02:30-24:00"}, timezone)
    start, end = instant("2009-01-01 00:00", timezone), instant("2019-06-01 00:00", timezone)
    assert not whole.is_always_open
    assert whole.elapsed(start, end) == (end - start).total_seconds()
    assert whole.elapsed(start, end) == early.elapsed(start, end) + late.elapsed(start, end)


def test_the_days_on_which_clocks_change_have_23_and_25_hours():
    whole = calendar({"mon-sun": "00:00-24:00"}, BERLIN)
    year = whole.breakdown(instant("2026-01-01 00:00", BERLIN), instant("2027-01-01 00:00", BERLIN))
    odd = [(day.on.isoformat(), day.seconds / 3600) for day in year if day.seconds != 86_400]
    assert odd == [("2026-03-29", 23), ("2026-10-25", 25)]
    assert len(year) == 365
