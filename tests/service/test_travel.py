"""What the documents ask of a travel company's contact centre, with the rules that ship as the example."""

import pytest


def _fired(answer):
    return set(answer["fired"])


def _told(scene, kind):
    return [data for _, data in scene.actions(kind=kind)]


@pytest.mark.req("R3.34", "R3.35", "R3.36", "R1.15", "R2.6")
def test_a_report_of_an_outage_goes_to_someone_who_knows_the_core_system(scene):
    scene.online("ha1", "hx1")
    answer = scene.create(subject="Sistem macet", body="tidak bisa bayar")
    assert "system-down" in _fired(answer)
    assert answer["ticket"] == {
        "id": "t1", "status": "assigned", "priority": "high", "group": "hotel", "desk": "hotel-chat",
        "assignee": "hx1", "tags": ["system-down"],
    }  # fmt: skip
    assert any(data["to"] == ["assignee"] for data in _told(scene, "alert"))
    scene.loads_hold()


@pytest.mark.req("R3.34")
def test_where_nobody_knows_it_the_ticket_stays_and_the_supervisor_learns_why(scene):
    scene.online("ha1")
    answer = scene.create(body="sistem macet")
    assert answer["ticket"]["assignee"] == "ha1"
    assert any("nobody with a free slot: skill core-system" in data["text"] for data in _told(scene, "alert"))


@pytest.mark.req("R3.14")
@pytest.mark.parametrize(("channel", "text", "tagged"), [
    ("twitter", "down lagi min", True),
    ("whatsapp", "down lagi min", False),
    ("whatsapp", "Sistem MACET!", True),
    ("twitter", "sistem macet", True),
])  # fmt: skip
@pytest.mark.parametrize("databases", ["sqlite"], indirect=True)
def test_keywords_are_set_for_each_platform(scene, channel, text, tagged):
    answer = scene.create(channel=channel, body=text)
    assert ("system-down" in answer["ticket"]["tags"]) is tagged


@pytest.mark.req("R3.13", "R3.15", "R3.22")
@pytest.mark.parametrize(("channel", "text", "priority"), [
    ("whatsapp", "tolong segera", "urgent"),
    ("twitter", "sudah viral", "urgent"),
    ("whatsapp", "sudah viral", "medium"),
    ("whatsapp", "terima kasih", "medium"),
])  # fmt: skip
@pytest.mark.parametrize("databases", ["sqlite"], indirect=True)
def test_keywords_make_a_ticket_urgent(scene, channel, text, priority):
    assert scene.create(channel=channel, body=text)["ticket"]["priority"] == priority
    scene.create("t2", channel=channel)
    assert scene.send("message.received", "t2", text=text)["ticket"]["priority"] == priority


@pytest.mark.req("R3.37", "R3.41", "R2.14", "R2.17")
@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("id", "Kami menerima pesan Anda. Perkiraan penyelesaian: 1d."),
        ("en", "We have your message. Estimated time to a resolution: 1d."),
    ],
)
@pytest.mark.parametrize("databases", ["sqlite"], indirect=True)
def test_the_first_answer_is_automatic_and_says_how_long_it_may_take(scene, language, text):
    scene.create(customer={"id": "c", "language": language})
    assert [data["text"] for data in _told(scene, "reply")] == [text]
    assert scene.clock_of("created_to_responded").status == "running", "a machine's answer is no response"


@pytest.mark.req("R3.38", "R3.41")
def test_the_customer_hears_when_it_is_resolved(scene):
    scene.given("closed")
    assert _told(scene, "reply")[-1]["text"] == "Masalah Anda telah diselesaikan. Terima kasih."


@pytest.mark.req("R3.24", "R3.29")
def test_an_important_customer_goes_first_and_the_supervisor_knows(scene):
    answer = scene.create(customer={"id": "c", "name": "Ibu Sari", "tier": "vip"})
    assert answer["ticket"]["priority"] == "high"
    assert [data["text"] for data in _told(scene, "alert") if data["to"] == ["supervisor"]] == [
        "VIP Ibu Sari wrote: Room"
    ]


@pytest.mark.req("R4.11", "R4.12", "R1.21", "R2.5", "R2.13", "R2.23")
def test_an_escalation_goes_from_the_agent_to_the_supervisor_with_its_context(scene):
    scene.given("pending")
    answer = scene.ask("ticket.escalated", by="ha1", summary="Refund above my limit")
    (told,) = list(_told(scene, "escalate"))
    assert (told["to"], told["targets"], told["summary"]) == ("supervisor", ["hs1", "hs2"], "Refund above my limit")
    assert "ha1" in told["parties"]
    assert told["context"]["subject"] == "Room"
    assert (answer["ticket"]["status"], answer["ticket"]["assignee"]) == ("pending", "ha1"), "help, not a hand-over"
    assert scene.snapshot().escalation.followers == ("ha1",)


@pytest.mark.req("R2.9", "R2.10", "R2.22")
def test_an_agent_may_choose_the_step_at_which_an_escalation_begins(scene):
    scene.given("pending")
    scene.ask("ticket.escalated", by="ha1", summary="A bug", policy="standard", start_at=3)
    assert _told(scene, "escalate")[0]["to"] == "group technical"
    assert set(_told(scene, "escalate")[0]["targets"]) == {"xs1", "hx1", "hx2"}


def test_one_escalation_a_ticket_which_gathers_reasons_and_only_jumps_up(scene):
    scene.given("pending")
    scene.ask("ticket.escalated", by="ha1", summary="First", reason="slow")
    scene.ask("ticket.escalated", by="ha1", summary="Second", reason="angry")
    scene.ask("ticket.escalated", by="ha1", summary="Third", reason="press", start_at=4)
    scene.ask("ticket.escalated", by="ha1", summary="Fourth", reason="calm", start_at=2)
    escalation = scene.snapshot().escalation
    assert (escalation.step, escalation.summary) == (3, "First")
    assert escalation.reasons == ("slow", "angry", "press", "calm")
    assert [data["to"] for data in _told(scene, "escalate")] == ["supervisor", "management"]


def test_closing_the_ticket_closes_its_escalation(scene):
    scene.given("pending")
    scene.ask("ticket.escalated", by="ha1", summary="Help")
    scene.send("ticket.closed", by="ha1")
    assert scene.snapshot().escalation is None


@pytest.mark.req("R4.13", "R4.14", "R5.8")
def test_a_booking_ticket_taken_by_a_service_team_is_transferred_and_picked_up(scene):
    scene.given("pending")
    scene.online("ba1")
    scene.ask("ticket.transferred", by="ha1", group="booking")
    assert (scene.ticket().desk, scene.ticket().status, scene.load("ha1")) == ("booking-management", "unassigned", 0)
    scene.ask("ticket.assigned", by="ba1", assignee="ba1")
    assert scene.ticket().assignee == "ba1"


@pytest.mark.req("R5.3", "R5.4", "R5.5")
def test_the_teams_are_as_large_as_in_the_document(ruleset):
    roster = ruleset.roster
    sizes = {
        group: tuple(
            sum(1 for user in roster.users.values() if user.group == group and user.role == role)
            for role in ("supervisor", "agent")
        )
        for group in ("hotel", "flight", "train", "booking")
    }
    assert sizes == {"hotel": (2, 8), "flight": (2, 8), "train": (2, 8), "booking": (2, 3)}
    assert {desk.channels for desk in roster.desks.values() if desk.group in sizes} == {("whatsapp", "twitter")}
    assert roster.desks["booking-management"].calendar == "booking-hours"
    assert roster.desks["hotel-chat"].calendar == "always"


@pytest.mark.req("R4.10")
def test_a_ticket_that_is_not_served_to_the_end_has_three_ways_to_go_on(scene):
    from rules_service.service.reading import options
    from rules_service.tickets import Actor

    scene.given("pending")
    with scene.store.connection():
        agent = options(scene.store, scene.ruleset, "t1", Actor(id="ha1", role="agent"), scene.clock())
        supervisor = options(scene.store, scene.ruleset, "t1", Actor(id="hs1", role="supervisor"), scene.clock())
    assert {found["trigger"] for found in agent["allowed"]} == {"respond", "close", "escalate", "transfer"}
    assert (
        next(found for found in agent["refused"] if found["trigger"] == "reassign")["reasons"][0]["code"]
        == "wrong_role"
    )
    assert {"reassign", "escalate", "transfer", "release"} <= {found["trigger"] for found in supervisor["allowed"]}
    assert next(found for found in agent["allowed"] if found["trigger"] == "escalate")["requires"] == ["summary"]
