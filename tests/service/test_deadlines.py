"""Deadlines and the worker: found by the index, worked off in order, whatever the machine's clock does."""

import dataclasses
import datetime as dt
import json
import threading
import time

import peewee as pw
import pytest

from rules_service.clock import micros, utc_now
from rules_service.store import Store, claim_due
from rules_service.worker import Worker
from tests.scene import NINE


def many(store, count, due_every):
    """Rows of open tickets as the claim sees them, every so many due by now."""
    columns = (
        "id, version, status, priority, tier, desk, created_at, next_due_at, breached, escalated, judged_under, state"
    )
    truth = "FALSE" if store.is_postgres else "0"
    with store.connection():
        store.sql(
            f"WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < {count - 1})"
            f" INSERT INTO ticket ({columns}) SELECT 'm' || i, 1, 'open', 1, 0, 'hotel-chat', {micros(NINE)},"
            f" CASE WHEN i / {due_every} * {due_every} = i THEN {micros(NINE)} - i ELSE {micros(NINE)} + i + 1 END,"
            f" {truth}, {truth}, 'x', '' FROM n"
        )
        store.sql("ANALYZE ticket")


def test_a_ticket_that_somebody_else_works_on_is_passed_over(databases):
    if "postgres" not in type(databases).__name__.lower():
        pytest.skip("SQLite lets one write at a time")
    import psycopg

    url = databases.emptied()
    store = Store(url)
    many(store, 1, 1)
    with psycopg.connect(url.replace("postgresql+pool", "postgresql")) as other, other.cursor() as cursor:
        cursor.execute("SELECT id FROM ticket FOR UPDATE")
        began = time.monotonic()
        with store.connection(), store.database.atomic():
            assert claim_due(store, "m0", NINE) is None
        assert time.monotonic() - began < 5
    store.close()


def test_a_ticket_that_is_due_no_more_is_left_alone(scene):
    scene.online("ha1")
    scene.create()
    ((before,),) = scene.rows("SELECT version FROM ticket")
    assert scene.service.handle_due("t1") is False
    assert scene.service.handle_due("unknown") is False
    assert scene.rows("SELECT version FROM ticket") == [(before,)]


@pytest.mark.req("R5.26")
def test_a_clock_that_jumps_back_and_forth_makes_each_deadline_happen_once(scene):
    scene.online("ha1")
    scene.create()
    at = scene.clock()
    for minutes in (6, 1, -30, 5, 6, 6, 2, 300):
        scene.clock.now = at + dt.timedelta(minutes=minutes)
        scene.run_due()
    rows = scene.rows("SELECT body FROM event WHERE type = 'clock.breached'")
    assert [json.loads(body)["data"]["clock"] for (body,) in rows].count("assigned_to_responded") == 1


def test_due_time_and_handled_time_are_both_kept(scene):
    scene.online("ha1")
    scene.create()
    scene.clock.advance(3600)
    scene.run_due()
    ((at, handled_at),) = scene.rows("SELECT at, received_at FROM event WHERE type = 'clock.breached' LIMIT 1")
    assert at == micros(NINE + dt.timedelta(seconds=300, microseconds=1))
    assert handled_at == micros(scene.clock())


def test_the_worker_wakes_at_the_very_deadline_however_rarely_it_looks(scene, monkeypatch):
    """Real time: the next deadline is 0.4 s away, and the worker looks every 10 s only."""
    rare = dataclasses.replace(scene.worker.settings, poll_ms=10_000)
    scene.online("ha1")
    scene.clock.now = utc_now() - dt.timedelta(seconds=299.6)
    scene.create()
    worker = Worker(rare, store=scene.store, clock=utc_now)
    worker.live._ruleset = scene.ruleset
    handled = threading.Event()
    real = worker.events.handle_due
    monkeypatch.setattr(worker.events, "handle_due", lambda ticket_id: real(ticket_id) and handled.set())
    try:
        worker.start()
        assert handled.wait(60)
    finally:
        worker.stop()
    assert "clock.breached" in scene.log()


def test_a_ticket_that_fails_holds_up_no_deadline_of_another_and_is_tried_again(scene, monkeypatch, caplog):
    scene.online("ha1", "ha2")
    for number in range(4):
        scene.create(f"t{number}")
    monkeypatch.setattr("rules_service.worker.BATCH", 2)
    real, tried = scene.service.handle_due, []

    def stumbling(ticket_id):
        tried.append(ticket_id)
        if ticket_id in ("t0", "t1"):
            raise KeyError(ticket_id)
        return real(ticket_id)

    monkeypatch.setattr(scene.service, "handle_due", stumbling)
    scene.clock.advance(301)
    scene.run_due()
    assert {"t2", "t3"} <= set(tried)
    assert [tried.count(name) for name in ("t0", "t1")] == [1, 1]
    assert caplog.text.count("deadline_failed") == 2
    monkeypatch.setattr(scene.service, "handle_due", real)
    scene.clock.advance(61)
    scene.run_due()
    rows = scene.rows("SELECT DISTINCT ticket_id FROM event WHERE type = 'clock.breached' ORDER BY ticket_id")
    assert [row[0] for row in rows] == ["t0", "t1", "t2", "t3"]


def test_a_database_that_is_away_is_no_fault_of_a_ticket(scene, monkeypatch):
    scene.online("ha1")
    scene.create()
    scene.clock.advance(301)

    def away(_):
        raise pw.OperationalError("server closed the connection")

    real = scene.service.handle_due
    monkeypatch.setattr(scene.service, "handle_due", away)
    with pytest.raises(pw.OperationalError), scene.store.connection():
        scene.worker.run_due()
    monkeypatch.setattr(scene.service, "handle_due", real)
    scene.run_due()
    assert "clock.breached" in scene.log()
