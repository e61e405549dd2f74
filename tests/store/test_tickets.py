"""Tickets: read as written, changed by one transaction at a time."""

import datetime as dt
import threading

import pytest

from rules_service.clock import instant, micros
from rules_service.store import Chain, Lost, Store, due_tickets, next_deadline, read_event, read_ticket, write_change
from rules_service.store.actions import action_id
from rules_service.tickets import Action, Decision, Event, ServiceClock, Snapshot, Stint
from tests.databases import dump
from tests.scene import NINE
from tests.store.rows import change, ticket


def _write(store, *args, **named):
    store.transact(lambda: write_change(store, change(*args, **named)))


def _read(store, ticket_id="t1"):
    with store.connection():
        return read_ticket(store, ticket_id, lock=False)


def test_a_ticket_is_read_as_it_was_written(store):
    written = ticket(tags=frozenset({"b", "a"}), custom={"order": {"value": 1.5}}, subject="Kamar 😀")
    _write(store, written, next_due_at=NINE)
    stored = _read(store)
    assert (stored.snapshot.ticket, stored.version, stored.next_due_at) == (written, 1, NINE)


def test_an_unknown_ticket_is_an_empty_snapshot_of_version_0(store):
    stored = _read(store)
    assert (stored.snapshot, stored.version) == (Snapshot(), 0)


def test_a_write_that_names_an_old_version_is_lost(store):
    _write(store, ticket())
    _write(store, ticket(subject="first"), version=1)
    with store.connection(), pytest.raises(Lost):
        write_change(store, change(ticket(subject="second"), version=1))
    assert _read(store).snapshot.ticket.subject == "first"


def test_of_several_that_create_one_ticket_at_once_one_does(store):
    barrier = threading.Barrier(4)
    outcomes = []

    def create(number):
        def work():
            version = read_ticket(store, f"t{number}", lock=True).version
            if version == 0:
                write_change(store, change(ticket(f"t{number}")))
            return number, version

        barrier.wait()
        outcomes.append(store.transact(work))

    for number in range(5):
        threads = [threading.Thread(target=create, args=(number,)) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sorted(outcomes) == [(number, version) for number in range(5) for version in (0, 1, 1, 1)]


def test_columns_say_what_queries_look_for(store):
    _write(store, ticket(priority="urgent", group="hotel", customer_id="c1"), tier=2)
    with store.connection():
        row = store.row("SELECT priority, tier, team, customer_id, breached, escalated, queued_at FROM ticket")
    assert [*row[:4], bool(row[4]), bool(row[5]), row[6]] == [3, 2, "hotel", "c1", False, False, micros(NINE)]


def test_a_change_writes_log_actions_deliveries_clocks_and_stints_together(store):
    event = Event(id="e1", type="ticket.closed", at=NINE, ticket_id="t1")
    stint = Stint(number=1, agent_id="ha1", desk="hotel-chat", assigned_at=NINE, ended_at=NINE, ended_by="close")
    clock = ServiceClock(
        name="resolution", status="met", target_s=60, calendar="always", started_at=NINE, stopped_at=NINE,
        intervals=((NINE, NINE + dt.timedelta(seconds=5)),), used_s=5,
    )  # fmt: skip
    decision = Decision(
        event=event, now=NINE, ruleset_hash="hash", ended_clocks=(clock,), ended_stints=(stint,),
        actions=(Action(type="reply", data={"text": "é"}, cause="rule:x"), Action(type="note", data={}, cause="rule:x")),
    )  # fmt: skip
    chain = Chain(event=event, decisions=[decision], body="{}", answer='{"ok":true}')
    _write(store, ticket(), chains=[chain], receivers={"reply": ["helpdesk", "chat"]})
    with store.connection():
        assert read_event(store, "e1")[1] == '{"ok":true}'
        assert store.rows("SELECT id, type FROM action ORDER BY seq") == [
            (action_id("e1", 1), "reply"),
            (action_id("e1", 2), "note"),
        ]
        assert store.rows("SELECT endpoint, state, attempts FROM delivery ORDER BY id") == [
            ("helpdesk", "pending", 0),
            ("chat", "pending", 0),
        ]
        assert store.rows("SELECT name, status, used_s FROM clock") == [("resolution", "met", 5)]
        assert store.rows("SELECT number, ended_by, over_maximum FROM stint") == [(1, "close", False)]


def test_nothing_stays_of_a_transaction_that_raises(store):
    before = dump(store)

    def work():
        write_change(store, change(ticket()))
        raise KeyError

    with pytest.raises(KeyError):
        store.transact(work)
    assert dump(store) == before


def test_a_transaction_that_lost_is_run_again(store):
    tries = []

    def work():
        tries.append(1)
        if len(tries) < 3:
            raise Lost("somebody was first")
        return "done"

    assert store.transact(work) == "done"
    assert len(tries) == 3


def test_a_transaction_that_always_loses_gives_up(store):
    tries = []

    def work():
        tries.append(1)
        raise Lost("somebody was first")

    with pytest.raises(Lost):
        store.transact(work)
    assert len(tries) == 8


def test_due_tickets_come_with_the_oldest_deadline_first(store):
    for name, seconds in (("late", 30), ("first", 10), ("second", 20)):
        _write(store, ticket(name), next_due_at=NINE + dt.timedelta(seconds=seconds))
    _write(store, ticket("never"))
    with store.connection():
        assert due_tickets(store, NINE + dt.timedelta(seconds=20), 10) == ["first", "second"]
        assert due_tickets(store, NINE + dt.timedelta(seconds=20), 1) == ["first"]
        assert due_tickets(store, NINE + dt.timedelta(seconds=9.999999), 10) == []
        assert next_deadline(store) == NINE + dt.timedelta(seconds=10)


def test_instants_keep_their_microseconds_and_refuse_to_be_naive():
    at = dt.datetime(2026, 3, 2, 2, 0, 0, 123457, tzinfo=dt.UTC)
    assert instant(micros(at)) == at
    with pytest.raises(ValueError, match="naive"):
        micros(at.replace(tzinfo=None))


def test_a_second_store_sees_what_the_first_one_wrote(store):
    _write(store, ticket())
    other = Store(store.url)
    assert _read(other).version == 1
    other.close()
