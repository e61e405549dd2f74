"""Alerts for people go out by apprise: as surely as webhooks, in plain words, and nowhere that is not allowed."""

import subprocess

import pytest

from rules_service.delivery.notifying import Notifier, Unusable, notification
from rules_service.delivery.relay import BACKOFF_S
from rules_service.delivery.sending import SendError
from tests.delivery.receivers import Receiver, at_once, deliveries, silence, variables
from tests.scene import Scene, variant

LOOPBACK = ("127.0.0.0/8", "::1/128")

OPS = """
version: 1
endpoints:
  ops-chat: {notify: "${OPS_NOTIFY_URL}", actions: [alert]}
rules:
  - id: tell-ops
    on: note.added
    then:
      - alert: {to: [supervisor], severity: critical, text: "Look at {{ ticket.id }}"}
      - alert: {to: [supervisor], severity: info, text: "Second"}
"""


@pytest.fixture
def scene(store, clock):
    made = Scene(store, clock, variant(add={"ops.yaml": OPS}))
    yield made
    made.worker.relay.stop()


@pytest.fixture
def receiver():
    with Receiver() as made:
        yield made


def alerted(scene, url):
    """A ticket about which ops is told twice."""
    variables(scene, OPS_NOTIFY_URL=url)
    scene.create()
    scene.send("note.added", by="hs1", text="secret of the customer")
    return at_once(scene)


def test_alerts_reach_the_service_that_notify_names_in_plain_words_and_in_order(scene, receiver):
    relay = alerted(scene, f"json://{receiver.address}/room")
    relay.run_once()
    assert [row["state"] for row in deliveries(scene, "ops-chat")] == ["delivered", "pending"]
    relay.run_once()
    assert [(found["title"], found["message"], found["type"]) for found in receiver.got] == [
        ("Ticket t1: critical", "Look at t1", "failure"),
        ("Ticket t1: for your information", "Second", "info"),
    ]
    assert [row["state"] for row in deliveries(scene, "ops-chat")] == ["delivered", "delivered"]


def test_a_notification_that_failed_is_tried_again_and_the_next_one_waits_for_it(scene, receiver):
    receiver.status = 503
    relay = alerted(scene, f"json://{receiver.address}/room")
    relay.run_once()
    first, second = deliveries(scene, "ops-chat")
    assert (first["state"], first["attempts"], first["last_error"]) == ("pending", 1, "the service answered 503")
    assert (second["state"], second["attempts"]) == ("pending", 0)
    receiver.status = 200
    scene.clock.advance(BACKOFF_S[0] * 1.3)
    relay.run_once()
    relay.run_once()
    assert [found["message"] for found in receiver.got] == ["Look at t1", "Look at t1", "Second"]


def test_an_address_that_apprise_cannot_read_ends_the_delivery_and_is_not_told(scene, caplog):
    relay = alerted(scene, "telegraph://hunter2@example.com")
    relay.run_once()
    found = deliveries(scene, "ops-chat")[0]
    assert (found["state"], found["attempts"]) == ("dead", 1)
    assert found["last_error"].startswith("apprise cannot read the address of `notify:`")
    assert "hunter2" not in caplog.text + found["last_error"]


def test_a_service_that_refuses_connections_is_told_without_the_address(scene, caplog):
    relay = alerted(scene, "json://bot:hunter2@127.0.0.1:9/hunter3")
    relay.run_once()
    found = deliveries(scene, "ops-chat")[0]
    assert found["last_error"] == "the connection was refused or broke, or no answer came in time"
    assert "hunter" not in caplog.text


def test_while_the_variable_is_unset_nothing_is_made(scene):
    scene.create()
    scene.send("note.added", by="hs1", text="x")
    assert deliveries(scene, "ops-chat") == []


def test_a_service_that_never_answers_is_given_up_after_the_time_limit():
    with silence() as address, pytest.raises(SendError, match=r"not sent within 1 s"):
        Notifier(LOOPBACK, time_limit_s=1)(f"json://{address}?rto=60", "t", "b", "info")


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]"])
def test_a_private_address_is_not_reached_unless_it_is_allowed(receiver, host):
    url = f"json://{host}:{receiver.address.split(':')[1]}/"
    with pytest.raises(SendError, match=r"is in a private network that RULES_SERVICE_ALLOW_NETWORKS does not list"):
        Notifier(())(url, "t", "b", "info")
    assert receiver.got == []


def test_mail_too_goes_to_no_private_address():
    with silence() as address:
        host, port = address.split(":")
        url = f"mailto://u:p@{host}:{port}?to=a@example.com&from=b@example.com&smtp={host}&mode=insecure"
        with pytest.raises(SendError, match="private network"):
            Notifier(("10.0.0.0/8",))(url, "t", "b", "info")


@pytest.mark.parametrize("url", ["syslog://", "dbus://", "macosx://"])
def test_this_machine_is_no_service(url):
    with pytest.raises(Unusable, match="tells nobody but this machine"):
        Notifier(LOOPBACK)(url, "t", "b", "info")


def test_the_process_that_notifies_is_given_neither_secrets_nor_a_proxy(monkeypatch):
    seen = {}

    def run(arguments, **options):
        seen.update(options, arguments=arguments)
        return subprocess.CompletedProcess(arguments, 0, stdout=b'{"outcome": "sent", "why": ""}')

    monkeypatch.setenv("HTTPS_PROXY", "http://proxy")
    monkeypatch.setenv("HELPDESK_WEBHOOK_SECRET", "hunter2")
    monkeypatch.setattr(subprocess, "run", run)
    Notifier(())("json://example.com/hunter3", "t", "b", "info")
    assert set(seen["env"]) == {"PATH", "PYTHONUTF8"}
    assert not any("hunter" in str(argument) for argument in seen["arguments"])


def test_a_process_that_dies_is_a_failed_attempt(monkeypatch):
    died = subprocess.CompletedProcess([], -9, stdout=b"")
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: died)
    with pytest.raises(SendError, match="ended with status -9"):
        Notifier(())("json://example.com", "t", "b", "info")


@pytest.mark.parametrize(
    ("kind", "data", "subject", "expected"),
    [
        ("alert", {"text": "Idle", "severity": "warning", "to": ["assignee"]}, "t1", ("Ticket t1: warning", "Idle")),
        ("alert", {"text": "Full", "severity": "critical"}, "desk:chat", ("desk:chat: critical", "Full")),
        ("reassign", {"to": "ha1", "previous": None}, "t1", ("Ticket t1: reassign", "to: ha1")),
        ("set_priority", {"priority": "high"}, "t1", ("Ticket t1: set priority", "priority: high")),
        ("add_tags", {"tags": ["a", "b"]}, "t1", ("Ticket t1: add tags", "tags: a, b")),
        ("reply", {"text": "Halo", "template": "hello"}, "t1", ("Ticket t1: reply", "Halo")),
        ("close", {}, "t1", ("Ticket t1: close", "close")),
        (
            "call",
            {"operation": "refund", "data": {"sum": 5}},
            "t1",
            ("Ticket t1: call", "operation: refund\ndata: sum 5"),
        ),
    ],
)
def test_any_action_can_be_told_in_words(kind, data, subject, expected):
    assert notification(kind, data, subject)[:2] == expected
