"""What each event becomes, row by row. Source: the event table of the design."""

import datetime as dt

import pytest

from rules_service.decide.moves import _HANDLERS
from rules_service.errors import TransitionRefused
from rules_service.tickets import EVENT_TYPES, Actor
from tests.scene import NINE

pytestmark = pytest.mark.parametrize("databases", ["sqlite"], indirect=True)

#: status before, event, by whom, its data -> outcome, status and assignee after.
ROWS = [
    # ticket.opened: `open`; by anybody but the assignee recorded only
    ("assigned", "ticket.opened", "ha1", {}, "done", "open", "ha1"),
    ("assigned", "ticket.opened", None, {}, "done", "open", "ha1"),
    ("assigned", "ticket.opened", "ha2", {}, "recorded", "assigned", "ha1"),
    ("assigned", "ticket.opened", "hs1", {}, "recorded", "assigned", "ha1"),
    ("open", "ticket.opened", "ha1", {}, "unchanged", "open", "ha1"),
    ("pending", "ticket.opened", "ha1", {}, "unchanged", "pending", "ha1"),
    ("unassigned", "ticket.opened", None, {}, "recorded", "unassigned", None),
    ("unassigned", "ticket.opened", "ha1", {}, "recorded", "unassigned", None),
    ("closed", "ticket.opened", "ha2", {}, "recorded", "closed", "ha1"),
    # message.sent, a person: `respond`
    ("open", "message.sent", "ha1", {"text": "Halo"}, "done", "pending", "ha1"),
    ("assigned", "message.sent", "ha1", {"text": "Halo"}, "done", "pending", "ha1"),
    ("assigned", "message.sent", None, {"text": "Halo"}, "done", "pending", "ha1"),
    ("assigned", "message.sent", "hs1", {"text": "Halo"}, "done", "assigned", "ha1"),
    ("pending", "message.sent", "ha1", {"text": "Halo"}, "done", "pending", "ha1"),
    ("unassigned", "message.sent", "hs1", {"text": "Halo"}, "done", "unassigned", None),
    ("closed", "message.sent", "ha1", {"text": "Halo"}, "done", "closed", "ha1"),
    # message.sent, automated: recorded only
    ("open", "message.sent", "ha1", {"text": "Halo", "automated": True}, "recorded", "open", "ha1"),
    ("open", "message.sent", "system", {"text": "Halo"}, "recorded", "open", "ha1"),
    # message.received: none
    ("unassigned", "message.received", None, {"text": "?"}, "done", "unassigned", None),
    ("pending", "message.received", "customer", {"text": "?"}, "done", "pending", "ha1"),
    # ticket.assigned: assign, reassign, release
    ("unassigned", "ticket.assigned", None, {"assignee": "ha2"}, "done", "assigned", "ha2"),
    ("pending", "ticket.assigned", None, {"assignee": "ha2"}, "done", "assigned", "ha2"),
    ("pending", "ticket.assigned", "hs1", {"assignee": "ha2"}, "done", "assigned", "ha2"),
    ("pending", "ticket.assigned", None, {"assignee": "ha1"}, "unchanged", "pending", "ha1"),
    ("unassigned", "ticket.assigned", None, {"assignee": None}, "unchanged", "unassigned", None),
    # the event of the trigger's name
    ("pending", "ticket.reassigned", "hs1", {"assignee": "ha2"}, "done", "assigned", "ha2"),
    ("pending", "ticket.transferred", "ha1", {"group": "booking"}, "done", "unassigned", None),
    ("pending", "ticket.transferred", "ha1", {"desk": "booking-management"}, "done", "unassigned", None),
    ("pending", "ticket.transferred", "ha1", {"group": "hotel"}, "unchanged", "pending", "ha1"),
    ("pending", "ticket.escalated", "ha1", {"summary": "Help"}, "done", "pending", "ha1"),
    ("unassigned", "ticket.escalated", "ha1", {"summary": "Help"}, "done", "unassigned", None),
    ("pending", "ticket.closed", "ha1", {}, "done", "closed", "ha1"),
    ("pending", "ticket.closed", None, {}, "done", "closed", "ha1"),
    ("unassigned", "ticket.closed", None, {}, "done", "closed", None),
    ("closed", "ticket.closed", "ha1", {}, "unchanged", "closed", "ha1"),
    ("pending", "ticket.reopened", "hs1", {}, "unchanged", "pending", "ha1"),
    # ticket.updated: by each field that changed
    ("pending", "ticket.updated", None, {"priority": "urgent"}, "done", "pending", "ha1"),
    ("pending", "ticket.updated", None, {"assignee": "ha2"}, "done", "assigned", "ha2"),
    ("pending", "ticket.updated", None, {"desk": "booking-management"}, "done", "unassigned", None),
    ("pending", "ticket.updated", None, {"status": "closed"}, "done", "closed", "ha1"),
    ("assigned", "ticket.updated", "ha1", {"status": "open"}, "done", "open", "ha1"),
    ("pending", "ticket.updated", None, {"priority": "medium", "subject": "Room"}, "unchanged", "pending", "ha1"),
    # none
    ("pending", "note.added", "ha1", {"text": "x"}, "recorded", "pending", "ha1"),
    ("pending", "feedback.received", "customer", {"score": 5}, "recorded", "pending", "ha1"),
    ("pending", "escalation.approved", "hs1", {}, "unchanged", "pending", "ha1"),
    ("pending", "escalation.refused", "hs1", {}, "unchanged", "pending", "ha1"),
    ("pending", "escalation.acknowledged", "hs1", {}, "unchanged", "pending", "ha1"),
    ("pending", "escalation.closed", "hs1", {}, "recorded", "pending", "ha1"),
    ("pending", "action.applied", None, {"action": "reply"}, "recorded", "pending", "ha1"),
    ("pending", "action.failed", None, {"action": "reply"}, "recorded", "pending", "ha1"),
    # what the lifecycle has no edge for is followed all the same
    ("closed", "ticket.assigned", None, {"assignee": "ha2"}, "irregular", "assigned", "ha2"),
    ("assigned", "ticket.closed", "ta1", {}, "irregular", "closed", "ha1"),
    ("pending", "ticket.reassigned", "ha2", {"assignee": "ha2"}, "irregular", "assigned", "ha2"),
    ("pending", "ticket.assigned", "ta1", {"assignee": None}, "irregular", "unassigned", None),
    ("pending", "ticket.transferred", "ta1", {"group": "train"}, "irregular", "unassigned", None),
    ("unassigned", "ticket.assigned", "ha1", {"assignee": "ha2"}, "irregular", "assigned", "ha2"),
    ("pending", "ticket.escalated", "ha1", {}, "irregular", "pending", "ha1"),
]


@pytest.mark.req("R4.4", "R4.6", "R4.8", "R4.9", "R4.13", "R4.15")
@pytest.mark.parametrize(("before", "kind", "by", "data", "outcome", "status", "assignee"), ROWS)
def test_an_event_becomes_its_trigger(scene, before, kind, by, data, outcome, status, assignee):
    scene.given(before)
    scene.offline("ha1")
    scene.clock.advance(60)
    answer = scene.send(kind, by=by, **data)
    assert (answer["outcome"], answer["ticket"]["status"]) == (outcome, status)
    assert answer["irregular"] is (outcome == "irregular")
    assert bool(answer["reasons"]) is (outcome == "irregular")
    assert scene.ticket().assignee == assignee
    scene.loads_hold()


def test_every_event_is_in_a_row_above_or_in_a_test_below(databases):
    elsewhere = {
        "ticket.created", "ticket.imported", "ticket.released", "ticket.deleted", "ticket.merged", "user.online",
        "user.offline", "clock.warned", "clock.breached", "sla.corrected", "escalation.step_due", "escalation.overdue",
        "timer.due",
    }  # fmt: skip
    assert {row[1] for row in ROWS} | elsewhere == set(EVENT_TYPES)
    assert set(_HANDLERS) <= set(EVENT_TYPES)


# --- created, imported ------------------------------------------------------------------------------------------------


def test_a_created_ticket_is_followed_by_its_first_message_when_it_has_a_body(scene):
    scene.create("t1", body="sistem macet")
    scene.create("t2")
    types = {name: [decision["type"] for decision in scene.decisions(name)] for name in ("e1", "e2")}
    assert types["e1"][:2] == ["ticket.created", "message.received"]
    assert types["e2"] == ["ticket.created"]
    assert scene.ticket("t1").waiting_since_at == NINE
    assert scene.ticket("t2").waiting_since_at is None


def test_a_created_ticket_may_name_who_holds_it(scene):
    answer = scene.create(assignee="ha3")
    assert (answer["ticket"]["status"], answer["ticket"]["assignee"]) == ("assigned", "ha3")
    scene.loads_hold()


def test_a_ticket_that_is_created_twice_is_unchanged(scene):
    scene.given("pending")
    answer = scene.create(subject="Another", channel="twitter")
    assert (answer["outcome"], scene.ticket().subject, scene.ticket().status) == ("unchanged", "Room", "pending")


@pytest.mark.parametrize(
    ("data", "status", "assignee", "queued"),
    [
        ({}, "unassigned", None, True),
        ({"status": "pending", "assignee": "ha2"}, "pending", "ha2", False),
        ({"status": "closed", "assignee": "ha2"}, "closed", "ha2", False),
        ({"assignee": "ha2"}, "assigned", "ha2", False),
    ],
)
def test_an_imported_ticket_is_taken_as_it_stands_and_nothing_is_sent(scene, data, status, assignee, queued):
    at = NINE - dt.timedelta(days=2)
    answer = scene.send(
        "ticket.imported", at=at, group="hotel", channel="whatsapp", subject="x", body="sistem macet", **data
    )
    found = scene.ticket()
    assert (found.status, found.assignee, found.queued_at is not None) == (status, assignee, queued)
    assert found.created_at == at
    assert (answer["fired"], answer["actions"], scene.actions()) == ([], [], [])
    scene.loads_hold()


def test_a_breach_that_stood_before_the_import_fires_nothing_and_the_next_one_does(scene):
    at = NINE - dt.timedelta(days=2)
    scene.send("ticket.imported", at=at, group="hotel", channel="whatsapp", status="pending", assignee="ha2")
    scene.run_due()
    assert [kind for kind, _ in scene.actions() if kind == "escalate"] == []


# --- released, deleted, merged ----------------------------------------------------------------------------------------


def test_a_released_ticket_is_in_the_queue_of_its_desk(scene):
    scene.given("pending")
    scene.offline("ha1")
    answer = scene.send("ticket.released", by="hs1")
    assert (answer["outcome"], scene.ticket().status, scene.ticket().assignee) == ("done", "unassigned", None)
    assert scene.ticket().queued_at is not None
    assert scene.load("ha1") == 0


@pytest.mark.parametrize("kind", ["ticket.deleted", "ticket.merged"])
@pytest.mark.parametrize("status", ["unassigned", "pending"])
def test_a_ticket_that_is_gone_leaves_queue_slot_clocks_and_rules(scene, kind, status):
    scene.given(status)
    scene.send(kind)
    found = scene.snapshot()
    assert (found.ticket.live, found.ticket.queued_at, found.stint) == (False, None, None)
    assert {clock.status for clock in found.clocks} <= {"void", "met"}
    assert scene.load("ha1") == 0
    before = len(scene.actions())
    scene.clock.advance(100_000)
    scene.run_due()
    scene.send("message.received", text="sistem macet")
    assert len(scene.actions()) == before


# --- people -----------------------------------------------------------------------------------------------------------


@pytest.mark.req("R3.9")
def test_who_comes_online_has_the_queues_of_their_desks_looked_at(scene):
    scene.create()
    scene.store.transact(lambda: scene.store.sql("DELETE FROM timer"))
    scene.online("ta1")
    assert scene.rows("SELECT subject FROM timer") == []
    scene.online("ha1")
    assert scene.rows("SELECT subject FROM timer") == [("desk:hotel-chat",)]
    scene.run_timers()
    assert scene.ticket().assignee == "ha1"


def test_who_goes_offline_keeps_what_they_hold_and_gets_nothing_more(scene):
    scene.given("assigned")
    scene.offline("ha1")
    scene.create("t2")
    assert scene.ticket("t1").assignee == "ha1"
    assert scene.ticket("t2").assignee is None


# --- clocks by who answers --------------------------------------------------------------------------------------------


@pytest.mark.req("R5.23", "R5.24")
def test_the_assignees_own_clock_is_stopped_by_the_assignee_only(scene):
    scene.given("assigned")
    scene.clock.advance(30)
    scene.send("message.sent", by="hs1", text="Halo")
    assert scene.clock_of("created_to_responded").status == "met"
    assert scene.clock_of("assigned_to_responded").status == "running"
    scene.clock.advance(30)
    scene.send("message.sent", by="ha1", text="Halo")
    assert scene.clock_of("assigned_to_responded").status == "met"


def test_an_automated_message_stops_no_clock(scene):
    scene.given("assigned")
    scene.send("message.sent", by="ha1", text="Halo", automated=True)
    assert scene.clock_of("created_to_responded").status == "running"
    assert scene.clock_of("assigned_to_responded").status == "running"


# --- a closed ticket --------------------------------------------------------------------------------------------------


def test_a_customers_message_within_the_time_for_it_reopens_a_closed_ticket(scene):
    scene.given("closed")
    scene.clock.advance(7 * 86_400)
    answer = scene.send("message.received", text="Still broken")
    assert (answer["ticket"]["status"], scene.ticket().reopens_count) == ("assigned", 1)
    assert scene.ticket().assignee == "ha1", "the last agent, who is online and free"
    told = [kind for kind, _ in scene.actions() if kind in ("reopen", "reassign")]
    assert told[-2:] == ["reopen", "reassign"], "a helpdesk that does not reopen by itself has to know"


def test_what_the_helpdesk_reopened_itself_it_is_not_told(scene):
    scene.given("closed")
    scene.send("ticket.reopened", by="customer")
    scene.send("message.received", text="Still broken")
    assert "reopen" not in [kind for kind, _ in scene.actions()]


def test_a_customers_message_after_that_is_recorded(scene):
    scene.given("closed")
    scene.clock.advance(7 * 86_400 + 1)
    answer = scene.send("message.received", text="Thanks!")
    assert (answer["outcome"], answer["marks"], scene.ticket().status) == ("recorded", ["after_close"], "closed")


@pytest.mark.parametrize(("last_free", "expected"), [(True, "ha1"), (False, "ha2")])
def test_a_reopened_ticket_goes_to_its_last_agent_if_online_and_free_else_to_the_desk(scene, last_free, expected):
    scene.given("closed")
    scene.online("ha2")
    if last_free:
        # The other one has less to do.
        scene.create("t2", assignee="ha1")
    else:
        scene.offline("ha1")
    scene.send("ticket.reopened", by="hs1")
    assert scene.ticket().assignee == expected


# --- placements that failed -------------------------------------------------------------------------------------------


def test_a_failed_placement_goes_back_to_the_previous_owner_with_an_alert(scene):
    scene.given("pending")
    scene.online("ha2", "ha3")
    scene.ask("ticket.reassigned", by="hs1", assignee="ha2")
    assert scene.ticket().assignee == "ha2"
    scene.send("action.failed", action="reassign", detail="no such user")
    assert scene.ticket().assignee == "ha1"
    assert any("reassign failed: no such user" in data["text"] for _, data in scene.actions(kind="alert"))
    scene.loads_hold()


def test_a_failed_placement_of_a_ticket_that_nobody_had_goes_back_to_the_queue(scene):
    scene.given("assigned")
    scene.offline("ha1")
    scene.send("action.failed", action="reassign")
    assert (scene.ticket().assignee, scene.ticket().status) == (None, "unassigned")
    scene.loads_hold()


# --- an actor who is not named ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "data", "role"),
    [
        ("ticket.opened", {}, "agent"),
        ("message.sent", {"text": "x"}, "agent"),
        ("ticket.closed", {}, "agent"),
        ("message.received", {"text": "x"}, "customer"),
        ("note.added", {"text": "x"}, "system"),
        ("ticket.transferred", {"group": "booking"}, "system"),
        ("ticket.assigned", {"assignee": "ha2"}, "system"),
    ],
)
def test_an_actor_who_is_not_named_is_the_assignee_the_customer_or_the_system(scene, kind, data, role):
    scene.given("assigned")
    scene.send(kind, id="x", **data)
    assert scene.decisions("x")[0]["actor"] == {"id": "ha1" if role == "agent" else None, "role": role}


def test_an_actors_role_is_the_rosters(scene):
    scene.given("assigned")
    scene.send("note.added", id="x", by=Actor(id="hs1", role=""), text="x")
    scene.send("note.added", id="y", by=Actor(id="unknown", role=""), text="x")
    assert scene.decisions("x")[0]["actor"]["role"] == "supervisor"
    assert scene.decisions("y")[0]["actor"]["role"] == "agent"


@pytest.mark.parametrize("kind", ["ticket.deleted", "ticket.merged"])
def test_nothing_can_happen_to_a_ticket_that_is_gone_and_the_queue_behind_it_moves_on(scene, kind):
    scene.create("t1")
    scene.create("t2")
    scene.send(kind, "t1")
    for later, data in (("ticket.released", {}), ("ticket.assigned", {"assignee": None}), ("ticket.escalated", {})):
        answer = scene.send(later, "t1", **data)
        assert (answer["outcome"], answer["marks"]) == ("recorded", ["gone"])
    with pytest.raises(TransitionRefused, match="deleted"):
        scene.ask("ticket.assigned", "t1", by="hs1", assignee="ha1")
    scene.online("ha1")
    scene.run_timers()
    assert (scene.ticket("t1").assignee, scene.ticket("t2").assignee) == (None, "ha1")
