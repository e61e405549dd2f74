"""Several workers on one database: each deadline, timer and delivery is one worker's, and no maximum is passed."""

import threading
from collections import Counter

import pytest

from rules_service.store import outbox, people
from rules_service.worker import Worker


def _together(count, work):
    """Runs `work(number)` in so many threads at once; an error of any is raised here."""
    barrier = threading.Barrier(count)
    errors = []

    def run(number):
        try:
            barrier.wait()
            work(number)
        except Exception as error:  # noqa: BLE001  raised again below
            errors.append(error)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for error in errors:
        raise error


@pytest.fixture
def workers(scene):
    """Three workers beside the scene's own, on its database and clock."""
    made = [Worker(scene.worker.settings, store=scene.store, clock=scene.clock) for _ in range(3)]
    for worker in made:
        worker.live._ruleset = scene.ruleset
    yield made
    for worker in made:
        worker.relay.stop()


def _pass(scene, method):
    def work(number):
        with scene.store.connection():
            method(number)

    return work


def test_a_deadline_is_worked_off_by_one_of_them(scene, workers):
    scene.online("ha1", "ha2", "ha3")
    for number in range(12):
        scene.create(f"t{number}")
    scene.clock.advance(301)
    _together(3, _pass(scene, lambda number: workers[number].run_due()))
    rows = scene.rows("SELECT ticket_id, COUNT(*) FROM event WHERE type = 'clock.breached' GROUP BY ticket_id")
    assert dict(rows) == {f"t{number}": 1 for number in range(12)}
    assert len(scene.rows("SELECT id FROM action WHERE type = 'escalate'")) == 12


def test_a_queue_that_several_drain_hands_out_every_slot_once(scene, workers):
    for number in range(13):
        scene.create(f"t{number}")
        scene.clock.advance(0.001)
    scene.online("ha1", "ha2")
    _together(3, _pass(scene, lambda number: workers[number].drain("hotel-chat")))
    scene.run_timers()
    assert [scene.load("ha1"), scene.load("ha2")] == [5, 5]
    scene.loads_hold()
    assigned = scene.rows("SELECT ticket_id, COUNT(*) FROM stint GROUP BY ticket_id")
    assert len(assigned) == 10
    assert {count for _, count in assigned} == {1}
    # First in, first out.
    assert {row[0] for row in scene.rows("SELECT id FROM ticket WHERE queued_at IS NOT NULL")} == {"t10", "t11", "t12"}


def test_a_timer_is_taken_by_one_of_them(scene, workers):
    scene.create()
    scene.online("ha1")
    taken = []
    (seen,) = [timer for timer in people.due_timers(scene.store, scene.clock(), 10) if timer[0] == "desk:hotel-chat"]
    scene.store.close()

    def take(number):
        if scene.store.transact(lambda: people.take_timer(scene.store, *seen)):
            taken.append(number)

    _together(3, take)
    assert len(taken) == 1


def test_a_delivery_is_claimed_by_one_of_them(scene):
    for number in range(10):
        scene.create(f"t{number}")
    ((pending,),) = scene.rows("SELECT COUNT(*) FROM delivery WHERE state = 'pending'")
    assert pending == 10
    claimed = []

    def claim(number):
        while found := scene.store.transact(
            lambda: outbox.claim_deliveries(scene.store, scene.clock(), lease_s=60, limit=2)
        ):
            claimed.extend(delivery.id for delivery in found)

    _together(3, claim)
    assert set(Counter(claimed).values()) == {1}
    assert len(claimed) == 10


@pytest.mark.req("R4.20")
def test_events_workers_and_queues_at_once_pass_no_maximum_and_every_counter_holds(scene, workers):
    scene.online("ha1", "ha2")

    def work(number):
        for step in range(8):
            name = f"t{number}-{step}"
            scene.service.handle(scene.incoming("ticket.created", name, id=f"c-{name}", group="hotel"))
            if step % 2:
                previous = f"t{number}-{step - 1}"
                scene.service.handle(scene.incoming("ticket.closed", previous, id=f"d-{name}"))
            with scene.store.connection():
                workers[number].run_timers()
            over = scene.rows(
                "SELECT id, open_count FROM member WHERE slot_limit IS NOT NULL AND open_count > slot_limit"
            )
            assert over == []

    _together(3, work)
    scene.loads_hold()
    scene.clock.advance(1)
    scene.run_timers()
    scene.loads_hold()
    assert scene.load("ha1") + scene.load("ha2") == 10


def test_the_same_event_sent_by_several_at_once_is_done_once(scene):
    incoming = scene.incoming("ticket.created", "t1", group="hotel", body="segera")
    answers = []
    _together(4, lambda _: answers.append(scene.service.handle(incoming)))
    assert sorted(answer["duplicate"] for answer in answers) == [False, True, True, True]
    assert len({answer["decision_id"] for answer in answers}) == 1
    assert scene.log() == ["ticket.created"]


def test_different_events_of_one_ticket_at_once_are_all_done_one_after_the_other(scene):
    scene.create()
    _together(
        4,
        lambda number: [
            scene.service.handle(
                scene.incoming("ticket.updated", id=f"u{number}-{step}", add_tags=[f"g{number}-{step}"])
            )
            for step in range(4)
        ],
    )
    assert scene.ticket().tags == {f"g{number}-{step}" for number in range(4) for step in range(4)}
    assert scene.log().count("ticket.updated") == 16
