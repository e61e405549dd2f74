"""Who gets a ticket, what waits and in which order, and what a stint is."""

import datetime as dt

import pytest

from rules_service.decide import load_ruleset
from rules_service.errors import TransitionRefused
from tests.scene import FakeClock, Scene, ruleset_of, travel_files, variant

#: Two agents serve, each two tickets.
SMALL = variant((r"(ha1: .*|ha2: .*)max_assignment: 5", r"\1max_assignment: 2"))


@pytest.fixture
def small(store, clock):
    made = Scene(store, clock, SMALL)
    made.online("ha1", "ha2")
    return made


def _fill(scene, count=4):
    for number in range(count):
        scene.create(f"full{number}")
        scene.clock.advance(1)


@pytest.mark.req("R4.3", "R4.4", "R4.5", "R3.9", "R3.11")
def test_a_first_contact_becomes_a_ticket_and_goes_to_an_online_agent_who_is_told(scene):
    scene.online("ha3")
    answer = scene.create()
    assert (answer["ticket"]["status"], answer["ticket"]["assignee"]) == ("assigned", "ha3")
    assert ("alert", "assignee") in [
        (kind, data.get("to", [""])[0]) for kind, data in scene.actions() if data.get("to")
    ]
    assert ("reassign", {"to": "ha3", "previous": None}) in scene.actions()


@pytest.mark.req("R3.10")
def test_of_five_online_of_whom_four_are_busy_the_fifth_gets_it(scene):
    scene.online("ha1", "ha2", "ha3", "ha4", "ha5")
    for number, user in enumerate(("ha1", "ha2", "ha3", "ha5")):
        scene.create(f"busy{number}", assignee=user)
    scene.create()
    assert scene.ticket().assignee == "ha4"


@pytest.mark.req("R4.20", "R4.21", "R5.7", "R5.16")
def test_when_all_are_at_their_maximum_a_new_ticket_waits(small):
    _fill(small)
    answer = small.create()
    assert (answer["ticket"]["status"], answer["ticket"]["assignee"]) == ("unassigned", None)
    assert small.ticket().queued_at is not None
    assert [small.load(user) for user in ("ha1", "ha2")] == [2, 2]
    small.loads_hold()


@pytest.mark.req("R5.7")
def test_an_agent_of_the_travel_company_holds_five_at_most(scene):
    scene.online("ha1")
    for number in range(6):
        scene.create(f"t{number}")
    assert scene.load("ha1") == 5
    assert scene.ticket("t5").status == "unassigned"


@pytest.mark.req("R4.22", "R3.2", "R3.25")
def test_a_freed_slot_goes_to_who_is_next_in_the_order_of_the_queue(small):
    _fill(small)
    for name, data in (
        ("plain", {}),
        ("later", {}),
        ("urgent", {"priority": "urgent"}),
        ("gold", {"customer": {"id": "c", "tier": "gold"}}),
        ("vip", {"customer": {"id": "d", "tier": "vip"}}),
    ):
        small.create(name, **data)
        small.clock.advance(1)
    order = []
    waiting = {"plain", "later", "urgent", "gold", "vip"}
    for number in range(4):
        small.send("ticket.closed", f"full{number}", by=small.ticket(f"full{number}").assignee)
        small.run_timers()
        given = {name for name in waiting if small.ticket(name).assignee}
        assert len(given) == 1
        order += given
        waiting -= given
        small.loads_hold()
    assert order == ["vip", "gold", "urgent", "plain"]


@pytest.mark.parametrize(
    "free",
    [
        lambda scene: scene.send("ticket.closed", "full0", by="ha1"),
        lambda scene: scene.send("ticket.transferred", "full0", by="ha1", group="booking"),
        lambda scene: scene.send("ticket.deleted", "full0"),
        lambda scene: scene.send("ticket.merged", "full0"),
        lambda scene: scene.online("ha4"),
    ],
    ids=["closed", "transferred", "deleted", "merged", "online"],
)
def test_whatever_frees_a_slot_refills_it(small, free):
    _fill(small)
    assert small.ticket("full0").assignee == "ha1"
    small.create()
    free(small)
    small.run_timers()
    assert small.ticket().assignee in ("ha1", "ha4")
    small.loads_hold()


def test_one_freed_slot_takes_one_ticket(small):
    _fill(small)
    for number in range(3):
        small.create(f"q{number}")
    small.send("ticket.closed", "full0", by="ha1")
    small.run_timers()
    assert [bool(small.ticket(f"q{number}").assignee) for number in range(3)] == [True, False, False]


def test_a_queue_is_looked_at_again_in_case_a_slot_was_freed_in_between(small):
    _fill(small)
    small.create()
    small.store.transact(lambda: small.store.sql("UPDATE member SET open_count = 1 WHERE id = 'ha2'"))
    small.run_timers()
    assert small.ticket().assignee is None
    small.clock.advance(0.1)
    small.run_timers()
    assert small.ticket().assignee == "ha2"


def test_a_ticket_that_fails_holds_up_none_behind_it_and_is_tried_again(small, monkeypatch, caplog):
    _fill(small)
    for number in range(3):
        small.create(f"q{number}")
        small.clock.advance(1)
    real = small.service.distribute

    def stumbling(ticket_id):
        if ticket_id in ("q0", "q1"):
            raise KeyError(ticket_id)
        return real(ticket_id)

    monkeypatch.setattr(small.service, "distribute", stumbling)
    small.send("ticket.closed", "full0", by="ha1")
    small.run_timers()
    assert [small.ticket(f"q{number}").assignee for number in range(3)] == [None, None, "ha1"]
    assert caplog.text.count("ticket_not_distributed") == 2
    monkeypatch.setattr(small.service, "distribute", real)
    small.store.transact(lambda: small.store.sql("UPDATE member SET slot_limit = 3 WHERE id = 'ha1'"))
    small.clock.advance(61)
    small.run_timers()
    assert [small.ticket(f"q{number}").assignee for number in range(3)] == ["ha1", None, "ha1"]


def test_a_supervisor_may_go_over_the_maximum_and_then_nothing_is_assigned_until_below(small):
    _fill(small)
    small.create()
    with pytest.raises(TransitionRefused, match="override"):
        small.ask("ticket.assigned", by="hs1", assignee="ha1")
    answer = small.ask("ticket.assigned", by="hs1", assignee="ha1", override=True)
    assert (answer["outcome"], "over_maximum" in answer["marks"]) == ("done", True)
    assert small.load("ha1") == 3
    small.create("t2")
    small.send("ticket.closed", "full0", by="ha1")
    small.run_timers()
    assert (small.load("ha1"), small.ticket("t2").assignee) == (2, None)
    small.send("ticket.closed", by="ha1")
    small.run_timers()
    assert small.ticket("t2").assignee == "ha1"
    small.loads_hold()


def test_an_agent_may_not_go_over_the_maximum(small):
    _fill(small)
    small.create()
    with pytest.raises(TransitionRefused) as error:
        small.ask("ticket.assigned", by="ha1", assignee="ha1", override=True)
    assert [reason["code"] for reason in error.value.data["reasons"]] == ["no_free_slot"]


def test_a_fact_above_the_maximum_is_taken_and_marked(small):
    _fill(small)
    answer = small.create(assignee="ha1")
    assert answer["ticket"]["assignee"] == "ha1"
    assert small.load("ha1") == 3
    second = small.send("ticket.assigned", "full1", assignee="ha1")
    assert "over_maximum" in second["marks"]
    assert small.load("ha1") == 4
    small.loads_hold()


@pytest.mark.req("R5.8", "R5.27")
def test_a_desk_without_proactive_assignment_distributes_nothing(scene):
    scene.online("ba1")
    scene.create(group="booking")
    assert scene.ticket().assignee is None
    scene.clock.advance(60)
    scene.run_timers()
    assert scene.ticket().assignee is None
    scene.ask("ticket.assigned", by="ba1", assignee="ba1")
    assert scene.ticket().assignee == "ba1"


@pytest.mark.req("R5.28", "R5.30")
def test_outside_service_hours_nothing_is_distributed_and_at_opening_everything_is(store):
    evening = dt.datetime(2026, 3, 2, 14, 30, tzinfo=dt.UTC)  # 21:30 in Jakarta
    scene = Scene(store, FakeClock(evening), variant((r"proactive_assignment: false.*", "proactive_assignment: true")))
    scene.online("ba1")
    scene.create(group="booking")
    scene.clock.advance(3_600)
    scene.run_timers()
    assert scene.ticket().assignee is None
    scene.clock.now = dt.datetime(2026, 3, 3, 1, tzinfo=dt.UTC)  # 08:00 in Jakarta
    scene.run_timers()
    assert scene.ticket().assignee == "ba1"


@pytest.mark.req("R5.13", "R5.14", "R5.15")
@pytest.mark.parametrize(
    ("line", "field"),
    [(r"\n    supervisor: hs1", "supervisor"), (r"\n    max_assignment: 5\n    queue", "max_assignment")],
)
def test_a_desk_has_a_supervisor_and_a_maximum_and_defaults_for_the_rest(databases, line, field):
    files = variant((line, "\n    queue" if field == "max_assignment" else ""))
    ruleset, problems = load_ruleset({name: str(text).encode() for name, text in files.items()})
    assert ruleset is None
    assert any(f'"{field}" is required' in str(problem) for problem in problems)


@pytest.mark.req("R5.16", "R5.17", "R5.18", "R5.19")
@pytest.mark.parametrize(
    ("own", "desks", "channels", "limit"),
    [
        (3, [5], "chat", 3),
        (None, [5], "chat", 5),
        (None, [5, 4], "chat", 9),
        (3, [5, 4], "chat", 3),
        (3, [5, 4], "telephony", 1),
        (None, [5], "telephony", 1),
    ],
)
def test_a_maximum_is_the_users_own_else_the_desks_summed_and_one_with_telephony(
    databases, own, desks, channels, limit
):
    lines = ["version: 1", "default_desk: d0", "groups: {g: {}}", "users:", "  s: {group: g, role: supervisor}"]
    lines.append(f"  a: {{group: g{'' if own is None else f', max_assignment: {own}'}}}")
    lines.append("desks:")
    for number, most in enumerate(desks):
        lines.append(
            f"  d{number}: {{group: g, channels: [{channels}], supervisor: s, members: [a], max_assignment: {most}}}"
        )
    files = {"r.yaml": "\n".join(lines), "lifecycle.yaml": travel_files()["lifecycle.yaml"]}
    roster = ruleset_of(files).roster
    assert roster.slot_limit(roster.users["a"]) == limit


# --- stints -----------------------------------------------------------------------------------------------------------


@pytest.mark.req("R4.18")
def test_when_the_assignment_moves_the_lifecycle_ends_for_the_old_agent_and_starts_for_the_new(scene):
    scene.given("pending")
    scene.online("ha2")
    scene.clock.advance(60)
    scene.ask("ticket.reassigned", by="hs1", assignee="ha2")
    found = scene.snapshot()
    assert (found.ticket.status, found.stint.number, found.stint.agent_id) == ("assigned", 2, "ha2")
    assert (found.stint.opened_at, found.stint.responded_at) == (None, None)
    assert scene.clock_of("assigned_to_responded").status == "running"
    assert scene.clock_of("assigned_to_responded").started_at == scene.clock()
    rows = scene.rows("SELECT number, agent_id, ended_at IS NULL, ended_by FROM stint ORDER BY number")
    assert [(row[0], row[1], bool(row[2]), row[3]) for row in rows] == [
        (1, "ha1", False, "reassign"),
        (2, "ha2", True, None),
    ]
    assert (scene.load("ha1"), scene.load("ha2")) == (0, 1)


@pytest.mark.req("R4.18")
def test_an_unmet_clock_of_a_stint_is_void_when_the_assignment_moves_and_missed_when_it_was_breached(scene):
    scene.given("assigned")
    scene.online("ha2")
    scene.clock.advance(60)
    scene.ask("ticket.reassigned", by="hs1", assignee="ha2")
    scene.clock.advance(301)
    scene.run_due()
    scene.ask("ticket.reassigned", by="hs1", assignee="ha1")
    rows = scene.rows("SELECT stint_number, status FROM clock WHERE name = 'assigned_to_responded' ORDER BY id")
    assert rows == [(1, "void"), (2, "missed")]


@pytest.mark.req("R4.16", "R4.17")
def test_a_supervisor_returns_the_ticket_to_the_agent(scene):
    scene.given("pending")
    scene.online("hs1")
    scene.send("ticket.assigned", by="hs1", assignee="hs1")
    assert scene.ticket().assignee == "hs1"
    scene.ask("ticket.reassigned", by="hs1", assignee="ha1")
    assert (scene.ticket().assignee, scene.snapshot().stint.number) == ("ha1", 3)


@pytest.mark.req("R1.24")
def test_the_history_of_a_long_ticket_adds_up(scene):
    """Facts that jump about leave at most one open stint, and every counter right."""
    scene.given("assigned")
    scene.online("ha2", "ta1")
    for kind, data in (
        ("ticket.assigned", {"assignee": "ha2"}),
        ("ticket.assigned", {"assignee": None}),
        ("ticket.transferred", {"group": "train"}),
        ("ticket.assigned", {"assignee": "ta1"}),
        ("ticket.closed", {}),
        ("ticket.reopened", {}),
        ("ticket.assigned", {"assignee": "ha1"}),
        ("ticket.updated", {"assignee": "ha2", "status": "closed"}),
    ):
        scene.clock.advance(10)
        scene.send(kind, **data)
        scene.loads_hold()
        ((open_stints,),) = scene.rows("SELECT COUNT(*) FROM stint WHERE ended_at IS NULL")
        assert open_stints == (1 if scene.snapshot().stint else 0)
    numbers = [row[0] for row in scene.rows("SELECT number FROM stint ORDER BY number")]
    assert numbers == list(range(1, scene.ticket().stint_number + 1))


@pytest.mark.req("R2.30")
def test_transfers_are_counted_and_limited(scene):
    scene.create()
    for group in ("train", "hotel", "train"):
        scene.ask("ticket.transferred", by="system", group=group)
        scene.offline("ha1")
    assert scene.ticket().transfers_count == 3
    with pytest.raises(TransitionRefused, match="3 times"):
        scene.ask("ticket.transferred", by="system", group="hotel")
    assert scene.ask("ticket.transferred", by="ts1", group="hotel", override=True)["outcome"] == "done"
