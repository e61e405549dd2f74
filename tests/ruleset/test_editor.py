"""In an editor: names are offered while a rule is written, and a mistake is marked where it stands."""

import pytest

from tests.ruleset.corpus import HERE
from tests.ruleset.language_server import LanguageServer, Missing, installed

pytestmark = pytest.mark.slow

FOLDER = HERE.parents[1] / "rulesets" / "travel"

BEGINNING = "# yaml-language-server: $schema=../rules.schema.json\nversion: 1\n"


@pytest.fixture(scope="module")
def server():
    try:
        program = installed()
    except Missing as why:
        pytest.skip(str(why))
    running = LanguageServer(program, FOLDER)
    yield running
    running.close()


def test_a_rule_that_is_right_is_not_marked(server):
    uri = server.open("right.yaml", (FOLDER / "rules.yaml").read_text())
    assert server.diagnostics(uri) == []


def test_a_mistake_is_marked_at_its_line_with_what_is_wrong(server):
    rule = "rules:\n  - id: late\n    when: {tiket.status: open}\n    then: [{note: Late}]\n"
    uri = server.open("wrong.yaml", BEGINNING + rule)
    found = server.diagnostics(uri)
    assert [(one["range"]["start"]["line"], one["message"]) for one in found] == [
        (4, "Property tiket.status is not allowed.")
    ]


def test_an_event_that_does_not_exist_is_marked(server):
    rule = "rules:\n  - id: late\n    on: ticket.close\n    then: [{note: Late}]\n"
    found = server.diagnostics(server.open("event.yaml", BEGINNING + rule))
    assert {one["range"]["start"]["line"] for one in found} == {4}
    assert any("ticket.closed" in one["message"] for one in found)


def test_attributes_are_offered_with_what_they_mean(server):
    rule = "rules:\n  - id: late\n    when:\n      time.\n"
    offered = server.complete(server.open("attribute.yaml", BEGINNING + rule), 5, 11)
    assert "time.idle" in offered
    assert "wall-clock time since a person last acted on it" in str(offered["time.idle"]["documentation"])


def test_operators_of_an_attribute_are_offered_and_no_others(server):
    rule = "rules:\n  - id: late\n    when:\n      time.idle:\n        a\n"
    offered = server.complete(server.open("operator.yaml", BEGINNING + rule), 6, 9)
    assert "at_least" in offered
    assert "contains_any" not in offered


def test_actions_and_events_are_offered(server):
    rule = "rules:\n  - id: late\n    on: \n    then:\n      - a\n"
    uri = server.open("action.yaml", BEGINNING + rule)
    assert {"alert", "add_tags", "close"} <= set(server.complete(uri, 6, 9))
    assert "ticket.closed" in server.complete(uri, 4, 8)
