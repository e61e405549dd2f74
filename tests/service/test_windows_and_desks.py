"""Counts within a window, rules for desks, and the brake on a rule that fires without end."""

import pytest

from rules_service.decide import Brakes
from tests.scene import variant

INSISTENT = """version: 1
rules:
  - id: insistent
    when: {recent.messages_received: {within: 10m, at_least: 3}}
    then: [{add_tags: [insistent]}]
"""
BACKLOG = """version: 1
rules:
  - id: backlog
    for: desk
    when: {desk.queue_length: {at_least: 2}, desk.group: hotel}
    then:
      - alert: {to: [supervisor], text: "{{ desk.name }}: {{ desk.queue_length }} wait, {{ desk.online }} online"}
    repeat: {every: 10m, at_most: 2}
"""


def test_messages_within_a_window_are_counted_the_first_contact_included(scene):
    scene.publish(variant(add={"more.yaml": INSISTENT}))
    scene.create(body="halo")
    for minutes, tagged in ((5, False), (4, True)):
        scene.clock.advance(minutes * 60)
        scene.send("message.received", by="customer", text="halo")
        assert ("insistent" in scene.ticket().tags) == tagged


def test_messages_outside_the_window_do_not_count(scene):
    scene.publish(variant(add={"more.yaml": INSISTENT}))
    scene.create(body="halo")
    for _ in range(4):
        scene.clock.advance(5 * 60)
        scene.send("message.received", by="customer", text="halo")
    assert scene.ticket().tags == frozenset()


def test_a_new_rule_counts_what_happened_before_it_was_published(scene):
    scene.create(body="halo")
    scene.send("message.received", by="customer", text="halo")
    scene.publish(variant(add={"more.yaml": INSISTENT}))
    scene.send("message.received", by="customer", text="halo")
    assert scene.ticket().tags == {"insistent"}


def judge(scene):
    with scene.store.connection():
        scene.worker.run_desks()


def alerts(scene):
    return [data["text"] for _, data in scene.actions("desk:hotel-chat")]


@pytest.mark.req("R3.45", "R3.46")
def test_a_backlog_is_told_once_for_the_desk_and_repeated_as_the_rule_says(scene):
    scene.publish(variant(add={"more.yaml": BACKLOG}))
    scene.create("a")
    judge(scene)
    assert alerts(scene) == []
    scene.create("b")
    judge(scene)
    judge(scene)
    assert alerts(scene) == ["hotel-chat: 2 wait, 0 online"]
    for _ in range(3):
        scene.clock.advance(600)
        judge(scene)
    assert len(alerts(scene)) == 2
    scene.send("ticket.closed", "a", by="system")
    judge(scene)
    scene.create("c")
    judge(scene)
    assert len(alerts(scene)) == 3


def test_a_rule_that_fires_without_end_only_shadows_and_somebody_learns_of_it(scene):
    scene.service.shared.brakes = Brakes(firings_a_rule=5)
    for number in range(8):
        scene.create(f"t{number}")
        scene.worker.live.follow()
    assert [kind for kind, _ in scene.actions("t0")].count("reply") == 1
    ((kind, data),) = scene.actions("rule:first-answer")
    assert kind == "alert"
    assert "first-answer" in data["text"]
    assert [kind for kind, _ in scene.actions("t7")].count("reply") == 0


CALLING = """version: 1
connectors:
  pager: {base_url: "${PAGER_URL}", operations: {page: {method: POST, path: /pages, json: {text: "{{ text }}"}}}}
rules:
  - id: page
    for: desk
    when: {desk.queue_length: {at_least: 1}, desk.group: hotel}
    then: [{call: {connector: pager, operation: page, data: {text: "{{ desk.name }}: {{ desk.queue_length }} wait"}}}]
"""


def test_what_a_rule_for_desks_calls_with_is_filled_in(scene):
    scene.publish(variant(add={"more.yaml": CALLING}))
    scene.create()
    judge(scene)
    ((kind, data),) = scene.actions("desk:hotel-chat")
    assert (kind, data["data"]) == ("call", {"text": "hotel-chat: 1 wait"})
