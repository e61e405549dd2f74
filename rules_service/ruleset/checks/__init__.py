"""What is valid and yet hardly meant: warnings about a ruleset, each at its line."""

from __future__ import annotations

from collections.abc import Mapping

from rules_service.problems import Problem
from rules_service.ruleset.checks.allowed import never_allowed
from rules_service.ruleset.checks.dead import never_matching, shadowed
from rules_service.ruleset.checks.endless import endless
from rules_service.ruleset.checks.escalated import unescalated
from rules_service.ruleset.checks.study import Study
from rules_service.ruleset.checks.unused import unset, unused
from rules_service.ruleset.load import Definitions
from rules_service.ruleset.model import Ruleset

__all__ = ["find_warnings"]


def find_warnings(
    ruleset: Ruleset, definitions: Definitions, variables: Mapping[str, str] | None = None
) -> list[Problem]:
    """All warnings about a valid ruleset, in the order of files and lines; their kinds are keys of WARNINGS.

    `definitions` are those that the ruleset was made of. `variables` are what `${VAR}` stands for; None: not known
    here, so that none counts as unset.
    """
    study = Study(ruleset, definitions)
    found = [
        warning
        for check in (never_matching, shadowed, endless, unused, never_allowed, unescalated)
        for warning in check(study)
    ]
    if variables is not None:
        found += unset(study, variables)
    return sorted(set(found))
