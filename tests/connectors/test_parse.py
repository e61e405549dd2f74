"""Every mistake in a connector is reported at its line, with what would be accepted."""

from pathlib import Path

import pytest
import yaml

from rules_service.connectors import ACTION_DATA, METHODS, REPORTED
from rules_service.rules import ACTIONS
from rules_service.tickets import EVENT_TYPES
from tests.connectors.example import EXAMPLE, expand, parsed

#: A small connector that is right, and what becomes of it when one text is changed: a new case is a new row there.
RIGHT = Path(__file__).with_name("right.yaml").read_text()
WRONG = yaml.safe_load(Path(__file__).with_name("problems.yaml").read_text())


def said(problem):
    return str(problem).removeprefix("connector.yaml:")


def test_the_connector_that_the_cases_change_is_right():
    connector, problems = parsed(RIGHT, "desk")
    assert problems == []
    assert connector.poll.every_s == 30
    assert connector.auth.secret == "me:${PASSWORD}"  # stays as it is written
    assert connector.values == {"priority": {"1": "urgent", "2": None}, "user": {"1": "ha1"}}


@pytest.mark.parametrize("case", WRONG, ids=lambda case: case["says"][0])
def test_a_mistake_is_reported_at_its_place(case):
    assert case["text"] in RIGHT, "the case changes nothing"
    connector, problems = parsed(RIGHT.replace(case["text"], case["instead"], 1), "desk")
    assert connector is None
    assert [said(problem) for problem in problems] == case["says"]


def test_all_mistakes_are_reported_together():
    text = RIGHT.replace("30s", "30").replace("POST\n", "SEND\n").replace("'agent'", "'agnt'").replace("SECRET", "}{")
    _, problems = parsed(text, "desk")
    assert sorted(problem.kind for problem in problems) == ["duration", "unknown-name", "unknown-name"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("connectors: {desk: 5}", "1:20: expected a mapping, not the number 5 (type)"),
        (
            "connectors: {desk: {base_url: 'http://x'}}",
            "1:14: a connector needs inbound, poll, outbound or operations (missing)",
        ),
        (
            "connectors: {desk: {base_url: 'http://x', events: [{type: ticket.closed, when: first, id: id}]}}",
            '1:43: "ticket" is required beside `events:` (missing)',
        ),
        (
            "connectors: {desk: {base_url: 'http://x', poll: {every: 1s, path: /x, tickets: '@'}}}",
            '1:14: "ticket" is required beside `inbound:` or `poll:` (missing)',
        ),
        ("connectors: {desk: {base_url: 'http://x', poll: " + "[" * 30 + "]" * 30 + "}}", "(type)"),
        (
            "connectors: {desk: {base_url: 'http://x', operations: {x: {method: POST, path: '/"
            "{{(" + "(" * 3000 + "'}}}}",
            "nested too deeply (template)",
        ),
        (
            "connectors: {desk: {base_url: 'http://x', inbound: {auth: {path_secret: x}, tickets: '"
            + "(" * 3000
            + "'}}}",
            "(template)",
        ),
    ],
)
def test_a_connector_that_is_not_whole_is_refused(text, expected):
    connector, problems = parsed(text, "desk")
    assert connector is None
    assert any(expected in str(problem) for problem in problems), [str(problem) for problem in problems]


def test_the_example_is_right_and_fits_the_width_of_a_page():
    connector, problems = parsed(EXAMPLE.read_text())
    assert connector is not None
    assert problems == []
    assert expand(connector.base_url) == "https://helpdesk.example.com"
    assert [line for line in EXAMPLE.read_text().splitlines() if len(line) > 120] == []


def test_the_vocabulary_of_connectors_is_the_vocabulary_of_the_service():
    assert {*ACTION_DATA, "call"} == set(ACTIONS)
    assert set(REPORTED) < set(EVENT_TYPES)
    assert sorted(METHODS) == list(METHODS)
