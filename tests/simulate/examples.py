"""The numbered examples of the rule language, and other rulesets that tests put together."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from rules_service.rules import Rulebook
from rules_service.ruleset import read_folder
from tests.scene import ruleset_of

RULESETS = Path(__file__).parents[2] / "rulesets"
EXAMPLES = RULESETS / "examples"
BASE = read_folder(EXAMPLES / "base")
TRAVEL = read_folder(RULESETS / "travel")

NAMES = sorted(path.stem for path in EXAMPLES.glob("[0-9]*.yaml") if not path.stem.endswith("_test"))


def files_of(name):
    """An example on top of what all of them share; one with a lifecycle of its own goes without the shared one."""
    own = {file: (EXAMPLES / file).read_bytes() for file in (f"{name}.yaml", f"{name}_test.yaml")}
    has_lifecycle = b"\nlifecycle:" in own[f"{name}.yaml"]
    return {file: text for file, text in BASE.items() if file != "lifecycle.yaml" or not has_lifecycle} | own


def shadowed(ruleset, rule_id):
    """The ruleset with one rule that does nothing."""
    rules = [dataclasses.replace(rule, mode="shadow") if rule.id == rule_id else rule for rule in ruleset.rules.rules]
    return dataclasses.replace(ruleset, rules=Rulebook(rules, ruleset.rules.vocabulary))


def small(rules, **files):
    """The examples' teams with these rules, and more files by name without its ending."""
    named = {f"{name}.yaml": text for name, text in files.items()}
    return ruleset_of({**BASE, "rules.yaml": f"version: 1\n{rules}", **named})
