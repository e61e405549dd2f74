"""`rules-service explain`: why a ticket stands as it does, for people; the guide shows what is really printed."""

import json
import re

import pytest
from click.testing import CliRunner

from rules_service import cli
from tests.cli.terminal import ROOT
from tests.history import FILES, tell

GUIDE = ROOT / "docs/guides/supervisor.md"


@pytest.fixture
def told(scene):
    scene.publish(FILES)
    tell(scene)
    return scene


@pytest.fixture
def invoke(told, monkeypatch):
    monkeypatch.setenv("RULES_SERVICE_DATABASE", told.store.url)
    monkeypatch.setattr("rules_service.cli.tickets.utc_now", told.clock)

    def run(*arguments, status=0):
        done = CliRunner().invoke(cli.main, ["explain", *arguments], catch_exceptions=False)
        assert done.exit_code == status, done.output
        return json.loads(done.stdout) if "--json" in arguments else done.output

    return run


def shown(command):
    """What the guide shows under a command."""
    blocks = re.findall(r"^```console\n\$ (.*?)\n(.*?)^```$", GUIDE.read_text(), re.MULTILINE | re.DOTALL)
    return dict(blocks)[command]


@pytest.mark.req("R5.31")
def test_the_clocks_of_the_guide_are_printed_as_it_shows_them(invoke):
    assert invoke("4711", "--clocks") == shown("rules-service explain 4711 --clocks")


def test_programs_get_what_the_api_answers(invoke, client):
    found = invoke("4711", "--clocks", "--json")
    assert found == {"ok": True, **client.get("/v1/tickets/4711/clocks").json}


@pytest.mark.parametrize("databases", ["sqlite"], indirect=True)
def test_a_paused_clock_is_not_due_and_says_what_paused_it(invoke, told):
    told.send("message.sent", "4711", by="bs1", text="Sudah dibayar")
    printed = invoke("4711", "--clocks")
    assert "not due" not in printed  # bs1 does not hold the ticket, so its state stays
    told.send("ticket.assigned", "4711", by="bs1", assignee="ba1")
    told.send("message.sent", "4711", by="ba1", text="Sudah dibayar")
    assert (
        "resolution: paused, 13h 32m of 24h used on booking-hours\n"
        "  not due, because it is paused in state pending; 10h 28m of 24h are left when it goes on\n"
    ) in invoke("4711", "--clocks")


@pytest.mark.parametrize("databases", ["sqlite"], indirect=True)
def test_how_a_clock_ended_is_said_with_its_reason(invoke, told):
    told.clock.advance(2 * 86_400)
    told.run_due()
    printed = invoke("4711", "--clocks")
    assert "resolution: breached, 28h 32m of 24h used, 4h 32m too much on booking-hours\n" in printed
    assert "breached at 2026-03-23 18:28 Asia/Jakarta, because 24h were used up then" in printed
    told.send("ticket.deleted", "4711")
    assert "missed, because 24h were used up at 2026-03-23 18:28 Asia/Jakarta and it ended at" in invoke(
        "4711", "--clocks"
    )


@pytest.mark.parametrize("databases", ["sqlite"], indirect=True)
def test_a_rule_of_the_guide_is_explained_as_it_shows(invoke):
    assert invoke("4711", "--rule", "resolution-breached") == shown(
        "rules-service explain 4711 --rule resolution-breached"
    )
    assert invoke("4711", "--rule", "resolution-breached", "--json")["holds"] is False


@pytest.mark.parametrize("databases", ["sqlite"], indirect=True)
def test_a_rule_that_is_not_known_is_a_finding(invoke):
    assert 'did you mean "idle"?' in invoke("4711", "--rule", "idel", status=1)


@pytest.mark.parametrize("databases", ["sqlite"], indirect=True)
def test_a_ticket_that_is_not_known_is_a_finding_and_nothing_to_explain_is_wrong_usage(invoke):
    assert 'no ticket "t9" is known' in invoke("t9", "--clocks", status=1)
    assert invoke("t9", "--clocks", "--json", status=1)["code"] == "unknown_ticket"
    assert "--rule RULE" in invoke("4711", status=2)
