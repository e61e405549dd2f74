"""The travel company of the case study, configured step by step with its own numbers."""

import datetime as dt
from zoneinfo import ZoneInfo

import pytest

from rules_service.service.keys import create_key
from tests.scene import FakeClock, Scene, travel_files, variant

WIB = ZoneInfo("Asia/Jakarta")

#: Group -> supervisors and agents.
TEAMS = {"hotel": (2, 8), "flight": (2, 8), "train": (2, 8), "booking": (2, 3)}

#: The files as they are before anybody but the supervisors is there.
WITHOUT_AGENTS = variant((r"\n  [hftb]a\d: .*", ""))

pytestmark = pytest.mark.req("R5.3")


def at(hour, minute=0, day=2):
    """An instant in the company's own time."""
    return dt.datetime(2026, 3, day, hour, minute, tzinfo=WIB).astimezone(dt.UTC)


@pytest.fixture
def scene(store):
    made = Scene(store, FakeClock(at(9)), WITHOUT_AGENTS)
    yield made
    made.worker.relay.stop()


@pytest.fixture
def team(scene, client):
    """Step 1: the agents of all four groups, as one roster."""
    lines = ["id,name,group,role"]
    for group, (_, agents) in TEAMS.items():
        lines += [f"{group[0]}a{number},{group} agent {number},{group},agent" for number in range(1, agents + 1)]
    done = client.post("/v1/users/import", data="\n".join(lines), content_type="text/csv").json
    assert done == {"created": 27, "updated": 0, "unchanged": 0}
    scene.worker.live.follow()
    return scene


def _publish(scene, client, group, text, *, by=None):
    """Puts the folder of a group live, with the key of the user `by`."""
    headers = {}
    if by is not None:
        key = create_key(
            scene.store, scene.clock(), name=by, scopes=["rules:write"], role="supervisor", user_id=by
        )  # fmt: skip
        headers = {"Authorization": f"Bearer {key}"}
    files = {f"groups/{group}/team.yaml": text}
    response = client.post("/v1/rulesets", json={"files": files, "group": group}, headers=headers)
    scene.worker.live.follow()
    return response


def _folder(group, *changes):
    text = str(WITHOUT_AGENTS[f"groups/{group}/team.yaml"])
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    return text


@pytest.mark.req("R5.2", "R5.3", "R5.9")
def test_step_1_the_groups_have_their_supervisors_and_agents(team, client):
    groups = {group["id"]: group for group in client.get("/v1/groups").json["items"]}
    for group, (supervisors, agents) in TEAMS.items():
        assert len(groups[group]["supervisors"]) == supervisors
        assert groups[group]["members"]["total"] == supervisors + agents
        listed = client.get(f"/v1/users?group={group}&role=agent").json["items"]
        assert len(listed) == agents
        assert {user["slot_limit"] for user in listed} == {5}
    assert [groups[group]["members"]["total"] for group in TEAMS] == [10, 10, 10, 5]


@pytest.mark.req("R5.5", "R5.10")
def test_step_2_a_desk_serves_whatsapp_and_twitter_with_all_agents_of_its_group(team, client):
    for group, (_, agents) in TEAMS.items():
        (desk,) = (d for d in team.worker.live.ruleset().roster.desks.values() if d.group == group)
        assert desk.channels == ("whatsapp", "twitter")
        assert len(client.get(f"/v1/users?desk={desk.name}").json["items"]) == agents


@pytest.mark.req("R5.11", "R5.12")
def test_step_2_a_supervisor_configures_the_own_group_and_no_other(team, client):
    changed = _folder("hotel", ("max_assignment: 5", "max_assignment: 6"))
    assert _publish(team, client, "hotel", changed, by="hs1").status_code == 200
    assert client.get("/v1/users/ha1").json["slot_limit"] == 6
    refused = _publish(team, client, "hotel", changed, by="ts1")
    assert (refused.status_code, refused.json["code"]) == (403, "not_allowed")
    desk = team.worker.live.ruleset().roster.desks["hotel-chat"]
    assert desk.group == "hotel", "the file names no group; the folder does"


@pytest.mark.req("R5.13", "R5.14", "R5.15")
@pytest.mark.parametrize(
    ("removed", "says"), [("    supervisor: hs1\n", '"supervisor"'), ("    max_assignment: 5\n", '"max_assignment"')]
)
def test_step_2_a_desk_needs_one_supervisor_and_a_maximum(team, client, removed, says):
    response = _publish(team, client, "hotel", _folder("hotel", (removed, "")))
    assert response.status_code == 422
    assert any(f"{says} is required" in problem for problem in response.json["problems"])


@pytest.mark.req("R5.4", "R5.15", "R5.29")
def test_step_2_everything_else_has_a_default(team, client):
    text = _folder("hotel", ("    queue: [tier, priority, created]\n    sla: {assigned_to_responded: 300s}\n", ""))
    assert _publish(team, client, "hotel", text).status_code == 200
    desk = team.worker.live.ruleset().roster.desks["hotel-chat"]
    assert (desk.calendar, desk.proactive_assignment, desk.strategy) == ("always", True, "least_loaded")
    assert desk.queue == (("created", True),)


@pytest.mark.req("R5.7", "R5.16", "R5.17", "R4.19", "R4.20", "R4.21")
def test_step_3_eight_agents_hold_five_each_and_the_next_ticket_waits(team):
    team.online(*(f"ha{number}" for number in range(1, 9)))
    for number in range(41):
        team.create(f"t{number}", channel=("whatsapp", "twitter")[number % 2])
    assert [team.load(f"ha{number}") for number in range(1, 9)] == [5] * 8
    assert team.ticket("t40").status == "unassigned"
    team.loads_hold()


@pytest.mark.req("R5.16", "R5.17", "R5.18", "R5.19")
def test_step_3_the_maximum_is_the_users_else_the_sum_of_the_desks_and_one_with_telephony(team, client):
    def limit(body):
        return client.put("/v1/users/ha1", json={"group": "hotel", **body}).json["slot_limit"]

    assert limit({}) == 5
    assert limit({"desks": ["hotel-chat", "flight-chat"]}) == 10
    assert limit({"desks": ["hotel-chat", "flight-chat"], "max_assignment": 7}) == 7
    assert limit({"max_assignment": 3}) == 3
    _publish(team, client, "hotel", _folder("hotel", ("[whatsapp, twitter]", "[telephony]")))
    assert client.get("/v1/users/ha1").json["slot_limit"] == 1
    assert client.get("/v1/users/ha2").json["slot_limit"] == 1
    assert client.get("/v1/users/fa1").json["slot_limit"] == 5


@pytest.mark.req("R5.6", "R5.20", "R5.21", "R5.23", "R5.26")
def test_step_4_the_first_response_is_due_300_seconds_after_the_assignment(team):
    team.create()
    team.clock.advance(120)
    team.online("ha1")
    team.run_timers()
    clock = team.clock_of("assigned_to_responded")
    assert (clock.target_s, clock.started_at) == (300, team.clock())
    team.clock.advance(300)
    team.send("message.sent", by="ha1", text="Halo")
    assert team.clock_of("assigned_to_responded").status == "met"
    team.create("late")
    team.clock.advance(301)
    team.run_due()
    assert team.clock_of("assigned_to_responded", "late").status == "breached"


@pytest.mark.req("R5.22", "R5.23", "R5.24", "R5.25")
def test_step_4_the_metric_is_one_of_a_list(team, client):
    for metric in ("assigned_to_responded", "created_to_responded", "resolution"):
        text = _folder("hotel", ("{assigned_to_responded: 300s}", f"{{{metric}: 300s}}"))
        assert _publish(team, client, "hotel", text).status_code == 200
    text = _folder("hotel", ("{assigned_to_responded: 300s}", "{first_reply: 300s}"))
    response = _publish(team, client, "hotel", text)
    assert response.status_code == 422
    assert any("created_to_responded" in problem for problem in response.json["problems"])


@pytest.mark.req("R5.8", "R5.27")
@pytest.mark.parametrize(
    ("group", "expected"), [("hotel", True), ("flight", True), ("train", True), ("booking", False)]
)
def test_step_5_tickets_are_distributed_but_to_booking(team, group, expected):
    agent = f"{group[0]}a1"
    team.online(agent)
    team.create(group=group)
    team.clock.advance(60)
    team.run_timers()
    assert (team.ticket().assignee == agent) is expected


@pytest.mark.req("R5.8", "R5.27")
def test_step_5_booking_receives_what_a_service_team_took_first(team, client):
    team.online("ha1", "ba1")
    team.create()
    team.ask("ticket.transferred", by="ha1", group="booking")
    assert (team.ticket().desk, team.ticket().assignee) == ("booking-management", None)
    assert [row["ticket_id"] for row in client.get("/v1/desks/booking-management/queue").json["items"]] == ["t1"]
    team.ask("ticket.assigned", by="ba1", assignee="ba1")
    assert team.ticket().assignee == "ba1"


@pytest.mark.req("R5.4", "R5.28", "R5.29")
@pytest.mark.parametrize(("hour", "minute", "is_open"), [(7, 59, False), (8, 0, True), (20, 59, True), (21, 0, False)])
@pytest.mark.parametrize("databases", ["sqlite"], indirect=True)
def test_step_6_booking_is_open_from_8_to_21_every_day_and_the_others_always(team, hour, minute, is_open):
    ruleset = team.worker.live.ruleset()
    for day in range(2, 9):
        assert ruleset.calendar_of_desk("booking-management").is_open(at(hour, minute, day)) is is_open
        for desk in ("hotel-chat", "flight-chat", "train-chat"):
            assert ruleset.calendar_of_desk(desk).is_open(at(hour, minute, day))


@pytest.mark.req("R5.28", "R5.30")
def test_step_6_outside_service_hours_nothing_is_distributed(team, client):
    """Were booking proactive, it would wait for the morning all the same."""
    text = _folder("booking", ("proactive_assignment: false", "proactive_assignment: true"))
    assert _publish(team, client, "booking", text).status_code == 200
    team.online("ba1", "ha1")
    team.clock.now = at(21, 30)
    team.create("night", group="booking")
    team.create("hotel", group="hotel")
    team.clock.advance(3_600)
    team.run_timers()
    assert (team.ticket("night").assignee, team.ticket("hotel").assignee) == (None, "ha1")
    team.clock.now = at(8, 0, day=3)
    team.run_timers()
    assert team.ticket("night").assignee == "ba1"


@pytest.mark.req("R5.6", "R5.31")
def test_step_6_the_service_level_is_counted_within_service_hours_only(team):
    """Assigned at 20:58, two minutes count in the evening and three in the morning."""
    team.online("ba1")
    team.clock.now = at(20, 58)
    team.create(group="booking")
    team.ask("ticket.assigned", by="ba1", assignee="ba1")
    assert team.clock_of("assigned_to_responded").due_at == at(8, 3, day=3)
    team.clock.now = at(8, 3, day=3)
    team.send("message.sent", by="ba1", text="Halo")
    assert team.clock_of("assigned_to_responded").status == "met"


def test_the_files_of_the_example_have_the_same_people(team):
    """Whoever prefers files to a roster has the agents there."""
    from tests.scene import ruleset_of

    of_files = ruleset_of(travel_files()).roster
    merged = team.worker.live.ruleset().roster
    assert set(of_files.users) == set(merged.users)
    assert {name: set(desk.members) for name, desk in of_files.desks.items()} == {
        name: set(desk.members) for name, desk in merged.desks.items()
    }
