"""A desk's queue handed out to many agents: the cost goes with the slots that are filled, not with the queue's length."""

from __future__ import annotations

import statistics
import time

from bench.servers import databases
from bench.tickets import SetClock, copy, opened, seed, travel_files
from rules_service.clock import utc_now
from rules_service.service.events import Incoming
from rules_service.service.user_rows import Row
from rules_service.service.users import import_users
from rules_service.tickets import Event
from rules_service.worker import Worker

#: Agents with one free slot each, and the queues that they are given.
AGENTS = 500
QUEUES = (500, 10_000)

#: How often a slot is freed and filled again.
REFILLS = 50


def main() -> None:
    """Prints the time to fill the slots from a short and from a long queue, on both databases."""
    with databases(len(QUEUES) + 1) as found:
        for name, urls in found.items():
            short, long = (drained(url, length) for url, length in zip(urls, QUEUES, strict=False))
            print(
                f"{name}: {AGENTS} slots filled from a queue of {QUEUES[0]} in {short:.2f} s"
                f" ({short / AGENTS * 1e3:.1f} ms each), of {QUEUES[1]} in {long:.2f} s: {long / short:.2f}x"
            )
            late = refilled(urls[-1])
            print(
                f"{name}: from a closed ticket to the next assignment, {REFILLS} times: median"
                f" {statistics.median(late) * 1e3:.0f} ms, longest {max(late) * 1e3:.0f} ms (bar 200 ms)"
            )


def drained(url: str, length: int) -> float:
    """Seconds to fill all slots from a queue of so many tickets."""
    with opened(url, travel_files(), SetClock()) as worker:
        store = worker.store
        with store.connection():
            store.sql("UPDATE member SET presence = 'offline'")
        seed(worker)
        copy(worker, length - 1)
        rows = [
            Row(number=number + 1, fields={"id": f"b{number}", "group": "hotel", "max_assignment": 1})
            for number in range(AGENTS)
        ]
        import_users(store, worker.live.ruleset, rows, worker.clock())
        worker.live.follow()
        with store.connection():
            store.sql("UPDATE member SET presence = 'online' WHERE source = 'api'")
            store.sql("ANALYZE")
            began = time.perf_counter()
            worker.drain("hotel-chat")
            taken = time.perf_counter() - began
            assert store.row("SELECT COUNT(*) FROM ticket WHERE assignee IS NOT NULL") == (AGENTS,)
    return taken


def refilled(url: str) -> list[float]:
    """Seconds from the commit of a close to the commit of the assignment that fills the slot, a worker running."""
    with opened(url, travel_files(), utc_now) as worker:
        for number in range(REFILLS + 10):
            send(worker, "ticket.created", f"t{number}", {"group": "hotel", "channel": "whatsapp"})
        worker.start()
        late = []
        for _ in range(REFILLS):
            with worker.store.connection():
                (held,) = worker.store.row("SELECT id FROM ticket WHERE assignee = 'ha1' AND closed_at IS NULL LIMIT 1")
            stints = count(worker)
            send(worker, "ticket.closed", held, {})
            began = time.perf_counter()
            while count(worker) == stints:
                time.sleep(0.001)
            late.append(time.perf_counter() - began)
        worker.stop()
    return late


def send(worker: Worker, kind: str, ticket_id: str, data: dict[str, str]) -> None:
    """A fact, now."""
    event = Event(id=f"{kind}:{ticket_id}", type=kind, at=utc_now(), ticket_id=ticket_id, data=data)
    worker.events.handle(Incoming(event=event, body="{}"))


def count(worker: Worker) -> int:
    """Assignments so far."""
    with worker.store.connection():
        row = worker.store.row("SELECT COUNT(*) FROM stint")
    return int(row[0]) if row else 0


if __name__ == "__main__":
    main()
