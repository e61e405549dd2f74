"""An endpoint that answers 410 Gone is left in peace, and nothing that is for it is lost."""

import json
import logging

import pytest

from rules_service.settings import read_settings
from tests.delivery.receivers import Receiver, at_once, deliveries, variables
from tests.scene import VARIABLES

NAME = "helpdesk"


@pytest.fixture
def receiver():
    with Receiver() as made:
        yield made


@pytest.fixture
def relay(scene, receiver):
    variables(scene, HELPDESK_WEBHOOK_URL=f"http://{receiver.address}/hook")
    return at_once(scene)


@pytest.fixture
def gone(scene, receiver, relay):
    """The helpdesk answered 410 to the first of two actions about t1."""
    receiver.status = 410
    scene.online("ha1")
    scene.create()
    scene.ask("ticket.closed", by="hs1")
    relay.run_once()
    receiver.got.clear()
    return receiver


def run_all(scene, relay):
    while relay.run_once():
        pass
    scene.clock.advance(1)


def states(scene):
    return [row["state"] for row in deliveries(scene, NAME)]


def test_nothing_more_is_attempted_and_all_is_held_with_the_reason(scene, gone, relay):
    run_all(scene, relay)
    scene.create("t2")
    run_all(scene, relay)
    assert gone.got == []
    found = deliveries(scene, NAME)
    assert len(found) >= 3
    assert {row["state"] for row in found} == {"held"}
    assert {row["next_attempt_at"] for row in found} == {None}
    assert found[0]["last_error"] == "the endpoint answered 410 Gone and is disabled"
    assert found[-1]["last_error"].startswith("helpdesk answered 410 Gone at 2026-03-02T02:")


def test_it_is_told_once_in_the_log_by_readiness_and_by_metrics(scene, gone, relay, client, caplog):
    run_all(scene, relay)
    with caplog.at_level(logging.ERROR):
        run_all(scene, relay)
    assert "endpoint_disabled" not in caplog.text
    ready = client.get("/readyz").json
    assert ready["checks"]["endpoints"].startswith("helpdesk answered 410 Gone at 2026-03-02T02:00:00")
    assert "POST /v1/endpoints/helpdesk/enable" in ready["checks"]["endpoints"]
    lines = client.get("/metrics").text.splitlines()
    held = len(deliveries(scene, NAME))
    assert f"rules_service_deliveries_held {held}.0" in lines
    assert 'rules_service_endpoint_disabled{endpoint="helpdesk"} 1.0' in lines
    assert "rules_service_deliveries_pending 0.0" in lines
    assert "rules_service_delivery_lag_seconds 0.0" in lines


def test_doctor_tells_of_it(scene, gone, relay):
    from rules_service.cli.diagnosis import examine

    settings = read_settings({"RULES_SERVICE_DATABASE": scene.store.url, **VARIABLES})
    (found,) = [finding for finding in examine(settings) if finding.name == "endpoint helpdesk"]
    assert (found.ok, found.needed) == (False, False)
    assert "POST /v1/endpoints/helpdesk/enable" in found.detail


def test_enabled_again_it_gets_all_that_was_held_in_order(scene, gone, relay, client):
    run_all(scene, relay)
    made = len(deliveries(scene, NAME))
    listed = client.get("/v1/deliveries?state=held").json["items"]
    assert [row["endpoint"] for row in listed] == [NAME] * made
    gone.status = 200
    answer = client.post(f"/v1/endpoints/{NAME}/enable")
    assert (answer.status_code, answer.json) == (200, {"endpoint": NAME, "was_disabled": True, "released": made})
    run_all(scene, relay)
    assert states(scene) == ["delivered"] * made
    ids = [row["action_id"] for row in deliveries(scene, NAME)]
    assert [found["data"]["id"] for found in gone.got] == ids
    assert client.get("/readyz").json["checks"]["endpoints"] == "ok"


def test_one_that_still_answers_410_is_disabled_again(scene, gone, relay, client):
    client.post(f"/v1/endpoints/{NAME}/enable")
    run_all(scene, relay)
    assert len(gone.got) == 1
    assert set(states(scene)) == {"held"}


def test_another_address_enables_it(scene, gone, relay):
    gone.status = 200
    variables(scene, HELPDESK_WEBHOOK_URL=f"http://{gone.address}/new")
    run_all(scene, relay)
    assert set(states(scene)) == {"delivered"}


def test_one_that_left_the_ruleset_gets_nothing_and_keeps_nothing_waiting(scene, gone, relay):
    from tests.scene import variant

    scene.publish(variant((r"(?m)^  helpdesk: \{url", "  other: {url")))
    run_all(scene, relay)
    assert set(states(scene)) == {"dead"}
    assert gone.got == []


def test_other_endpoints_are_served_all_the_while(scene, gone, relay):
    from tests.scene import variant

    scene.publish(variant(add={"more.yaml": 'version: 1\nendpoints: {more: {url: "${MORE}"}}\n'}))
    with Receiver() as more:
        variables(scene, MORE=f"http://{more.address}/hook")
        scene.create("t2")
        run_all(scene, relay)
        assert more.got
    assert {row["state"] for row in deliveries(scene, "more")} == {"delivered"}
    assert set(states(scene)) == {"held"}


def test_enabling_what_is_not_there_is_an_error_and_what_is_enabled_stays_so(client):
    assert client.post("/v1/endpoints/nobody/enable").json["code"] == "unknown_name"
    assert client.post("/v1/endpoints/helpdesk/enable").json == {
        "endpoint": "helpdesk", "was_disabled": False, "released": 0,
    }  # fmt: skip


def test_a_lost_lease_disables_nothing(scene, receiver, relay):
    from rules_service.store import outbox

    scene.online("ha1")
    scene.create()
    store, now = scene.store, scene.clock()
    (first,) = store.transact(lambda: outbox.claim_deliveries(store, now, lease_s=1, limit=1))
    scene.clock.advance(2)
    store.transact(lambda: outbox.claim_deliveries(store, scene.clock(), lease_s=60, limit=1))
    assert not store.transact(lambda: outbox.disable(store, first, "x", now, "410"))
    with store.connection():
        assert outbox.disabled(store) == []
    assert json.dumps(receiver.got) == "[]"


def test_who_looked_before_it_was_enabled_holds_nothing_after(scene, gone, relay, client):
    """A relay looks at what is disabled before it begins; held after `enable` had looked, it would never be sent."""
    from rules_service.store import outbox

    run_all(scene, relay)
    store = scene.store
    with store.connection():
        (seen,) = outbox.disabled(store)
    gone.status = 200
    client.post(f"/v1/endpoints/{NAME}/enable")
    store.transact(lambda: outbox.hold(store, seen, scene.clock()))
    assert set(states(scene)) == {"pending"}
    run_all(scene, relay)
    assert set(states(scene)) == {"delivered"}
