"""Users by API beside those of the rule files: who may receive what, now and after the next change of rules."""

import pytest

from rules_service.clock import micros
from rules_service.live import Live
from rules_service.service.user_rows import Row, read_csv
from rules_service.service.users import deactivate_user, import_users, put_user
from rules_service.store import people
from rules_service.teams import Added, User
from rules_service.worker import REFUSED_AGAIN
from tests.databases import difference, dump
from tests.scene import Scene, variant


@pytest.fixture
def live(scene):
    """The rulesets of the worker, followed as its thread would."""
    return scene.worker.live


@pytest.fixture
def put(scene, live):
    """Adds or changes a user of the hotel team."""

    def work(user_id="new", *, desks=None, **fields):
        named = {"name": user_id, "group": "hotel"} | fields
        found = put_user(
            scene.store, lambda: _current(live), Added(user=User(id=user_id, **named), desks=desks), scene.clock()
        )
        live.follow()
        return found

    return work


def _current(live):
    live.follow()
    return live.ruleset()


def _user(scene, user_id="new"):
    with scene.store.connection():
        return people.read_user(scene.store, user_id)


def _serves(scene, user_id="new"):
    return _user(scene, user_id)["serves"]


@pytest.mark.req("R5.2", "R5.9")
def test_an_agent_by_api_serves_the_desks_of_the_group_and_receives_tickets(scene, put):
    found = put()
    assert (found["source"], found["serves"], found["slot_limit"]) == ("api", ["hotel-chat"], 5)
    scene.online("new")
    scene.create()
    assert scene.ticket().assignee == "new"
    scene.send("message.sent", by="new", text="Halo")
    assert scene.ticket().status == "pending"
    scene.loads_hold()


def test_what_a_user_by_api_is_counts_in_every_decision(scene, put):
    """A supervisor by API may do what one of a file may, and rules find a skill."""
    scene.online("ha1", "ha2")
    scene.create()
    put("boss", role="supervisor")
    assert scene.ask("ticket.reassigned", by="boss", assignee="ha2")["outcome"] == "done"
    put("expert", group="technical", role="technical", level=3, skills=frozenset({"core-system"}))
    scene.online("expert")
    scene.create("t2", body="sistem macet")
    assert scene.ticket("t2").assignee == "expert"


def test_only_agents_serve_the_groups_desks_and_a_desk_with_members_of_its_own_stays_as_it_is(scene, put):
    assert put("lead", role="supervisor")["serves"] == []
    assert put("tech", group="technical")["serves"] == []
    assert put("tech", group="technical", desks=("technical", "hotel-chat"))["serves"] == ["hotel-chat", "technical"]


@pytest.mark.req("R5.16", "R5.17", "R5.18")
def test_their_maximum_is_their_own_else_the_sum_of_their_desks(scene, put):
    assert put(max_assignment=2)["slot_limit"] == 2
    assert put(desks=("hotel-chat", "train-chat"))["slot_limit"] == 10
    assert put(desks=())["slot_limit"] is None


@pytest.mark.req("R5.19")
def test_with_a_desk_for_telephony_the_maximum_is_one(scene, put):
    scene.publish(variant((r"(train-chat:\n    channels: \[)", r"\1telephony, ")))
    assert put(desks=("hotel-chat", "train-chat"), max_assignment=9)["slot_limit"] == 1


def test_replacing_a_user_leaves_nothing_of_before_but_load_and_presence(scene, put):
    put(level=2, skills=frozenset({"payment"}), max_assignment=3, desks=("train-chat",))
    scene.online("new")
    scene.create(group="train")
    found = put()
    assert (found["level"], found["skills"], found["max_assignment"], found["serves"]) == (0, [], None, ["hotel-chat"])
    assert (found["presence"], found["open_count"]) == ("online", 1)


@pytest.mark.req("R4.22")
@pytest.mark.parametrize(
    "change",
    [
        lambda put: put(max_assignment=2),
        lambda put: put(),
        lambda put: put(max_assignment=1, desks=("hotel-chat", "train-chat")),
    ],
    ids=["raised", "no own maximum", "another desk"],
)
def test_a_raised_maximum_and_another_desk_drain_the_queue(scene, put, change):
    put(max_assignment=1)
    scene.online("new")
    for name, group in (("t1", "hotel"), ("t2", "hotel"), ("t3", "train")):
        scene.create(name, group=group)
    scene.clock.advance(1)
    scene.run_timers()
    assert [scene.ticket(name).assignee for name in ("t1", "t2", "t3")] == ["new", None, None]
    another_desk = change(put)["serves"] != ["hotel-chat"]
    if another_desk:
        scene.send("ticket.closed", by="new")
        scene.run_timers()
        assert sorted([scene.ticket("t2").assignee or "", scene.ticket("t3").assignee or ""]) == ["", "new"]
        return
    scene.run_timers()
    assert scene.ticket("t2").assignee == "new"
    scene.loads_hold()


def test_a_new_desk_drains_its_queue_at_once(scene, put):
    put()
    scene.online("new")
    scene.create(group="train")
    scene.clock.advance(1)
    scene.run_timers()
    assert scene.ticket().assignee is None
    put(desks=("hotel-chat", "train-chat"), max_assignment=5)
    scene.run_timers()
    assert scene.ticket().assignee == "new"


def test_a_maximum_that_a_ruleset_raises_drains_the_queue(store, clock):
    scene = Scene(store, clock, variant((r"(ha1: .*)max_assignment: 5", r"\1max_assignment: 1")))
    scene.online("ha1")
    scene.create("t1")
    scene.create("t2")
    assert scene.ticket("t2").assignee is None
    texts = {name: text.encode() for name, text in variant().items()}
    from rules_service.service.publish import publish

    publish(scene.store, texts, scene.clock(), by="test")
    scene.worker.live.follow()
    scene.run_timers()
    assert scene.ticket("t2").assignee == "ha1"
    scene.worker.relay.stop()


# --- the ruleset changes ----------------------------------------------------------------------------------------------


def test_users_by_api_stay_when_the_ruleset_changes_and_their_maximum_is_computed_anew(scene, put):
    put(skills=frozenset({"payment"}))
    scene.online("new")
    scene.publish(variant((r"(hotel-chat:(?:\n    .*)*?)max_assignment: 5", r"\1max_assignment: 7")))
    found = _user(scene)
    assert (found["slot_limit"], found["skills"], found["presence"]) == (7, ["payment"], "online")
    scene.worker.live.follow()
    scene.create()
    assert scene.ticket().assignee == "new"


def test_a_desk_that_vanishes_is_not_served_any_more_and_served_again_when_it_is_back(scene, put):
    put(desks=("hotel-chat", "train-chat"))
    scene.publish(variant((r"\btrain-chat\b", "train-web")))
    assert _serves(scene) == ["hotel-chat"]
    assert _user(scene)["slot_limit"] == 5
    scene.publish(variant())
    assert _serves(scene) == ["hotel-chat", "train-chat"]


def test_a_file_takes_over_a_user_of_the_same_id_and_its_end_makes_them_inactive(scene, put):
    put("ha9", desks=("train-chat",), max_assignment=1)
    scene.online("ha9")
    scene.publish(
        variant((r"  ha8: .*", "  ha8: {name: Hotel agent 8}\n  ha9: {name: Of the file, max_assignment: 4}"))
    )
    found = _user(scene, "ha9")
    assert (found["source"], found["name"], found["slot_limit"]) == ("file", "Of the file", 4)
    assert (found["serves"], found["desks"], found["presence"]) == (["hotel-chat"], None, "online")
    scene.publish(variant())
    found = _user(scene, "ha9")
    assert (found["active"], found["serves"]) == (False, [])
    assert put("ha9")["active"] is True


def test_the_user_of_a_file_comes_before_one_by_api(scene, put):
    with pytest.raises(Exception, match=r"ha1 is defined in groups/hotel/team\.yaml:11:3; change it there"):
        put("ha1", max_assignment=50)


def test_every_process_sees_a_new_user_at_its_next_look(scene, put):
    other = Live(scene.store)
    assert "new" not in other.ruleset().roster.users
    put()
    other.follow()
    assert "new" in other.ruleset().roster.users
    assert other.ruleset().roster.is_member("new", "hotel-chat")
    put(desks=())
    other.follow()
    assert not other.ruleset().roster.is_member("new", "hotel-chat")
    other.ruleset().rules.close()


def test_a_process_that_starts_sees_the_users_who_are_there(scene, put):
    put()
    other = Live(scene.store)
    assert "new" in other.ruleset().roster.users
    other.ruleset().rules.close()


def test_a_user_is_written_for_the_ruleset_that_is_active_even_if_this_process_has_not_seen_it(scene):
    """Its maximum would be that of the ruleset before."""
    from rules_service.service.publish import publish

    live = Live(scene.store)
    before = live.ruleset()
    seen = []

    def current():
        if seen:
            return _current(live)
        seen.append(before)
        texts = variant((r"(hotel-chat:(?:\n    .*)*?)max_assignment: 5", r"\1max_assignment: 7"))
        publish(scene.store, {name: text.encode() for name, text in texts.items()}, scene.clock(), by="test")
        return before

    found = put_user(
        scene.store, current, Added(user=User(id="new", name="new", group="hotel")), scene.clock()
    )  # fmt: skip
    assert (found["slot_limit"], len(seen)) == (7, 1)
    live.ruleset().rules.close()


# --- out --------------------------------------------------------------------------------------------------------------


def test_who_is_taken_out_gets_nothing_more_and_keeps_what_they_hold_until_it_is_moved(scene, put, live):
    put()
    scene.online("new")
    scene.create("held")
    found = deactivate_user(scene.store, lambda: _current(live), "new", scene.clock())
    assert (found["active"], found["presence"], found["open_count"], found["serves"]) == (False, "offline", 1, [])
    live.follow()
    scene.create("t2")
    assert (scene.ticket("held").assignee, scene.ticket("t2").assignee) == ("new", None)
    scene.online("ha1")
    scene.ask("ticket.reassigned", "held", by="hs1", assignee="ha1")
    assert scene.ticket("held").assignee == "ha1"
    assert _user(scene)["open_count"] == 0
    scene.loads_hold()


def test_what_somebody_holds_who_was_taken_out_goes_to_others_where_the_ruleset_says_so(scene, put, live):
    scene.publish(variant(add={"presence.yaml": "version: 1\npresence: {away: {release_after: 10m}}\n"}))
    put()
    scene.online("new")
    scene.create("held")
    deactivate_user(scene.store, lambda: _current(live), "new", scene.clock())
    live.follow()
    scene.online("ha1")
    scene.clock.advance(601)
    with scene.store.connection():
        while scene.worker.run_presence():
            pass
    scene.run_timers()
    assert scene.ticket("held").assignee == "ha1"
    scene.loads_hold()


def test_taking_a_user_out_twice_is_as_once(scene, put, live):
    put()
    for _ in range(2):
        assert deactivate_user(scene.store, lambda: _current(live), "new", scene.clock())["active"] is False


# --- import -----------------------------------------------------------------------------------------------------------


def _import(scene, rows):
    return import_users(scene.store, lambda: _current(scene.worker.live), rows, scene.clock())


def _rows(count, **fields):
    return [Row(number=number, fields={"id": f"u{number}", "group": "hotel"} | fields) for number in range(count)]


@pytest.mark.req("R5.2")
def test_thousands_of_users_are_imported_in_a_few_statements(scene, monkeypatch):
    statements = []
    real = scene.store.sql
    monkeypatch.setattr(
        scene.store, "sql", lambda text, *parameters: (statements.append(text), real(text, *parameters))[1]
    )
    done = _import(scene, _rows(3_000, skills=["payment", "refund"]))
    assert (done.created, done.updated, done.unchanged) == (3_000, 0, 0)
    assert len(statements) < 60
    assert scene.rows("SELECT COUNT(*) FROM member WHERE source = 'api' AND slot_limit = 5") == [(3_000,)]
    assert scene.rows("SELECT COUNT(*) FROM skill WHERE user_id = 'u2999'") == [(2,)]


def test_an_import_tells_what_is_new_what_changed_and_what_was_so_already(scene):
    _import(scene, _rows(3))
    before = dump(scene.store)
    again = _import(scene, _rows(3))
    assert (again.created, again.updated, again.unchanged) == (0, 0, 3)
    assert difference(before, dump(scene.store)) == []
    more = [
        *_rows(2),
        Row(number=2, fields={"id": "u2", "group": "hotel", "level": 3}),
        Row(number=3, fields={"id": "x"}),
    ]
    done = _import(scene, more)
    assert (done.created, done.updated, done.unchanged) == (1, 1, 2)


def test_users_who_are_not_in_the_import_stay(scene):
    _import(scene, _rows(3))
    _import(scene, _rows(1))
    assert _user(scene, "u2")["active"] is True


def test_a_spreadsheets_file_is_read_with_commas_or_semicolons():
    for separator, inner in ((",", ";"), (";", "|"), (",", "|")):
        lines = [
            ("id", "Name", "group", "skills", "max_assignment", "desks", "level"),
            ("a1", '"Ani, Jr"', "hotel", f"payment {inner} refund", "3", "-", ""),
            ("",) * 7,
            ("a2", "", "", "", "", f"hotel-chat{inner}train-chat", "2"),
        ]
        text = "\r\n".join(separator.join(line) for line in lines)
        first, second = read_csv(b"\xef\xbb\xbf" + text.encode())
        assert (first.number, second.number) == (2, 4)
        assert first.fields == {
            "id": "a1",
            "name": "Ani, Jr",
            "group": "hotel",
            "skills": ["payment", "refund"],
            "max_assignment": 3,
            "desks": [],
        }
        assert second.fields == {"id": "a2", "desks": ["hotel-chat", "train-chat"], "level": 2}


def test_a_worker_that_does_not_know_of_a_new_user_yet_looks_again_and_logs_nothing_meanwhile(scene, live):
    scene.create()
    new = Added(user=User(id="new", name="New", group="hotel"), desks=None)
    put_user(scene.store, live.ruleset, new, scene.clock())
    known = live.ruleset()
    scene.online("new")
    assert "new" not in known.roster.users
    logged = len(scene.log())
    with scene.store.connection():
        assert scene.worker.drain("hotel-chat") == scene.clock() + REFUSED_AGAIN
    assert len(scene.log()) == logged
    assert scene.load("new") == 0
    scene.clock.advance(0.5)
    scene.run_timers()
    with scene.store.connection():
        scene.worker.drain("hotel-chat")
    assert scene.ticket().assignee == "new"


def test_a_ticket_that_nobody_may_be_given_does_not_keep_the_worker_busy(scene, live, monkeypatch):
    scene.create()
    new = Added(user=User(id="new", name="New", group="hotel"), desks=None)
    put_user(scene.store, live.ruleset, new, scene.clock())
    scene.online("new")
    monkeypatch.setattr(live, "follow", lambda: False)
    scene.run_timers()
    scene.run_timers()
    assert scene.ticket().assignee is None
    assert scene.rows("SELECT due_at FROM timer") == [(micros(scene.clock() + REFUSED_AGAIN),)]
