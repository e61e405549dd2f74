"""Presence: signs of life, silence, and the tickets of those who are gone."""

import pytest

from rules_service.service.roster import end_silence, set_presence
from tests.scene import Scene, variant

RULES = """
version: 1
presence:
  heartbeat: 2m
  away: {release_after: 10m}
"""


@pytest.fixture
def scene(store):
    return Scene(store, files=variant(add={"presence.yaml": RULES}))


def presence_of(scene, user_id="ha1"):
    ((found,),) = scene.rows("SELECT presence FROM member WHERE id = ?", user_id)
    return found


def look(scene):
    with scene.store.connection():
        scene.worker.run_presence()


def test_an_agent_who_is_not_heard_of_for_the_heartbeat_goes_offline(scene):
    scene.online("ha1")
    scene.clock.advance(119.999998)
    look(scene)
    assert presence_of(scene) == "online"
    scene.clock.advance(0.000002)
    look(scene)
    assert presence_of(scene) == "offline"
    assert scene.rows("SELECT COUNT(*) FROM event WHERE type = 'user.offline'") == [(1,)]
    look(scene)
    assert scene.rows("SELECT COUNT(*) FROM event WHERE type = 'user.offline'") == [(1,)]


def test_the_same_presence_again_is_a_sign_of_life_and_no_event(scene):
    scene.online("ha1")
    for _ in range(5):
        scene.clock.advance(100)
        scene.online("ha1")
        look(scene)
    assert presence_of(scene) == "online"
    assert scene.rows("SELECT COUNT(*) FROM event WHERE type IN ('user.online', 'user.offline')") == [(1,)]


def test_whoever_acts_is_there(scene):
    scene.online("ha1")
    scene.create()
    scene.clock.advance(100)
    scene.send("ticket.opened", by="ha1")
    scene.clock.advance(100)
    look(scene)
    assert presence_of(scene) == "online"


def test_an_agent_heard_of_between_the_look_and_the_change_stays(scene, monkeypatch):
    scene.online("ha1")
    scene.clock.advance(120)
    real = scene.store.transact

    def meanwhile(work):
        monkeypatch.setattr(scene.store, "transact", real)
        scene.online("ha1")
        return real(work)

    monkeypatch.setattr(scene.store, "transact", meanwhile)
    assert end_silence(scene.store, scene.ruleset, scene.clock()) == []
    assert presence_of(scene) == "online"


@pytest.mark.parametrize("presence", ["offline", "away"])
def test_the_tickets_of_who_stays_away_go_to_a_colleague_and_the_helpdesk_is_told(scene, presence):

    scene.online("ha1")
    scene.create()
    scene.create("t2")
    scene.online("ha2")
    set_presence(scene.store, "ha1", presence, scene.clock(), ruleset_hash=scene.ruleset.hash)
    for _ in range(599):
        scene.clock.advance(1)
    scene.online("ha2")
    look(scene)
    assert {scene.ticket(name).assignee for name in ("t1", "t2")} == {"ha1"}
    scene.clock.advance(1)
    look(scene)
    assert {scene.ticket(name).assignee for name in ("t1", "t2")} == {"ha2"}
    moved = [data["to"] for kind, data in scene.actions("t1", "reassign")]
    assert moved[-2:] == [None, "ha2"]
    scene.loads_hold()
    look(scene)
    assert scene.log("t1").count("ticket.released") == 1


def desk_of(*members):
    users = "".join(f"  {name}: {{group: hotel}}\n" for name in members if name == "guest")
    return (
        "version: 1\ndesks:\n  letters: {group: hotel, channels: [letter], supervisor: hs1, max_assignment: 5,"
        f" members: [{', '.join(members)}]}}\n" + (f"users:\n{users}" if users else "")
    )


def test_the_tickets_of_whom_the_rule_files_no_longer_name_go_to_a_colleague_too(store):
    files = lambda *members: variant(add={"presence.yaml": RULES, "desk.yaml": desk_of(*members)})  # noqa: E731
    scene = Scene(store, files=files("guest", "ha1"))
    scene.online("guest")
    scene.create(desk="letters", group=None)
    assert scene.ticket().assignee == "guest"
    scene.clock.advance(3_600)
    scene.publish(files("ha1"))
    scene.online("ha1")
    for seconds, holder in ((0, "guest"), (599, "guest"), (1, "ha1")):
        scene.clock.advance(seconds)
        scene.online("ha1")
        look(scene)
        assert scene.ticket().assignee == holder
    scene.loads_hold()
    scene.worker.relay.stop()


def test_who_comes_back_between_the_look_and_the_change_keeps_their_tickets(scene, monkeypatch):
    scene.online("ha1")
    scene.create()
    scene.offline("ha1")
    scene.clock.advance(600)
    real = scene.store.transact

    def meanwhile(work):
        monkeypatch.setattr(scene.store, "transact", real)
        scene.online("ha1")
        return real(work)

    monkeypatch.setattr(scene.store, "transact", meanwhile)
    scene.service.release_left()
    assert scene.ticket().assignee == "ha1"
    assert "ticket.released" not in scene.log()


def test_nobody_there_leaves_them_in_the_queue_for_the_next_who_comes(scene):
    scene.online("ha1")
    scene.create()
    scene.offline("ha1")
    scene.clock.advance(600)
    look(scene)
    assert scene.ticket().assignee is None
    scene.online("ha2")
    scene.run_timers()
    assert scene.ticket().assignee == "ha2"


def test_a_ticket_that_the_lifecycle_does_not_let_go_is_asked_for_once(store):
    scene = Scene(store, files=variant((r"(?m)^.*trigger: release.*$", ""), add={"presence.yaml": RULES}))
    scene.online("ha1")
    scene.create()
    scene.offline("ha1")
    scene.clock.advance(600)
    look(scene)
    look(scene)
    assert scene.ticket().assignee == "ha1"
    assert scene.log().count("ticket.released") == 1


def test_without_the_section_nobody_falls_silent_and_everybody_keeps_their_tickets(store):
    scene = Scene(store)
    scene.online("ha1")
    scene.create()
    scene.clock.advance(86_400)
    look(scene)
    assert presence_of(scene) == "online"
    scene.offline("ha1")
    scene.clock.advance(86_400)
    look(scene)
    assert scene.ticket().assignee == "ha1"


def test_a_ticket_in_a_state_without_a_slot_is_not_forgotten_with_whom_it_stays(store):
    without = (r"pending:( *)\{clock: running, slot: held\}", r"pending:\1{clock: running}")
    scene = Scene(store, files=variant(without, add={"presence.yaml": RULES}))
    scene.given("pending")
    assert scene.load("ha1") == 0
    scene.offline("ha1")
    scene.clock.advance(600)
    scene.online("ha2")
    look(scene)
    assert scene.ticket().assignee == "ha2"
