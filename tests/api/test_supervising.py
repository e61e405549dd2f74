"""What a supervisor watches while the day goes on, and does about it, by API alone."""

import pytest

from tests.scene import Scene, variant

VALUE = """
version: 1
rules:
  - id: worth-a-refund
    when: {customer.lifetime_value: {at_least: 10000000}}
    then: [{add_tags: [generous]}]
"""


def _items(client, path):
    found = client.get(path)
    assert found.status_code == 200, found.text
    return found.json["items"]


def _counts(client, query):
    return {row["value"]: row["count"] for row in _items(client, f"/v1/tickets/counts?{query}")}


@pytest.mark.req("R4.17", "R4.23", "R1.12", "R3.27")
def test_a_supervisor_sees_who_holds_what_what_waits_and_what_is_late_and_moves_it(client, scene):
    scene.online("ha1", "ha2")
    for number in range(12):
        scene.create(f"t{number:02}", channel=("whatsapp", "twitter")[number % 2])
        scene.clock.advance(1)
    scene.send("ticket.opened", "t00", by="ha1")
    scene.send("message.sent", "t00", by="ha1", text="Halo")
    scene.clock.advance(300)
    scene.run_due()
    # The load of each, against what they may hold.
    team = {user["id"]: user for user in _items(client, "/v1/users?group=hotel&presence=online")}
    assert {name: (user["open_count"], user["slot_limit"]) for name, user in team.items()} == {
        "ha1": (5, 5), "ha2": (5, 5),
    }  # fmt: skip
    # What stands where, and what waits for whom.
    assert _counts(client, "by=status&group=hotel&open=true") == {"assigned": 9, "pending": 1, "unassigned": 2}
    assert _counts(client, "by=assignee&group=hotel&open=true") == {"ha1": 5, "ha2": 5, None: 2}
    assert [row["ticket_id"] for row in _items(client, "/v1/desks/hotel-chat/queue")] == ["t10", "t11"]
    # What is late, and that it was called out.
    late = [row["id"] for row in _items(client, "/v1/tickets?group=hotel&breached=true&escalated=true&open=true")]
    assert sorted(late) == [f"t{number:02}" for number in range(1, 10)]
    # And does something about it.
    body = {
        "trigger": "reassign",
        "actor": {"id": "hs1", "role": "supervisor"},
        "data": {"assignee": "ha2", "override": True},
    }
    moved = client.post("/v1/tickets/t02/transitions", json=body)
    assert (moved.status_code, moved.json["ticket"]["assignee"]) == (200, "ha2")
    scene.run_timers()
    assert _counts(client, "by=assignee&group=hotel&open=true") == {"ha1": 5, "ha2": 6, None: 1}


@pytest.mark.req("R1.30", "R2.28", "R3.7")
def test_tickets_and_escalations_of_all_channels_stand_in_one_list(client, scene):
    scene.online("ha1")
    for channel in ("whatsapp", "twitter", "facebook"):
        scene.create(channel, channel=channel)
        scene.ask("ticket.escalated", channel, by="hs1", summary="Help")
        scene.clock.advance(1)
    assert [row["channel"] for row in _items(client, "/v1/tickets?escalated=true")] == [
        "facebook", "twitter", "whatsapp",
    ]  # fmt: skip


@pytest.mark.req("R3.1", "R3.4", "R3.5", "R3.6", "R3.8")
def test_a_ticket_begins_with_the_first_message_and_tells_all_that_was_said_and_done(client, scene):
    scene.online("ha1")
    scene.create(body="The room is cold")
    scene.clock.advance(60)
    scene.send("ticket.opened", by="ha1")
    scene.send("message.sent", by="ha1", text="We are on our way")
    scene.clock.advance(60)
    scene.send("message.received", by="customer", text="Thank you")
    scene.send("ticket.closed", by="ha1")
    told = [
        entry["type"] for entry in _items(client, "/v1/tickets/t1/timeline") if not entry["type"].startswith("clock")
    ]
    assert told[0] == "ticket.created"
    said = [kind for kind in told if kind in ("ticket.opened", "message.sent", "message.received", "ticket.closed")]
    assert said[-4:] == ["ticket.opened", "message.sent", "message.received", "ticket.closed"]


@pytest.mark.req("R4.7")
def test_an_agent_may_look_into_an_open_ticket_before_the_answer_and_the_time_to_it_goes_on(client, scene):
    scene.online("ha1")
    scene.create()
    scene.clock.advance(60)
    scene.send("ticket.opened", by="ha1")
    scene.clock.advance(180)
    scene.send("note.added", by="ha1", text="Asked the front desk")
    assert scene.ticket().status == "open"
    assert scene.clock_of("assigned_to_responded").status == "running"
    scene.send("message.sent", by="ha1", text="Halo")
    assert scene.clock_of("assigned_to_responded").status == "met"


@pytest.mark.req("R2.27")
def test_what_a_customer_has_spent_can_decide(store):
    scene = Scene(store, files=variant(add={"value.yaml": VALUE}))
    for name, spent in (("less", 9_999_999), ("more", 10_000_000)):
        scene.create(name, customer={"id": name, "lifetime_value": spent})
    assert [scene.ticket(name).tags for name in ("less", "more")] == [frozenset(), {"generous"}]
    scene.worker.relay.stop()
