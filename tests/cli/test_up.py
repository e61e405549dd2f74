"""`rules-service up`, which `make run` becomes: what it prints, what it keeps, and how it ends."""

import json
import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import psutil
import pytest

from tests.cli.terminal import ROOT, WITHIN_S, Terminal, environment, free_port

UP = (sys.executable, "-m", "rules_service.cli", "up")
TRAVEL = str(ROOT / "rulesets/travel")


def run_up(folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """`up` where it cannot start."""
    return subprocess.run(
        UP, cwd=folder, env=environment(**variables), capture_output=True, text=True, timeout=60, check=False
    )


def on_terminal(folder: Path, port: int, **variables: str) -> Terminal:
    return Terminal(*UP, cwd=folder, RULES_SERVICE_PORT=str(port), **{"RULES_SERVICE_RULES": TRAVEL, **variables})


def call(port: int, key: str, path: str, body: dict | None = None) -> dict:
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}{path}",
        data=None if body is None else json.dumps(body).encode(),
        headers={"Authorization": f"Bearer {key}", "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=30) as response:
        return json.load(response)


def key_in(terminal: Terminal) -> str:
    return terminal.read_until(r"key +(rsk_[0-9a-f]{8}_\S+)  \(also in var/admin.key\)\n")[1]


def test_it_prints_address_ruleset_and_key_answers_and_ctrl_c_ends_everything(tmp_path):
    port = free_port()
    with on_terminal(tmp_path, port) as terminal:
        terminal.read_until(rf"rules-service at http://127\.0\.0\.1:{port}  \(documentation at \S+/docs\)\n")
        terminal.read_until(rf"ruleset  {TRAVEL} \([0-9a-f]{{12}}\); changes in it go live by themselves\n")
        key = key_in(terminal)
        terminal.read_until(r"stop     Ctrl-C\n")
        assert call(port, key, "/readyz")["ready"] is True
        event = {"id": "1", "type": "ticket.created", "ticket_id": "1", "data": {"subject": "Halo", "channel": "web"}}
        assert call(port, key, "/v1/events", event)["ticket"]["status"] == "unassigned"
        assert len(terminal.left_behind()) == 4  # itself, the API's arbiter and process, the worker
        terminal.press_ctrl_c()
        assert terminal.ends() == 0
        assert terminal.left_behind() == []
        assert "Traceback" not in terminal.output
    assert stat.S_IMODE((tmp_path / "var/admin.key").stat().st_mode) == 0o600
    assert (tmp_path / "var/admin.key").read_text() == f"{key}\n"


def test_the_try_line_is_a_command_that_works(tmp_path):
    port = free_port()
    with on_terminal(tmp_path, port) as terminal:
        command = terminal.read_until(r"try      (curl .*)\n")[1]
        done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, timeout=60, check=True)
        answer = json.loads(done.stdout)
        assert answer["ticket"] == {**answer["ticket"], "priority": "high", "tags": ["system-down"]}
        terminal.press_ctrl_c()
        assert terminal.ends() == 0


@pytest.mark.slow
def test_killed_it_leaves_neither_process_nor_port_behind(tmp_path):
    port = free_port()
    with on_terminal(tmp_path, port) as terminal:
        key = key_in(terminal)
        call(port, key, "/readyz")
        started = {process_id: psutil.Process(process_id) for process_id in terminal.left_behind()}
        up = min(started, key=lambda process_id: started[process_id].create_time())
        children = [process for process_id, process in started.items() if process_id != up]
        assert len(children) == 3  # the API's arbiter and process, the worker
        os.kill(up, signal.SIGKILL)
        assert terminal.ends() == -signal.SIGKILL
        _, alive = psutil.wait_procs(children, timeout=WITHIN_S)
        assert alive == []
        assert terminal.left_behind() == []
    with socket.create_server(("127.0.0.1", port), reuse_port=False):
        pass


@pytest.mark.slow
def test_a_request_in_flight_is_finished_before_it_ends(tmp_path):
    port = free_port()
    event = {"id": "late", "type": "ticket.created", "ticket_id": "9", "data": {"subject": "Halo", "channel": "web"}}
    body = json.dumps(event).encode()
    with on_terminal(tmp_path, port) as terminal:
        key = key_in(terminal)
        call(port, key, "/readyz")
        with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
            connection.sendall(
                f"POST /v1/events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\nContent-Type: application/json"
                f"\r\nContent-Length: {len(body)}\r\nExpect: 100-continue\r\n\r\n".encode()
            )
            assert connection.recv(1_000).startswith(b"HTTP/1.1 100 ")  # the request is being read
            terminal.press_ctrl_c()
            terminal.read_until("worker_stopped")
            connection.sendall(body)
            answer = b""
            while part := connection.recv(65_536):
                answer += part
        assert answer.startswith(b"HTTP/1.1 200 ")
        assert json.loads(answer.split(b"\r\n\r\n", 1)[1])["ticket"]["id"] == "9"
        assert terminal.ends() == 0
        assert terminal.left_behind() == []


@pytest.mark.slow
def test_the_second_start_uses_the_same_key_and_keeps_what_was_there(tmp_path):
    port = free_port()
    keys = []
    for start in ("first", "second"):
        with on_terminal(tmp_path, port) as terminal:
            keys.append(key_in(terminal))
            if start == "first":
                event = {"id": "1", "type": "ticket.created", "ticket_id": "1", "data": {"channel": "web"}}
                call(port, keys[0], "/v1/events", event)
            else:
                assert call(port, keys[1], "/v1/tickets/1")["status"] == "unassigned"
            terminal.press_ctrl_c()
            assert terminal.ends() == 0
    assert keys[0] == keys[1]


@pytest.mark.slow
def test_a_key_file_whose_key_the_database_does_not_know_is_replaced(tmp_path):
    (tmp_path / "var").mkdir()
    (tmp_path / "var/admin.key").write_text("rsk_00000000_of-another-database\n")
    port = free_port()
    with on_terminal(tmp_path, port) as terminal:
        key = key_in(terminal)
        assert call(port, key, "/readyz")["ready"] is True
        terminal.press_ctrl_c()
        assert terminal.ends() == 0
    assert (tmp_path / "var/admin.key").read_text() == f"{key}\n"
    assert stat.S_IMODE((tmp_path / "var/admin.key").stat().st_mode) == 0o600


@pytest.mark.slow
def test_what_was_changed_while_it_was_stopped_is_live_at_the_next_start_and_a_rollback_stays(tmp_path):
    port = free_port()
    rules = tmp_path / "rules"
    shutil.copytree(TRAVEL, rules)
    hashes = []
    for start in ("first", "second"):
        if start == "second":
            with (rules / "rules.yaml").open("a") as file:
                file.write("\n# changed\n")
        with on_terminal(tmp_path, port, RULES_SERVICE_RULES="rules") as terminal:
            hashes.append(terminal.read_until(r"ruleset  rules \(([0-9a-f]{12})\); changes in it go live")[1])
            terminal.press_ctrl_c()
            assert terminal.ends() == 0
    assert hashes[0] != hashes[1]
    subprocess.run([*UP[:-1], "rollback", hashes[0]], cwd=tmp_path, env=environment(), check=True, timeout=60)
    with on_terminal(tmp_path, port, RULES_SERVICE_RULES="rules") as terminal:
        terminal.read_until(
            rf"ruleset  {hashes[0]} is live, by a rollback; `rules-service publish rules` puts rules live"
        )
        terminal.press_ctrl_c()
        assert terminal.ends() == 0


@pytest.mark.slow
def test_a_change_of_the_folder_goes_live_while_it_runs(tmp_path):
    port = free_port()
    rules = tmp_path / "rules"
    shutil.copytree(TRAVEL, rules)
    with on_terminal(tmp_path, port, RULES_SERVICE_RULES="rules") as terminal:
        key = key_in(terminal)
        (rules / "more.yaml").write_text(
            "version: 1\nrules: [{id: greet, on: ticket.created, when: {ticket.channel: web}, then: [add_tags: [new]]}]\n"
        )
        terminal.read_until("ruleset_published")
        deadline = time.monotonic() + WITHIN_S
        while "greet" not in {rule["id"] for rule in call(port, key, "/v1/ruleset")["rules"]}:
            assert time.monotonic() < deadline
        event = {"id": "1", "type": "ticket.created", "ticket_id": "1", "data": {"channel": "web"}}
        assert "greet" in call(port, key, "/v1/events", event)["fired"]
        (rules / "more.yaml").write_text("version: 1\nrules: [{id: greet}]\n")
        terminal.read_until("ruleset_rejected")
        assert "more.yaml:2:9" in call(port, key, "/readyz")["checks"]["watched"]
        terminal.press_ctrl_c()
        assert terminal.ends() == 0


@pytest.mark.slow
def test_closing_the_window_ends_everything(tmp_path):
    with on_terminal(tmp_path, free_port()) as terminal:
        key_in(terminal)
        terminal.close()
        terminal.ends()
        assert terminal.left_behind() == []


@pytest.mark.slow
def test_when_one_of_its_processes_dies_it_stops_the_other_and_fails(tmp_path):
    with on_terminal(tmp_path, free_port()) as terminal:
        key_in(terminal)
        terminal.read_until("worker_started")
        worker = next(
            process_id
            for process_id in terminal.left_behind()
            if b"worker" in Path(f"/proc/{process_id}/cmdline").read_bytes().split(b"\0")
        )
        os.kill(worker, signal.SIGKILL)
        assert terminal.ends() == 1
        assert terminal.left_behind() == []


def test_a_port_in_use_is_said_in_one_line(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = run_up(tmp_path, RULES_SERVICE_PORT=str(port), RULES_SERVICE_RULES=TRAVEL)
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr == (
        f"rules-service: port {port} of 127.0.0.1 cannot be used (Address already in use); "
        "choose another, such as `make run PORT=9000`\n"
    )
    assert list(tmp_path.iterdir()) == []


def test_a_broken_ruleset_is_listed_by_file_line_and_column_and_nothing_is_started(tmp_path):
    rules = tmp_path / "rules"
    shutil.copytree(TRAVEL, rules)
    text = (rules / "rules.yaml").read_text()
    (rules / "rules.yaml").write_text(text.replace("reply: received", "replie: received"))
    (rules / "zzz.yaml").write_text("version: 1\nrules: [{id: a, when: {ticket.stat: open}, then: [close]}]\n")
    done = run_up(tmp_path, RULES_SERVICE_PORT=str(free_port()), RULES_SERVICE_RULES="rules")
    line = next(i for i, found in enumerate(text.splitlines(), 1) if "reply: received" in found)
    assert done.returncode == 1
    assert done.stdout.splitlines() == [
        f'rules.yaml:{line}:9: unknown action "replie"; did you mean "reply"? (unknown-action)',
        'zzz.yaml:2:24: no attribute is called "ticket.stat"; did you mean "ticket.status"? (unknown-attribute)',
    ]
    assert done.stderr == "rules-service: rules: the ruleset has 2 problems; nothing was started\n"
    assert [path.name for path in tmp_path.iterdir()] == ["rules"]


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"RULES_SERVICE_RULES": "absent"}, "the folder absent (RULES_SERVICE_RULES) does not exist"),
        (
            {"RULES_SERVICE_RULES": TRAVEL, "RULES_SERVICE_DATABASE": "postgresql://nobody@127.0.0.1:1/none"},
            "the database cannot be opened: connection failed",
        ),
    ],
)
def test_what_keeps_it_from_starting_is_said_in_one_line(tmp_path, variables, said):
    done = run_up(tmp_path, RULES_SERVICE_PORT=str(free_port()), **variables)
    assert done.returncode == 1
    assert done.stderr.startswith(f"rules-service: {said}")
    assert len(done.stderr.splitlines()) == 1
