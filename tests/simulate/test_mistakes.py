"""What is said about tests that fail, and about mistakes in test files: each pair of files in `mistakes/` is a case."""

from pathlib import Path

import pytest

from rules_service.problems import KINDS
from rules_service.simulate import run_tests
from tests.scene import ruleset_of
from tests.simulate.examples import BASE

FOLDER = Path(__file__).parent / "mistakes"
RULES = {**BASE, "rules.yaml": (FOLDER / "rules.yaml").read_bytes()}


@pytest.mark.parametrize("name", [path.stem for path in sorted(FOLDER.glob("*_test.yaml"))])
def test_problems_are_told_at_their_place(name):
    report = run_tests(ruleset_of(RULES), {f"{name}.yaml": (FOLDER / f"{name}.yaml").read_bytes()})
    found = "".join(f"{problem}\n" for problem in report.problems)
    assert found == (FOLDER / f"{name}.txt").read_text()
    assert {problem.kind for problem in report.problems} <= KINDS.keys()


def test_each_test_is_judged_by_itself():
    content = (FOLDER / "failing_test.yaml").read_bytes()
    report = run_tests(ruleset_of(RULES), {"failing_test.yaml": content})
    assert [result.name for result in report.results if result.passed] == ["nothing was wrong"]
    lines = content.decode().splitlines()
    for result in report.results:
        assert f"- name: {result.name}" in lines[result.line - 1]


def test_a_test_that_fails_alone_fails_beside_others():
    content = (FOLDER / "failing_test.yaml").read_bytes()
    together = run_tests(ruleset_of(RULES), {"failing_test.yaml": content})
    for result in together.results:
        alone = run_tests(
            ruleset_of(RULES), {"failing_test.yaml": content}, wanted=lambda _, name, only=result.name: name == only
        )
        assert alone.results == (result,)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "a test file is a mapping"),
        ("- 1", "a test file is a mapping"),
        ("tests: []", "the first line of a test file is"),
        ("version: 1", "`tests:` is a list of tests"),
        ("version: 1\ntests: {}", "`tests:` is a list of tests"),
        ("version: 1\ntests: [", "not YAML"),
        ("version: 1\ntests: &a []", "anchor"),
    ],
)
def test_a_file_that_is_no_test_file_is_told(content, message):
    report = run_tests(ruleset_of(RULES), {"x_test.yaml": content.encode()})
    assert message in str(report.problems[0])


def test_files_without_tests_are_passed_over():
    report = run_tests(ruleset_of(RULES), RULES)
    assert (report.results, report.problems) == ((), ())
