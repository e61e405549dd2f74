"""The sum behind every clock adds up, whatever is reported, how late, and under whatever hours."""

import datetime as dt

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from rules_service.service import history
from tests.history import FILES, OTHER_HOURS, SEVEN, adds_up

pytestmark = pytest.mark.parametrize("databases", ["sqlite"], indirect=True)

_EVENTS = st.one_of(
    st.tuples(
        st.sampled_from(["ticket.closed", "ticket.reopened", "ticket.released", "message.sent", "message.received"]),
        st.just({"text": "x"}),
    ),
    st.tuples(st.just("ticket.assigned"), st.fixed_dictionaries({"assignee": st.sampled_from(["ha1", "ba1"])})),
    st.tuples(st.just("ticket.transferred"), st.fixed_dictionaries({"group": st.sampled_from(["hotel", "booking"])})),
    st.tuples(st.just("wait"), st.just({})),
    st.tuples(st.just("publish"), st.just({})),
)
_STEPS = st.tuples(
    _EVENTS,
    st.sampled_from([None, "ha1", "ba1", "customer"]),
    st.floats(0, 90_000, allow_nan=False),
    st.one_of(st.just(0), st.integers(0, 20_000)),
)


@settings(max_examples=20)
@example(
    steps=[
        (("ticket.transferred", {"group": "booking"}), None, 100, 0),
        (("ticket.assigned", {"assignee": "ba1"}), None, 1_000, 0),
        (("message.sent", {"text": "x"}), "ba1", 5_000, 0),
        (("publish", {}), None, 100_000, 0),
        (("ticket.transferred", {"group": "hotel"}), None, 100_000, 5_000),
        (("ticket.transferred", {"group": "booking"}), None, 10_000, 0),
        (("publish", {}), None, 10_000, 0),
        (("ticket.closed", {}), None, 10_000, 25_000),
        (("ticket.reopened", {}), "customer", 100_000, 0),
    ]
)
@example(
    steps=[
        (("ticket.transferred", {"group": "booking"}), None, 100, 0),
        (("ticket.closed", {}), None, 5_000, 0),
        (("publish", {}), None, 100_000, 0),
        (("ticket.reopened", {}), "customer", 100_000, 0),
    ]
)
@given(steps=st.lists(_STEPS, max_size=10))
def test_the_sum_behind_every_clock_adds_up_after_whatever_is_reported(scene, steps):
    scene.store.transact(
        lambda: [
            scene.store.sql(f"DELETE FROM {name}")
            for name in ("ticket", "stint", "clock", "event", "action", "delivery", "timer")
        ]
    )
    scene.store.transact(lambda: scene.store.sql("UPDATE member SET open_count = 0"))
    scene.clock.now = SEVEN
    scene.publish(FILES)
    scene.online("ha1", "ba1")
    scene.create(body="Halo")
    files = [FILES, OTHER_HOURS]
    for (kind, data), by, after_s, late_s in steps:
        scene.clock.advance(after_s)
        if kind == "wait":
            scene.run_due()
            scene.run_timers()
        elif kind == "publish":
            files.reverse()
            scene.publish(files[0])
        else:
            scene.send(kind, by=by, at=scene.clock() - dt.timedelta(seconds=late_s), **data)
        with scene.store.connection():
            adds_up(history.clocks_of(scene.store, scene.ruleset, "t1", scene.clock()))
