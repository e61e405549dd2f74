"""Clocks that are over come back from the database as they were."""

import datetime as dt

from rules_service.store import read_ended
from rules_service.store.clocks import write_ended
from rules_service.tickets import ServiceClock
from tests.scene import NINE

LATER = NINE + dt.timedelta(hours=1, microseconds=1)
CLOCK = ServiceClock(
    name="resolution", status="missed", target_s=600, calendar="b", started_at=NINE, used_s=3_600,
    intervals=((NINE, LATER),), pauses=((LATER, "pending"),), calendars=((LATER, "a", "0123456789ab"),), due_at=LATER,
    warn_at_pct=(50, 80), warned_pct=80, breached_at=LATER, stopped_at=LATER,
)  # fmt: skip
PLAIN = ServiceClock(name="next_response", status="void", target_s=1, calendar="a", started_at=NINE, stopped_at=NINE)


def test_a_clock_that_is_over_is_read_as_it_was_written_with_the_ruleset_of_its_hours(store):
    store.transact(lambda: write_ended(store, "t1", [CLOCK, PLAIN], "0123456789abcdef"))
    with store.connection():
        assert read_ended(store, "t1") == [(CLOCK, "0123456789ab"), (PLAIN, "0123456789ab")]
        assert read_ended(store, "t2") == []


def test_a_clock_of_before_histories_were_kept_is_read_without_one(store):
    store.transact(lambda: write_ended(store, "t1", [PLAIN], "0123456789abcdef"))
    store.transact(lambda: store.sql("UPDATE clock SET history = NULL"))
    with store.connection():
        assert read_ended(store, "t1") == [(PLAIN, "")]
