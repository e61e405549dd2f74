"""Actions that are held: deferred to the desk's opening, or told together; each goes out once."""

import datetime as dt

import pytest

from rules_service.service.notices import send_notices
from tests.scene import NINE, Scene, variant

RULES = """
version: 1
rules:
  - id: each-contact
    on: ticket.created
    when: {ticket.group: booking}
    then: [{alert: {to: [supervisor], text: "{{ ticket.id }} came in", digest: 10m}}]
  - id: calm
    on: note.added
    when: {ticket.group: booking}
    then: [{reply: {text: We are back at eight, defer: service_hours}}]
"""

#: Booking is open from 08:00 to 21:00 in Jakarta; this is 21:30.
NIGHT = NINE + dt.timedelta(hours=12, minutes=30)


@pytest.fixture
def booking(store):
    return Scene(store, files=variant(add={"held.yaml": RULES}))


def told(scene, cause="rule:each-contact"):
    rows = scene.rows("SELECT ticket_id, type FROM action WHERE cause = ? ORDER BY seq", cause)
    return [tuple(row) for row in rows]


def send(scene):
    return send_notices(
        scene.store, lambda source: scene.service.shared.receivers(scene.ruleset, source), scene.clock()
    )


def test_alerts_of_one_rule_to_the_same_people_are_told_together_when_the_first_is_due(booking):
    for number in range(3):
        booking.create(f"t{number}", group="booking")
        booking.clock.advance(60)
    booking.clock.advance(7 * 60 - 1)
    send(booking)
    assert told(booking) == []
    booking.clock.advance(1)
    send(booking)
    assert told(booking) == [("rule:each-contact", "alert")]
    ((_, data),) = booking.actions("rule:each-contact")
    assert data["text"] == "3 alerts:\n- t0: t0 came in\n- t1: t1 came in\n- t2: t2 came in"
    assert [alert["ticket_id"] for alert in data["digest"]] == ["t0", "t1", "t2"]
    send(booking)
    assert len(told(booking)) == 1


def test_an_alert_that_stays_alone_is_told_as_it_was_decided(booking):
    answer = booking.create("t1", group="booking")
    (held,) = [action for action in answer["actions"] if action["type"] == "alert"]
    assert held["held_until_at"] == (booking.clock() + dt.timedelta(minutes=10)).isoformat()
    booking.clock.advance(600)
    send(booking)
    assert booking.rows("SELECT id FROM action WHERE cause = 'rule:each-contact'") == [(held["id"],)]


def test_what_comes_after_a_digest_begins_the_next(booking):
    for number in range(4):
        booking.create(f"t{number}", group="booking")
        booking.clock.advance(300)
        send(booking)
    booking.clock.advance(600)
    send(booking)
    texts = [data["text"] for _, data in booking.actions("rule:each-contact")]
    assert texts == ["2 alerts:\n- t0: t0 came in\n- t1: t1 came in", "2 alerts:\n- t2: t2 came in\n- t3: t3 came in"]


def test_a_reply_outside_of_service_hours_goes_out_at_the_second_of_the_opening(booking):
    booking.create("t1", group="booking")
    booking.clock.now = NIGHT
    booking.send("note.added", by="hs1")
    send(booking)
    assert told(booking, "rule:calm") == []
    booking.clock.now = dt.datetime(2026, 3, 3, 0, 59, 59, tzinfo=dt.UTC)
    send(booking)
    assert told(booking, "rule:calm") == []
    booking.clock.advance(1)
    send(booking)
    assert told(booking, "rule:calm") == [("t1", "reply")]
    assert booking.rows("SELECT COUNT(*) FROM notice") == [(0,)]


def test_a_held_action_is_delivered_to_whoever_receives_its_type(booking):
    booking.create("t1", group="booking")
    before = booking.rows("SELECT COUNT(*) FROM delivery")
    booking.clock.advance(600)
    send(booking)
    ((count,),) = booking.rows("SELECT COUNT(*) FROM delivery")
    assert count == before[0][0] + 1


def test_a_notice_that_cannot_be_written_is_not_lost(booking, monkeypatch):
    booking.create("t1", group="booking")
    booking.clock.advance(600)
    real = booking.store.many
    monkeypatch.setattr(booking.store, "many", lambda *_: (_ for _ in ()).throw(RuntimeError("no")))
    with pytest.raises(RuntimeError, match="no"):
        send(booking)
    assert told(booking) == []
    monkeypatch.setattr(booking.store, "many", real)
    send(booking)
    assert told(booking) == [("t1", "alert")]


ENDPOINTS = """
version: 1
endpoints:
  ops: {url: "http://127.0.0.1:9/ops", secret: "whsec_c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0", actions: [close]}
  all: {url: "http://127.0.0.1:9/all", secret: "whsec_c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0", actions: [alert]}
rules:
  - {id: named, on: note.added, then: [{alert: {to: ["endpoint:ops"], text: only there}}]}
  - {id: both, on: note.added, then: [{alert: {to: ["endpoint:ops", supervisor], text: there too}}]}
  - {id: people, on: note.added, then: [{alert: {to: [supervisor], text: where alerts go}}]}
"""


def test_an_alert_that_names_endpoints_only_goes_to_those_only(store):
    scene = Scene(store, files=variant(add={"endpoints.yaml": ENDPOINTS}))
    scene.create("t1")
    scene.send("note.added", by="hs1")
    rows = scene.rows(
        "SELECT a.cause, d.endpoint FROM delivery d JOIN action a ON a.seq = d.action_seq"
        " WHERE a.cause IN ('rule:named', 'rule:both', 'rule:people') ORDER BY a.seq, d.id"
    )
    found = {}
    for cause, endpoint in rows:
        found.setdefault(cause, set()).add(endpoint)
    assert found == {
        "rule:named": {"ops"},
        "rule:both": {"helpdesk", "all", "ops"},
        "rule:people": {"helpdesk", "all"},
    }


def test_a_digest_has_a_most_and_what_is_over_it_makes_the_next(booking, monkeypatch):
    """Otherwise thousands of alerts made one message that nobody takes, by a statement that no database takes."""
    monkeypatch.setattr("rules_service.store.actions.MOST_TOLD", 2)
    for number in range(5):
        booking.create(f"t{number}", group="booking")
        booking.clock.advance(1)
    booking.clock.advance(10 * 60)
    for _ in range(3):
        send(booking)
    assert told(booking) == [("rule:each-contact", "alert"), ("rule:each-contact", "alert"), ("t4", "alert")]
    assert booking.rows("SELECT COUNT(*) FROM notice") == [(0,)]


def test_what_cannot_be_told_holds_up_nothing_else(booking):
    booking.create("t1", group="booking")
    booking.clock.advance(1)
    booking.store.transact(
        lambda: booking.store.sql(
            "INSERT INTO notice (id, key, ticket_id, event_id, type, cause, data, source, decided_at, due_at)"
            " SELECT 'broken', 'broken', ticket_id, event_id, type, cause, '{', source, decided_at - 1, due_at - 1"
            " FROM notice"
        )
    )
    booking.clock.advance(600)
    with pytest.raises(ValueError, match="enclosed in double quotes"):
        send(booking)
    assert told(booking) == [("t1", "alert")]
