"""A ruleset whose tests fail stays out; the command says why."""

import json

import pytest
from click.testing import CliRunner

from rules_service.api.schemas import DATA_FIELDS as API_FIELDS
from rules_service.cli import main
from rules_service.errors import InvalidRuleset
from rules_service.service import publish
from rules_service.simulate import DATA_FIELDS
from rules_service.store import Store, rulesets
from tests.scene import NINE
from tests.simulate.examples import EXAMPLES, files_of

GOOD = files_of("01-first-rule")
BAD = {
    **GOOD,
    "more_test.yaml": b"""version: 1
tests:
  - name: wrong
    story: [{event: ticket.created}]
    expect: {fires: [important]}
""",
}
WRONG = 'more_test.yaml:5:22: the rule "important" did not fire: customer.tier has no value, wanted: vip; no rule fired (test)'


@pytest.fixture
def store(sqlite):
    opened = Store(sqlite.emptied())
    yield opened
    opened.close()


def _active(store):
    with store.connection():
        return rulesets.active_hash(store)


def test_a_ruleset_whose_tests_fail_is_not_put_live(store):
    live = publish.publish(store, GOOD, NINE, by="test").hash
    with pytest.raises(InvalidRuleset) as refused:
        publish.publish(store, BAD, NINE, by="test")
    assert refused.value.data["problems"] == [WRONG]
    assert refused.value.detail == "the ruleset has 1 problem"
    assert _active(store) == live


def test_a_mistake_in_a_test_file_keeps_the_ruleset_out_too(store):
    with pytest.raises(InvalidRuleset):
        publish.publish(store, {**GOOD, "more_test.yaml": b"version: 1\ntests: [{name: x}]\n"}, NINE, by="test")
    assert _active(store) is None


def test_rolling_back_runs_no_tests(store, monkeypatch):
    first = publish.publish(store, GOOD, NINE, by="test").hash
    changed = {**GOOD, "note.yaml": b"version: 1\n"}
    publish.publish(store, changed, NINE, by="test")
    monkeypatch.setattr(publish, "run_tests", lambda *_: pytest.fail("tests were run"))
    publish.rollback(store, first, NINE, by="test")
    assert _active(store) == first


def test_a_watched_folder_whose_tests_fail_is_told(store):
    publish.publish(store, GOOD, NINE, by="test")
    with pytest.raises(InvalidRuleset):
        publish.watch(store, BAD, NINE)
    assert publish.watch(store, BAD, NINE) is None


@pytest.fixture
def folder(tmp_path):
    def write(files):
        for name, content in files.items():
            (tmp_path / name).write_bytes(content)
        return str(tmp_path)

    return write


def run(*arguments):
    done = CliRunner().invoke(main, ["test", *arguments])
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done


def test_the_command_prints_a_line_a_test_and_every_problem(folder):
    done = run(folder(BAD))
    assert done.exit_code == 1
    assert done.stdout.splitlines() == [
        "ok    01-first-rule_test.yaml: a vip's ticket is urgent",
        "ok    01-first-rule_test.yaml: another's is not",
        "FAIL  more_test.yaml: wrong",
        WRONG,
        "3 tests, 1 failed",
    ]


def test_the_command_says_the_same_in_json(folder):
    done = run(folder(BAD), "--json")
    assert done.exit_code == 1
    data = json.loads(done.stdout)
    assert (data["ok"], data["problems"]) == (False, [WRONG])
    assert data["tests"][2] == {
        "name": "wrong", "file": "more_test.yaml", "line": 3, "ok": False, "problems": [WRONG],
    }  # fmt: skip


@pytest.mark.parametrize(
    ("pattern", "count"), [("VIP", 1), ("more_test", 1), ("first-rule", 2), ("a*is", 2), ("*", 3), ("", 3)]
)
def test_the_command_runs_the_tests_that_match(folder, pattern, count):
    assert f"{count} tests, " in run(folder(BAD), "--match", pattern).stdout


def test_a_pattern_that_nothing_matches_is_a_mistake_of_use(folder):
    assert run(folder(GOOD), "--match", "nothing").exit_code == 2


def test_a_folder_that_is_not_there_is_a_mistake_of_use():
    assert run("nowhere").exit_code == 2


def test_a_ruleset_with_mistakes_is_told_before_any_test_runs(folder):
    done = run(folder({**GOOD, "more.yaml": b"version: 1\nrules: [{id: x}]\n"}))
    assert done.exit_code == 1
    assert "more.yaml:2:9:" in done.stdout
    assert "ok " not in done.stdout


def test_a_ruleset_without_tests_is_fine(folder):
    files = {name: content for name, content in GOOD.items() if "test" not in name}
    done = run(folder(files))
    assert (done.exit_code, done.stdout) == (0, "no tests; write one in a file *_test.yaml\n")


def test_several_folders_and_files_add_up():
    done = run(str(EXAMPLES / "base"), *(str(EXAMPLES / f"10-repeat{end}.yaml") for end in ("", "_test")))
    assert (done.exit_code, done.stdout.splitlines()[-1]) == (0, "2 tests, 0 failed")


def test_a_story_may_tell_what_the_api_takes():
    assert DATA_FIELDS.keys() == API_FIELDS.keys()
