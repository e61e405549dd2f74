"""Folders, counts, and where a ticket stands in its queue."""

import functools
import itertools
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rules_service.store import folders, people
from rules_service.tickets import PRIORITIES
from tests.scene import Scene, variant


def _ids(client, query=""):
    response = client.get(f"/v1/tickets?{query}")
    assert response.status_code == 200, response.text
    return [ticket["id"] for ticket in response.json["items"]]


def _counts(client, query):
    found = client.get(f"/v1/tickets/counts?{query}").json
    assert found["total"] == sum(row["count"] for row in found["items"])
    return {row["value"]: row["count"] for row in found["items"]}


@pytest.fixture
def full(scene):
    """Six tickets of two channels and two groups: one held, one closed, one breached and escalated, one deleted."""
    for name, channel, group, more in (
        ("w1", "whatsapp", "hotel", {"priority": "urgent", "customer": {"id": "c1", "tier": "vip"}}),
        ("w2", "whatsapp", "hotel", {}),
        ("x1", "twitter", "hotel", {}),
        ("x2", "twitter", "train", {"customer": {"id": "c2", "tier": "gold"}}),
        ("gone", "twitter", "train", {}),
    ):
        scene.create(name, channel=channel, group=group, **more)
        scene.clock.advance(1)
    scene.send("ticket.deleted", "gone")
    scene.online("ta1")
    scene.run_timers()
    scene.send("ticket.closed", "x2", by="ta1")
    scene.create("x3", channel="twitter", group="train")
    scene.clock.advance(400)
    scene.run_due()
    return scene


@pytest.mark.req("R3.12")
def test_a_folder_holds_the_tickets_of_its_channel(client, full):
    assert _ids(client, "channel=twitter") == ["x3", "x2", "x1"]
    assert _ids(client, "channel=whatsapp") == ["w2", "w1"]
    assert _ids(client, "channel=email") == []


@pytest.mark.req("R3.12", "R3.22", "R3.26")
@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", ["x3", "x2", "x1", "w2", "w1"]),
        ("open=true", ["x3", "x1", "w2", "w1"]),
        ("open=false", ["x2"]),
        ("group=train", ["x3", "x2"]),
        ("desk=train-chat&open=true", ["x3"]),
        ("assignee=ta1", ["x3", "x2"]),
        ("assignee=ta1&open=true", ["x3"]),
        ("assignee=none&open=true", ["x1", "w2", "w1"]),
        ("status=unassigned", ["x1", "w2", "w1"]),
        ("status=closed", ["x2"]),
        ("priority=urgent", ["w1"]),
        ("tier=vip", ["w1"]),
        ("tier=gold&open=false", ["x2"]),
        ("breached=true", ["x3"]),
        ("breached=false&channel=twitter", ["x2", "x1"]),
        ("escalated=true", ["x3"]),
        ("escalated=false&open=true", ["x1", "w2", "w1"]),
        ("channel=whatsapp&status=unassigned&priority=medium", ["w2"]),
    ],
)
def test_filters_narrow_a_folder(client, full, query, expected):
    assert _ids(client, query) == expected
    counted = _counts(client, f"by=status&{query}")
    assert sum(counted.values()) == len(expected)


@pytest.mark.req("R3.12", "R3.45")
def test_folders_are_counted(client, full):
    assert _counts(client, "by=channel") == {"twitter": 3, "whatsapp": 2}
    assert _counts(client, "by=channel&open=true") == {"twitter": 2, "whatsapp": 2}
    assert _counts(client, "by=group&open=true") == {"hotel": 3, "train": 1}
    assert _counts(client, "by=desk&channel=twitter") == {"hotel-chat": 1, "train-chat": 2}
    assert _counts(client, "by=assignee&open=true") == {"ta1": 1, None: 3}
    assert _counts(client, "by=status") == {"unassigned": 3, "assigned": 1, "closed": 1}


def test_a_folder_is_read_page_by_page_even_while_it_grows(client, scene):
    for number in range(7):
        scene.create(f"t{number}")
        scene.clock.advance(0 if number % 2 else 1)
    seen, after = [], None
    for _ in range(10):
        page = client.get("/v1/tickets", query_string={"limit": 2} | ({"after": after} if after else {})).json
        seen += [ticket["id"] for ticket in page["items"]]
        after = page["next_after"]
        scene.create(f"new{len(seen)}")
        if after is None:
            break
    assert sorted(seen) == [f"t{number}" for number in range(7)]
    assert seen[-1] == "t0"


def test_a_ticket_of_a_folder_shows_what_a_list_needs(client, full):
    found = client.get("/v1/tickets?tier=vip").json["items"][0]
    assert found == {
        "id": "w1", "subject": "Room", "status": "unassigned", "priority": "urgent", "tier": "vip",
        "channel": "whatsapp", "group": "hotel", "desk": "hotel-chat", "assignee": None, "customer_id": "c1",
        "tags": [], "created_at": "2026-03-02T02:00:00Z", "queued_at": "2026-03-02T02:00:00Z",
        "waiting_since_at": found["waiting_since_at"], "closed_at": None, "next_due_at": found["next_due_at"],
        "breached": False, "escalated": False,
    }  # fmt: skip


# --- queues -----------------------------------------------------------------------------------------------------------


@pytest.mark.req("R3.20", "R3.21", "R3.24", "R3.25", "R4.21")
def test_a_queue_is_shown_in_the_order_of_its_desk(client, scene):
    for name, data in (
        ("plain", {}),
        ("urgent", {"priority": "urgent"}),
        ("gold", {"customer": {"id": "c", "tier": "gold"}}),
        ("vip", {"customer": {"id": "d", "tier": "vip"}}),
    ):
        scene.create(name, **data)
        scene.clock.advance(1)
    found = client.get("/v1/desks/hotel-chat/queue").json
    assert (found["total"], found["order"]) == (4, ["tier desc", "priority desc", "created asc"])
    assert [(row["position"], row["ticket_id"]) for row in found["items"]] == [
        (1, "vip"), (2, "gold"), (3, "urgent"), (4, "plain"),
    ]  # fmt: skip
    assert found["items"][3]["queued_at"] == "2026-03-02T02:00:00Z"
    page = client.get("/v1/desks/hotel-chat/queue?limit=3").json
    assert page["next_after"] == 3
    page = client.get("/v1/desks/hotel-chat/queue?limit=3&after=3").json
    assert ([row["position"] for row in page["items"]], page["total"], page["next_after"]) == ([4], 4, None)


@pytest.mark.req("R4.21", "R4.22")
def test_the_estimated_wait_is_what_the_desk_served_within_the_last_hour(client, scene):
    for number in range(5):
        scene.create(f"t{number}")
        scene.clock.advance(1)
    assert client.get("/v1/tickets/t4").json["queue"] == {"position": 5, "length": 5, "estimated_wait_s": None}
    for number, user in enumerate(("ha1", "ha2")):
        scene.send("ticket.assigned", f"t{number}", assignee=user)
    assert client.get("/v1/tickets/t0").json["queue"] is None
    assert client.get("/v1/tickets/t4").json["queue"] == {"position": 3, "length": 3, "estimated_wait_s": 5_400}
    found = client.get("/v1/desks/hotel-chat/queue").json
    assert (found["served_within_1h"], [row["estimated_wait_s"] for row in found["items"]]) == (
        2,
        [1_800, 3_600, 5_400],
    )
    scene.clock.advance(3_600)
    assert client.get("/v1/tickets/t4").json["queue"]["estimated_wait_s"] is None


def test_what_never_waited_says_nothing_about_the_wait(client, scene):
    scene.online("ha1")
    for number in range(6):
        scene.create(f"t{number}")
    scene.send("ticket.reassigned", "t0", by="hs1", assignee="ha2")
    assert client.get("/v1/desks/hotel-chat/queue").json["served_within_1h"] == 0
    scene.send("ticket.closed", "t1", by="ha1")
    scene.run_timers()
    assert client.get("/v1/desks/hotel-chat/queue").json["served_within_1h"] == 1


# --- the order, from scratch ------------------------------------------------------------------------------------------

KEYS = ("tier", "priority", "created", "waiting")
ORDERS = st.lists(
    st.tuples(st.sampled_from(KEYS), st.sampled_from(["asc", "desc"])),
    min_size=1, max_size=3, unique_by=lambda key: key[0],
)  # fmt: skip
TICKETS = ("t1", "t2", "t3", "t4", "t5")
STEPS = st.lists(
    st.tuples(
        st.sampled_from(TICKETS),
        st.one_of(
            st.tuples(
                st.just("ticket.updated"), st.fixed_dictionaries({"priority": st.sampled_from(PRIORITIES)})
            ),
            st.tuples(
                st.just("ticket.updated"),
                st.fixed_dictionaries(
                    {"customer": st.fixed_dictionaries({"tier": st.sampled_from([None, "standard", "gold", "vip"])})}
                ),
            ),
            st.tuples(st.sampled_from(["message.received", "message.sent"]), st.just({"text": "x"})),
            st.tuples(
                st.sampled_from(["ticket.closed", "ticket.reopened", "ticket.released", "ticket.deleted"]),
                st.just({}),
            ),
            st.tuples(
                st.just("ticket.assigned"), st.fixed_dictionaries({"assignee": st.sampled_from([None, "ba1"])})
            ),
            st.tuples(
                st.just("ticket.transferred"),
                st.fixed_dictionaries({"group": st.sampled_from(["booking", "hotel"])}),
            ),
        ),
        st.sampled_from([0, 1, 60]),
    ),
    max_size=14,
)  # fmt: skip


def _before(tiers, order, one, other):
    """Negative where `one` goes first: key by key, then who queued first, then the id."""
    for key, direction in order:
        if key == "waiting":
            values = [ticket.waiting_since_at for ticket in (one, other)]
            if (values[0] is None) != (values[1] is None):
                return 1 if values[0] is None else -1
            if values[0] is None:
                continue
        elif key == "tier":
            values = [tiers.index(t.customer_tier) if t.customer_tier in tiers else -1 for t in (one, other)]
        elif key == "priority":
            values = [PRIORITIES.index(ticket.priority) for ticket in (one, other)]
        else:
            values = [ticket.created_at for ticket in (one, other)]
        if values[0] != values[1]:
            return -1 if (values[0] < values[1]) == (direction == "asc") else 1
    return -1 if (one.queued_at, one.id) < (other.queued_at, other.id) else 1


@settings(max_examples=25)
@given(order=ORDERS, steps=STEPS)
@pytest.mark.req("R3.20", "R3.21", "R3.25")
def test_the_order_of_a_queue_is_the_declared_one_after_any_history(scene, order, steps):
    """At the booking desk, which distributes nothing, so that its queue is what history made of it."""
    scene.store.transact(
        lambda: [scene.store.sql(f"DELETE FROM {name}") for name in ("ticket", "stint", "clock", "event", "action")]
    )
    scene.store.transact(lambda: scene.store.sql("UPDATE member SET open_count = 0"))
    keys = tuple((key, direction == "asc") for key, direction in order)
    roster = scene.ruleset.roster
    desk = replace(roster.desks["booking-management"], queue=keys)
    scene.worker.live._ruleset = replace(scene.ruleset, roster=replace(roster, desks={**roster.desks, desk.name: desk}))
    for number, ticket in enumerate(TICKETS):
        scene.create(ticket, group="booking", priority=PRIORITIES[number % 4])
        scene.clock.advance(number % 2)
    for ticket, (kind, data), seconds in steps:
        scene.clock.advance(seconds)
        by = {"message.received": "customer", "message.sent": "ba1"}.get(kind)
        scene.send(kind, ticket, by=by, **data)
    waiting = [
        ticket for name in TICKETS
        if (ticket := scene.ticket(name)).queued_at is not None and ticket.desk == "booking-management"
    ]  # fmt: skip
    waiting.sort(key=functools.cmp_to_key(functools.partial(_before, scene.ruleset.tiers, order)))
    with scene.store.connection():
        shown = folders.queue(scene.store, "booking-management", after=0, limit=100)
        assert [ticket.id for ticket, _ in shown] == [ticket.id for ticket in waiting]
        assert people.next_queued(scene.store, "booking-management") == next((t.id for t in waiting), None)
        places = [folders.position(scene.store, "booking-management", ticket.id) for ticket in waiting]
    assert places == list(itertools.islice(itertools.count(1), len(waiting)))


@pytest.mark.parametrize(("direction", "expected"), [("asc", ["t2", "t0", "t1"]), ("desc", ["t0", "t2", "t1"])])
def test_by_waiting_the_tickets_where_nobody_waits_for_an_answer_come_last(store, clock, direction, expected):
    pattern = r"(proactive_assignment: false[^\n]*\n(?:    .*\n)*?    queue: )\[.*\]"
    scene = Scene(store, clock, variant((pattern, rf"\1[{{waiting: {direction}}}]")))
    for number in range(3):
        scene.create(f"t{number}", group="booking")
        scene.clock.advance(60)
    for name in ("t2", "t0"):
        scene.send("message.received", name, by="customer", text="halo")
        scene.clock.advance(60)
    with scene.store.connection():
        shown = folders.queue(scene.store, "booking-management", after=0, limit=9)
    assert [ticket.id for ticket, _ in shown] == expected
    scene.worker.relay.stop()
