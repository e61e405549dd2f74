"""Why a rule fires on a ticket or does not, for programs."""

import pytest

from tests.scene import NINE, variant


def explained(client, rule, ticket="t1"):
    response = client.get(f"/v1/tickets/{ticket}/explain", query_string={"rule": rule})
    assert response.status_code == 200, response.json
    return response.json


@pytest.fixture
def assigned(scene):
    """Assigned to ha1 at nine."""
    scene.online("ha1")
    scene.clock.now = NINE
    scene.create()
    return scene


def test_a_rule_whose_conditions_do_not_hold_says_which_and_what_it_found_instead(client, assigned):
    found = explained(client, "first-response-breached")
    assert (found["holds"], found["last"]) == (False, None)
    assert found["why"] == ("its conditions do not hold: sla.assigned_to_responded.state is running, wanted: breached")
    (comparison,) = found["conditions"]["parts"] or [found["conditions"]]
    assert (comparison["attribute"], comparison["wanted"], comparison["found"], comparison["holds"]) == (
        "sla.assigned_to_responded.state", "breached", "running", False,
    )  # fmt: skip


def test_a_rule_that_fired_says_so_and_when(client, assigned):
    assigned.clock.advance(302)
    assigned.run_due()
    found = explained(client, "first-response-breached")
    assert found["why"] == "its conditions hold, and it fired once since they became true"
    assert (found["last"]["at"], found["last"]["outcome"]) == ("2026-03-02T02:05:00Z", "fired")
    assert found["last"]["because"] == {"sla.assigned_to_responded.state": "breached"}


def test_every_part_of_any_and_none_is_shown(client, assigned):
    assigned.send("ticket.opened", by="ha1")
    assigned.clock.advance(40 * 60)
    found = explained(client, "idle")
    tree = found["conditions"]
    assert tree["kind"] == "all"
    assert {part["kind"] for part in tree["parts"]} >= {"none"}
    none = next(part for part in tree["parts"] if part["kind"] == "none")
    assert [part["attribute"] for part in none["parts"]] == ["ticket.tags"]
    assert found["holds"] is True


def test_a_rule_with_on_is_judged_on_the_last_event_that_it_listens_to(client, assigned):
    assert explained(client, "urgent-words")["why"] == "it listens to message.received, and no such event came"
    assigned.send("message.received", by="customer", text="Tolong segera", id="m1")
    found = explained(client, "urgent-words")
    assert (found["why"], found["event_id"]) == ("at the last message.received it fired", "m1")
    assert found["conditions"]["holds"] is True
    assigned.clock.advance(60)
    assigned.send("message.received", by="customer", text="Halo", id="m2")
    found = explained(client, "urgent-words")
    assert found["why"] == (
        'at the last message.received its conditions did not hold: message.text hits no keyword of "urgent"'
    )
    assert (found["last"]["event_id"], found["event_id"]) == ("m1", "m2")


def test_a_rule_that_was_held_back_says_why(client, assigned):
    for number in (1, 2):
        assigned.send("message.received", by="customer", text="Sistem macet", id=f"m{number}")
        assigned.clock.advance(60)
    found = explained(client, "system-down")
    assert found["why"] == ("at the last message.received it was held back: its limit of 1 per ticket is reached")


@pytest.mark.parametrize("databases", ["sqlite"], indirect=True)
def test_a_rule_that_only_shadows_and_one_for_desks_say_so(client, scene):
    scene.publish(variant((r"- id: urgent-words\n", "- id: urgent-words\n    mode: shadow\n")))
    client.application.extensions["rules_service"].live._ruleset = scene.ruleset
    scene.create()
    scene.send("message.received", by="customer", text="segera")
    found = explained(client, "urgent-words")
    assert found["mode"] == "shadow"
    assert found["why"] == "at the last message.received its conditions held, and it only shadowed"
    for rule in scene.ruleset.rules.desk_rules:
        assert explained(client, rule.id)["why"] == "it is a rule for desks; it fires on no ticket"


@pytest.mark.parametrize("databases", ["sqlite"], indirect=True)
def test_every_rule_can_be_explained_on_every_ticket(client, scene):
    scene.given("closed")
    for rule in scene.ruleset.rules.rules:
        assert explained(client, rule.id)["why"]


@pytest.mark.parametrize("databases", ["sqlite"], indirect=True)
def test_a_rule_or_ticket_that_is_not_known_is_told_apart(client, scene):
    scene.create()
    response = client.get("/v1/tickets/t1/explain?rule=idel")
    assert (response.status_code, response.json["code"]) == (404, "unknown_name")
    assert 'did you mean "idle"?' in response.json["detail"]
    response = client.get("/v1/tickets/none/explain?rule=idle")
    assert (response.status_code, response.json["code"]) == (404, "unknown_ticket")
    assert client.get("/v1/tickets/t1/explain").status_code == 422
