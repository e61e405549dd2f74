"""Actions as requests to a helpdesk that a connector describes."""

import json
from dataclasses import replace

import pytest

from rules_service.cli.diagnosis import examine
from rules_service.delivery.relay import BACKOFF_S
from rules_service.settings import read_settings
from rules_service.store import outbox
from tests.delivery.receivers import Receiver, at_once, deliveries, variables
from tests.scene import Scene, variant

SHOP = """
version: 1
connectors:
  shop:
    base_url: "${SHOP_URL}"
    auth: {bearer: "${SHOP_TOKEN}"}
    values: {user: {9: ha1}}
    outbound:
      reassign: {method: PATCH, path: "/tickets/{{ ticket.id }}", json: {agent: "{{ to }}"}}
      close: {method: POST, path: "/tickets/{{ ticket.id }}/close", json: {closed: true}}
      alert: {method: POST, path: /alerts, json: {text: "{{ text }}"}}
    operations:
      refund: {method: POST, path: /refunds, json: {ticket: "{{ ticket.id }}"}}
rules:
  - id: refund
    on: note.added
    then: [{call: {connector: shop, operation: refund}}]
"""
NAME = "connector:shop"


@pytest.fixture
def scene(store, clock):
    made = Scene(store, clock, variant(add={"shop.yaml": SHOP}))
    yield made
    made.worker.relay.stop()


@pytest.fixture
def shop(scene):
    with Receiver() as made:
        variables(scene, SHOP_URL=f"http://{made.address}", SHOP_TOKEN="hunter2")
        yield made


def arrives(scene, ticket="t1", **data):
    """A ticket that the shop tells of."""
    incoming = scene.incoming("ticket.created", ticket, subject="Room", channel="whatsapp", group="hotel", **data)
    return scene.service.handle(replace(incoming, event=replace(incoming.event, source="shop")))


def run_all(scene, relay):
    while relay.run_once():
        pass


def test_what_the_connector_carries_is_sent_to_the_ticket_s_helpdesk(scene, shop):
    arrives(scene)
    scene.ask("ticket.closed", by="hs1")
    run_all(scene, at_once(scene))
    assert shop.got == [{"closed": True}]


def test_a_call_goes_to_the_connector_that_it_names_whatever_helpdesk_the_ticket_is_of(scene, shop):
    scene.create()
    scene.send("note.added", by="hs1", text="x")
    run_all(scene, at_once(scene))
    assert shop.got == [{"ticket": "t1"}]


@pytest.mark.parametrize("unset", ["SHOP_URL", "SHOP_TOKEN"])
def test_while_a_variable_is_unset_nothing_is_made_for_the_helpdesk(scene, shop, unset):
    variables(scene, **{unset: ""})
    arrives(scene)
    scene.ask("ticket.closed", by="hs1")
    scene.send("note.added", by="hs1", text="x")
    assert deliveries(scene, NAME) == []


@pytest.mark.parametrize("unset", ["HELPDESK_WEBHOOK_URL", "HELPDESK_WEBHOOK_SECRET"])
def test_while_a_variable_is_unset_nothing_is_made_for_an_endpoint(scene, unset):
    variables(scene, **{unset: ""})
    scene.create()
    scene.ask("ticket.closed", by="hs1")
    assert deliveries(scene, "helpdesk") == []


def test_what_was_made_before_a_variable_was_lost_waits_for_it(scene, shop):
    arrives(scene)
    scene.ask("ticket.closed", by="hs1")
    variables(scene, SHOP_TOKEN="", HELPDESK_WEBHOOK_SECRET="")
    relay = at_once(scene)
    run_all(scene, relay)
    assert [(row["state"], row["last_error"]) for row in deliveries(scene, NAME)] == [
        ("pending", "a variable of the connector is not set")
    ]
    assert {row["state"] for row in deliveries(scene, "helpdesk")} == {"pending"}
    variables(scene, SHOP_TOKEN="hunter2")
    scene.clock.advance(60)
    run_all(scene, relay)
    assert shop.got == [{"closed": True}]


def test_doctor_names_the_variables_that_endpoints_and_connectors_lack(scene, tmp_path):
    for name, text in variant(add={"shop.yaml": SHOP}).items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    environment = {"RULES_SERVICE_DATABASE": scene.store.url, "RULES_SERVICE_RULES": str(tmp_path), "SHOP_URL": "x"}
    found = {finding.name: finding for finding in examine(read_settings(environment))}
    assert found["connector shop"].detail == "SHOP_TOKEN not set: the helpdesk is not reached"
    assert "HELPDESK_WEBHOOK_SECRET not set: nothing is delivered there" in found["endpoint helpdesk"].detail
    assert not found["connector shop"].needed


# --- what a helpdesk does not take ------------------------------------------------------------------------------------


def events(scene, action="reassign"):
    """What the events tell of failed actions of a type."""
    with scene.store.connection():
        rows = scene.store.rows("SELECT body FROM event WHERE type = 'action.failed' ORDER BY seq")
    return [told for row in rows if (told := json.loads(row[0])["data"])["action"] == action]


def alerts(scene):
    """What was said of failed actions."""
    with scene.store.connection():
        made = outbox.feed(scene.store, after=0, limit=500)
    return [found["data"]["text"] for found in made if found["cause"] == "action.failed"]


@pytest.fixture
def assigned(scene, shop):
    """A ticket that the shop is to give to ha1; the shop refuses to."""
    variables(scene, HELPDESK_WEBHOOK_URL="")
    scene.online("ha1")
    arrives(scene)
    shop.status = 500
    assert scene.ticket().assignee == "ha1"
    return at_once(scene)


def dies(scene, relay):
    """Every attempt that is left, until nothing is on its way."""
    for _ in range(len(BACKOFF_S) + 1):
        run_all(scene, relay)
        scene.clock.advance(BACKOFF_S[-1] * 1.3)


def test_an_attempt_that_failed_is_no_event_before_the_last_one(scene, assigned):
    run_all(scene, assigned)
    assert {row["state"] for row in deliveries(scene, NAME)} == {"pending"}
    assert events(scene) == []


def test_a_placement_that_was_given_up_is_taken_back_with_an_alert(scene, assigned, shop):
    scene.offline("ha1")
    relay = assigned
    dies(scene, relay)
    assert [row["state"] for row in deliveries(scene, NAME) if row["type"] == "reassign"] == ["dead"]
    assert events(scene) == [{"action": "reassign", "detail": "the helpdesk answered 500", "to": "ha1"}]
    assert (scene.ticket().assignee, scene.ticket().status) == (None, "unassigned")
    assert "reassign failed: the helpdesk answered 500" in alerts(scene)


def test_a_placement_goes_back_to_who_held_the_ticket_before(scene, shop):
    variables(scene, HELPDESK_WEBHOOK_URL="")
    scene.online("ha1")
    arrives(scene)
    relay = at_once(scene)
    run_all(scene, relay)
    scene.online("ha2")
    scene.ask("ticket.reassigned", by="hs1", assignee="ha2")
    shop.status = 500
    dies(scene, relay)
    assert scene.ticket().assignee == "ha1"
    assert events(scene)[0]["to"] == "ha2"


def test_a_ticket_that_has_moved_on_stays_where_it_is(scene, assigned):
    store, now = scene.store, scene.clock()
    (claimed,) = store.transact(lambda: outbox.claim_deliveries(store, now, lease_s=60, limit=1))
    scene.online("ha2")
    scene.send("ticket.reassigned", by="hs1", assignee="ha2")
    assigned._failed(claimed, "no", final=True)
    assert scene.ticket().assignee == "ha2"
    assert len(events(scene)) == 1


def test_only_whoever_settles_the_delivery_makes_the_event(scene, assigned):
    store, now = scene.store, scene.clock()
    (first,) = store.transact(lambda: outbox.claim_deliveries(store, now, lease_s=1, limit=1))
    scene.clock.advance(2)
    (second,) = store.transact(lambda: outbox.claim_deliveries(store, scene.clock(), lease_s=60, limit=1))
    assigned._failed(first, "too late", final=True)
    assert (events(scene), scene.ticket().assignee) == ([], "ha1")
    assigned._failed(second, "no", final=True)
    assigned._failed(second, "no", final=True)
    assert [found["detail"] for found in events(scene)] == ["no"]


def test_the_event_and_the_dead_delivery_are_one_transaction(scene, assigned, monkeypatch):
    store, now = scene.store, scene.clock()
    (claimed,) = store.transact(lambda: outbox.claim_deliveries(store, now, lease_s=60, limit=1))

    def breaks(*_):
        raise ZeroDivisionError

    monkeypatch.setattr(outbox, "settle_dead", breaks)
    with pytest.raises(ZeroDivisionError):
        assigned._failed(claimed, "no", final=True)
    assert (events(scene), scene.ticket().assignee) == ([], "ha1")


def test_an_agent_whom_the_helpdesk_does_not_know_is_not_given_the_ticket_without_end(scene, shop):
    variables(scene, HELPDESK_WEBHOOK_URL="")
    shop.status = 500
    scene.online("ha1")
    arrives(scene)
    relay = at_once(scene)
    relay._backoff_s = ()
    for _ in range(10):
        run_all(scene, relay)
        scene.clock.advance(1)
        while scene.worker.run_timers():
            pass
    assert len(events(scene)) == 4
    assert scene.ticket().assignee == "ha1"


def test_the_alert_about_a_failed_action_fails_without_another_one(scene, assigned):
    scene.offline("ha1")
    scene.ask("ticket.closed", by="hs1")
    assigned._backoff_s = ()
    for _ in range(10):
        run_all(scene, assigned)
        scene.clock.advance(1)
    made = [row["type"] for row in deliveries(scene, NAME)]
    assert {row["state"] for row in deliveries(scene, NAME)} == {"dead"}
    told = len(events(scene, "alert")) + len(events(scene)) + len(events(scene, "close"))
    assert len(alerts(scene)) == told == len(made) - told


def test_what_cannot_be_told_of_a_ticket_is_only_dead(scene, shop):
    from rules_service.store import Outgoing, write_actions
    from rules_service.tickets import Action

    action = Action(type="call", data={"connector": "shop", "operation": "refund"}, cause="rule:x")
    out = Outgoing(id="act_x", subject="desk:hotel-chat", event_id="desk:x", action=action)
    receivers = {"call:shop": (NAME,)}
    scene.store.transact(lambda: write_actions(scene.store, [out], receivers, scene.clock()))
    shop.status = 500
    relay = at_once(scene)
    relay._backoff_s = ()
    run_all(scene, relay)
    assert [row["state"] for row in deliveries(scene, NAME)] == ["dead"]
    assert events(scene) == []
