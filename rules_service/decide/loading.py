"""Loading a ruleset against the table of attributes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from rules_service.decide.attributes import ATTRIBUTES, DECLARED, GATHERED, RECENT, windowed
from rules_service.problems import Problem
from rules_service.rules import WINDOWED, atoms_of
from rules_service.ruleset import Files, Ruleset, find_warnings, load_definitions


def load_ruleset(files: Files) -> tuple[Ruleset | None, list[Problem]]:
    """The ruleset that `files` (name -> content) define, or None; and all problems, in the order of files and lines."""
    loaded = load_definitions(files, DECLARED)
    return None if loaded.ruleset is None else _timed(loaded.ruleset), loaded.problems


def check_ruleset(
    files: Files, variables: Mapping[str, str] | None = None
) -> tuple[Ruleset | None, list[Problem], list[Problem]]:
    """As `load_ruleset`, and all warnings, in the same order; none while there are problems.

    `variables` are what `${VAR}` stands for; None: not known here, so that none counts as unset.
    """
    loaded = load_definitions(files, DECLARED)
    if loaded.ruleset is None:
        return None, loaded.problems, []
    return _timed(loaded.ruleset), loaded.problems, find_warnings(loaded.ruleset, loaded.definitions, variables)


def _timed(ruleset: Ruleset) -> Ruleset:
    """The ruleset with what its rules need of time and of the database."""
    read = frozenset[str]().union(*ruleset.rules.reads.values())
    recent_s: dict[str, int] = {}
    for name in read:
        if name.startswith(WINDOWED):
            base, window_s = windowed(name)
            for kind in RECENT[base][0]:
                recent_s[kind] = max(window_s, recent_s.get(kind, 0))
    changing = {name for name, computed in ATTRIBUTES.items() if computed.crossings is not None}
    changing |= {name for name in read if name.startswith(WINDOWED)}
    timed = {
        rule.id: tuple((atom.attribute, atom.value) for atom in atoms_of(rule.when) if atom.attribute in changing)
        for rule in ruleset.rules.edge_rules
        if ruleset.rules.reads[rule.id] & changing
    }
    texts = (text for template in ruleset.templates.values() for text in template.texts.values())
    said = frozenset[str]().union(*(text.names for text in (*ruleset.texts.values(), *texts)))
    return replace(ruleset, timed_atoms=timed, recent_s=recent_s, gathered_needs=(read | said) & GATHERED.keys())
