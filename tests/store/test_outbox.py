"""Deliveries: in order, leased, settled once."""

import datetime as dt
import threading
from collections import Counter

import pytest

from rules_service.store import outbox
from tests.scene import NINE
from tests.store.rows import delivery


def _claim(store, now=NINE, *, limit=10, lease_s=60, without=()):
    return store.transact(lambda: outbox.claim_deliveries(store, now, lease_s=lease_s, limit=limit, without=without))


def _ids(claimed):
    return [found.id for found in claimed]


def _after(seconds):
    return NINE + dt.timedelta(seconds=seconds)


def _state(store, delivery_id):
    with store.connection():
        (found,) = [row for row in outbox.deliveries(store, state=None, after=0, limit=100) if row["id"] == delivery_id]
    return found


def test_a_claim_brings_the_action_along(store):
    delivery_id = delivery(store, "t1", text="Salam é")
    (claimed,) = _claim(store)
    assert (claimed.id, claimed.endpoint, claimed.ticket_id, claimed.attempts) == (delivery_id, "helpdesk", "t1", 1)
    assert (claimed.action_id, claimed.action_type, claimed.cause) == ("act_1", "reply", "rule:x")
    assert (claimed.data, claimed.event_id, claimed.created_at) == ({"text": "Salam é"}, "e1", NINE)
    assert claimed.lease_until == _after(60)


def test_of_each_ticket_and_endpoint_only_the_first_pending_one_is_claimed(store):
    first = delivery(store, "t1")
    delivery(store, "t1")
    other_ticket = delivery(store, "t2")
    other_endpoint = delivery(store, "t1", endpoint="chat")
    claimed = _claim(store)
    assert sorted(_ids(claimed)) == [first, other_ticket, other_endpoint]
    assert _claim(store) == []


def test_the_next_one_follows_when_the_first_is_delivered_or_dead_and_not_before(store):
    first, second, third = (delivery(store, "t1") for _ in range(3))
    (claimed,) = _claim(store)
    store.transact(lambda: outbox.settle_later(store, claimed, _after(30), "503"))
    assert _claim(store, _after(29)) == []
    (again,) = _claim(store, _after(30))
    assert (again.id, again.attempts) == (first, 2)
    store.transact(lambda: outbox.settle_delivered(store, again, _after(31)))
    (next_,) = _claim(store, _after(31))
    assert next_.id == second
    store.transact(lambda: outbox.settle_dead(store, next_, "410"))
    assert _ids(_claim(store, _after(32))) == [third]


def test_what_is_not_due_yet_is_not_claimed(store):
    delivery(store, "t1", at=_after(10))
    assert _claim(store, _after(9.999999)) == []
    assert len(_claim(store, _after(10))) == 1


def test_the_oldest_come_first_up_to_the_limit_without_the_endpoints_that_are_busy(store):
    late = delivery(store, "t1", at=_after(3))
    early = delivery(store, "t2", at=_after(1))
    delivery(store, "t3", endpoint="busy")
    assert _ids(_claim(store, _after(5), limit=1, without=("busy",))) == [early]
    assert _ids(_claim(store, _after(5), without=("busy",))) == [late]


def test_a_lease_that_ended_is_claimed_again(store):
    delivery_id = delivery(store)
    _claim(store, lease_s=60)
    assert _claim(store, _after(59.999999)) == []
    (again,) = _claim(store, _after(60))
    assert (again.id, again.attempts) == (delivery_id, 2)


@pytest.mark.parametrize("settle", ["delivered", "later", "dead"])
def test_a_worker_that_lost_its_lease_settles_nothing(store, settle):
    delivery_id = delivery(store)
    (slow,) = _claim(store)
    (current,) = _claim(store, _after(60))
    before = _state(store, delivery_id)
    done = {
        "delivered": lambda: outbox.settle_delivered(store, slow, _after(61)),
        "later": lambda: outbox.settle_later(store, slow, _after(99), "late"),
        "dead": lambda: outbox.settle_dead(store, slow, "late"),
    }[settle]
    assert store.transact(done) is False
    assert _state(store, delivery_id) == before
    assert store.transact(lambda: outbox.settle_delivered(store, current, _after(62))) is True
    assert store.transact(lambda: outbox.settle_delivered(store, current, _after(63))) is False


def test_a_dead_delivery_is_kept_with_its_reason_and_revived_once(store):
    delivery_id = delivery(store)
    (claimed,) = _claim(store)
    store.transact(lambda: outbox.settle_dead(store, claimed, "x" * 600))
    dead = _state(store, delivery_id)
    assert (dead["state"], dead["next_attempt_at"], dead["last_error"]) == ("dead", None, "x" * 500)
    assert _claim(store, _after(10_000)) == []
    assert store.transact(lambda: outbox.revive(store, delivery_id, _after(100))) is True
    assert store.transact(lambda: outbox.revive(store, delivery_id, _after(100))) is False
    (again,) = _claim(store, _after(100))
    assert (again.id, again.attempts) == (delivery_id, 1)


def test_only_the_dead_are_revived(store):
    delivery_id = delivery(store)
    assert store.transact(lambda: outbox.revive(store, delivery_id, NINE)) is False
    assert store.transact(lambda: outbox.revive(store, 999, NINE)) is False


def test_a_delivered_one_has_no_error_any_more(store):
    delivery_id = delivery(store)
    (claimed,) = _claim(store)
    store.transact(lambda: outbox.settle_later(store, claimed, NINE, "503"))
    (claimed,) = _claim(store)
    store.transact(lambda: outbox.settle_delivered(store, claimed, _after(1)))
    found = _state(store, delivery_id)
    assert (found["state"], found["last_error"], found["attempts"]) == ("delivered", None, 2)
    assert found["delivered_at"] == "2026-03-02T02:00:01Z"


def test_the_feed_goes_on_after_a_place_and_deliveries_can_be_listed_by_state(store):
    for number in range(3):
        delivery(store, f"t{number}")
    (claimed, *_) = _claim(store, limit=1)
    store.transact(lambda: outbox.settle_delivered(store, claimed, NINE))
    with store.connection():
        assert [found["id"] for found in outbox.feed(store, after=1, limit=1)] == ["act_2"]
        assert [found["id"] for found in outbox.feed(store, after=0, limit=9)] == ["act_1", "act_2", "act_3"]
        assert [found["id"] for found in outbox.deliveries(store, state="pending", after=0, limit=9)] == [2, 3]
        assert [found["id"] for found in outbox.deliveries(store, state=None, after=2, limit=9)] == [3]


def test_several_workers_at_once_claim_everything_once_and_in_order(store):
    for number in range(30):
        delivery(store, f"t{number % 10}")
    seen = []
    barrier = threading.Barrier(4)

    def work():
        barrier.wait()
        idle = 0
        while idle < 3:
            claimed = _claim(store, limit=3)
            idle = 0 if claimed else idle + 1
            for found in claimed:
                seen.append((found.ticket_id, found.id))
                store.transact(lambda f=found: outbox.settle_delivered(store, f, NINE))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(Counter(found for _, found in seen).values()) == {1}
    by_ticket = {ticket: [found for name, found in seen if name == ticket] for ticket, _ in seen}
    assert all(found == sorted(found) for found in by_ticket.values())
    # A worker that met nothing for a moment may have stopped early; whatever is left is claimed by the next look.
    while claimed := _claim(store):
        for found in claimed:
            seen.append((found.ticket_id, found.id))
            store.transact(lambda f=found: outbox.settle_delivered(store, f, NINE))
    assert sorted(found for _, found in seen) == list(range(1, 31))
