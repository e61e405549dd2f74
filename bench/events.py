"""One event by HTTP, batches, allowed transitions, inbound webhooks: each against a bare route under the same server."""

from __future__ import annotations

import http.client
import itertools
import json
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

from bench.servers import bare_server, databases, rules_of, service

CLIENTS = 4
SECONDS = 4.0

Request = tuple[str, str, bytes]


def rate(address: str, key: str, make: Callable[[int], Request], weight: int = 1) -> float:
    """Requests a second, times `weight`, of CLIENTS clients that keep their connections, over SECONDS."""
    numbers = itertools.count()
    done = [0] * CLIENTS
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    start = threading.Barrier(CLIENTS + 1)

    def client(index: int) -> None:
        connection = http.client.HTTPConnection(address, timeout=30)
        start.wait()
        end = time.monotonic() + SECONDS
        while time.monotonic() < end:
            method, path, body = make(next(numbers))
            connection.request(method, path, body or None, headers)
            answer = connection.getresponse()
            text = answer.read()
            if answer.status != 200:
                raise SystemExit(f"{path} answered {answer.status}: {text[:300]!r}")
            done[index] += weight

    threads = [threading.Thread(target=client, args=(index,)) for index in range(CLIENTS)]
    for thread in threads:
        thread.start()
    start.wait()
    began = time.monotonic()
    for thread in threads:
        thread.join()
    return sum(done) / (time.monotonic() - began)


def created(prefix: str, number: int) -> dict[str, object]:
    """A new ticket."""
    data = {"subject": "Halo, saya butuh bantuan", "body": "tidak bisa bayar " * 10, "channel": "whatsapp"}
    return {"id": f"{prefix}c{number}", "type": "ticket.created", "ticket_id": f"{prefix}{number}", "data": data}


def received(prefix: str, number: int, tickets: int) -> dict[str, object]:
    """A further message of its customer."""
    return {
        "id": f"{prefix}m{number}",
        "type": "message.received",
        "ticket_id": f"{prefix}{number % tickets}",
        "actor": {"id": "c1", "role": "customer"},
        "data": {"text": "apakah sudah ada kabar? " * 8},
    }


def post(path: str, body: object) -> Request:
    """A POST of JSON."""
    return ("POST", path, json.dumps(body).encode())


def measure(name: str, bare_url: str, service_url: str, rules: Path) -> None:
    """Prints every figure of one database."""
    payload = received("bare", 0, 1)
    with bare_server(bare_url) as address:
        rate(address, "", lambda _: post("/rows", payload))
        writes = rate(address, "", lambda _: post("/rows", payload))
        reads = rate(address, "", lambda _: ("GET", "/rows/1", b""))
    tickets = 200
    with service(service_url, rules) as (address, key):
        rate(address, key, lambda number: post("/v1/events", created("w", number)))
        for start in range(0, tickets, 100):
            batch = [created("m", number) for number in range(start, start + 100)]
            client = http.client.HTTPConnection(address)
            headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
            client.request("POST", "/v1/events", json.dumps({"events": batch}), headers)
            client.getresponse().read()
        print(f"{name}: bare route, one row: {writes:.0f} writes/s, {reads:.0f} reads/s")
        figures = {
            "one event (a message)": rate(address, key, lambda n: post("/v1/events", received("m", n, tickets)))
            / writes,
            "one event (a new ticket, distributed)": rate(address, key, lambda n: post("/v1/events", created("n", n)))
            / writes,
            "events in batches of 100": rate(
                address,
                key,
                lambda n: post(
                    "/v1/events", {"events": [received("m", n * 100 + i + 10**6, tickets) for i in range(100)]}
                ),
                100,
            )
            / writes,
            "allowed transitions": rate(
                address, key, lambda n: ("GET", f"/v1/tickets/m{n % tickets}/transitions?role=agent&user=ha1", b"")
            )
            / reads,
        }
    bars = {
        "one event (a message)": (0.25, 0.15),
        "events in batches of 100": (0.6, 0.35),
        "allowed transitions": (0.5, 0.5),
    }
    for what, ratio in figures.items():
        bar = bars.get(what)
        asked = "" if bar is None else f"  (bar {bar[name != 'SQLite']})"
        print(f"  {what}: {ratio:.2f} of the bare route{asked}")


def main() -> None:
    """Both databases."""
    with databases() as found, tempfile.TemporaryDirectory() as folder:
        for name, (bare_url, service_url) in found.items():
            rules = rules_of(50, Path(folder) / name)
            measure(name, bare_url, service_url, rules)


if __name__ == "__main__":
    main()
