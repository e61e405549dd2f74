"""One interaction of a customer with the company: contact, service, end; what comes first, what is answered by itself."""

import pytest

from tests.scene import Scene, variant

MORE = """
version: 1
attributes:
  booking: {type: text, about: Number of the booking}
keywords:
  refund: {any: [refund, uang kembali]}
  opening: {any: [jam buka, opening hours]}
templates:
  refund:
    id: {text: "Halo {{ customer.name }}, uang untuk {{ ticket.custom.booking }} kembali dalam 7 hari."}
    en:
      text: >-
        Dear {{ customer.name | default('customer') }}, about "{{ ticket.subject }}": the money for booking
        {{ ticket.custom.booking }} is back within 7 days.
  opening:
    en: {text: We are here at any time.}
rules:
  - {id: refund, on: message.received, when: {message.text: {keywords: refund}}, then: [{reply: refund}]}
  - {id: opening, on: message.received, when: {message.text: {keywords: opening}}, then: [{reply: opening}]}
  - id: urgent-and-open
    when: {ticket.priority: urgent, ticket.status: {is_not: closed}, time.age: {at_least: 10m}}
    then: [{alert: {to: [assignee, supervisor], severity: critical, text: "{{ ticket.id }} is urgent and still open"}}]
"""

FILES = variant(add={"more.yaml": MORE})


@pytest.fixture
def scene(store, clock):
    made = Scene(store, clock, FILES)
    yield made
    made.worker.relay.stop()


def _replies(scene, ticket="t1"):
    """What was answered by itself, but for the notice that a message arrived."""
    return [data["text"] for _, data in scene.actions(ticket, "reply") if data.get("template") != "received"]


@pytest.mark.req("R4.1", "R4.2")
def test_an_interaction_begins_with_a_contact_is_served_and_ends_and_its_status_says_where_it_is(client, scene):
    scene.online("ha1")

    def send(kind, role="agent", **data):
        scene.clock.advance(30)
        person = {"id": "ha1", "role": "agent"} if role == "agent" else {"id": "c1", "role": "customer"}
        event = {"id": f"x-{kind}", "type": kind, "at": scene.clock().isoformat(), "ticket_id": "t1"}
        answer = client.post("/v1/events", json=event | {"actor": person, "data": data})
        assert answer.status_code == 200, answer.text
        stage = client.get("/v1/tickets/t1").json
        assert stage["status"] == answer.json["ticket"]["status"]
        return stage["status"]

    contact = {"subject": "Room", "channel": "whatsapp", "group": "hotel", "customer": {"id": "c1"}}
    assert [
        send("ticket.created", "customer", **contact),
        send("ticket.opened"),
        send("message.sent", text="Halo"),
        send("message.received", "customer", text="Thank you"),
        send("ticket.closed"),
    ] == ["assigned", "open", "pending", "pending", "closed"]
    assert client.get("/v1/tickets/t1").json["closed_at"] is not None
    assert scene.load("ha1") == 0


@pytest.mark.req("R4.2")
def test_two_contacts_of_a_customer_are_two_tickets_each_with_its_own_status(scene):
    customer = {"id": "c1", "name": "Sari"}
    scene.online("ha1", "ha2")
    scene.create("t1", customer=customer)
    scene.create("t2", customer=customer, channel="twitter")
    scene.send("ticket.opened", "t1", by=scene.ticket("t1").assignee)
    scene.send("message.received", "t1", text="Halo?")
    assert [scene.ticket(name).status for name in ("t1", "t2")] == ["open", "assigned"]
    scene.send("ticket.closed", "t1", by=scene.ticket("t1").assignee)
    assert [scene.ticket(name).status for name in ("t1", "t2")] == ["closed", "assigned"]
    assert (scene.log("t1"), scene.log("t2")) == (
        ["ticket.created", "ticket.opened", "message.received", "ticket.closed"],
        ["ticket.created"],
    )


@pytest.mark.req("R3.2", "R3.16")
def test_an_urgent_ticket_is_taken_up_before_those_that_waited_longer(scene):
    for number in range(5):
        scene.create(f"full{number}", assignee="ha1")
    for name, body in (("first", "a question"), ("second", "a question"), ("late", "tolong segera")):
        scene.clock.advance(60)
        scene.create(name, body=body)
    scene.online("ha1")
    scene.run_timers()
    taken = []
    for number in range(3):
        scene.send("ticket.closed", f"full{number}", by="ha1")
        scene.run_timers()
        taken += [name for name in ("first", "second", "late") if scene.ticket(name).assignee and name not in taken]
    assert taken == ["late", "first", "second"]


@pytest.mark.req("R3.16")
@pytest.mark.parametrize(
    ("body", "closed_after_s", "told"), [("segera", 599, 0), ("segera", None, 1), ("no hurry", None, 0)]
)
def test_an_urgent_ticket_that_is_still_open_is_told_at_its_second(scene, body, closed_after_s, told):
    scene.online("ha1")
    scene.create(body=body)
    alerts = lambda: [d for _, d in scene.actions(kind="alert") if "still open" in d["text"]]  # noqa: E731
    scene.clock.advance(closed_after_s or 599)
    scene.run_due()
    assert alerts() == []
    if closed_after_s:
        scene.send("ticket.closed", by="ha1")
    scene.clock.advance(1)
    scene.run_due()
    assert [(data["to"], data["severity"]) for data in alerts()] == [(["assignee", "supervisor"], "critical")] * told


@pytest.mark.req("R3.17", "R3.18")
@pytest.mark.parametrize(
    ("text", "replies"),
    [
        ("What are your opening hours?", ["We are here at any time."]),
        ("Jam buka?", ["We are here at any time."]),
        ("I like it here", []),
    ],
)
def test_a_likely_question_is_answered_by_its_keyword_and_template(scene, text, replies):
    scene.online("ha1")
    scene.create("t1", body=text)
    scene.create("t2")
    scene.send("message.received", "t2", text=text)
    assert (_replies(scene, "t1"), _replies(scene, "t2")) == (replies, replies)
    assert scene.clock_of("assigned_to_responded", "t2").status == "running", "the agent's answer is still awaited"


@pytest.mark.req("R3.17", "R3.42")
def test_a_template_speaks_of_the_customers_own_problem(scene):
    scene.online("ha1")
    customer = {"id": "c1", "name": "Sari", "language": "en"}
    scene.create("t1", subject="Storm", body="refund please", customer=customer, custom={"booking": "B-17"})
    scene.create("t2", body="uang kembali", customer=customer | {"language": "id"}, custom={"booking": "B-18"})
    scene.create("t3", subject="Rain", body="refund", customer={"id": "c2", "language": "en"})
    assert [_replies(scene, name) for name in ("t1", "t2", "t3")] == [
        ['Dear Sari, about "Storm": the money for booking B-17 is back within 7 days.'],
        ["Halo Sari, uang untuk B-18 kembali dalam 7 hari."],
        ['Dear customer, about "Rain": the money for booking  is back within 7 days.'],
    ]
