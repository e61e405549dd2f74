"""Payloads of a real helpdesk through the service: what is stored, handled, set aside and remembered."""

import datetime as dt
import json

import pytest

from rules_service.connectors import Remembered
from rules_service.delivery.sending import Reply
from rules_service.errors import InvalidEvent, UnknownConnector
from rules_service.store import outbox, plugged, read_ticket
from tests.connectors.example import EXAMPLE, NOW, VARIABLES, payload
from tests.scene import FakeClock, Scene, travel_files

NAME = "django-helpdesk"
SECRET = VARIABLES["HELPDESK_INBOUND_SECRET"]


@pytest.fixture
def scene(store):
    made = Scene(store, FakeClock(NOW), {**travel_files(), "connector.yaml": EXAMPLE.read_text()})
    made.worker.connecting._variables = made.service.shared.variables = VARIABLES
    # The recorded tickets were opened after the connector was first at work.
    since = {"since": (NOW - dt.timedelta(days=30)).isoformat()}
    store.transact(lambda: plugged.write_memory(store, NAME, "", since, NOW))
    yield made
    made.worker.relay.stop()


@pytest.fixture
def connecting(scene):
    return scene.worker.connecting


@pytest.fixture
def connector(scene):
    return scene.ruleset.connectors[NAME]


def arrives(scene, body):
    """A webhook comes in, a second after the last one."""
    scene.clock.advance(1)
    scene.worker.connecting.accept(NAME, SECRET, body if isinstance(body, bytes) else json.dumps(body).encode())


def works_off(scene):
    while scene.worker.connecting.work_one():
        pass


def ticket_of(scene, ticket_id="1"):
    with scene.store.connection():
        return read_ticket(scene.store, ticket_id, lock=False).snapshot.ticket


def types(scene, ticket_id="1"):
    with scene.store.connection():
        rows = scene.store.rows("SELECT type, decisions FROM event WHERE ticket_id = ? ORDER BY seq", ticket_id)
    return [(kind, json.loads(decisions)[0]["outcome"]) for kind, decisions in rows]


def unreadable(scene):
    with scene.store.connection():
        return [row[0] for row in scene.store.rows("SELECT error FROM inbound ORDER BY id")]


def test_a_webhook_made_just_before_our_own_change_loses_no_message_and_undoes_nothing(scene, connecting):
    arrives(scene, payload("created-by-customer"))
    works_off(scene)
    scene.send("ticket.assigned", "1", assignee="hx1")  # as if a rule had
    arrives(scene, payload("reply-by-agent"))  # in it nobody holds the ticket yet
    scene.clock.advance(1)
    connecting.applied(NAME, "1", "reassign", {"to": "hx1"})
    works_off(scene)
    assert ticket_of(scene).assignee == "hx1"
    assert types(scene)[-1][0] == "message.sent"
    with scene.store.connection():
        memory = Remembered.from_json(plugged.read_memory(scene.store, NAME, "1", lock=False))
    assert memory.seen["assignee"] == "hx1"


def test_webhooks_that_waited_while_a_poll_was_read_change_nothing_back(scene, connecting, connector):
    arrives(scene, payload("created-by-customer"))
    works_off(scene)
    for name in ("reply-by-agent", "reassigned", "priority-changed"):
        arrives(scene, payload(name))
    scene.clock.advance(1)
    connecting.read_one(connector, payload("reply-and-handover")["ticket"], scene.clock())
    assert (ticket_of(scene).assignee, ticket_of(scene).priority) == ("hx1", "urgent")
    known = types(scene)
    works_off(scene)
    assert types(scene) == known
    assert (ticket_of(scene).assignee, ticket_of(scene).priority) == ("hx1", "urgent")


def test_a_text_that_looks_like_an_escape_is_read_as_it_stands(scene):
    made = payload("created-by-customer")
    made["ticket"]["title"] = "What is \\u0000?"
    arrives(scene, made)
    works_off(scene)
    assert (ticket_of(scene).subject, unreadable(scene)) == ("What is \\u0000?", [])


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", json.dumps({"ticket": "ä"}).encode("utf-16"), b"[" * 100_000])
def test_what_is_not_json_in_utf_8_is_refused(connecting, body):
    with pytest.raises(InvalidEvent):
        connecting.accept(NAME, SECRET, body)


def test_a_wrong_secret_and_a_wrong_name_are_refused_alike(connecting):
    for name, secret in ((NAME, "x"), ("x", SECRET)):
        with pytest.raises(UnknownConnector, match="no connector has this name and secret"):
            connecting.accept(name, secret, b"{}")


def test_a_webhook_that_cannot_be_read_is_kept_with_the_reason_and_holds_up_nothing(scene):
    arrives(scene, {"ticket": {"id": 1}})
    arrives(scene, payload("created-by-customer"))
    works_off(scene)
    assert types(scene)[0] == ("ticket.created", "done")
    (why,) = unreadable(scene)
    assert why.startswith("invalid_event: `ticket.entries`")


def test_a_webhook_that_makes_the_service_stumble_is_set_aside_after_three_tries(scene, connecting, monkeypatch):
    arrives(scene, payload("created-by-customer"))
    arrives(scene, payload("created-by-mail"))
    read = connecting._read

    def stumbles(connector, theirs, *rest):
        if theirs["id"] == 1:
            raise ZeroDivisionError("a mistake of ours")
        read(connector, theirs, *rest)

    monkeypatch.setattr(connecting, "_read", stumbles)
    for _ in range(3):
        with pytest.raises(ZeroDivisionError):
            connecting.work_one()
    works_off(scene)
    assert unreadable(scene) == ["ZeroDivisionError: a mistake of ours"]
    assert types(scene, "2")[0] == ("ticket.created", "done")


def test_a_deleted_ticket_is_not_asked_for_again(scene, connecting, connector):
    arrives(scene, payload("created-by-customer"))
    works_off(scene)
    assert connecting.missing(connector, set()) == ["1"]
    connecting.gone(connector, "1")
    assert connecting.missing(connector, set()) == []
    assert types(scene)[-1] == ("ticket.deleted", "done")


def test_reading_a_ticket_again_that_did_not_change_writes_nothing(scene, connecting, connector):
    connecting.read_one(connector, payload("taken")["ticket"], scene.clock())
    before = scene.store.row("SELECT changed_at FROM plugged WHERE ticket_id = '2'")
    scene.clock.advance(30)
    connecting.read_one(connector, payload("taken")["ticket"], scene.clock())
    assert scene.store.row("SELECT changed_at FROM plugged WHERE ticket_id = '2'") == before


@pytest.mark.parametrize(
    ("action", "data", "overtaken"),
    [
        ("set_priority", {"priority": "high"}, False),
        ("set_priority", {"priority": "urgent"}, True),
        ("reassign", {"to": None}, False),
        ("reassign", {"to": "hx1"}, True),
        ("transfer", {"desk": "hotel-chat"}, False),
        ("transfer", {"desk": "flight-chat"}, True),
        ("close", {}, True),
        ("reopen", {}, False),
        ("reply", {"text": "x"}, False),
    ],
)
def test_an_action_is_overtaken_once_the_ticket_is_no_longer_as_it_made_it(scene, connecting, action, data, overtaken):
    arrives(scene, payload("created-by-customer"))
    works_off(scene)
    assert connecting.overtaken("1", action, data) is overtaken


def test_a_helpdesk_whose_clock_is_behind_is_followed_all_the_same(scene, connecting, connector):
    arrives(scene, payload("created-by-customer"))
    works_off(scene)
    taken = {**payload("created-by-customer")["ticket"], "assigned_to": 1}
    connecting.read_one(connector, taken, scene.clock())  # found by a poll, dated by our clock
    arrives(scene, payload("reassigned"))  # dated by theirs, which is hours behind
    works_off(scene)
    assert ticket_of(scene).assignee == "ha2"


class Helpdesk:
    """Answers each request with the next of these; keeps the methods that were asked for."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.asked = []

    def send(self, method, _url, **_):
        self.asked.append(method)
        status, body = self.answers.pop(0)
        return Reply(status=status, body=json.dumps(body).encode() if status == 200 else b"<html>")


def delivered(scene, helpdesk):
    """Attempts what is due; the states of all deliveries of the ticket."""
    relay = scene.worker.relay
    relay._sender, relay._variables = helpdesk, VARIABLES
    scene.clock.advance(600)
    for found in scene.store.transact(lambda: outbox.claim_deliveries(scene.store, scene.clock(), lease_s=9, limit=1)):
        relay._attempt(found)
    with scene.store.connection():
        return [row[0] for row in scene.store.rows("SELECT state FROM delivery WHERE ticket_id = '1' ORDER BY id")]


def test_a_reply_that_seemed_to_fail_is_looked_for_until_the_helpdesk_answers_and_not_written_twice(scene):
    arrives(scene, payload("created-by-customer"))
    works_off(scene)
    with scene.store.connection():
        row = scene.store.row("SELECT data FROM action WHERE type = 'reply'")
    theirs = payload("created-by-customer")["ticket"]
    ours = {"id": 2, "user": 5, "comment": json.loads(row[0])["text"], "public": True, "new_status": None}
    theirs["followup_set"].append({**ours, "date": scene.clock().isoformat()})
    helpdesk = Helpdesk((500, None), (502, None), (200, []), (200, theirs))
    for state in ("pending", "pending", "pending", "delivered"):
        assert delivered(scene, helpdesk)[0] == state
    assert helpdesk.asked == ["POST", "GET", "GET", "GET"]
