"""When it happened and when it arrived, by the API: what cannot be is clamped and marked, and no clock is mangled."""

import datetime as dt

import pytest

from tests.scene import NINE

pytestmark = pytest.mark.parametrize("databases", ["sqlite"], indirect=True)

#: The first and the last instant that the API takes.
LEAST, MOST = "1990-01-01T00:00:00Z", "2190-12-31T23:59:59Z"


def at(seconds):
    return NINE + dt.timedelta(seconds=seconds)


@pytest.fixture
def tell(client, scene):
    """Sends an event that happened at an instant, and arrives at another, in seconds after nine."""

    def send(kind, happened, arrives, **rest):
        scene.clock.now = at(arrives)
        body = {"id": f"{kind}@{arrives}", "type": kind, "ticket_id": "t1", **rest}
        body["at"] = happened if isinstance(happened, str) else at(happened).isoformat()
        response = client.post("/v1/events", json=body)
        assert response.status_code == 200, response.json
        return response.json

    return send


def clock(client, name):
    """One clock of the ticket, as the API shows it."""
    shown = client.get("/v1/tickets/t1/clocks").json
    (found,) = [one for one in shown["clocks"] if one["name"] == name]
    return found


NEW = {"data": {"subject": "Room", "channel": "whatsapp", "group": "hotel"}}
TO_ANN = {"data": {"assignee": "ha1"}}
BY_ANN = {"actor": {"id": "ha1", "role": "agent"}, "data": {"text": "Halo"}}


@pytest.mark.parametrize("before", [-61, -86_400 * 365, LEAST])
def test_an_event_from_before_its_ticket_counts_from_the_creation_and_is_marked(tell, client, before):
    assert tell("ticket.created", 0, 0, **NEW)["marks"] == []
    assert tell("ticket.assigned", before, 60, **TO_ANN)["marks"] == ["skewed"]
    assert tell("message.sent", before, 120, **BY_ANN)["marks"] == ["skewed"]
    found = clock(client, "assigned_to_responded")
    assert (found["status"], found["used_s"]) == ("met", 0)
    assert dt.datetime.fromisoformat(found["started_at"]) == NINE


@pytest.mark.parametrize("future", [3_600, 86_400 * 365, MOST])
def test_an_event_of_the_future_counts_from_its_arrival_and_is_marked(tell, client, future):
    assert tell("ticket.created", future, 0, **NEW)["marks"] == ["skewed"]
    assert tell("ticket.assigned", future, 60, **TO_ANN)["marks"] == ["skewed"]
    assert tell("message.sent", future, 120, **BY_ANN)["marks"] == ["skewed"]
    found = clock(client, "assigned_to_responded")
    assert (found["status"], found["used_s"]) == ("met", 60)
    assert dt.datetime.fromisoformat(found["started_at"]) == at(60)


def test_a_ticket_as_old_as_can_be_is_due_like_any_other(tell, scene):
    tell("ticket.created", LEAST, 0, **NEW)
    tell("ticket.imported", LEAST, 1, ticket_id="t2", **NEW)
    tell("ticket.created", LEAST, 2, ticket_id="t3", data={"subject": "x", "group": "booking"})
    scene.run_due()
    for ticket in ("t1", "t2", "t3"):
        assert scene.clock_of("resolution", ticket).status == "breached"
    assert scene.log("t2") == ["ticket.imported"]


def test_a_minute_of_difference_between_two_machines_is_no_mark(tell):
    tell("ticket.created", 0, 0, **NEW)
    assert tell("ticket.assigned", -60, 10, **TO_ANN)["marks"] == []
    assert tell("message.sent", 80, 20, **BY_ANN)["marks"] == []
