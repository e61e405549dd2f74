"""Tests beside the rules: the files `*_test.yaml` of a ruleset, read, played and judged.

A mistake in a test file and a test that fails are problems like any other, at their line.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import marshmallow as ma

from rules_service.problems import Place, Problem, describe, hint, shaped
from rules_service.ruleset import Files, Ruleset
from rules_service.ruleset.load import is_test
from rules_service.ruleset.reading import read_yaml
from rules_service.simulate.expecting import Expectation, parse_expectation
from rules_service.simulate.judging import TRIGGER_OF, Judge
from rules_service.simulate.steps import Given, parse_given, parse_instant, parse_step
from rules_service.simulate.stories import Happens, Played, Step, Story, play

#: When a test begins that does not say so: a Monday morning.
DEFAULT_AT = dt.datetime(2026, 3, 2, 9, tzinfo=dt.UTC)

#: Sections of a test file beside `version:`.
TEST_SECTIONS = ("given", "tests")


@dataclass(frozen=True, slots=True, kw_only=True)
class TestResult:
    """One test, run."""

    __test__ = False

    name: str
    file: str
    line: int
    problems: tuple[Problem, ...]

    @property
    def passed(self) -> bool:
        """Whether everything was as expected."""
        return not self.problems


@dataclass(frozen=True, slots=True, kw_only=True)
class TestReport:
    """All tests of a ruleset, in the order of files and lines."""

    __test__ = False

    results: tuple[TestResult, ...]
    #: Everything that is wrong: mistakes in the files, and tests that failed.
    problems: tuple[Problem, ...]


_STEPS = ma.validate.Length(min=1, max=1_000, error="a story has 1 to 1,000 steps")


class TestSchema(ma.Schema):
    """One test."""

    __test__ = False

    name = ma.fields.String(required=True, validate=ma.validate.Length(min=1, max=200))
    about = ma.fields.String(load_default=None)
    at = ma.fields.Raw(load_default=None)
    given = ma.fields.Raw(load_default=None)
    story = ma.fields.List(ma.fields.Raw(), required=True, validate=_STEPS)
    expect = ma.fields.Raw(load_default=None)


def run_tests(
    ruleset: Ruleset, files: Files, *, wanted: Callable[[str, str], bool] = lambda _file, _name: True
) -> TestReport:
    """Runs the tests in `files` (name -> content) whose file and name are `wanted`; other files are passed over."""
    results: list[TestResult] = []
    problems: list[Problem] = []
    for file in sorted(files):
        if is_test(file):
            results += _run_file(ruleset, file, files[file], problems, wanted)
    found = [*problems, *(problem for result in results for problem in result.problems)]
    return TestReport(results=tuple(results), problems=tuple(sorted(set(found))))


def _run_file(
    ruleset: Ruleset, file: str, content: bytes, problems: list[Problem], wanted: Callable[[str, str], bool]
) -> list[TestResult]:
    data, place = read_yaml(file, content, problems)
    if not isinstance(data, dict):
        if not any(problem.file == file for problem in problems):
            place.problem("type", f"a test file is a mapping with `version: 1` and `tests:`; not {describe(data)}")
        return []
    if data.get("version") != 1:
        place.at("version").problem("missing", "the first line of a test file is `version: 1`")
    for section in data:
        if section not in (*TEST_SECTIONS, "version"):
            near = hint(section, TEST_SECTIONS)
            place.at(section).problem("unknown-key", f'unknown section "{section}"{near}', key=True)
    tests = data.get("tests")
    if not isinstance(tests, list):
        place.at("tests").problem("missing" if tests is None else "type", "`tests:` is a list of tests")
        return []
    given = Given()
    if data.get("given") is not None:
        given = parse_given(data["given"], place.at("given"), ruleset, given)
    results: list[TestResult] = []
    names: dict[str, Place] = {}
    for index, test in enumerate(tests):
        here = place.at("tests", index)
        name = test.get("name") if isinstance(test, dict) else None
        if isinstance(name, str) and name in names:
            here.at("name").problem("duplicate", f'"{name}" is defined twice; previous definition at {names[name]}')
        elif isinstance(name, str):
            names[name] = here
        if not isinstance(name, str) or wanted(file, name):
            results.append(_run_one(ruleset, test, here, given))
    return results


def _run_one(ruleset: Ruleset, data: object, place: Place, shared: Given) -> TestResult:
    """The result of one test; what is wrong with it stands in its own list of problems."""
    place = Place(place.file, place.marks, [], place.path)
    name = data.get("name") if isinstance(data, dict) else None
    line = place.position()[0]
    found = shaped(TestSchema, data, place)
    if found is not None:
        test = _parse(ruleset, found, place, shared)
        if test is not None and not place.problems:
            _judge(ruleset, test, place)
    return TestResult(
        name=str(name or "a test without a name"), file=place.file, line=line, problems=tuple(place.problems)
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Test:
    story: Story
    expectations: tuple[Expectation, ...]
    #: One for each step of the story: where it stands.
    places: tuple[Place, ...]


def _parse(ruleset: Ruleset, found: dict[str, Any], place: Place, shared: Given) -> _Test | None:
    at = DEFAULT_AT if found["at"] is None else parse_instant(found["at"], place.at("at"))
    given = shared
    if found["given"] is not None:
        given = parse_given(found["given"], place.at("given"), ruleset, shared)
    known: set[str] = set()
    steps: list[Step] = []
    places: list[Place] = []
    expectations: list[Expectation | None] = []
    since = 0
    for index, item in enumerate(found["story"]):
        here = place.at("story", index)
        if isinstance(item, dict) and set(item) == {"expect"}:
            until = len(steps)
            expectation = parse_expectation(
                item["expect"], here.at("expect"), ruleset, since=since, until=until, tickets=known
            )
            expectations.append(expectation)
            since = until
        else:
            parsed = parse_step(item, here, ruleset, given, known)
            steps += parsed
            places += [here] * len(parsed)
    if found["expect"] is not None:
        expectations.append(
            parse_expectation(found["expect"], place.at("expect"), ruleset, since=0, until=len(steps), tickets=known)
        )
    elif not expectations:
        place.problem("missing", "a test without `expect:` cannot fail; say what has to be so")
    if at is None or place.problems:
        return None
    story = Story(at=at, online=given.online, loads=given.loads, stated=given.stated, steps=tuple(steps))
    return _Test(story=story, expectations=tuple(one for one in expectations if one is not None), places=tuple(places))


def _judge(ruleset: Ruleset, test: _Test, place: Place) -> None:
    played = play(ruleset, test.story)
    for expectation in test.expectations:
        Judge(ruleset, played, expectation, test.story.at.tzinfo).judge()
    for fault in played.faults:
        place.problem("test", fault)
    _report_refusals(test, played)


def _report_refusals(test: _Test, played: Played) -> None:
    """A refusal that no expectation names would go unnoticed: the story would go on without what it asked for."""
    for chain in played.chains:
        if not chain.refused:
            continue
        step = test.story.steps[chain.step]
        assert isinstance(step, Happens)
        covering = [one for one in test.expectations if one.since <= chain.step < one.until]
        trigger = TRIGGER_OF[step.type]
        if not any(trigger in one.data.get("refused", ()) for one in covering):
            reasons = chain.decisions[0].reasons
            why = "; ".join(f"{reason.text} ({reason.code})" for reason in reasons)
            expected = f"{{expect: {{refused: {{{trigger}: {reasons[0].code}}}}}}}"
            text = f"it was refused: {why}; if the test is about that, write {expected}"
            test.places[chain.step].problem("test", text)
