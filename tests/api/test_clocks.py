"""The sum behind every clock, for programs."""

import json
import re
from pathlib import Path

import pytest

from tests.history import FILES, OTHER_HOURS, adds_up, tell


@pytest.fixture
def told(client, scene):
    return _told(client, scene)


def _told(client, scene):
    _publish(client, scene, FILES)
    tell(scene)
    return scene


def _publish(client, scene, files):
    scene.publish(files)
    client.application.extensions["rules_service"].live._ruleset = scene.ruleset


def clocks(client, ticket="4711"):
    """The clocks of a ticket, after a look at whether each adds up."""
    response = client.get(f"/v1/tickets/{ticket}/clocks")
    assert response.status_code == 200, response.json
    adds_up(response.json)
    return response.json["clocks"]


def _not_counted(day):
    return [(part["from"][11:16], part["reason"], part["holiday"] or part["state"]) for part in day["not_counted"]]


@pytest.mark.req("R5.31")
def test_every_clock_is_told_with_its_sum_by_day_each_on_the_calendar_it_was_counted_on(client, told):
    first, second, resolution = clocks(client)
    assert [(clock["name"], clock["stint_number"], clock["status"]) for clock in (first, second)] == [
        ("created_to_responded", 0, "met"),
        ("assigned_to_responded", 1, "met"),
    ]
    assert (first["due_at"], first["warn_at_pct"]) == ("2026-03-18T12:15:00Z", [80])
    assert (resolution["status"], resolution["due_at"]) == ("running", "2026-03-23T11:28:00Z")
    assert (resolution["used_s"], resolution["remaining_s"]) == (48_720, 37_680)
    days = [(day["date"], day["calendar"], day["total_s"], _not_counted(day)) for day in resolution["days"]]
    assert days == [
        ("2026-03-18", "always", 120, [("19:02", "paused", "pending")]),
        ("2026-03-18", "booking-hours", 1_800, [("21:00", "closed", None)]),
        ("2026-03-19", "booking-hours", 0, [("00:00", "holiday", "Day of Silence")]),
        ("2026-03-20", "booking-hours", 46_800, [("00:00", "closed", None), ("21:00", "closed", None)]),
        ("2026-03-21", "booking-hours", 0, [("00:00", "holiday", "Eid al-Fitr")]),
        ("2026-03-22", "booking-hours", 0, [("00:00", "holiday", "Eid al-Fitr Second Day")]),
    ]
    assert {day["timezone"] for day in resolution["days"]} == {"Asia/Jakarta"}


@pytest.mark.parametrize("databases", ["sqlite"], indirect=True)
def test_the_day_that_the_guide_shows_is_the_answer(client, told):
    (*_, resolution) = clocks(client)
    guide = (Path(__file__).parents[2] / "docs/guides/developer-of-other-services.md").read_text()
    blocks = [json.loads(block) for block in re.findall(r"```json\n(.*?)```", guide, re.DOTALL)]
    assert resolution["days"][1] in blocks


def test_a_clock_that_went_on_after_reopening_is_told_once_and_the_time_closed_does_not_count(client, told):
    told.send("ticket.closed", "4711", by="bs1")
    assert [clock["status"] for clock in clocks(client)] == ["met", "met", "met"]
    told.clock.advance(86_400)
    told.send("ticket.reopened", "4711", by="customer")
    told.clock.advance(3_600)
    resolution = clocks(client)[-1]
    assert (resolution["status"], resolution["used_s"]) == ("running", 48_720 + 3_600)
    pauses = [part for day in resolution["days"] for part in day["not_counted"] if part["reason"] == "paused"]
    assert [(part["from"], part["to"], part["state"]) for part in pauses] == [
        ("2026-03-18T19:02:00+07:00", "2026-03-18T20:30:00+07:00", "pending"),
        ("2026-03-22T10:00:00+07:00", "2026-03-23T00:00:00+07:00", "closed"),
        ("2026-03-23T00:00:00+07:00", "2026-03-23T10:00:00+07:00", "closed"),
    ]


def test_hours_that_change_under_a_ticket_leave_what_was_counted_as_it_was(client, scene):
    told = _told(client, scene)
    told.send("ticket.closed", "4711", by="bs1")
    before = clocks(client)
    told.create("t2", group="booking")
    told.clock.advance(2 * 3_600)  # Sunday at noon, still a holiday
    _publish(client, told, OTHER_HOURS)
    told.send("ticket.updated", "t2", by="bs1", priority="high")
    told.clock.advance(3_600)
    assert clocks(client) == before
    resolution = clocks(client, "t2")[-1]
    assert (resolution["used_s"], resolution["due_at"]) == (3 * 3_600, "2026-03-28T03:00:00Z")


def test_a_ticket_that_is_not_known_has_no_clocks(client):
    response = client.get("/v1/tickets/none/clocks")
    assert (response.status_code, response.json["code"]) == (404, "unknown_ticket")


def test_the_answer_is_as_described(client, told):
    schema = client.get("/openapi.json").json["components"]["schemas"]
    (*_, resolution) = clocks(client)
    assert set(schema["Clock"]["properties"]) == set(resolution)
    assert set(schema["ClockDay"]["properties"]) == set(resolution["days"][0])
    assert set(schema["NotCounted"]["properties"]) == set(resolution["days"][1]["not_counted"][0])
