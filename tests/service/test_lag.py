"""A helpdesk that tells late: what a clock brings waits for its connector's lag, the verdict does not."""

import dataclasses
import datetime as dt

import pytest

from tests.scene import NINE, variant

pytestmark = pytest.mark.parametrize("databases", ["sqlite"], indirect=True)

CONNECTOR = """
version: 1
connectors:
  desk:
    base_url: https://desk.example.com
    lag: 60s
    operations:
      create: {method: POST, path: /issues}
rules:
  - id: used-up
    when: {sla.created_to_responded.used_pct: {at_least: 100}}
    then: [{add_tags: [used-up]}]
sla_policies:
  - id: everybody
    when: {ticket.priority: [low, medium, high, urgent]}
    targets: {created_to_responded: 5m}
"""

DUE = NINE + dt.timedelta(minutes=5)


@pytest.fixture
def told(scene):
    """Tells an event as the connector does."""
    scene.publish(variant((r"(?s)sla_policies:.*?\n(?=\S)", ""), add={"desk.yaml": CONNECTOR}))

    def tell(kind, at, *, source="desk", **data):
        scene.clock.now = max(scene.clock.now, at)
        incoming = scene.incoming(kind, at=at, **data)
        event = dataclasses.replace(incoming.event, source=source)
        return scene.service.handle(dataclasses.replace(incoming, event=event))

    return tell


def after(scene, seconds):
    """The worker's pass so long after the clock was due."""
    scene.clock.now = DUE + dt.timedelta(seconds=seconds)
    scene.run_due()
    return scene.clock_of("created_to_responded"), "used-up" in scene.ticket().tags


def test_a_breach_waits_for_the_lag_and_is_dated_when_it_was_due(scene, told):
    told("ticket.created", NINE, group="hotel")
    found, acted = after(scene, 59)
    assert (found.status, acted) == ("running", False)
    found, acted = after(scene, 60)
    assert (found.status, found.breached_at, acted) == ("breached", DUE, True)


def test_an_answer_in_time_that_is_told_within_the_lag_is_no_breach_at_all(scene, told):
    told("ticket.created", NINE, group="hotel")
    after(scene, 30)
    told("message.sent", DUE - dt.timedelta(seconds=1), by="ha1", text="Halo")
    found, acted = after(scene, 3_600)
    assert (found.status, acted) == ("met", False)
    assert "clock.breached" not in scene.log()


def test_an_answer_after_the_deadline_does_not_swallow_the_breach_that_waits(scene, told):
    told("ticket.created", NINE, group="hotel")
    told("message.sent", DUE + dt.timedelta(seconds=1), by="ha1", text="Halo")
    assert scene.clock_of("created_to_responded").status == "missed"
    assert scene.log().count("clock.breached") == 1


def test_tickets_that_no_connector_told_of_wait_for_nothing(scene, told):
    told("ticket.created", NINE, source=None, group="hotel")
    found, acted = after(scene, 0)
    assert (found.status, found.breached_at, acted) == ("breached", DUE, True)
