"""A desk's queue handed out to many agents: the cost goes with the slots that are filled, not with the queue's length."""

from __future__ import annotations

import datetime as dt
import statistics
import time
from collections.abc import Callable
from zoneinfo import ZoneInfo

from bench.servers import databases
from bench.tickets import SetClock, copy, opened, seed, travel_files
from rules_service.clock import utc_now
from rules_service.service.events import Incoming
from rules_service.service.roster import set_presence
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
            for cause, late in handed_out(urls[-1]).items():
                print(
                    f"{name}: from {cause} to the next assignment, {len(late)} times: median"
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


def handed_out(url: str) -> dict[str, list[float]]:
    """What frees a slot -> seconds from its commit to the commit of the assignment, a worker running."""
    opens_at = (utc_now() + dt.timedelta(seconds=70)).replace(second=0, microsecond=0)
    with opened(url, opening(opens_at), utc_now) as worker:
        for number in range(2 * REFILLS + 60):
            send(worker, "ticket.created", f"t{number}", {"group": "hotel", "channel": "whatsapp"})
        worker.start()
        found = {
            "a closed ticket": [measured(worker, lambda: close_one(worker)) for _ in range(REFILLS)],
            "an agent who comes online": [
                measured(worker, lambda number=number: come(worker, f"ha{number}")) for number in range(2, 9)
            ],
            "a raised maximum": raised(worker),
        }
        come(worker, "ba1")
        send(worker, "ticket.created", "booked", {"group": "booking", "channel": "whatsapp"})
        settle(worker)
        stints = count(worker)
        while count(worker) == stints:
            time.sleep(0.001)
        found["a desk that opens"] = [(utc_now() - opens_at).total_seconds()]
        worker.stop()
    return found


def opening(at: dt.datetime) -> dict[str, bytes]:
    """The worked example, with a booking desk that distributes and opens at that minute."""
    local = at.astimezone(ZoneInfo("Asia/Jakarta"))
    files = dict(travel_files())
    for name, text in files.items():
        changed = text.replace(b"proactive_assignment: false", b"proactive_assignment: true")
        files[name] = changed.replace(
            b'"08:00-21:00"', f'"{local:%H:%M}-{local - dt.timedelta(hours=1):%H:%M}"'.encode()
        )
    return files


def measured(worker: Worker, act: Callable[[], object]) -> float:
    """Seconds from the end of `act` to the next assignment."""
    settle(worker)
    stints = count(worker)
    act()
    began = time.perf_counter()
    while count(worker) == stints:
        time.sleep(0.001)
    return time.perf_counter() - began


def settle(worker: Worker) -> None:
    """Waits until nothing is handed out any more."""
    stints = -1
    while stints != (stints := count(worker)):
        time.sleep(0.3)


def close_one(worker: Worker) -> None:
    """One of the tickets of ha1 is closed."""
    with worker.store.connection():
        (held,) = worker.store.row("SELECT id FROM ticket WHERE assignee = 'ha1' AND closed_at IS NULL LIMIT 1")
    send(worker, "ticket.closed", held, {})


def come(worker: Worker, user_id: str) -> None:
    """The user comes online."""
    set_presence(worker.store, user_id, "online", utc_now(), ruleset_hash=worker.live.ruleset().hash)


def raised(worker: Worker) -> list[float]:
    """An agent's maximum goes up by one, ten times."""

    def allow(most: int) -> None:
        row = Row(number=1, fields={"id": "b0", "group": "hotel", "max_assignment": most})
        import_users(worker.store, worker.live.ruleset, [row], utc_now())

    allow(1)
    worker.live.follow()
    come(worker, "b0")
    return [measured(worker, lambda most=most: allow(most)) for most in range(2, 12)]


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
