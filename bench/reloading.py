"""1,000 rules put live again and again under load: how long each takes, what requests feel of it, what memory grows."""

from __future__ import annotations

import http.client
import itertools
import json
import os
import sys
import tempfile
import threading
import time
from pathlib import Path

import psutil

from bench.events import post, received
from bench.servers import rules_of, service
from rules_service.ruleset import read_folder

RULES = 1_000


def main(reloads: int = 10) -> None:
    """Prints the figures; `reloads` times."""
    with tempfile.TemporaryDirectory() as folder:
        rules = rules_of(RULES, Path(folder))
        with service(f"sqlite:///{folder}/service.db", rules) as (address, key):
            measure(address, key, rules, reloads)


def api_process() -> psutil.Process:
    """The process that answers: the youngest below ours that holds the application."""
    below = psutil.Process(os.getpid()).children(recursive=True)
    return max(
        (found for found in below if "serve" in " ".join(found.cmdline())), key=lambda found: found.memory_info().rss
    )


def measure(address: str, key: str, rules: Path, reloads: int) -> None:
    """Sends events without a pause while rulesets change."""
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    stop = threading.Event()
    latencies: list[float] = []
    failures: list[int] = []

    def ask(method: str, path: str, body: bytes | None = None) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection(address, timeout=60)
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        return answer.status, answer.read()

    ask("POST", "/v1/events", json.dumps({"id": "c", "type": "ticket.created", "ticket_id": "x0", "data": {}}).encode())

    def client() -> None:
        connection = http.client.HTTPConnection(address, timeout=60)
        for number in itertools.count():
            if stop.is_set():
                return
            method, path, body = post("/v1/events", received("x", number, 1))
            began = time.perf_counter()
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            answer.read()
            latencies.append(time.perf_counter() - began)
            if answer.status != 200:
                failures.append(answer.status)

    thread = threading.Thread(target=client)
    thread.start()
    process = api_process()
    files = {name: content.decode() for name, content in read_folder(rules).items()}
    taken, memory = [], []
    for number in range(reloads):
        files["more.yaml"] = (
            f"version: 1\nrules: [{{id: r{number}, on: ticket.closed, then: [{{add_tags: [t{number}]}}]}}]\n"
        )
        began = time.perf_counter()
        status, body = ask("POST", "/v1/rulesets", json.dumps({"files": files}).encode())
        taken.append(time.perf_counter() - began)
        if status != 200:
            raise SystemExit(f"publishing answered {status}: {body[:300]!r}")
        memory.append(process.memory_info().rss / 1e6)
    stop.set()
    thread.join()
    latencies.sort()
    print(f"{RULES} rules put live {reloads} times under load: median {sorted(taken)[reloads // 2]:.2f} s,"
          f" longest {max(taken):.2f} s  (bar 2 s)")  # fmt: skip
    print(f"  meanwhile {len(latencies)} events, {len(failures)} lost; p50 {latencies[len(latencies) // 2] * 1e3:.0f} ms,"
          f" p99 {latencies[len(latencies) * 99 // 100] * 1e3:.0f} ms, longest {latencies[-1] * 1e3:.0f} ms")  # fmt: skip
    print(
        f"  memory of the API process {memory[0]:.0f} MB after the first, {memory[-1]:.0f} MB after the last  (bar 180 MB)"
    )


if __name__ == "__main__":
    main(*map(int, sys.argv[1:2]))
