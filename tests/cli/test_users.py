"""Users from the command line."""

import json
import shutil

import pytest

from tests.cli.terminal import ROOT
from tests.cli.test_commands import TRAVEL, invoke, upgraded

__all__ = ["invoke", "upgraded"]


@pytest.fixture
def published(upgraded):
    upgraded("publish", TRAVEL)
    return upgraded


def test_a_roster_is_imported_and_listed(published, tmp_path):
    (tmp_path / "roster.csv").write_text("id,name,group,skills\nn1,One,hotel,payment\nn2,,train,\n")
    assert published("users", "import", "roster.csv") == "2 created, 0 updated, 0 unchanged\n"
    assert published("users", "import", "roster.csv", "--json") == {
        "ok": True, "created": 0, "updated": 0, "unchanged": 2,
    }  # fmt: skip
    listed = published("users", "list", "--json", "--group", "hotel", "--skill", "payment")["users"]
    assert [user["id"] for user in listed] == ["ha1", "n1"]
    assert "n2  train  agent  offline  0 of 5  (api)" in published("users", "list", "--group", "train")


def test_a_roster_with_mistakes_changes_nothing_and_names_each(published, tmp_path):
    (tmp_path / "roster.csv").write_text("id,group,level\nn1,hotl,\nn2,hotel,5\nn3,hotel,1\n")
    said = published("users", "import", "roster.csv", status=1)
    assert 'roster.csv:2: group: unknown group "hotl"; did you mean "hotel"?' in said
    assert "roster.csv:3: level: must be a whole number from 0 to 3" in said
    assert "2 rows cannot be taken, so none was" in said
    assert len(published("users", "import", "roster.csv", "--json", status=1)["problems"]) == 2
    assert "n3" not in published("users", "list")


def test_json_is_read_too(published, tmp_path):
    (tmp_path / "roster.json").write_text(json.dumps([{"id": "n1", "group": "hotel"}]))
    assert published("users", "import", "roster.json", "--json")["created"] == 1
    (tmp_path / "roster.json").write_text("{")
    assert "not JSON" in published("users", "import", "roster.json", status=1)


def test_set_adds_a_user_and_changes_only_what_is_given(published):
    user = published("users", "set", "n1", "--group", "hotel", "--level", "2", "--skill", "payment", "--json")["user"]
    assert (user["level"], user["skills"], user["serves"]) == (2, ["payment"], ["hotel-chat"])
    user = published("users", "set", "n1", "--max-assignment", "3", "--desk", "train-chat", "--json")["user"]
    assert (user["level"], user["skills"], user["serves"], user["slot_limit"]) == (2, ["payment"], ["train-chat"], 3)
    assert published("users", "deactivate", "n1") == "n1 is out\n"
    assert "n1" not in published("users", "list")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("users", "set", "ha1", "--level", "2"), "ha1 is defined in groups/hotel/team.yaml"),
        (("users", "deactivate", "ha1"), "ha1 is defined in groups/hotel/team.yaml"),
        (("users", "deactivate", "nobody"), 'no user "nobody"'),
        (("users", "set", "n1", "--group", "hotl"), 'unknown group "hotl"; did you mean "hotel"?'),
        (("users", "set", "n1", "--level", "9"), "level: must be a whole number from 0 to 3"),
        (("users", "set", "n1", "--role", "boss"), "role: must be one of agent"),
    ],
)
def test_what_cannot_be_is_refused(published, arguments, said):
    assert said in published(*arguments, status=1)
    assert published(*arguments, "--json", status=1)["ok"] is False


def test_without_a_ruleset_there_are_no_groups_to_be_of(upgraded):
    assert "publish" in upgraded("users", "set", "n1", status=1)


def test_the_roster_outlives_a_change_of_rules(published, tmp_path):
    published("users", "set", "n1", "--group", "hotel")
    shutil.copytree(ROOT / "rulesets/travel", tmp_path / "next")
    (tmp_path / "next/more.yaml").write_text("version: 1\nattributes: {order_value: {type: number}}\n")
    published("publish", "next")
    assert "n1  hotel  agent" in published("users", "list")
