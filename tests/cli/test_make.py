"""`make run`: what a fresh machine lacks is said in one line; the port can be chosen; Ctrl-C ends everything."""

import shutil
import subprocess
import sys

import pytest

from tests.cli.terminal import ROOT, Terminal, environment, free_port

pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")


@pytest.fixture
def copy(tmp_path):
    """The files that `make` reads, with an environment that counts as installed already."""
    for name in ("Makefile", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path)
    for name in ("tools", "rulesets"):
        shutil.copytree(ROOT / name, tmp_path / name)
    return tmp_path


def python_that(folder, when, then):
    """A Python that does `then` (a line of shell) where its command holds `when`, and is this one otherwise."""
    path = folder / "python-of-the-test"
    path.write_text(f'#!/bin/sh\ncase "$*" in *"{when}"*) {then} ;; esac\nexec {sys.executable} "$@"\n')
    path.chmod(0o755)
    return path


def make_run(folder, *settings, path=None):
    return subprocess.run(
        ["make", "run", *settings],
        cwd=folder,
        env=environment(**({"PATH": path} if path else {}), CC=""),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def said(done):
    """What was printed, less make's own last word."""
    assert done.returncode != 0
    return [line for line in (done.stdout + done.stderr).splitlines() if not line.startswith("make")]


def test_a_missing_compiler_is_named_in_one_line(copy):
    tools = copy / "bin"
    tools.mkdir()
    for name in ("sh", "make", "test"):
        (tools / name).symlink_to(shutil.which(name))
    done = make_run(copy, f"PYTHON={sys.executable}", path=str(tools))
    (line,) = said(done)
    assert line.startswith("rules-service needs a C compiler, ")
    assert not (copy / ".venv").exists()


@pytest.mark.parametrize(
    ("when", "then", "missing"),
    [
        ("version_info", "exit 1", "rules-service needs Python 3.11, 3.12 or 3.13; "),
        ("import venv", "exit 1", "rules-service needs Python's venv module (Debian: apt-get install python3-venv)"),
        (
            "get_paths",
            "echo /nowhere; exit",
            "rules-service needs Python's headers (Debian: apt-get install python3-dev)",
        ),
    ],
)
def test_what_python_lacks_is_named_in_one_line(copy, when, then, missing):
    (line,) = said(make_run(copy, f"PYTHON={python_that(copy, when, then)}"))
    assert line.startswith(missing)
    assert not (copy / ".venv").exists()


def test_a_python_that_does_not_exist_is_named_in_one_line(copy):
    (line,) = said(make_run(copy, "PYTHON=python3.99"))
    assert line == "rules-service needs Python 3.11, 3.12 or 3.13; python3.99 is none of them"


@pytest.mark.slow
def test_the_port_can_be_chosen_and_ctrl_c_leaves_nothing_behind(copy):
    tools = copy / ".venv/bin"
    tools.mkdir(parents=True)
    command = tools / "rules-service"
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -m rules_service.cli "$@"\n')
    command.chmod(0o755)
    for name in (".engine", ".run"):
        (copy / ".venv" / name).touch()
    port = free_port()
    with Terminal("make", "run", f"PORT={port}", cwd=copy) as terminal:
        terminal.read_until(rf"rules-service at http://127\.0\.0\.1:{port} ")
        terminal.read_until(r"ruleset  rulesets/travel \([0-9a-f]{12}\); ")
        terminal.read_until(r"stop     Ctrl-C\n")
        terminal.press_ctrl_c()
        terminal.ends()
        assert terminal.left_behind() == []
        assert "Traceback" not in terminal.output
        assert "Error" not in terminal.output
    assert (copy / "var/admin.key").is_file()
