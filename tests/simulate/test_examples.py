"""Each numbered example loads, its tests pass, and they would fail if a rule of it did nothing."""

import re

import pytest

from rules_service.decide import ATTRIBUTES
from rules_service.rules import ACTIONS, RuleSchema, atoms_of
from rules_service.rules.operands import OPERATORS
from rules_service.ruleset import SECTIONS
from rules_service.ruleset.reading import read_yaml
from rules_service.simulate import run_tests
from tests.scene import ruleset_of
from tests.simulate.examples import EXAMPLES, NAMES, TRAVEL, files_of, shadowed


@pytest.mark.parametrize("name", NAMES)
def test_the_tests_of_an_example_pass(name):
    files = files_of(name)
    report = run_tests(ruleset_of(files), files)
    assert [*map(str, report.problems)] == []
    assert report.results


@pytest.mark.parametrize("name", NAMES)
def test_the_tests_of_an_example_fail_when_one_of_its_rules_does_nothing(name):
    files = files_of(name)
    ruleset = ruleset_of(files)
    live = [rule.id for rule in ruleset.rules.rules if rule.mode == "live"]
    assert [rule_id for rule_id in live if not run_tests(shadowed(ruleset, rule_id), files).problems] == []


def test_the_tests_of_the_travel_ruleset_pass_and_fail_when_one_of_its_rules_does_nothing():
    ruleset = ruleset_of(TRAVEL)
    report = run_tests(ruleset, TRAVEL)
    assert [*map(str, report.problems)] == []
    assert len(report.results) > 40
    rules = [rule.id for rule in ruleset.rules.rules]
    assert [rule_id for rule_id in rules if not run_tests(shadowed(ruleset, rule_id), TRAVEL).problems] == []


def test_the_examples_are_numbered_without_a_gap():
    assert [int(name[:2]) for name in NAMES] == list(range(1, len(NAMES) + 1))
    assert sorted(path.name for path in EXAMPLES.glob("*.yaml")) == sorted(
        file for name in NAMES for file in (f"{name}.yaml", f"{name}_test.yaml")
    )


def test_every_section_rule_key_action_and_operator_is_shown_by_an_example():
    rules, sections = [], set()
    for name in NAMES:
        data, _ = read_yaml(name, files_of(name)[f"{name}.yaml"], [])
        sections |= data.keys()
        rules += data.get("rules", [])
    shared = {"lifecycle", "default_desk", "customer_tiers", "groups", "users", "desks"}
    assert set(SECTIONS) - sections - shared == set()
    keys = {field.data_key or key for key, field in RuleSchema().fields.items()}
    # What a rule is for is said by the comments of the files.
    assert keys - {key for rule in rules for key in rule} == set()
    actions = {action if isinstance(action, str) else next(iter(action)) for rule in rules for action in rule["then"]}
    assert set(ACTIONS) - actions == set()
    loaded = [rule for name in NAMES for rule in ruleset_of(files_of(name)).rules.rules]
    operators = {atom.operator for rule in loaded for atom in atoms_of(rule.when)}
    assert {name for names in OPERATORS.values() for name in names} - operators == set()


def test_every_attribute_is_shown_by_an_example_or_by_the_travel_ruleset():
    rulesets = [ruleset_of(files_of(name)) for name in NAMES] + [ruleset_of(TRAVEL)]
    read = {name.partition("[")[0] for ruleset in rulesets for rule in ruleset.rules.rules
            for name in ruleset.rules.reads[rule.id]}  # fmt: skip
    texts = " ".join(text.decode() for name in NAMES for text in files_of(name).values())
    named = set(re.findall(r"\{\{ ([\w.]+)", texts))
    same_kind = {"sla", "service_time", "event.irregular", "customer.id"}
    missing = {
        name for name in ATTRIBUTES.keys() - read - named if not any(name.startswith(kind) for kind in same_kind)
    }
    assert missing == set()
