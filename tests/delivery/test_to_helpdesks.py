"""Actions as requests to a helpdesk that a connector describes."""

from dataclasses import replace

import pytest

from rules_service.diagnosis import examine
from rules_service.settings import read_settings
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
