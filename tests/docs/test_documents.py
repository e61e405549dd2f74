"""What the documents show is true: links lead somewhere, snippets load, commands exist and do what is said."""

import json
import re
import shlex
import shutil
import subprocess
import sys
import time
from pathlib import Path

import click
import pytest
import yaml
from standardwebhooks import Webhook

from rules_service.api.app import compose, create_app
from rules_service.api.problems import _FRAMEWORK, STATUS
from rules_service.cli import main
from rules_service.decide import check_ruleset
from rules_service.ruleset import read_folder
from rules_service.settings import PREFIX, SETTINGS, read_settings
from tests.cli.terminal import ROOT, Terminal, environment, free_port

DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
NAMES = [path.relative_to(ROOT).as_posix() for path in DOCUMENTS]
TEXTS = dict(zip(NAMES, (path.read_text() for path in DOCUMENTS), strict=True))

TRAVEL = ROOT / "rulesets/travel"


def blocks(name, language):
    """The code blocks of one language, unindented, in order."""
    found = re.finditer(rf"^( *)```{language}\n(.*?)^\1```$", TEXTS[name], re.MULTILINE | re.DOTALL)
    return [re.sub(rf"^{match[1]}", "", match[2], flags=re.MULTILINE) for match in found]


def every(language):
    return [(name, block) for name in NAMES for block in blocks(name, language)]


def anchors(text):
    """The anchors of headings, as a viewer of Markdown makes them."""
    headings = re.findall(r"^#+ (.+)$", re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("name", NAMES)
def test_every_relative_link_leads_somewhere(name):
    text = re.sub(r"`[^`\n]*`", "", re.sub(r"^ *```.*?^ *```$", "", TEXTS[name], flags=re.MULTILINE | re.DOTALL))
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if target.startswith(("http://", "https://")):
            continue
        path, _, anchor = target.partition("#")
        found = (ROOT / name).parent / path if path else ROOT / name
        assert found.exists(), f"{name} links to {target}"
        if anchor:
            assert anchor in anchors(found.read_text()), f"{name} links to {target}"


def test_every_document_can_be_reached_from_the_readme():
    reached, waiting = set(), ["README.md"]
    while waiting:
        name = waiting.pop()
        reached.add(name)
        for target in re.findall(r"\]\(([^)\s#]+\.md)(?:#[^)]*)?\)", TEXTS[name]):
            found = ((ROOT / name).parent / target).resolve().relative_to(ROOT).as_posix()
            if found in TEXTS and found not in reached:
                waiting.append(found)
    assert reached == set(NAMES)


@pytest.mark.parametrize(("name", "block"), every("json"))
def test_every_json_snippet_is_json(name, block):
    json.loads(block)


@pytest.mark.parametrize(("name", "block"), every("yaml"))
def test_every_yaml_snippet_is_yaml(name, block):
    yaml.safe_load(block)


@pytest.mark.parametrize(("name", "block"), every("python"))
def test_every_python_snippet_compiles(name, block):
    compile(block, name, "exec")


def test_the_rule_of_the_readme_loads_beside_the_example_ruleset():
    (block,) = blocks("README.md", "yaml")
    ruleset, problems, _ = check_ruleset({**read_folder(TRAVEL), "refunds.yaml": block.encode()}, {})
    assert problems == []
    assert "refund" in ruleset.rules.by_id


def test_the_files_of_the_administrators_guide_are_a_ruleset_without_a_problem_or_warning():
    named = [re.match(r"# file: (\S+)\n", block) for block in blocks("docs/guides/administrator.md", "yaml")]
    files = {
        match[1]: block.encode()
        for match, block in zip(named, blocks("docs/guides/administrator.md", "yaml"), strict=True)
        if match
    }
    assert len(files) == len(named)
    variables = {
        name: "https://example.com" for content in files.values() for name in re.findall(r"\$\{(\w+)", content.decode())
    }
    ruleset, problems, warnings = check_ruleset(files, variables)
    assert [*map(str, problems), *map(str, warnings)] == []
    assert ruleset is not None


@pytest.mark.parametrize("name", NAMES)
def test_every_command_that_is_shown_exists(name):
    shown = re.findall(r"(?:\$ (?:\S*/)?|`)(rules-service [a-z][^`\n\\]*)", TEXTS[name])
    for line in shown:
        command, words = main, shlex.split(line)[1:]
        while words and isinstance(command, click.Group):
            assert words[0] in command.commands, f"{name}: {line}"
            command = command.commands[words.pop(0)]
        known = {option for parameter in command.params for option in parameter.opts}
        for word in words:
            assert not word.startswith("--") or word in known, f"{name}: {line}"


@pytest.mark.parametrize("name", NAMES)
def test_every_make_target_that_is_shown_exists(name):
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for line in re.findall(r"(?:\$ |`)make ([a-z][^`\n]*)", TEXTS[name]):
        assert {word for word in line.split() if "=" not in word} <= targets, f"{name}: make {line}"


@pytest.mark.parametrize("name", NAMES)
def test_every_setting_and_path_that_is_named_exists(name):
    known = {PREFIX + setting.name for setting in SETTINGS} | {PREFIX + "HELPDESK_VENV"}
    assert set(re.findall(rf"{PREFIX}[A-Z_]*[A-Z]", TEXTS[name])) <= known
    for path in re.findall(r"`((?:rules_service|docs|tools|tests|rulesets)/[\w./-]+)`", TEXTS[name]):
        assert (ROOT / path).exists() or path == "rulesets/travel/refunds.yaml", f"{name} names {path}"


def requests_in(text):
    """(method, path) of every request that a document shows, by curl or by name."""
    for block in re.findall(r"^ *```console\n(.*?)^ *```$", text, re.MULTILINE | re.DOTALL):
        for line in re.sub(r"\\\n *", " ", block.replace("'\n", "'")).replace("$ curl", "\ncurl").splitlines():
            if found := re.match(r"curl .*?(?:\$URL|http://127\.0\.0\.1:8080)(/[^\s\"'?]*)", line):
                method = re.search(r" -X ([A-Z]+)", line)
                yield method[1] if method else "POST" if " -d" in line else "GET", found[1]
    yield from re.findall(r"`(GET|POST|PUT|PATCH|DELETE) (/[^`?\s]*)[^`]*`", text)


@pytest.fixture(scope="module")
def addresses():
    """The addresses of the API."""
    app = create_app(compose(read_settings({"RULES_SERVICE_DATABASE": "sqlite:///:memory:"})))
    yield app.url_map.bind("")
    app.extensions["rules_service"].store.close()


@pytest.mark.parametrize("name", [name for name in NAMES if not name.startswith("docs/reference/")])
def test_every_request_that_is_shown_meets_an_address(addresses, name):
    for method, path in requests_in(TEXTS[name]):
        addresses.match(re.sub(r"\{\w+\}|\bID\b", "1", path), method=method)


def test_the_requests_of_the_readme_are_seen():
    assert list(requests_in(TEXTS["README.md"])) == [
        ("POST", "/v1/users/ha2/presence"),
        ("POST", "/v1/events"),
        ("GET", "/v1/tickets/T-1/transitions"),
    ]


def test_every_error_code_that_a_guide_names_exists():
    codes = {kind.code for kind in STATUS} | {code for code, _ in _FRAMEWORK.values()} | {"invalid_json"}
    named = {
        code
        for name, text in TEXTS.items()
        if name.startswith("docs/guides/")
        for code in re.findall(r"(?:the error|409|refused with|Retry|5xx and on) `([a-z_]+)`", text)
    }
    assert named
    assert named <= codes


def test_the_verification_that_is_shown_accepts_what_is_signed_and_nothing_else():
    (block,) = blocks("docs/guides/platform-engineer.md", "python")
    scope: dict = {}
    exec(compile(block, "platform-engineer.md", "exec"), scope)
    secret, body = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", b'{"type":"action.close"}'
    now = int(time.time())
    headers = {"webhook-id": "act_1", "webhook-timestamp": str(now)}

    def signed(at, content):
        import datetime as dt

        return Webhook(secret).sign("act_1", dt.datetime.fromtimestamp(at, dt.UTC), content.decode())

    verified = scope["verified"]
    assert verified(secret, {**headers, "webhook-signature": signed(now, body)}, body)
    assert verified(secret, {**headers, "webhook-signature": f"v1,AAAA {signed(now, body)}"}, body)
    assert not verified(secret, {**headers, "webhook-signature": signed(now, body)}, body + b" ")
    old = now - 400
    stale = {"webhook-id": "act_1", "webhook-timestamp": str(old), "webhook-signature": signed(old, body)}
    assert not verified(secret, stale, body)


def json_values(text):
    """The JSON values that stand one after the other in a text."""
    found = []
    while text := text.strip():
        value, end = json.JSONDecoder().raw_decode(text)
        found.append(value)
        text = text[end:]
    return found


@pytest.mark.slow
def test_the_first_rule_of_the_readme_does_what_is_said(tmp_path):
    port = free_port()
    shutil.copytree(TRAVEL, tmp_path / "rulesets/travel")
    (rule,) = blocks("README.md", "yaml")
    (expected,) = blocks("README.md", "json")
    consoles = [block for block in blocks("README.md", "console") if "make" not in block]
    tools = tmp_path / ".venv/bin"
    tools.mkdir(parents=True)
    (tools / "rules-service").write_text(f'#!/bin/sh\nexec {sys.executable} -m rules_service.cli "$@"\n')
    (tools / "rules-service").chmod(0o755)

    def typed(block):
        lines = "".join(line.removeprefix("$ ") for line in block.splitlines(keepends=True))
        script = f"set -e\nKEY=$(cat var/admin.key)\n{lines.replace(':8080', f':{port}')}"
        done = subprocess.run(
            ["bash", "-c", script],
            cwd=tmp_path,
            env=environment(),
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
        return done.stdout

    with Terminal(".venv/bin/rules-service", "up", cwd=tmp_path, RULES_SERVICE_PORT=str(port)) as terminal:
        terminal.read_until("stop     Ctrl-C")
        Path(tmp_path, "rulesets/travel/refunds.yaml").write_text(rule)
        check, publish, send, ask = consoles
        assert "no problem" in typed(check)
        live = typed(publish).split()[0]
        terminal.read_until(rf"(?s)(ruleset_in_force.*{live}.*){{2}}")
        *_, answer = json_values(typed(send))
        said = json.loads(expected)
        assert {key: answer["ticket"][key] for key in said["ticket"]} == said["ticket"]
        assert answer["fired"] == said["fired"]
        assert [(a["type"], a["cause"]) for a in answer["actions"]] == [
            (a["type"], a["cause"]) for a in said["actions"]
        ]
        assert "close" in [row["trigger"] for row in json.loads(typed(ask))["allowed"]]
        terminal.press_ctrl_c()
        assert terminal.ends() == 0
