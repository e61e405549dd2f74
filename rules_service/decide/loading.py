"""Loading a ruleset against the table of attributes."""

from __future__ import annotations

from dataclasses import replace

from rules_service.decide.attributes import ATTRIBUTES, DECLARED, GATHERED, RECENT, windowed
from rules_service.problems import Problem
from rules_service.rules import WINDOWED, atoms_of
from rules_service.ruleset import Files, Ruleset, load


def load_ruleset(files: Files) -> tuple[Ruleset | None, list[Problem]]:
    """The ruleset that `files` (name -> content) define, or None; and all problems, in the order of files and lines."""
    ruleset, problems = load(files, DECLARED)
    if ruleset is None:
        return None, problems
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
    found = replace(ruleset, timed_atoms=timed, recent_s=recent_s, gathered_needs=read & GATHERED.keys())
    return found, problems
