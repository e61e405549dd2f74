"""A helpdesk's webhooks: how long it waits for us, one after the other, while we read and handle them."""

from __future__ import annotations

import copy
import http.client
import json
import os
import shutil
import tempfile
import time
from pathlib import Path

from bench.servers import ROOT, bare_server, rules_of, service

COUNT = 500


def latencies(address: str, path: str, bodies: list[bytes]) -> list[float]:
    """Milliseconds of each POST, sorted; each on a connection of its own, as webhooks are."""
    found = []
    for body in bodies:
        connection = http.client.HTTPConnection(address, timeout=30)
        began = time.perf_counter()
        connection.request("POST", path, body, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        answer.read()
        found.append((time.perf_counter() - began) * 1000)
        if answer.status not in (200, 202):
            raise SystemExit(f"{path} answered {answer.status}")
        connection.close()
    return sorted(found)


def main() -> None:
    """Prints the 50th and 99th of a hundred."""
    recorded = json.loads((ROOT / "tests/integration/payloads/created-by-customer.json").read_text())
    bodies = []
    for number in range(COUNT):
        payload = copy.deepcopy(recorded)
        payload["ticket"]["id"] = number + 1_000
        bodies.append(json.dumps(payload).encode())
    os.environ["HELPDESK_INBOUND_SECRET"] = "bench"
    with tempfile.TemporaryDirectory() as folder:
        with bare_server(f"sqlite:///{folder}/bare.db") as address:
            bare = latencies(address, "/rows", bodies)
        rules = rules_of(50, Path(folder))
        shutil.copy(ROOT / "rulesets/examples/django-helpdesk/connector.yaml", rules)
        with service(f"sqlite:///{folder}/service.db", rules) as (address, _):
            ours = latencies(address, "/v1/inbound/django-helpdesk/bench", bodies)
    for name, found in (("bare route", bare), ("inbound webhook", ours)):
        print(f"{name}: p50 {found[COUNT // 2]:.1f} ms, p99 {found[COUNT * 99 // 100]:.1f} ms over {COUNT}")
    print(f"  inbound webhook, p99: {ours[COUNT * 99 // 100]:.1f} ms  (bar 50 ms)")


if __name__ == "__main__":
    main()
