"""Held actions as a sender of events sees them."""

import datetime as dt

import pytest

from tests.scene import Scene, variant

RULES = """
version: 1
rules:
  - id: each-contact
    on: ticket.created
    then: [{alert: {to: [supervisor], text: "{{ ticket.id }} came in", digest: 10m}}]
"""


@pytest.fixture
def scene(store, clock):
    made = Scene(store, clock, variant(add={"held.yaml": RULES}))
    yield made
    made.worker.relay.stop()


def test_an_action_that_is_held_is_answered_with_the_time_until_which_it_is(client, clock):
    event = {"id": "e1", "type": "ticket.created", "ticket_id": "t1", "data": {"subject": "x", "group": "hotel"}}
    first, again = (client.post("/v1/events", json=event) for _ in range(2))
    assert (first.status_code, again.status_code) == (200, 200)
    (alert,) = [action for action in first.json["actions"] if action["type"] == "alert"]
    assert dt.datetime.fromisoformat(alert["held_until_at"]) == clock() + dt.timedelta(minutes=10)
    assert again.json == {**first.json, "duplicate": True}
    assert all("held_until_at" not in action for action in first.json["actions"] if action["type"] != "alert")
