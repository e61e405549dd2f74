"""Deadlines: claimed by the index however many tickets are open, on time at 100 a second, caught up after downtime."""

from __future__ import annotations

import datetime as dt
import statistics
import sys
import time
from collections.abc import Callable

from bench.servers import databases
from bench.tickets import BEGAN, SetClock, copy, opened, seed, travel_files
from rules_service.clock import micros, utc_now
from rules_service.decide import next_due_at
from rules_service.service.events import Incoming
from rules_service.store import Store, codec, due_tickets
from rules_service.tickets import Event, Snapshot
from rules_service.worker import Worker

DUE = 1_000

#: Open tickets of the small store, of the large one, and of those that the baseline looks at.
SMALL, LARGE, SCANNED = 10_000, 1_000_000, 10_000

#: Deadlines a second, for so many seconds.
RATE, SECONDS = 100, 15

MISSED = 100_000


def main(large: int = LARGE, missed: int = MISSED) -> None:
    """Prints the figures on both databases; `large` open tickets beside 10,000, and `missed` deadlines to catch up."""
    with databases(4) as found:
        for name, urls in found.items():
            measure(name, urls, large, missed)


def measure(name: str, urls: list[str], large: int, missed: int) -> None:
    """The figures on one kind of database, each on a database of its own."""
    small = claiming(urls[0], SMALL)
    big = claiming(urls[1], large)
    ratios = [big[key] / small[key] for key in ("claim", "work")]
    print(
        f"{name}: {DUE} due of {SMALL} open and of {large}: claim {small['claim'] * 1e3:.2f} and"
        f" {big['claim'] * 1e3:.2f} ms ({ratios[0]:.2f}x, bar 1.3x); with the work {small['work']:.2f} and"
        f" {big['work']:.2f} s ({ratios[1]:.2f}x, bar 1.3x); a scan of {SCANNED} open tickets"
        f" {small['scan'] * 1e3:.0f} ms, {small['scan'] / small['claim']:.0f}x the claim"
    )
    late = punctuality(urls[2])
    print(
        f"{name}: {RATE} deadlines a second for {SECONDS} s: from deadline to committed action median"
        f" {statistics.median(late) * 1e3:.0f} ms, p99 {late[len(late) * 99 // 100] * 1e3:.0f} ms (bar 1,000 ms),"
        f" longest {late[-1] * 1e3:.0f} ms"
    )
    rate, scan_s = catching_up(urls[3], missed)
    print(
        f"{name}: {missed} missed deadlines caught up at {rate:.0f} tickets a second; a scan of as many open"
        f" tickets, which finds the same and does nothing about it, takes {scan_s / (missed / rate):.2f} of that"
    )


def claiming(url: str, count: int) -> dict[str, float]:
    """Seconds of the claim alone, of the work, and of a scan, with 1,000 of `count` open tickets due."""
    clock = SetClock()
    with opened(url, travel_files(), clock) as worker:
        seed(worker)
        copy(worker, count, due_every=count // DUE)
        store = worker.store
        with store.connection():
            (at,) = store.row("SELECT MIN(next_due_at) FROM ticket")
            clock.now = BEGAN + dt.timedelta(microseconds=at - micros(BEGAN))
            claim = timed(lambda: due_tickets(store, clock.now, DUE), 21)
            due = due_tickets(store, clock.now, DUE)
            assert len(due) == DUE
            scan = timed(lambda: scanned(store, worker, SCANNED), 1)
        began = time.perf_counter()
        while worker.run_due():
            pass
        work = time.perf_counter() - began
        with store.connection():
            assert due_tickets(store, clock.now, DUE) == []
    return {"claim": claim, "work": work, "scan": scan}


def timed(work: Callable[[], object], times: int) -> float:
    """The median of its seconds."""
    found = []
    for _ in range(times):
        began = time.perf_counter()
        work()
        found.append(time.perf_counter() - began)
    return statistics.median(found)


def scanned(store: Store, worker: Worker, count: int) -> int:
    """Looks at open tickets one by one, as an hourly job does; how many are due."""
    ruleset, now = worker.live.ruleset(), worker.clock()
    found = 0
    for (state,) in store.rows("SELECT state FROM ticket WHERE closed_at IS NULL LIMIT ?", count):
        at = next_due_at(ruleset, codec.load(Snapshot, state), now)
        found += at is not None and at <= now
    return found


def punctuality(url: str) -> list[float]:
    """Seconds from deadline to commit, sorted, at a steady rate of deadlines."""
    rule = "version: 1\nrules: [{id: ripe, when: {time.age: {at_least: 1m}}, then: [{add_tags: [ripe]}]}]\n"
    with opened(url, {**travel_files(), "ripe.yaml": rule.encode()}, utc_now) as worker:
        count = RATE * SECONDS
        first_at = utc_now() + dt.timedelta(seconds=count * 0.004 + 3)
        for number in range(count):
            at = first_at + dt.timedelta(seconds=number / RATE - 60)
            data = {"subject": "Halo", "channel": "twitter", "group": "train", "created_at": at.isoformat()}
            event = Event(id=f"e{number}", type="ticket.created", at=at, ticket_id=f"p{number}", data=data)
            worker.events.handle(Incoming(event=event, body="{}"))
        assert utc_now() < first_at, "the machine is too slow to make the tickets in time"
        late: list[float] = []
        handle = worker.events.handle_due

        def timed_handle(ticket_id: str) -> bool:
            done = handle(ticket_id)
            if done:
                due_at = first_at + dt.timedelta(seconds=int(ticket_id[1:]) / RATE)
                late.append((utc_now() - due_at).total_seconds())
            return done

        worker.events.handle_due = timed_handle  # type: ignore[method-assign]
        worker.start()
        while utc_now() < first_at + dt.timedelta(seconds=SECONDS + 2):
            time.sleep(0.2)
        worker.stop()
        assert len(late) == count, len(late)
    return sorted(late)


def catching_up(url: str, count: int) -> tuple[float, float]:
    """Tickets a second when `count` of them have missed deadlines; and the seconds of a scan of as many."""
    clock = SetClock()
    with opened(url, travel_files(), clock) as worker:
        seed(worker)
        copy(worker, count)
        clock.now = BEGAN + dt.timedelta(hours=1)
        with worker.store.connection():
            began = time.perf_counter()
            assert scanned(worker.store, worker, count) == count
            scan_s = time.perf_counter() - began
        began = time.perf_counter()
        while worker.run_due():
            pass
        return count / (time.perf_counter() - began), scan_s


if __name__ == "__main__":
    main(*map(int, sys.argv[1:3]))
