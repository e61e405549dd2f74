"""Loading a ruleset against the table of attributes."""

from __future__ import annotations

from dataclasses import replace

from rules_service.decide.attributes import ATTRIBUTES, DECLARED, GATHERED
from rules_service.problems import Problem
from rules_service.rules import attributes_of
from rules_service.ruleset import Files, Ruleset, load


def load_ruleset(files: Files) -> tuple[Ruleset | None, list[Problem]]:
    """The ruleset that `files` (name -> content) define, or None; and all problems, in the order of files and lines."""
    ruleset, problems = load(files, DECLARED)
    if ruleset is None:
        return None, problems
    changing = {name for name, computed in ATTRIBUTES.items() if computed.crossings is not None}
    timed = frozenset(rule.id for rule in ruleset.rules.edge_rules if attributes_of(rule.when) & changing)
    read = frozenset[str]().union(*(attributes_of(rule.when) for rule in ruleset.rules.rules))
    return replace(ruleset, timed_rules=timed, gathered_needs=read & GATHERED.keys()), problems
