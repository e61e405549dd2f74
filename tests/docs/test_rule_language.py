"""The page about the rule language names everything that the language has; the first rule does what is said of it."""

import re

import pytest

from rules_service.clocks import CLOCKS
from rules_service.decide import ATTRIBUTES
from rules_service.messages.templates import FILTERS
from rules_service.parties import PARTIES
from rules_service.rules import ACTIONS, PLACEMENTS, RuleSchema
from rules_service.rules.operands import OPERATORS
from rules_service.ruleset import SECTIONS, read_folder
from rules_service.ruleset.load import TEMPLATE_NAMES, AttributeSchema
from rules_service.simulate import DEFAULT_AT, EXPECT, TICKET_FIELDS, VERBS, run_tests
from rules_service.simulate.rule_tests import TestSchema
from rules_service.simulate.steps import GivenSchema
from rules_service.teams import DeskSchema, GroupSchema, UserSchema
from rules_service.teams.escalation import EscalationPolicySchema, StepSchema
from tests.cli.terminal import ROOT
from tests.scene import ruleset_of

PAGE = (ROOT / "docs/reference/rule-language.md").read_text()
WORDS = {word for quoted in re.findall(r"`([^`\n]+)`", PAGE) for word in re.findall(r"[\w.]+", quoted)}


def keys(schema):
    return {field.data_key or name for name, field in schema().fields.items()}


@pytest.mark.parametrize(
    "names",
    [
        set(SECTIONS),
        keys(RuleSchema),
        {name for found in OPERATORS.values() for name in found},
        set(ACTIONS),
        set(PARTIES),
        set(PLACEMENTS),
        set(CLOCKS),
        set(FILTERS),
        set(TEMPLATE_NAMES) - {"ticket.id"},
        keys(AttributeSchema) | keys(DeskSchema) | keys(GroupSchema) | keys(UserSchema),
        keys(EscalationPolicySchema) | keys(StepSchema),
        {"all", "any", "none", "live", "shadow", "off", "include", "skip", "at_most", "every"},
        set(EXPECT),
        set(VERBS) | {key for more in VERBS.values() for key in more},
        set(TICKET_FIELDS) | {"no_tags"},
        keys(TestSchema) | keys(GivenSchema),
    ],
    ids=min,
)
def test_the_page_names_everything(names):
    assert sorted(name for name in names if name not in WORDS) == []


def test_the_page_names_every_attribute():
    assert [name for name in ATTRIBUTES if name not in WORDS and not name.startswith("sla.")] == []
    parts = {name.split(".")[2] for name in ATTRIBUTES if name.startswith("sla.")}
    assert {f"sla.CLOCK.{part}" for part in parts} <= WORDS


@pytest.mark.parametrize("form", ["1 per ticket", "1 per stint", "2 per 1h"])
def test_the_page_names_every_form_of_a_limit(form):
    assert f"`{form}`" in PAGE


def test_the_page_names_nothing_that_is_not_there():
    named = {
        word
        for word in WORDS
        if re.fullmatch(r"(ticket|customer|event|message|time|service_time|desk|recent)\.[a-z_.]+", word)
    }
    known = ATTRIBUTES.keys() | set(TEMPLATE_NAMES)
    assert {word for word in named - known if word != "ticket.created"} == set()


def test_a_test_begins_on_a_monday_at_nine():
    assert (DEFAULT_AT.weekday(), DEFAULT_AT.hour) == (0, 9)
    assert "a Monday at 09:00 UTC" in PAGE


def test_the_test_on_the_page_passes():
    block = re.search(r"```yaml\n(version: 1\ngiven.*?)```", PAGE, re.DOTALL)[1]
    files = {"x_test.yaml": block.encode()}
    assert run_tests(ruleset_of(read_folder(ROOT / "rulesets/travel")), files).problems == ()


# --- the first rule --------------------------------------------------------------------------------------------------

GUIDE = (ROOT / "docs/guides/first-rule.md").read_text()
FILES = {match[2]: match[1] for match in re.finditer(r"```yaml\n(# file: (\S+)\n.*?)```", GUIDE, re.DOTALL)}


def _printed(change=lambda text: text):
    files = read_folder(ROOT / "rulesets/travel") | {name: change(text).encode() for name, text in FILES.items()}
    report = run_tests(ruleset_of(files), files, wanted=lambda file, _: file == "money-back_test.yaml")
    failed = sum(1 for result in report.results if not result.passed)
    return "".join(
        f"{line}\n"
        for line in (
            *(f"{'ok   ' if result.passed else 'FAIL '} {result.file}: {result.name}" for result in report.results),
            *report.problems,
            f"{len(report.results)} tests, {failed} failed",
        )
    )


def test_the_first_rule_and_its_tests_say_what_the_guide_shows():
    shown = re.findall(r"```text\n(.*?)```", GUIDE, re.DOTALL)
    assert len(FILES) == 2
    assert shown == [
        _printed(),
        _printed(lambda text: text.replace("{within: 15m, at_least: 2}", "{within: 15m, at_least: 3}")),
    ]


def test_the_first_rule_leaves_the_other_tests_of_the_ruleset_as_they_are():
    files = read_folder(ROOT / "rulesets/travel") | {name: text.encode() for name, text in FILES.items()}
    assert run_tests(ruleset_of(files), files).problems == ()
