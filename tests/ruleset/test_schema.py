"""The JSON Schema says what the loader says, as far as a schema can: of every file that is right, and of many wrong."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from jsonschema import Draft202012Validator

from rules_service.cli import main
from rules_service.decide import DECLARED
from rules_service.rules import ACTIONS, LISTENABLE
from rules_service.rules.operands import operators_of
from rules_service.ruleset import SECTIONS
from rules_service.ruleset.reading import read_yaml
from tests.ruleset.corpus import HERE, cases

RULESETS = HERE.parents[1] / "rulesets"
SCHEMA = json.loads((RULESETS / "rules.schema.json").read_text())
VALIDATOR = Draft202012Validator(SCHEMA)

RIGHT = sorted([*RULESETS.rglob("*.yaml"), *HERE.glob("base/*.yaml"), *HERE.glob("warnings/*.yaml")])


def errors(content):
    data, _ = read_yaml("case.yaml", content, [])
    return [f"{list(error.absolute_path)}: {error.message}" for error in VALIDATOR.iter_errors(data)]


def test_the_committed_schema_is_what_the_command_prints():
    printed = CliRunner().invoke(main, ["schema"], catch_exceptions=False).output
    assert (RULESETS / "rules.schema.json").read_text() == printed, (
        "write it again: rules-service schema > rulesets/rules.schema.json"
    )


def test_it_is_a_schema_of_its_dialect():
    assert SCHEMA["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("path", RIGHT, ids=lambda path: str(path.relative_to(HERE.parents[1])))
def test_every_file_that_is_right_is_right_by_the_schema(path):
    assert errors(path.read_bytes()) == []


def test_many_files_that_are_wrong_are_wrong_by_the_schema():
    wrong = [case for case in cases("problems") if errors(case.path.read_bytes())]
    assert len(wrong) >= 60


@pytest.mark.parametrize(
    "name",
    [
        "unknown-section", "unknown-key-in-rule", "unknown-key-in-action", "unknown-key-in-desk", "unknown-event",
        "unknown-attribute", "unknown-attribute-nested", "unknown-operator", "unknown-operator-for-type", "unknown-action",
        "unknown-clock", "unknown-party", "missing-then", "missing-supervisor", "missing-window", "value-choice",
        "value-mode", "value-step", "type-yes-no", "type-octal", "duration-without-unit", "duration-of-step",
        "calendar-period", "version-2", "connector",
    ],
)  # fmt: skip
def test_a_mistake_that_needs_no_knowledge_of_the_ruleset_is_seen_while_it_is_written(name):
    assert errors((HERE / "problems" / f"{name}.yaml").read_bytes())


def test_every_section_attribute_operator_event_and_action_is_in_it():
    defined = SCHEMA["$defs"]
    assert set(SCHEMA["properties"]) == {"version", *SECTIONS, "given", "tests"}
    attributes = defined["condition"]["properties"]
    assert set(attributes) == {"all", "any", "none", *DECLARED}
    for name, attribute in DECLARED.items():
        compared = defined[attributes[name]["$ref"].rpartition("/")[2]]
        mapping = compared if "properties" in compared else compared["anyOf"][-1]
        assert set(mapping["properties"]) - {"within"} == set(operators_of(attribute))
        assert attribute.about in attributes[name]["description"]
    assert set(defined["action"]["oneOf"][0]["properties"]) == set(ACTIONS)
    assert set(defined["Rule"]["properties"]["on"]["anyOf"][0]["enum"]) == set(LISTENABLE)


def test_every_field_that_is_read_by_hand_has_a_shape():
    open_fields = [
        f"{name}.{field}"
        for name, shape in SCHEMA["$defs"].items()
        for field, inner in shape.get("properties", {}).items()
        if not set(inner) - {"default", "description"}
    ]
    # What a request carries is any JSON; tests beside the rules are checked by `rules-service test`.
    free = {"Request.json", "Test.at", "Test.given", "Test.expect", "Given.ticket", "Given.desks", "Given.customer"}
    assert set(open_fields) <= free | {"Users.online", "Users.load"}


@pytest.mark.parametrize(
    ("then", "right"),
    [
        ("close", True),
        ("{close: }", True),
        ("{reply: received}", True),
        ("{reply: {template: received}}", True),
        ("{reply: {text: Hello}}", True),
        ("{reply: {template: received, text: Hello}}", False),
        ("{escalate: Help}", True),
        ("{escalate: {summary: Help, start_at: 2}}", True),
        ("{escalate: {start_at: 2}}", False),
        ("{add_tags: [a]}", True),
        ("{add_tags: a}", False),
        ("{set: {customer.tier: vip, custom.x: 5}}", True),
        ("{set: {priority: high}}", False),
        ("{reassign: {}}", False),
        ("{reassign: ann}", True),
        ("{transfer: lab}", True),
        ("{transfer: {desk: front}}", True),
        ("{alert: [supervisor]}", False),
        ("{alert: {to: [supervisor, 'user:ann'], text: Hello}}", True),
        ("{close: , reopen: }", False),
        ("{}", False),
        ("escalate", False),
    ],
)
def test_an_action_may_be_written_short(then, right):
    content = f"version: 1\nrules: [{{id: a, on: ticket.closed, then: [{then}]}}]\n".encode()
    assert (errors(content) == []) is right


@pytest.mark.parametrize(
    ("section", "right"),
    [
        ("presence: {heartbeat: 2m, away: {release_after: 10m}}", True),
        ("presence: {heartbeat: service 2m}", False),
        ("presence: {away: {release_after: service 10m}}", False),
        ("connectors: {desk: {base_url: 'https://x', lag: service 1m}}", False),
        ("connectors: {desk: {base_url: 'https://x', lag: 1m}}", True),
        ("rules: [{id: a, when: {}, then: [close], limit: 2 per service 1h}]", True),
        ("rules: [{id: a, when: {}, then: [close], limit: ' 2  per  service  1h 30m '}]", True),
        ("rules: [{id: a, when: {}, then: [close], limit: 0 per 1h}]", False),
        ("rules: [{id: a, when: {}, then: [close], repeat: {every: service 1h}}]", True),
        ("rules: [{id: a, when: {recent.reopens: {within: service 1h, at_least: 1}}, then: [close]}]", False),
    ],
)
def test_the_word_service_is_right_where_service_hours_are_counted(section, right):
    assert (errors(f"version: 1\n{section}\n".encode()) == []) is right


def test_every_file_of_the_travel_company_names_the_schema():
    for path in sorted(RULESETS.glob("travel/**/*.yaml")):
        first = path.read_text().splitlines()[0]
        assert first.startswith("# yaml-language-server: $schema="), path
        assert (path.parent / first.partition("=")[2]).resolve() == RULESETS / "rules.schema.json"


def test_the_schema_speaks_of_no_machine():
    assert str(Path.home()) not in json.dumps(SCHEMA)
