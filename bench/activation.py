"""A ruleset activated over many open tickets: what events feel of it while they are judged anew."""

from __future__ import annotations

import sys
import tempfile
import threading
import time

from bench.events import received
from bench.servers import ROOT
from rules_service.clock import utc_now
from rules_service.ruleset import read_folder
from rules_service.service.events import Incoming
from rules_service.service.publish import publish
from rules_service.settings import read_settings
from rules_service.store import Store
from rules_service.tickets import Actor, Event
from rules_service.worker import Worker

COUNT = 100_000


def main(count: int = COUNT) -> None:
    """Prints the rate of judging and the latency of events meanwhile; `count` open tickets."""
    with tempfile.TemporaryDirectory() as folder:
        store = Store(f"sqlite:///{folder}/bench.db")
        store.upgrade()
        store.hold()
        files = read_folder(ROOT / "rulesets" / "travel")
        publish(store, files, utc_now(), by="bench")
        worker = Worker(read_settings({"RULES_SERVICE_DATABASE": store.url}), store=store)
        worker.live.follow()
        body = {"subject": "Halo", "body": "x", "channel": "whatsapp"}
        event = Event(id="seed", type="ticket.created", at=utc_now(), ticket_id="seed", data=body)
        worker.events.handle(Incoming(event=event, body="{}"))
        columns = [row[1] for row in store.rows("PRAGMA table_info(ticket)") if row[1] != "id"]
        numbers = f"WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < {count - 1})"
        store.transact(
            lambda: store.sql(
                f"{numbers} INSERT INTO ticket (id, {', '.join(columns)}) SELECT 'm' || i,"
                f" {', '.join(f't.{name}' for name in columns)} FROM n CROSS JOIN ticket t WHERE t.id = 'seed'"
            )
        )
        store.sql('UPDATE ticket SET state = REPLACE(state, \'"id":"seed"\', \'"id":"\' || id || \'"\')')
        rule = "version: 1\nrules: [{id: fresh, when: {ticket.tags: never}, then: [{add_tags: [x]}]}]\n"
        publish(store, {**files, "more.yaml": rule.encode()}, utc_now(), by="bench")
        worker.live.follow()
        done = threading.Event()

        def judge() -> None:
            while worker.run_judging():
                pass
            done.set()

        latencies = []
        began = time.perf_counter()
        thread = threading.Thread(target=judge)
        thread.start()
        number = 0
        while not done.is_set():
            data = received("m", number, count)
            event = Event(
                id=f"e{number}", type="message.received", at=utc_now(), ticket_id=str(data["ticket_id"]),
                actor=Actor(role="customer"), data={"text": "halo"},
            )  # fmt: skip
            at = time.perf_counter()
            worker.events.handle(Incoming(event=event, body=str(number)))
            latencies.append(time.perf_counter() - at)
            number += 1
        thread.join()
        taken = time.perf_counter() - began
        latencies.sort()
        print(f"{count} open tickets judged anew in {taken:.0f} s ({count / taken:.0f} a second); meanwhile"
              f" {len(latencies)} events, p99 {latencies[len(latencies) * 99 // 100] * 1e3:.0f} ms,"
              f" longest {latencies[-1] * 1e3:.0f} ms  (bar 100 ms)")  # fmt: skip


if __name__ == "__main__":
    main(*map(int, sys.argv[1:2]))
