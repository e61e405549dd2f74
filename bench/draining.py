"""A desk's queue handed out to many agents: the cost goes with the slots that are filled, not with the queue's length."""

from __future__ import annotations

import time

from bench.servers import databases
from bench.tickets import SetClock, copy, opened, seed, travel_files
from rules_service.service.user_rows import Row
from rules_service.service.users import import_users

#: Agents with one free slot each, and the queues that they are given.
AGENTS = 500
QUEUES = (500, 10_000)


def main() -> None:
    """Prints the time to fill the slots from a short and from a long queue, on both databases."""
    with databases(len(QUEUES)) as found:
        for name, urls in found.items():
            short, long = (drained(url, length) for url, length in zip(urls, QUEUES, strict=True))
            print(
                f"{name}: {AGENTS} slots filled from a queue of {QUEUES[0]} in {short:.2f} s"
                f" ({short / AGENTS * 1e3:.1f} ms each), of {QUEUES[1]} in {long:.2f} s: {long / short:.2f}x"
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


if __name__ == "__main__":
    main()
