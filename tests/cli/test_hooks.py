"""The hooks for pre-commit run commands that exist, on a folder, and fail where the rules are wrong."""

import shutil

import pytest
import yaml
from click.testing import CliRunner

from rules_service.cli import main
from tests.cli.terminal import ROOT

HOOKS = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())


@pytest.mark.parametrize("hook", HOOKS, ids=lambda hook: hook["id"])
def test_a_hook_passes_a_good_folder_and_fails_a_broken_one(hook, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shutil.copytree(ROOT / "rulesets/travel", "rules")
    program, *command = hook["entry"].split()
    assert program == "rules-service"
    assert hook["pass_filenames"] is False
    assert CliRunner().invoke(main, [*command, *hook["args"]], catch_exceptions=False).exit_code == 0
    (tmp_path / "rules/broken.yaml").write_text("version: 1\nrulez: []\n")
    assert CliRunner().invoke(main, [*command, *hook["args"]], catch_exceptions=False).exit_code == 1
