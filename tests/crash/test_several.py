"""Several worker processes on one database share the work: nothing is done twice, nothing is left."""

import time
from collections import Counter

import pytest

from rules_service.clock import micros, utc_now
from rules_service.store import Store, outbox
from tests.crash.running import Process, Receiver, environment, free_port
from tests.scene import Scene, variant

pytestmark = pytest.mark.slow

TICKETS = 60


def test_three_workers_work_off_each_deadline_timer_and_delivery_once(databases, tmp_path):
    store = Store(databases.emptied())
    # What happened is of a minute ago, so that all of it is due when the workers start.
    scene = Scene(store, files=variant((r"assigned_to_responded: 300s", "assigned_to_responded: 20s")))
    scene.clock.now = utc_now()
    scene.clock.advance(-60)
    for number in range(TICKETS):
        scene.create(f"t{number}", group=("hotel", "train", "flight")[number % 3])
    with store.connection(), store.database.atomic():
        store.sql("UPDATE member SET presence = 'online'")
    scene.worker.relay.stop()
    with Receiver() as receiver:
        settings = environment(store.url, receiver, free_port())
        workers = [Process("worker", settings, tmp_path / f"{number}.log") for number in range(3)]
        for worker in workers:
            worker.start()
        try:
            _wait(store)
        finally:
            statuses = [worker.stop() for worker in workers]
    assert statuses == [0, 0, 0]
    with store.connection():
        actions = outbox.feed(store, after=0, limit=10**6)
        breaches = store.rows("SELECT ticket_id, COUNT(*) FROM event WHERE type = 'clock.breached' GROUP BY ticket_id")
        assigned = store.rows("SELECT ticket_id, COUNT(*) FROM stint GROUP BY ticket_id")
        counters = sum(row[0] for row in store.rows("SELECT open_count FROM member"))
    assert Counter(found for found, _, _ in receiver.received) == Counter(action["id"] for action in actions)
    assert dict(assigned) == {f"t{number}": 1 for number in range(TICKETS)}
    assert dict(breaches) == {f"t{number}": 1 for number in range(TICKETS)}
    assert counters == TICKETS
    store.close()


def _wait(store, within_s=90):
    give_up_at = time.monotonic() + within_s
    while True:
        assert time.monotonic() < give_up_at, "the workers are not done"
        with store.connection():
            waiting = store.row("SELECT COUNT(*) FROM ticket WHERE queued_at IS NOT NULL OR next_due_at <= ?", _soon())
            pending = store.row("SELECT COUNT(*) FROM delivery WHERE state <> 'delivered'")
        if waiting == (0,) and pending == (0,):
            return
        time.sleep(0.2)


def _soon():
    # Far enough to wait for the deadlines of the assignments that the workers make, and not for those after them.
    return micros(utc_now()) + 60_000_000
