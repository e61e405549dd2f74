"""What happened to a ticket, and what was decided, for programs."""

import pytest

from tests.scene import NINE


def timeline(client, ticket="t1", **query):
    response = client.get(f"/v1/tickets/{ticket}/timeline", query_string=query)
    assert response.status_code == 200, response.json
    return response.json


@pytest.mark.req("R2.3")
def test_a_deadline_is_told_with_when_it_was_due_and_when_it_was_handled(client, scene):
    scene.online("ha1")
    scene.clock.now = NINE
    scene.create()
    scene.clock.advance(307.25)
    scene.run_due()
    breach = next(item for item in timeline(client)["items"] if item["type"] == "clock.breached")
    assert (breach["at"], breach["handled_at"]) == ("2026-03-02T02:05:00Z", "2026-03-02T02:05:07.250000Z")
    assert (breach["cause"], breach["data"]["clock"]) == ("deadline", "assigned_to_responded")
    own, escalated, *_ = breach["decisions"]
    assert [(rule["rule"], rule["outcome"]) for rule in own["rules"]] == [("first-response-breached", "fired")]
    assert own["rules"][0]["because"] == {"sla.assigned_to_responded.state": "breached"}
    assert (escalated["type"], escalated["cause"]) == ("ticket.escalated", "rule:first-response-breached")
    assert "escalate" in escalated["actions"]


def test_what_is_told_late_has_both_its_times(client, scene):
    scene.create()
    happened = scene.clock()
    scene.clock.advance(50)
    scene.send("message.received", text="Halo?", at=happened)
    last = timeline(client)["items"][-1]
    assert (last["at"], last["handled_at"]) == ("2026-03-02T02:00:00Z", "2026-03-02T02:00:50Z")
    assert (last["data"]["text"], last["actor"]["role"], last["cause"]) == ("Halo?", "customer", None)


def test_pages_follow_each_other_without_a_gap(client, scene):
    scene.given("pending")
    whole = timeline(client)
    assert [item["type"] for item in whole["items"]] == scene.log()
    assert whole["items"][-1]["decisions"][0]["ticket"]["status"] == "pending"
    found, after = [], 0
    while page := timeline(client, after=after, limit=1)["items"]:
        found += page
        after = page[-1]["seq"]
    assert found == whole["items"]
    assert timeline(client, after=after)["next_after"] == after


def test_a_ticket_that_is_not_known_has_no_timeline(client):
    response = client.get("/v1/tickets/none/timeline")
    assert (response.status_code, response.json["code"]) == (404, "unknown_ticket")
    assert client.get("/v1/tickets/none/timeline?limit=0").status_code == 422
