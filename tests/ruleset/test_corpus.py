"""Every problem and warning is reported at its place, in its words: a corpus of files, each with what is said of it."""

import re
from pathlib import Path

import pytest

import rules_service
from rules_service.decide import check_ruleset
from rules_service.problems import KINDS, WARNINGS
from tests.ruleset.corpus import VARIABLES, base, cases

PROBLEMS, WARNED = cases("problems"), cases("warnings")

LINE = re.compile(r"(?:[\w./-]+:)?\d+:\d+: .+ \(([a-z-]+)\)")


def test_the_base_of_the_cases_has_neither_problem_nor_warning():
    ruleset, problems, warnings = check_ruleset(base(), VARIABLES)
    assert ruleset is not None
    assert (problems, warnings) == ([], [])


@pytest.mark.parametrize("case", [*PROBLEMS, *WARNED], ids=lambda case: case.path.stem)
def test_a_file_is_told_all_its_problems_sorted_and_at_their_places(case):
    assert case.said == list(case.expected)
    assert case.found == sorted(case.found)


@pytest.mark.parametrize("case", [*PROBLEMS, *WARNED], ids=lambda case: case.path.stem)
def test_a_place_is_in_the_file_and_a_kind_is_of_the_closed_list(case):
    for problem, said in zip(case.found, case.said, strict=True):
        assert LINE.fullmatch(said)[1] in KINDS | WARNINGS
        lines = case.files.get(problem.file, b"").decode("utf-8", "replace").split("\n")
        assert problem.line <= len(lines)
        assert problem.col <= len(lines[problem.line - 1]) + 1


def test_every_kind_has_a_case():
    shown = {problem.kind for case in PROBLEMS for problem in case.found}
    # `test` is what tests beside the rules report.
    assert shown == KINDS.keys() - {"test"}
    assert {problem.kind for case in WARNED for problem in case.found} == set(WARNINGS)


def test_no_kind_is_reported_that_is_not_in_the_list():
    package = Path(rules_service.__file__).parent
    text = "\n".join(path.read_text() for path in package.rglob("*.py"))
    used = set(re.findall(r'\.problem\(\s*"([a-z-]+)"', text)) | set(re.findall(r'\.warning\(\s*"([a-z-]+)",', text))
    assert used <= KINDS.keys() | WARNINGS.keys()


def test_the_corpus_is_large_and_has_false_alarms_in_it():
    assert len(PROBLEMS) >= 60
    assert sum(not case.expected for case in WARNED) >= len(WARNINGS)


def test_a_definition_that_stands_twice_names_the_place_of_the_first():
    said = [line for case in PROBLEMS for line in case.expected if line.endswith("(duplicate)")]
    assert [line for line in said if "previous definition at" in line]


def test_a_misspelt_name_is_told_the_nearest():
    said = [line for case in PROBLEMS for line in case.expected]
    assert sum("did you mean" in line for line in said) >= 30


def test_problems_of_several_files_come_in_the_order_of_files_and_lines():
    files = {
        **base(),
        "b.yaml": b"version: 1\nrules:\n  - id: x\n  - id: y\n",
        "a.yaml": b"version: 1\nrulez: []\n",
    }
    _, problems, _ = check_ruleset(files, VARIABLES)
    assert [(problem.file, problem.line) for problem in problems] == [("a.yaml", 2), ("b.yaml", 3), ("b.yaml", 4)]


def test_warnings_wait_until_there_are_no_problems():
    _, problems, warnings = check_ruleset({**base(), "a.yaml": b"version: 2\n"}, {})
    assert problems
    assert warnings == []


def test_variables_that_are_not_known_here_are_not_called_unset():
    assert check_ruleset(base(), None)[2] == []
    assert {problem.kind for problem in check_ruleset(base(), {})[2]} == {"unset-variable"}
