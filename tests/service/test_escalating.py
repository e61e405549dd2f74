"""Calling help: who asks, who decides, who is asked, who holds the ticket, and what everybody sees of it."""

import pytest

from rules_service.errors import TransitionRefused
from tests.delivery.receivers import Receiver, at_once, variables
from tests.scene import NINE, Scene, variant

#: Ways of calling help beside those of the travel company; each begins with a tag, a word or an amount of its own.
MORE = """
version: 1
attributes:
  refund: {type: number, about: What the customer wants back in IDR}
keywords:
  reputation: {any: [wartawan, journalist]}
escalation_policies:
  experienced: {steps: [{to: {level: next}, hand_over: true}]}
  repair: {steps: [{to: {group: technical}, hand_over: true}]}
  engineers: {steps: [{to: technical, ack_within: 15m}, {to: management}]}
  careful: {approval: supervisor, steps: [{to: technical, ack_within: 15m}, {to: management}]}
  good-name: {steps: [{to: management, notify: [customer]}]}
connectors:
  issues:
    base_url: "${ISSUES_URL}"
    operations:
      create: {method: POST, path: /issues, json: {title: "{{ title }}", labels: "{{ labels }}", of: "{{ ticket.id }}"}}
rules:
  - id: defect
    when: {ticket.tags: defect}
    then: [{escalate: {policy: repair, summary: "Repair: {{ ticket.subject }}"}}]
  - id: large-refund
    when: {ticket.custom.refund: {at_least: 1000000}}
    then:
      - escalate: {policy: standard, summary: Above an agent's limit}
      - alert: {to: [assignee], text: A refund of this size needs your supervisor}
  - id: long-thread
    on: message.received
    when: {recent.messages_received: {within: 1h, at_least: 3}}
    then: [{escalate: {policy: engineers, summary: More complex than it seemed}}]
    limit: 1 per ticket
  - id: press
    on: message.received
    when: {message.text: {keywords: reputation}}
    then: [{escalate: {policy: good-name, summary: Our name is at stake}}]
  - id: customer-hears
    on: [ticket.escalated, escalation.approved]
    when: {ticket.escalated: true}    # what waits for a yes is not yet
    then:
      - add_tags: [was-escalated]
      - reply: {text: Somebody who can help has been asked}
  - id: issue
    on: ticket.escalated
    when: {ticket.tags: defect}
    then: [{call: {connector: issues, operation: create, data: {title: "{{ ticket.subject }}", labels: ["at {{ ticket.group }}", 7]}}}]
  - id: judgement
    on: ticket.closed
    when: {ticket.tags: was-escalated}
    then: [{request_feedback: {text: How did we do?}}]
"""

FILES = variant(add={"more.yaml": MORE})


@pytest.fixture
def scene(store, clock):
    made = Scene(store, clock, FILES)
    yield made
    made.worker.relay.stop()


def _told(scene, kind, ticket="t1"):
    return [data for _, data in scene.actions(ticket, kind)]


def _asked(scene, ticket="t1"):
    """Whom the escalations of a ticket asked, in order."""
    return [data["to"] for data in _told(scene, "escalate", ticket)]


def _refused(scene, *request, **data):
    with pytest.raises(TransitionRefused) as error:
        scene.ask(*request, **data)
    return {reason["code"] for reason in error.value.data["reasons"]}


# --- from the first level to a higher one -----------------------------------------------------------------------------


@pytest.mark.req("R1.1", "R1.2", "R1.31", "R2.1", "R2.2")
def test_what_the_first_level_cannot_solve_goes_to_a_more_experienced_agent_who_then_holds_it(scene):
    scene.given("pending")
    scene.online("ha2", "ha6")  # of the same level as ha1; one above
    answer = scene.ask("ticket.escalated", by="ha1", summary="I cannot solve it", policy="experienced")
    assert (answer["ticket"]["status"], answer["ticket"]["assignee"]) == ("assigned", "ha6")
    assert (scene.load("ha1"), scene.load("ha2"), scene.load("ha6")) == (0, 0, 1)
    assert {"to": "ha6", "previous": "ha1"} in _told(scene, "reassign")
    assert scene.snapshot().escalation.followers == ("ha1",)


@pytest.mark.req("R1.3", "R1.15", "R1.17", "R2.1", "R2.6")
def test_what_needs_a_repair_is_handed_to_an_engineer_at_once(scene):
    scene.given("pending")
    scene.online("ha2", "hs1", "hx1")
    scene.clock.advance(60)
    scene.send("ticket.updated", by="ha1", add_tags=["defect"])
    (told,) = _told(scene, "escalate")
    assert (told["to"], told["summary"]) == ("group technical", "Repair: Room")
    found = scene.ticket()
    assert (found.group, found.desk, found.assignee, scene.load("ha1")) == ("technical", "technical", "hx1", 0)
    scene.send("message.sent", by="hx1", text="Repaired")
    assert scene.snapshot().escalation.acknowledged_by == "hx1"
    assert scene.ask("ticket.closed", by="hx1")["ticket"]["status"] == "closed"
    assert scene.snapshot().escalation is None


@pytest.mark.req("R1.3", "R2.20")
def test_a_step_asks_the_people_of_a_level_or_those_of_a_function(scene):
    scene.given("pending")
    scene.ask("ticket.escalated", by="ha1", summary="Help", policy="standard")
    for wait_s in (15 * 60, 30 * 60, 3_600):
        scene.clock.advance(wait_s)
        scene.run_due()
    targets = {data["to"]: set(data["targets"]) for data in _told(scene, "escalate")}
    assert targets == {
        "supervisor": {"hs1", "hs2"},
        "level next": {"ha5", "ha6", "ha7", "ha8"},
        "group technical": {"xs1", "hx1", "hx2"},
        "management": {"ceo"},
    }


@pytest.mark.req("R1.18", "R1.19")
def test_when_the_companys_name_is_at_stake_management_is_asked_first(scene):
    scene.given("pending")
    scene.send("message.received", text="I am a friend")
    assert _asked(scene) == []
    scene.send("message.received", text="Saya wartawan")
    (told,) = _told(scene, "escalate")
    assert (told["to"], told["targets"], told["summary"]) == ("management", ["ceo"], "Our name is at stake")
    scene.send("note.added", by="ceo", text="We pay")
    assert scene.snapshot().escalation.acknowledged_by == "ceo"


# --- who may do what --------------------------------------------------------------------------------------------------


@pytest.mark.req("R1.9")
def test_of_all_parties_the_agent_is_the_one_who_receives_a_new_ticket(scene):
    scene.online("hs1", "hs2", "xs1", "hx1", "hx2", "ceo")
    scene.create()
    assert (scene.ticket().status, scene.ticket().assignee) == ("unassigned", None)
    scene.online("ha1")
    scene.run_timers()
    assert scene.ticket().assignee == "ha1"
    assert [data["text"] for data in _told(scene, "alert")] == ["Ticket t1 is yours: Room"]


@pytest.mark.req("R1.10")
def test_an_agent_who_can_solve_it_closes_it_and_nobody_else_is_asked(scene):
    scene.given("closed")
    assert scene.ticket().assignee == "ha1"
    assert _asked(scene) == []
    assert "ticket.escalated" not in scene.log()
    assert _told(scene, "request_feedback") == []
    scene.clock.advance(86_400)
    scene.run_due()
    assert _asked(scene) == []


#: Reads: on a ticket that ha1 has answered, who may do what.
DUTIES = [
    ("ha1", "agent", {"respond", "close", "escalate", "transfer"}),
    ("ha2", "agent", {"respond"}),
    ("hs1", "supervisor", {"respond", "close", "escalate", "transfer", "reassign", "release"}),
    ("ts1", "supervisor", {"respond", "release"}),
    ("hx1", "technical", {"respond"}),
    ("ceo", "management", {"respond"}),
    ("", "customer", set()),
]


@pytest.mark.req("R1.23")
@pytest.mark.parametrize(("user", "role", "allowed"), DUTIES)
@pytest.mark.parametrize("databases", ["sqlite"], indirect=True)
def test_each_party_is_told_what_is_theirs_to_do(scene, client, user, role, allowed):
    scene.given("pending")
    found = client.get("/v1/tickets/t1/transitions", query_string={"role": role} | ({"user": user} if user else {}))
    assert found.status_code == 200, found.text
    assert {row["trigger"] for row in found.json["allowed"]} == allowed
    assert all(row["reasons"] for row in found.json["refused"])


@pytest.mark.req("R1.6")
def test_what_only_a_higher_authority_may_do_is_refused_to_the_agent_who_then_asks_for_it(scene):
    scene.given("pending")
    scene.online("ha2")
    assert _refused(scene, "ticket.reassigned", by="ha1", assignee="ha2") == {"wrong_role"}
    assert _refused(scene, "ticket.released", by="ha1") == {"wrong_role"}
    scene.ask("ticket.escalated", by="ha1", summary="ha2 speaks German")
    scene.ask("ticket.reassigned", by="hs1", assignee="ha2")
    assert scene.ticket().assignee == "ha2"


@pytest.mark.req("R1.6", "R1.18", "R1.19")
def test_a_move_can_be_managements_alone(store):
    text = r"(trigger: release, from: \[assigned, open, pending\], to: unassigned, by: )\[supervisor, system\]"
    scene = Scene(store, files=variant((text, r"\1[management]")))
    scene.given("pending")
    scene.offline("ha1")
    assert _refused(scene, "ticket.released", by="ha1") == {"wrong_role"}
    assert _refused(scene, "ticket.released", by="hs1") == {"wrong_role"}
    assert scene.ask("ticket.released", by="ceo")["ticket"]["status"] == "unassigned"


@pytest.mark.req("R1.24")
def test_help_that_is_called_makes_no_second_owner(scene):
    scene.given("pending")
    scene.online("ha2", "hs1", "hx1")
    scene.ask("ticket.escalated", by="ha1", summary="Help", policy="engineers")
    scene.send("message.sent", by="hx1", text="Try this")
    assert scene.snapshot().escalation.acknowledged_by == "hx1"
    assert (scene.ticket().assignee, scene.snapshot().stint.agent_id) == ("ha1", "ha1")
    assert [scene.load(user) for user in ("ha1", "ha2", "hs1", "hx1")] == [1, 0, 0, 0]
    assert _refused(scene, "ticket.assigned", by="hx1", assignee="hx1") == {"wrong_role"}
    assert _refused(scene, "ticket.closed", by="hx1") == {"may_not_act_for"}


# --- whether help is called -------------------------------------------------------------------------------------------


@pytest.mark.req("R1.13")
@pytest.mark.parametrize("answer", ["approved", "refused"])
def test_where_the_supervisor_decides_nobody_is_asked_before_and_a_no_is_told(scene, client, answer):
    scene.given("pending")
    scene.ask("ticket.escalated", by="ha1", summary="Too hard for me", policy="careful")
    assert "ha1 asks to escalate ticket t1: Too hard for me" in [
        data["text"] for data in _told(scene, "alert") if data["to"] == ["supervisor"]
    ]
    scene.clock.advance(3_600)
    scene.run_due()
    for user in ("ha1", "ha2", "hx1"):
        assert scene.send("escalation.approved", by=user)["outcome"] == "recorded"
    assert _asked(scene) == []
    assert client.get("/v1/tickets?escalated=true").json["items"] == []
    promised = "Somebody who can help has been asked"
    assert promised not in [data["text"] for data in _told(scene, "reply")]
    scene.send(f"escalation.{answer}", by="hs2", reason="It is in the handbook")
    if answer == "approved":
        assert _asked(scene) == ["technical"]
        assert client.get("/v1/tickets/t1").json["escalation"]["approved_by"] == "hs2"
        assert _told(scene, "reply")[-1]["text"] == promised
    else:
        assert (_asked(scene), scene.snapshot().escalation) == ([], None)
        assert _told(scene, "alert")[-1]["to"] == ["user:ha1"]
        assert "It is in the handbook" in _told(scene, "alert")[-1]["text"]


@pytest.mark.req("R1.13")
def test_an_agent_whose_group_wants_a_yes_does_not_get_round_it_by_naming_another_policy(store, clock):
    files = {name: str(text).replace("escalation: standard", "escalation: careful") for name, text in FILES.items()}
    scene = Scene(store, clock, files)
    scene.given("pending")
    scene.ask("ticket.escalated", by="ha1", summary="Too hard for me", policy="engineers")
    assert (_asked(scene), scene.snapshot().escalation.approval_wanted_at) == ([], scene.clock())
    scene.send("escalation.approved", by="hs1")
    assert (_asked(scene), scene.snapshot().escalation.policy) == (["technical"], "engineers")
    scene.worker.relay.stop()


@pytest.mark.req("R1.7", "R1.13")
def test_a_request_that_nobody_decides_about_is_told_to_management_in_time(scene):
    scene.given("pending")
    scene.ask("ticket.escalated", by="ha1", summary="Too hard for me", policy="careful")
    scene.clock.advance(900)
    scene.run_due()
    assert _told(scene, "alert")[-1]["to"] == ["supervisor", "management"]
    assert "Nobody decided" in _told(scene, "alert")[-1]["text"]
    scene.clock.advance(86_400)
    scene.run_due()
    assert sum("Nobody decided" in data["text"] for data in _told(scene, "alert")) == 1
    scene.send("escalation.approved", by="hs1")
    assert _asked(scene) == ["technical"]


@pytest.mark.req("R1.14")
def test_a_supervisor_helps_without_an_escalation_and_the_agent_keeps_the_ticket(scene):
    scene.given("open")
    scene.send("note.added", by="hs1", text="Offer the later date")
    answer = scene.send("message.sent", by="hs1", text="We can offer a later date")
    assert (answer["outcome"], answer["ticket"]["status"], answer["ticket"]["assignee"]) == ("done", "open", "ha1")
    assert (scene.snapshot().escalation, _asked(scene)) == (None, [])
    assert scene.clock_of("created_to_responded").status == "met"
    assert scene.clock_of("assigned_to_responded").status == "running", "the agent's own answer is still awaited"


@pytest.mark.req("R1.14", "R1.13")
def test_a_supervisor_helps_before_deciding_and_helping_decides_nothing(scene):
    scene.given("pending")
    scene.ask("ticket.escalated", by="ha1", summary="Too hard for me", policy="careful")
    scene.send("note.added", by="hs1", text="Have you tried the later date?")
    found = scene.snapshot().escalation
    assert (found.approval_wanted_at is None, found.acknowledged_at, _asked(scene)) == (False, None, [])


@pytest.mark.req("R2.21")
def test_an_agent_starts_an_escalation_with_one_call(scene, client):
    scene.given("pending")
    offered = client.get("/v1/tickets/t1/transitions?role=agent&user=ha1").json["allowed"]
    assert {"trigger": "escalate", "to": "pending", "requires": ["summary"]} in offered
    call = {"trigger": "escalate", "actor": {"id": "ha1", "role": "agent"}, "data": {}}
    assert client.post("/v1/tickets/t1/transitions", json=call).status_code == 409
    assert _asked(scene) == []
    call["data"] = {"summary": "A refund that I may not grant"}
    done = client.post("/v1/tickets/t1/transitions", json=call)
    assert (done.status_code, done.json["outcome"]) == (200, "done")
    (told,) = _told(scene, "escalate")
    assert (told["to"], told["summary"]) == ("supervisor", "A refund that I may not grant")


#: Reads: what happens on a ticket that ha1 has answered, the rule that says so, and who is asked.
CRITERIA = [
    ("ticket.updated", {"custom": {"refund": 999_999}}, None, []),
    ("ticket.updated", {"custom": {"refund": 1_000_000}}, "large-refund", ["supervisor"]),
    ("ticket.updated", {"add_tags": ["defect"]}, "defect", ["group technical"]),
    ("message.received", {"text": "A journalist asked me"}, "press", ["management"]),
    ("message.received", {"text": "Halo?"}, None, []),
]


@pytest.mark.req("R1.11", "R1.33", "R2.18")
@pytest.mark.parametrize(("kind", "data", "rule", "asked"), CRITERIA)
def test_when_to_escalate_is_written_down_beforehand_and_done(scene, kind, data, rule, asked):
    scene.given("pending")
    answer = scene.send(kind, **data)
    assert _asked(scene) == asked
    assert (rule in answer["fired"]) if rule else answer["fired"] == []


@pytest.mark.req("R1.11", "R2.18")
def test_a_case_that_grows_is_escalated_and_why_can_be_asked(scene, client):
    scene.given("pending")
    for number in range(3):
        assert _asked(scene) == []
        scene.clock.advance(60)
        scene.send("message.received", text=f"And another thing, {number}")
    assert _asked(scene) == ["technical"]
    why = client.get("/v1/tickets/t1/explain?rule=long-thread").json
    assert why["last"]["outcome"] == "fired"
    assert client.get("/v1/tickets/t1").json["escalation"]["reasons"] == ["rule long-thread"]
    needs = client.get("/v1/tickets/t1/explain?rule=large-refund").json
    assert (needs["holds"], needs["conditions"]["wanted"]) == (False, 1_000_000)


@pytest.mark.req("R1.11")
def test_the_agent_is_told_that_a_case_is_above_their_authority(scene):
    scene.given("pending")
    scene.send("ticket.updated", custom={"refund": 2_000_000})
    assert ["assignee"] in [data["to"] for data in _told(scene, "alert") if "needs your supervisor" in data["text"]]


# --- what is seen of it -----------------------------------------------------------------------------------------------


@pytest.mark.req("R1.26", "R1.31", "R2.15")
def test_an_escalation_is_followed_in_one_place_from_its_start_to_its_end(scene, client):
    scene.given("pending")
    scene.create("t2", channel="twitter")
    scene.ask("ticket.escalated", by="ha1", summary="Help", policy="engineers")

    def seen():
        found = client.get("/v1/tickets/t1").json["escalation"]
        return found and (found["step"], found["targets"], found["acknowledged_by"])

    assert seen() == (1, ["hx1", "hx2"], None)
    assert [ticket["id"] for ticket in client.get("/v1/tickets?escalated=true").json["items"]] == ["t1"]
    scene.clock.advance(15 * 60)
    scene.run_due()
    assert seen() == (2, ["hx1", "hx2", "ceo"], None)
    scene.send("note.added", by="ceo", text="I call them")
    assert seen() == (2, ["hx1", "hx2", "ceo"], "ceo")
    scene.send("escalation.closed", by="ceo")
    assert seen() is None
    assert client.get("/v1/tickets?escalated=true&channel=whatsapp").json["items"] == []
    story = [item["type"] for item in client.get("/v1/tickets/t1/timeline").json["items"]]
    course = ["ticket.escalated", "escalation.step_due", "note.added", "escalation.closed"]
    assert [kind for kind in story if kind in course] == course


@pytest.mark.req("R1.20")
def test_the_customer_hears_of_the_escalation_is_a_party_to_it_and_keeps_writing_in_the_same_ticket(scene):
    scene.given("pending")
    scene.send("message.received", text="A journalist asked me")
    (told,) = _told(scene, "escalate")
    assert "customer" in told["parties"]
    assert _told(scene, "reply")[-1]["text"] == "Somebody who can help has been asked"
    scene.clock.advance(60)
    answer = scene.send("message.received", text="Here is the photo you asked for")
    assert (answer["outcome"], answer["ticket"]["assignee"]) == ("done", "ha1")
    assert scene.ticket().waiting_since_at is not None
    assert scene.snapshot().escalation.acknowledged_at is None, "the customer's message is no answer to the call"


@pytest.mark.req("R2.32")
def test_after_a_ticket_that_was_escalated_the_customer_is_asked_once_and_the_answer_is_kept(scene, client):
    scene.given("pending")
    scene.ask("ticket.escalated", by="ha1", summary="Help")
    assert _told(scene, "request_feedback") == []
    scene.send("ticket.closed", by="ha1")
    assert [data["text"] for data in _told(scene, "request_feedback")] == ["How did we do?"]
    scene.clock.advance(600)
    scene.send("feedback.received", by="customer", score=2, text="It took long")
    last = client.get("/v1/tickets/t1/timeline").json["items"][-1]
    assert (last["type"], last["data"]["score"], scene.ticket().status) == ("feedback.received", 2, "closed")
    assert len(_told(scene, "request_feedback")) == 1


@pytest.mark.req("R2.24")
def test_an_escalation_opens_a_ticket_in_another_system(scene):
    with Receiver() as issues:
        variables(scene, ISSUES_URL=f"http://{issues.address}", HELPDESK_WEBHOOK_URL="")
        scene.given("pending")
        scene.create("t2")
        scene.send("ticket.escalated", "t2", summary="No defect")
        scene.send("ticket.updated", add_tags=["defect"])
        relay = at_once(scene)
        while relay.run_once():
            pass
        assert issues.got == [{"title": "Room", "labels": ["at hotel", 7], "of": "t1"}]


# --- service levels ---------------------------------------------------------------------------------------------------


@pytest.mark.req("R2.4")
def test_a_service_level_states_what_is_due_to_whom_and_each_ticket_is_held_to_it(store):
    policies = r"sla_policies:\n  - id: travel"
    stated = (
        "sla_policies:\n  - {id: gold-contract, when: {customer.tier: {at_least: gold}}, targets: {resolution: 2h}}\n"
        "  - id: travel"
    )
    scene = Scene(store, files=variant((policies, stated)))
    scene.clock.now = NINE
    scene.create("plain")
    scene.create("gold", customer={"id": "c", "tier": "gold"})
    scene.create("kept", customer={"id": "d", "tier": "vip"})
    assert {name: scene.clock_of("resolution", name).target_s for name in ("plain", "gold", "kept")} == {
        "plain": 86_400, "gold": 7_200, "kept": 7_200,
    }  # fmt: skip
    scene.clock.advance(7_200)
    scene.send("ticket.closed", "kept", by="hs1")
    scene.clock.advance(1)
    scene.run_due()
    assert [scene.clock_of("resolution", name).status for name in ("plain", "gold", "kept")] == [
        "running", "breached", "met",
    ]  # fmt: skip
