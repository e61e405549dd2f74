"""The corpus of rule files with what is said of them: a new case is a new file.

A case is a rule file on top of the small ruleset in `base/`. Comments at its end say what it is and what it shows; for a
file that cannot end in comments they stand in a file of the same name with the suffix `.expect`, without the `#`:

    # expect: 5:12: message (kind)                  a problem or warning of this file
    # expect: company.yaml:4:1: message (kind)      of another file, or of the whole: ruleset:1:1
    # expect: nothing                               there is none
    # instead: lifecycle.yaml                       it takes the place of this file of `base/`
    # as: groups/lab/team.yaml                      its name in the ruleset, else the-case.yaml
    # alone                                         without `base/`
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from rules_service.decide import check_ruleset
from rules_service.problems import Problem
from rules_service.ruleset import read_folder

HERE = Path(__file__).parent

#: What the variables of `base/` stand for.
VARIABLES = {"HOOK_URL": "https://helpdesk.example.com/hook", "HOOK_SECRET": "whsec_c2VjcmV0"}


@functools.cache
def base() -> Mapping[str, bytes]:
    return read_folder(HERE / "base")


@dataclass(frozen=True, kw_only=True)
class Case:
    path: Path
    expected: tuple[str, ...]
    file: str
    alone: bool

    @property
    def files(self) -> dict[str, bytes]:
        """The whole ruleset."""
        return {**({} if self.alone else base()), self.file: self.path.read_bytes()}

    @functools.cached_property
    def found(self) -> list[Problem]:
        """Every problem, or where there is none every warning."""
        _, problems, warnings = check_ruleset(self.files, VARIABLES)
        return problems + warnings

    @property
    def said(self) -> list[str]:
        """The same as the case expects it."""
        return [str(problem).removeprefix(f"{self.file}:") for problem in self.found]


def cases(folder: str) -> list[Case]:
    """The cases of a folder, in order."""
    return [_read(path) for path in sorted((HERE / folder).glob("*.yaml"))]


def _read(path: Path) -> Case:
    beside = path.with_suffix(".expect")
    if beside.exists():
        lines = beside.read_text().splitlines()
    else:
        comments = path.read_text(encoding="latin-1").splitlines()
        lines = [line.removeprefix("# ") for line in comments if line.startswith("# ")]
    expected, file, alone = [], "the-case.yaml", False
    for line in lines:
        word, _, rest = line.partition(": ")
        if word == "expect":
            expected.append(rest)
        elif word in ("as", "instead"):
            file = rest
        elif line == "alone":
            alone = True
    assert expected, f"{path.name} expects something, or nothing"
    return Case(path=path, expected=() if expected == ["nothing"] else tuple(expected), file=file, alone=alone)
