"""Every command: exit 0 when all is well, 1 with findings, 2 for wrong usage; with `--json`, one JSON object."""

import json
import shutil

import pytest
from click.testing import CliRunner

from rules_service.cli import main
from tests.cli.terminal import ROOT

TRAVEL = str(ROOT / "rulesets/travel")


@pytest.fixture
def invoke(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RULES_SERVICE_DATABASE", "sqlite:///rules.db")
    monkeypatch.delenv("HELPDESK_WEBHOOK_URL", raising=False)

    def run(*arguments, status=0):
        done = CliRunner().invoke(main, arguments, catch_exceptions=False)
        assert done.exit_code == status, done.output
        return json.loads(done.stdout) if "--json" in arguments else done.output

    return run


@pytest.fixture
def upgraded(invoke):
    invoke("db", "upgrade")
    return invoke


def broken(folder):
    shutil.copytree(TRAVEL, folder / "broken")
    (folder / "broken/zzz.yaml").write_text("version: 1\nrules: [{id: a, on: ticket.close, then: [close]}]\n")
    return "broken"


PROBLEM = 'zzz.yaml:2:21: unknown event type "ticket.close"; did you mean "ticket.closed"? (unknown-name)'


def test_check_prints_the_hash_of_a_good_ruleset(invoke):
    found = invoke("check", TRAVEL, "--json")
    assert found["ok"] is True
    *_, summary, ruleset_hash = invoke("check", TRAVEL).splitlines()
    assert summary.startswith(f"{TRAVEL}: {found['rules']} rules, no problem")
    assert ruleset_hash == found["hash"]


def test_check_lists_every_problem(invoke, tmp_path):
    folder = broken(tmp_path)
    assert PROBLEM in invoke("check", folder, status=1)
    assert invoke("check", folder, "--json", status=1)["problems"] == [PROBLEM]


def test_a_warning_fails_only_where_it_is_asked_for(invoke):
    warning = "warning: the variable HELPDESK_WEBHOOK_URL is not set"
    assert warning in invoke("check", TRAVEL)
    assert warning in invoke("check", "--strict", TRAVEL, status=1)


def test_a_folder_that_does_not_exist_is_wrong_usage(invoke):
    assert "does not exist" in invoke("check", "absent", status=2)


def test_a_published_ruleset_can_be_rolled_back_to(upgraded, tmp_path):
    shutil.copytree(TRAVEL, tmp_path / "next")
    (tmp_path / "next/more.yaml").write_text("version: 1\nattributes: {order_value: {type: number}}\n")
    first = upgraded("publish", TRAVEL, "--json")
    assert (first["ok"], first["changed"]) == (True, True)
    assert upgraded("publish", TRAVEL).splitlines()[-1] == f"{first['hash']} was live already"
    assert upgraded("publish", "next", "--json")["changed"] is True
    assert upgraded("rollback", first["hash"][:12]) == f"{first['hash']} is live\n"
    assert "begins with" in upgraded("rollback", "0000", status=1)


def test_publishing_prints_every_warning_that_check_prints(upgraded):
    warnings = upgraded("check", TRAVEL, "--json")["warnings"]
    assert any("the variable HELPDESK_WEBHOOK_URL is not set" in warning for warning in warnings)
    assert upgraded("publish", TRAVEL).splitlines()[:-1] == warnings
    assert upgraded("publish", TRAVEL, "--json")["warnings"] == warnings


def test_a_broken_ruleset_is_not_published(upgraded, tmp_path):
    assert PROBLEM in upgraded("publish", broken(tmp_path), status=1)


def test_a_key_is_printed_once_and_can_be_listed_and_disabled(upgraded):
    key = upgraded("keys", "create", "dashboard", "--scope", "tickets:read").strip()
    (listed,) = upgraded("keys", "list", "--json")["keys"]
    assert listed == {
        "id": key.split("_")[1],
        "name": "dashboard",
        "role": "integration",
        "scopes": ["tickets:read"],
        "user": None,
    }
    assert key not in upgraded("keys", "list")
    assert upgraded("keys", "disable", listed["id"]) == f"{listed['id']} is disabled\n"
    assert upgraded("keys", "list") == ""
    assert upgraded("keys", "disable", listed["id"], "--json", status=1)["code"] == "unknown_key"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--scope", "ticket:read"), 'unknown scope "ticket:read"; did you mean "tickets:read"?'),
        (("--user", "ha1"), "--user and --role go together"),
        (("--user", "ha1", "--role", "boss"), "a role is one of agent, supervisor, technical, management"),
    ],
)
def test_a_key_that_could_do_nothing_is_wrong_usage(upgraded, arguments, said):
    assert said in upgraded("keys", "create", "x", *arguments, status=2)


@pytest.mark.parametrize(
    "arguments", [("publish", TRAVEL), ("rollback", "0000"), ("keys", "list"), ("keys", "create", "x")]
)
def test_a_database_without_tables_is_told_how_to_get_them(invoke, arguments):
    assert "run `rules-service db upgrade`" in invoke(*arguments, status=1)


def test_upgrading_twice_does_nothing_the_second_time(invoke):
    assert invoke("db", "upgrade", "--json")["applied"]
    assert invoke("db", "upgrade") == "nothing to do\n"


@pytest.mark.parametrize("url", ["mysql://nobody:secret@localhost/x", "rules.db"])
def test_a_database_that_is_neither_sqlite_nor_postgresql_is_wrong_usage(invoke, monkeypatch, url):
    monkeypatch.setenv("RULES_SERVICE_DATABASE", url)
    said = invoke("keys", "list", status=2)
    assert "RULES_SERVICE_DATABASE is sqlite:///PATH or postgresql://USER:PASSWORD@HOST:PORT/NAME" in said
    assert "secret" not in said


def test_doctor_finds_what_is_wrong_and_says_what_to_do(invoke, monkeypatch):
    monkeypatch.setenv("RULES_SERVICE_RULES", TRAVEL)
    before = invoke("doctor", "--json", status=1)
    assert [found["name"] for found in before["checks"] if found["needed"] and not found["ok"]] == ["database"]
    invoke("db", "upgrade")
    assert invoke("doctor", "--json")["ok"] is True
    assert "ok    database: sqlite: writable, up to date\n" in invoke("doctor")
