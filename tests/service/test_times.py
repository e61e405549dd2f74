"""Late and skewed events, deadlines on the exact second, and after the service was away."""

import datetime as dt

import pytest

from rules_service.decide import Brakes
from rules_service.store import due_tickets
from tests.scene import NINE, FakeClock, Scene, variant


def _at(seconds):
    return NINE + dt.timedelta(seconds=seconds)


def _kinds(scene, kind):
    return [data for name, data in scene.actions(kind=kind)]


# --- two times --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("at", "counted", "skewed"),
    [
        (_at(100), _at(100), False),
        (_at(190), _at(120), True),
        (_at(180), _at(120), False),
        (_at(-60), _at(0), False),
        (_at(-61), _at(0), True),
        (_at(10**8), _at(120), True),
    ],
    ids=["past", "future", "slightly future", "slightly before", "before", "far future"],
)
@pytest.mark.parametrize("databases", ["sqlite"], indirect=True)
def test_when_it_happened_is_clamped_between_the_tickets_creation_and_now(scene, at, counted, skewed):
    scene.create()
    scene.clock.now = _at(120)
    answer = scene.send("message.received", at=at, text="x")
    assert scene.ticket().last_received_at == counted
    assert ("skewed" in answer["marks"]) is skewed


def test_clocks_follow_when_it_happened_and_state_follows_when_it_arrived(scene):
    scene.online("ha1")
    scene.clock.now = NINE
    scene.create()
    scene.clock.now = _at(250)
    scene.send("message.sent", by="ha1", at=_at(40), text="Halo")
    found = scene.snapshot()
    assert (found.ticket.status, found.ticket.status_since_at) == ("pending", _at(250))
    assert (found.stint.responded_at, scene.clock_of("assigned_to_responded").stopped_at) == (_at(40), _at(40))


def test_a_fact_older_than_the_last_of_its_kind_moves_clocks_only(scene):
    scene.given("pending")
    now = scene.clock()
    scene.clock.advance(60)
    scene.send("ticket.updated", at=now + dt.timedelta(seconds=50), priority="high")
    answer = scene.send("ticket.updated", at=now + dt.timedelta(seconds=20), priority="low")
    assert (answer["outcome"], scene.ticket().priority) == ("late", "high")
    answer = scene.send("ticket.updated", at=now + dt.timedelta(seconds=50), subject="the same instant is not late")
    assert answer["outcome"] == "done"


def test_a_late_assignment_does_not_take_the_ticket_from_who_holds_it_now(scene):
    scene.create()
    scene.clock.now = _at(100)
    scene.send("ticket.assigned", at=_at(90), assignee="ha2")
    scene.send("ticket.assigned", at=_at(50), assignee="ha1")
    assert scene.ticket().assignee == "ha2"
    scene.loads_hold()


# --- the deadline of the first response -------------------------------------------------------------------------------


@pytest.fixture
def assigned(scene):
    """Assigned to ha1 at nine."""
    scene.online("ha1")
    scene.clock.now = NINE
    scene.create()
    assert scene.ticket().assignee == "ha1"
    return scene


@pytest.mark.req("R2.3", "R2.19", "R5.6", "R5.21", "R5.26", "R3.32")
def test_no_first_response_300_s_after_assignment_escalates_and_alerts_at_that_second(assigned):
    assigned.clock.now = _at(299.999999)
    assigned.run_due()
    assert (assigned.snapshot().escalation, _kinds(assigned, "escalate")) == (None, [])
    assigned.clock.now = _at(300)
    assigned.run_due()
    escalation = assigned.snapshot().escalation
    assert (escalation.policy, escalation.targets, escalation.opened_at) == ("standard", ("hs1", "hs2"), _at(300))
    (told,) = _kinds(assigned, "escalate")
    assert (told["to"], told["summary"]) == ("supervisor", "No first response within 5m")
    assert [data["to"] for data in _kinds(assigned, "alert") if data["severity"] == "critical"] == [
        ["assignee", "supervisor"]
    ]
    clock = assigned.clock_of("assigned_to_responded")
    assert (clock.status, clock.breached_at) == ("breached", _at(300))


@pytest.mark.req("R5.6")
def test_the_time_counts_from_the_assignment_not_from_the_creation(scene):
    scene.create()
    scene.clock.now = _at(200)
    scene.online("ha1")
    scene.run_timers()
    scene.clock.now = _at(499)
    scene.run_due()
    assert scene.clock_of("assigned_to_responded").status == "running"
    scene.clock.now = _at(501)
    scene.run_due()
    assert scene.clock_of("assigned_to_responded").status == "breached"


def test_an_answer_at_that_very_second_is_in_time(assigned):
    assigned.clock.now = _at(300)
    assigned.send("message.sent", by="ha1", text="Halo")
    assert assigned.clock_of("assigned_to_responded").status == "met"
    assigned.run_due()
    assert _kinds(assigned, "escalate") == []


def test_a_deadline_is_worked_off_once(assigned):
    assigned.clock.now = _at(300)
    for _ in range(3):
        assigned.run_due()
    assert assigned.log().count("clock.breached") == 1
    assert len(_kinds(assigned, "escalate")) == 1


@pytest.mark.req("R1.7", "R2.19")
def test_after_hours_away_a_breach_is_judged_at_its_time_and_escalated_once(assigned):
    assigned.clock.now = _at(5 * 3_600)
    assigned.run_due()
    clock = assigned.clock_of("assigned_to_responded")
    assert (clock.status, clock.breached_at) == ("breached", _at(300))
    rows = assigned.rows("SELECT type, at, received_at FROM event WHERE ticket_id = 't1' AND type = 'clock.breached'")
    assert {row[2] for row in rows} == {int(_at(5 * 3_600).timestamp() * 1e6)}
    assert min(row[1] for row in rows) == int(_at(300).timestamp() * 1e6)
    assert len(_kinds(assigned, "escalate")) == 1
    # Who is asked has from now on to take it up, not from a time when nobody could have told them.
    assert assigned.snapshot().escalation.step_due_at == _at(5 * 3_600 + 900)


def test_what_was_due_before_an_event_is_decided_before_it(assigned):
    assigned.clock.now = _at(400)
    assigned.send("message.sent", by="ha1", text="Halo")
    assert assigned.log() == ["ticket.created", "clock.breached", "message.sent"]
    assert assigned.clock_of("assigned_to_responded").status == "missed"


def test_an_answer_in_time_that_arrives_before_the_worker_looked_leaves_no_breach(assigned):
    assigned.clock.now = _at(400)
    assigned.send("message.sent", by="ha1", at=_at(200), text="Halo")
    assigned.run_due()
    assert assigned.log() == ["ticket.created", "message.sent"]
    assert assigned.clock_of("assigned_to_responded").status == "met"


def test_an_answer_in_time_that_is_reported_late_corrects_the_verdict_and_ends_the_escalation(assigned):
    assigned.clock.now = _at(300)
    assigned.run_due()
    assert assigned.snapshot().escalation is not None
    assigned.clock.now = _at(420)
    answer = assigned.send("message.sent", id="late", by="ha1", at=_at(200), text="Halo")
    clock = assigned.clock_of("assigned_to_responded")
    assert (clock.status, clock.stopped_at, clock.breached_at) == ("met", _at(200), None)
    assert "sla.corrected" in [decision["type"] for decision in assigned.decisions("late")]
    assert assigned.snapshot().escalation is None
    assert "escalation_closed" in answer["marks"]
    assert len(_kinds(assigned, "escalate")) == 1, "what was sent stands"


def test_a_correction_leaves_an_escalation_open_that_has_another_reason(assigned):
    assigned.clock.now = _at(300)
    assigned.run_due()
    assigned.ask("ticket.escalated", by="ha1", summary="And I cannot solve it")
    assigned.clock.now = _at(420)
    assigned.send("message.sent", by="ha1", at=_at(200), text="Halo")
    assert assigned.clock_of("assigned_to_responded").status == "met"
    assert assigned.snapshot().escalation is not None


@pytest.mark.req("R5.31")
def test_the_service_level_is_counted_in_service_hours_only(store):
    # Booking closes at 21:00 in Jakarta, 14:00 UTC; two minutes before, and three minutes after it opens at 01:00 UTC.
    scene = Scene(store, FakeClock(dt.datetime(2026, 3, 2, 13, 58, tzinfo=dt.UTC)))
    scene.online("ba1")
    scene.create(group="booking")
    scene.ask("ticket.assigned", by="ba1", assignee="ba1")
    due_at = scene.clock_of("assigned_to_responded").due_at
    assert due_at.replace(microsecond=0) == dt.datetime(2026, 3, 3, 1, 3, tzinfo=dt.UTC)
    scene.clock.now = dt.datetime(2026, 3, 3, 1, 2, 59, tzinfo=dt.UTC)
    scene.run_due()
    assert scene.clock_of("assigned_to_responded").status == "running"
    scene.clock.now = dt.datetime(2026, 3, 3, 1, 3, 1, tzinfo=dt.UTC)
    scene.run_due()
    assert scene.clock_of("assigned_to_responded").status == "breached"


# --- other deadlines --------------------------------------------------------------------------------------------------


@pytest.mark.req("R1.8", "R2.11", "R2.12", "R2.10")
def test_an_escalation_climbs_its_ladder_until_somebody_acts(scene):
    scene.given("pending")
    scene.ask("ticket.escalated", by="ha1", summary="Help")
    asked = []
    for wait_s in (0, 15 * 60, 30 * 60, 3_600, 3_600):
        scene.clock.advance(wait_s)
        scene.run_due()
        asked = [data["to"] for data in _kinds(scene, "escalate")]
    assert asked[:4] == ["supervisor", "level next", "group technical", "management"]


@pytest.mark.req("R1.7", "R4.11")
def test_any_act_of_who_was_asked_stops_the_climb(scene):
    scene.given("pending")
    scene.ask("ticket.escalated", by="ha1", summary="Help")
    scene.clock.advance(60)
    answer = scene.send("note.added", by="hs2", text="Looking")
    assert "escalation_acknowledged" in answer["marks"]
    scene.clock.advance(86_400)
    scene.run_due()
    assert [data["to"] for data in _kinds(scene, "escalate") if data["reason"] != "rule resolution-breached"] == [
        "supervisor"
    ]


@pytest.mark.req("R2.29")
def test_an_escalation_that_is_open_too_long_is_told_and_nothing_is_closed_by_it(scene):
    scene.given("pending")
    scene.ask("ticket.escalated", by="ha1", summary="Help")
    scene.send("escalation.acknowledged", by="hs1")
    scene.clock.advance(30 * 86_400)
    scene.run_due()
    (told,) = [data for data in _kinds(scene, "alert") if "longer than its policy" in data["text"]]
    assert (told["to"], told["severity"]) == (["supervisor", "management"], "critical")
    assert scene.snapshot().escalation is not None


@pytest.mark.req("R3.31")
def test_an_idle_ticket_is_told_every_half_hour_three_times(scene):
    scene.given("pending")
    idle = lambda: [data for data in _kinds(scene, "alert") if "is idle" in data["text"]]  # noqa: E731
    seen = []
    for _ in range(6):
        scene.clock.advance(29 * 60 + 59)
        scene.run_due()
        scene.clock.advance(1)
        scene.run_due()
        seen.append(len(idle()))
    assert seen == [1, 2, 3, 3, 3, 3]


def test_an_act_of_a_person_begins_anew_and_that_of_a_machine_does_not(scene):
    scene.given("pending")
    idle = lambda: len([data for data in _kinds(scene, "alert") if "is idle" in data["text"]])  # noqa: E731
    scene.clock.advance(20 * 60)
    scene.send("message.sent", by="ha1", text="auto", automated=True)
    scene.send("action.applied", action="reply")
    scene.clock.advance(10 * 60)
    scene.run_due()
    assert idle() == 1
    scene.send("note.added", by="ha1", text="x")
    scene.clock.advance(20 * 60)
    scene.run_due()
    assert idle() == 1
    scene.clock.advance(10 * 60)
    scene.run_due()
    assert idle() == 2


def test_after_hours_away_missed_repeats_are_one_and_the_next_comes_in_its_time(scene):
    scene.given("pending")
    idle = lambda: len([data for data in _kinds(scene, "alert") if "is idle" in data["text"]])  # noqa: E731
    scene.clock.advance(5 * 3_600)
    scene.run_due()
    assert idle() == 1
    scene.clock.advance(29 * 60)
    scene.run_due()
    assert idle() == 1
    scene.clock.advance(60)
    scene.run_due()
    assert idle() == 2


WINDOW = """
version: 1
rules:
  - id: between
    when: {ticket.status: pending, time.idle: {at_least: 40m, less_than: 50m}}
    then: [{note: "idle between 40 and 50 minutes"}]
"""


@pytest.mark.parametrize("away", [False, True])
def test_conditions_are_judged_at_their_due_time_even_if_the_service_was_away_then(store, clock, away):
    scene = Scene(store, clock, variant(add={"w.yaml": WINDOW}))
    scene.given("pending")
    if not away:
        scene.clock.advance(40 * 60)
        scene.run_due()
        assert len(_kinds(scene, "note")) == 1
    scene.clock.advance(5 * 3_600)
    scene.run_due()
    assert len(_kinds(scene, "note")) == 1


# --- deadlines come to an end -----------------------------------------------------------------------------------------

REPEATS = """
version: 1
rules:
  - id: nagging
    when: {ticket.status: pending, time.idle: {at_least: 10m}}
    then: [{note: "still idle"}]
    repeat: {every: 10m}
"""


@pytest.mark.parametrize(
    ("rule", "brakes", "notes"),
    [
        (REPEATS, Brakes(), 6),
        (REPEATS + "    limit: 1 per ticket\n", Brakes(), 1),
        (REPEATS + "    limit: 1 per stint\n", Brakes(), 1),
        (REPEATS + "    limit: 1 per 1h\n", Brakes(), 1),
        (REPEATS, Brakes(firings_a_day=4), None),
        (REPEATS.replace('note: "still idle"', 'reply: {text: "still idle"}'), Brakes(replies_an_hour=2), None),
    ],
    ids=["repeats", "once a ticket", "once a stint", "once an hour", "firings a day", "replies an hour"],
)
def test_what_holds_a_repeat_back_does_not_keep_its_deadline_due_for_ever(store, clock, rule, brakes, notes):
    scene = Scene(store, clock, variant((r"  - id: idle\n(.*\n)+?    repeat: .*\n", ""), add={"n.yaml": rule}))
    scene.service.shared.brakes = brakes
    scene.given("pending")
    for _ in range(6):
        scene.clock.advance(600)
        for _ in range(3):
            scene.run_due()
        with scene.store.connection():
            assert due_tickets(scene.store, scene.clock(), 10) == []
    if notes is not None:
        assert len(_kinds(scene, "note")) == notes


def test_a_closed_ticket_has_no_deadline(scene):
    scene.given("closed")
    assert scene.rows("SELECT next_due_at FROM ticket") == [(None,)]


TWO_WARNINGS = """
version: 1
rules:
  - {id: warned, on: clock.warned, then: [{note: "warned"}]}
"""


def test_two_warnings_that_fall_on_one_second_are_both_given(store, clock):
    files = variant(
        (r"targets: {created_to_responded: 15m", "targets: {created_to_responded: 2s"),
        (r"warn_at: \[80%\]", "warn_at: [80%, 90%]"),
        add={"w.yaml": TWO_WARNINGS},
    )
    scene = Scene(store, clock, files)
    scene.create()
    scene.clock.advance(2)
    scene.run_due()
    assert scene.log() == ["ticket.created", "clock.warned", "clock.warned", "clock.breached"]
    assert len(_kinds(scene, "note")) == 2


# --- loops ------------------------------------------------------------------------------------------------------------

CHAIN = """
version: 1
rules:
  - {id: r0, on: ticket.created, then: [{add_tags: [t0]}]}
""" + "".join(
    f"  - {{id: r{number}, on: ticket.updated, when: {{ticket.tags: t{number - 1}}}, then: [{{add_tags: [t{number}]}}]}}\n"
    for number in range(1, 12)
)


def test_a_chain_stops_at_eight_generations_what_stands_is_kept_and_it_says_so(store, clock):
    scene = Scene(store, clock, variant(add={"chain.yaml": CHAIN}))
    answer = scene.create()
    decisions = scene.decisions("e1")
    assert [decision.get("generation", 0) for decision in decisions] == list(range(8))
    assert "loop" in answer["marks"]
    assert "loop" in decisions[-1]["marks"]
    assert scene.ticket().tags == {f"t{number}" for number in range(7)}


def test_two_rules_that_undo_each_other_come_to_rest(store, clock):
    rules = """
version: 1
rules:
  - {id: up, on: [ticket.created, ticket.updated], when: {ticket.priority: low}, then: [{set_priority: high}]}
  - {id: down, on: ticket.updated, when: {ticket.priority: high}, then: [{set_priority: low}]}
"""
    scene = Scene(store, clock, variant(add={"loop.yaml": rules}))
    answer = scene.create(priority="low")
    assert answer["outcome"] == "done"
    assert answer["fired"].count("up") == 1
    assert answer["fired"].count("down") == 1


@pytest.mark.req("R5.23", "R5.24")
def test_an_answer_that_is_told_after_a_later_one_is_the_first_and_takes_its_place_in_the_history(assigned):
    assigned.clock.now = _at(400)
    assigned.run_due()
    assigned.send("message.sent", by="ha1", text="And another thing")
    assigned.clock.now = _at(500)
    answer = assigned.send("message.sent", id="late", by="ha1", at=_at(200), text="Halo")
    assert answer["outcome"] == "late"
    kept = assigned.rows("SELECT name, status, used_s FROM clock WHERE ticket_id = 't1' ORDER BY name")
    assert kept == [("assigned_to_responded", "met", 200), ("created_to_responded", "met", 200)]
    assert [decision["type"] for decision in assigned.decisions("late")] == ["message.sent", "sla.corrected"]
    assert assigned.snapshot().escalation is None


def test_two_stints_that_are_due_at_one_instant_both_breach_and_hold_up_nothing(assigned):
    assigned.clock.now = _at(360)
    assigned.run_due()
    # To the helpdesk, which tells it a minute late, she had it from the first.
    assigned.send("ticket.assigned", at=_at(0), assignee="ha2")
    assert assigned.ticket().assignee == "ha2"
    assigned.run_due()
    assert assigned.clock_of("assigned_to_responded").status == "breached"
    assert assigned.log().count("clock.breached") == 2
    with assigned.store.connection():
        assert due_tickets(assigned.store, assigned.clock(), 10) == []
