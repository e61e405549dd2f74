"""Facts come in any order, wrong ones too; what is known of a ticket fits together all the same."""

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from rules_service.store import due_tickets

pytestmark = pytest.mark.parametrize("databases", ["sqlite"], indirect=True)

_USERS = [None, "ha1", "ha2", "hs1", "ta1", "customer", "system"]

_EVENTS = st.one_of(
    st.tuples(
        st.sampled_from(
            [
                "ticket.opened", "ticket.closed", "ticket.reopened", "ticket.released", "note.added", "message.sent",
                "message.received", "escalation.acknowledged", "escalation.closed", "ticket.created",
            ]
        ),
        st.just({"text": "x"}),
    ),
    st.tuples(
        st.sampled_from(["ticket.assigned", "ticket.reassigned", "ticket.updated"]),
        st.fixed_dictionaries({"assignee": st.sampled_from([None, "ha1", "ha2", "ta1", "unknown"])}),
    ),
    st.tuples(
        st.sampled_from(["ticket.transferred", "ticket.updated"]),
        st.fixed_dictionaries({"group": st.sampled_from(["hotel", "train", "booking"])}),
    ),
    st.tuples(
        st.just("ticket.updated"),
        st.fixed_dictionaries({"status": st.sampled_from(["unassigned", "assigned", "open", "pending", "closed"])}),
    ),
    st.tuples(st.just("ticket.escalated"), st.just({"summary": "x"})),
    st.tuples(st.just("action.failed"), st.just({"action": "reassign"})),
    st.tuples(st.just("wait"), st.fixed_dictionaries({"seconds": st.sampled_from([1, 299, 301, 1_800, 90_000])})),
    st.tuples(st.just("ticket.deleted"), st.just({})),
)  # fmt: skip


def _fits(scene):
    snapshot = scene.snapshot()
    ticket, stint = snapshot.ticket, snapshot.stint
    state = scene.ruleset.lifecycle.states[ticket.status]
    assert (ticket.closed_at is not None) is (state.clock == "stopped"), "closed is what stands in a last state"
    assert state.slot_held is (stint is not None) or not ticket.live, "a slot is held by whoever has a stint"
    if stint is not None:
        assert ticket.assignee == stint.agent_id
    waits = ticket.status == "unassigned" and ticket.live
    assert (ticket.queued_at is not None) is waits, "what is unassigned waits in a queue, and nothing else does"
    assert waits is False or ticket.assignee is None
    ((open_stints,),) = scene.rows("SELECT COUNT(*) FROM stint WHERE ended_at IS NULL")
    assert open_stints == (stint is not None)
    if ticket.closed_at is not None or not ticket.live:
        assert snapshot.escalation is None
        assert not [clock for clock in snapshot.clocks if clock.status in ("running", "paused", "breached")]
    scene.loads_hold()


@settings(max_examples=25)
@example(
    [("ticket.closed", {}, "ha1", 1), ("ticket.assigned", {"assignee": "ha2"}, None, 1), ("ticket.closed", {}, None, 1)]
)
@example([("ticket.closed", {}, "ha1", 1), ("ticket.opened", {}, "ha1", 1)])
@example([("ticket.closed", {}, "ha1", 1), ("ticket.transferred", {"group": "train"}, None, 1)])
@example([("ticket.released", {}, None, 1), ("ticket.opened", {}, None, 1), ("message.sent", {"text": "x"}, "ha1", 1)])
@example([("ticket.closed", {}, "ha1", 1), ("ticket.escalated", {"summary": "x"}, None, 1)])
@example(
    [("ticket.deleted", {}, None, 1), ("ticket.released", {}, None, 1), ("ticket.escalated", {"summary": "x"}, None, 1)]
)
@given(
    events=st.lists(
        st.tuples(_EVENTS, st.sampled_from(_USERS), st.integers(0, 400)).map(lambda e: (*e[0], *e[1:])), max_size=10
    )
)
def test_what_is_known_of_a_ticket_fits_together_whatever_is_reported(scene, events):
    scene.store.transact(
        lambda: [scene.store.sql(f"DELETE FROM {name}") for name in ("ticket", "stint", "clock", "event")]
    )
    scene.store.transact(lambda: scene.store.sql("UPDATE member SET open_count = 0"))
    scene.online("ha1", "ta1")
    scene.create(body="Halo")
    _fits(scene)
    for kind, data, by, seconds in events:
        scene.clock.advance(seconds)
        if kind == "wait":
            scene.clock.advance(data["seconds"])
            scene.run_due()
            scene.run_timers()
            with scene.store.connection():
                assert due_tickets(scene.store, scene.clock(), 1) == []
        else:
            scene.send(kind, by=by, **data)
        _fits(scene)
