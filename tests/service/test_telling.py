"""Whom an alert is for: the parties by name, and the people whom they stand for at that moment."""

import json

import pytest

from tests.scene import Scene, variant

EVERYBODY = "[assignee, supervisor, group, technical, management, customer, followers, 'user:ha2', 'user:ha1']"

RULES = f"""
version: 1
rules:
  - {{id: everybody, on: note.added, then: [{{alert: {{to: {EVERYBODY}, text: look}}}}]}}
  - {{id: one, on: message.received, then: [{{alert: {{to: [assignee], text: look}}}}]}}
  - {{id: follow, on: note.added, then: [{{alert: {{to: [followers], text: look}}}}]}}
  - for: desk
    id: crowded
    when: {{desk.queue_length: {{at_least: 1}}}}
    then: [{{alert: {{to: [supervisor, group], text: crowded}}}}]
escalation_policies:
  loud: {{steps: [{{to: technical, notify: [management, customer, group, supervisor, 'user:ha2']}}]}}
"""


@pytest.fixture
def scene(store):
    found = Scene(store, files=variant(add={"telling.yaml": RULES}))
    yield found
    found.worker.relay.stop()


def _address(data):
    return {name: data[name] for name in ("users", "group", "customer") if name in data}


def _alert(scene, rule):
    ((data,),) = scene.rows("SELECT data FROM action WHERE cause = ? ORDER BY seq DESC LIMIT 1", f"rule:{rule}")
    return json.loads(data)


@pytest.mark.req("R1.22", "R3.11", "R4.5")
def test_an_alert_names_everybody_whom_its_parties_stand_for_each_once(scene):
    scene.online("ha1")
    scene.create(customer={"id": "c7", "name": "Kim"})
    scene.send("note.added", by="ha1")
    expected = ["ha1", "hs1", "hs2", "hx1", "hx2", "ceo", "ha2"]
    assert _address(_alert(scene, "everybody")) == {"users": expected, "group": "hotel", "customer": "c7"}


def test_followers_are_told_while_an_escalation_is_open(scene):
    scene.online("ha1")
    scene.create()
    scene.ask("ticket.escalated", by="hs2", summary="Help")
    scene.send("note.added", by="ha1")
    assert _address(_alert(scene, "follow")) == {"users": ["hs2", "ha1"]}


def test_who_holds_it_now_is_told_and_nobody_where_nobody_does(scene):
    scene.create()
    scene.send("message.received", text="Halo?")
    assert _address(_alert(scene, "one")) == {"users": []}
    scene.send("ticket.assigned", assignee="ha2")
    scene.send("message.received", text="Halo?")
    assert _address(_alert(scene, "one")) == {"users": ["ha2"]}


@pytest.mark.req("R3.45")
def test_an_alert_about_a_desk_names_its_supervisor_and_its_group(scene):
    scene.create()
    with scene.store.connection():
        scene.worker.run_desks()
    assert _address(_alert(scene, "crowded")) == {"users": ["hs1", "hs2"], "group": "hotel"}


@pytest.mark.req("R1.22")
def test_a_step_of_a_ladder_names_the_people_whom_it_tells(scene):
    scene.online("ha1")
    scene.create()
    scene.ask("ticket.escalated", by="ha1", summary="Help", policy="loud")
    ((_, data),) = scene.actions(kind="escalate")
    assert data["targets"] == ["hx1", "hx2"]
    assert data["parties"] == ["hx1", "hx2", "ha1", "ceo", "hs1", "hs2", "ha2", "customer", "group"]
