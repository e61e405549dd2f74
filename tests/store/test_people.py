"""Presence, queues and timers."""

import datetime as dt

import pytest

from rules_service.store import freed_slot, gather, people, queue_waits, read_loads, write_change
from rules_service.store.presence import set_presence
from rules_service.tickets import Person
from tests.scene import NINE
from tests.store.rows import change, member, ticket


def _after(seconds):
    return NINE + dt.timedelta(seconds=seconds)


def _queued(store, name, *, tier=-1, order=(("created", True),), **fields):
    store.transact(lambda: write_change(store, change(ticket(name, **fields), tier=tier, order=order)))


def _queue(store):
    found = []
    with store.connection():
        while (name := people.next_queued(store, "hotel-chat")) is not None:
            found.append(name)
            store.sql("UPDATE ticket SET queued_at = NULL WHERE id = ?", name)
    return found


def _timers(store, now=NINE + dt.timedelta(days=1)):
    with store.connection():
        return people.due_timers(store, now, 100)


@pytest.mark.parametrize("presence", ["online", "offline", "away"])
def test_presence_is_set_for_a_user_of_the_roster(store, presence):
    member(store, "a")
    changed = store.transact(lambda: set_presence(store, "a", presence, NINE))
    assert changed is (presence != "online"), "who is online already comes online no second time"
    with store.connection():
        assert people.read_user(store, "a")["presence"] == presence


def test_presence_of_an_unknown_or_inactive_user_is_not_set(store):
    member(store, "gone", active=False)
    for user_id in ("gone", "nobody"):
        assert store.transact(lambda u=user_id: set_presence(store, u, "online", NINE)) is None


def test_users_are_listed_by_id_from_a_place_on_the_inactive_left_out(store):
    for user_id in ("c", "a", "b"):
        member(store, user_id)
    member(store, "d", active=False)
    with store.connection():
        assert [user["id"] for user in people.list_users(store, after="a", limit=9)] == ["b", "c"]
        assert [user["id"] for user in people.list_users(store, after="", limit=2)] == ["a", "b"]
        assert people.read_user(store, "nobody") is None


def test_loads_are_read_of_the_users_that_are_asked_for_and_known(store):
    member(store, "a", open_count=2)
    member(store, "b", presence="offline")
    described = {name: Person(id=name, name=name, role="agent") for name in ("a", "b", "c")}
    with store.connection():
        found = read_loads(store, ["a", "b", "c", "nobody"], described)
        assert read_loads(store, [], described) == {}
    assert {name: (p.online, p.open_count, p.slot_limit) for name, p in found.items()} == {
        "a": (True, 2, 5),
        "b": (False, 0, 5),
    }


@pytest.mark.req("R3.20", "R3.21", "R3.24", "R3.25")
@pytest.mark.parametrize(
    ("order", "expected"),
    [
        ((("created", True),), ["old", "vip", "urgent", "new"]),
        ((("created", False),), ["new", "urgent", "vip", "old"]),
        ((("tier", False), ("priority", False), ("created", True)), ["vip", "urgent", "old", "new"]),
        ((("priority", False), ("created", True)), ["urgent", "old", "vip", "new"]),
        ((("waiting", True), ("created", True)), None),
    ],
)
def test_a_queue_stands_in_the_order_that_its_desk_declares(store, order, expected):
    waiting = {"old": 9, "vip": 1, "urgent": 5, "new": 3}
    for number, (name, tier, priority) in enumerate(
        [("old", -1, "medium"), ("vip", 2, "medium"), ("urgent", -1, "urgent"), ("new", -1, "medium")]
    ):
        _queued(
            store, name, tier=tier, order=order, priority=priority, created_at=_after(number), queued_at=_after(number),
            waiting_since_at=_after(waiting[name]),
        )  # fmt: skip
    _queued(store, "elsewhere", desk="train-chat")
    _queued(store, "held", queued_at=None)
    assert _queue(store) == (expected or sorted(waiting, key=waiting.__getitem__))


def test_a_timer_is_one_of_a_kind_and_only_ever_moves_closer(store):
    for seconds in (50, 20, 90):
        store.transact(lambda s=seconds: queue_waits(store, "hotel-chat", _after(s)))
    assert _timers(store) == [("desk:hotel-chat", "drain", _after(20))]
    assert _timers(store, _after(19)) == []


def test_a_timer_is_taken_once_and_only_as_it_was_seen(store):
    store.transact(lambda: queue_waits(store, "hotel-chat", _after(20)))
    (seen,) = _timers(store)
    store.transact(lambda: queue_waits(store, "hotel-chat", _after(10)))
    assert store.transact(lambda: people.take_timer(store, *seen)) is False
    (seen,) = _timers(store)
    assert store.transact(lambda: people.take_timer(store, *seen)) is True
    assert store.transact(lambda: people.take_timer(store, *seen)) is False
    with store.connection():
        assert people.next_timer(store) is None


def test_timers_come_with_the_oldest_first(store):
    for desk, seconds in (("b", 20), ("a", 30), ("c", 10)):
        store.transact(lambda d=desk, s=seconds: queue_waits(store, d, _after(s)))
    assert [subject for subject, _, _ in _timers(store)] == ["desk:c", "desk:b", "desk:a"]
    with store.connection():
        assert people.next_timer(store) == _after(10)


@pytest.mark.req("R4.22")
def test_a_freed_slot_marks_those_desks_of_the_user_where_somebody_waits(store):
    member(store, "a", desks=("hotel-chat", "train-chat", "empty"))
    _queued(store, "t1")
    _queued(store, "t2", desk="train-chat")
    _queued(store, "t3", desk="flight-chat")
    store.transact(lambda: freed_slot(store, "a", NINE))
    assert sorted(subject for subject, _, _ in _timers(store)) == ["desk:hotel-chat", "desk:train-chat"]


def test_what_only_the_database_knows_of_desk_and_customer(store):
    member(store, "a", open_count=2)
    member(store, "b", presence="offline")
    member(store, "full", open_count=7)
    member(store, "c", desks=("train-chat",))
    _queued(store, "t1", customer_id="c1", queued_at=_after(5))
    _queued(store, "t2", customer_id="c1", queued_at=_after(30))
    _queued(store, "t3", customer_id="c1", queued_at=None, closed_at=NINE)
    needs = frozenset(
        {"desk.queue_length", "desk.oldest_waiting", "desk.online", "desk.free_slots", "customer.open_tickets"}
    )
    with store.connection():
        assert gather(store, needs, desk="hotel-chat", customer_id="c1", now=_after(65)) == {
            "desk.queue_length": 2,
            "desk.oldest_waiting": 60,
            "desk.online": 2,
            "desk.free_slots": 3,
            "customer.open_tickets": 2,
        }
        assert gather(store, needs, desk="none", customer_id=None, now=NINE) == {
            "desk.queue_length": 0,
            "desk.online": 0,
            "desk.free_slots": 0,
        }
        assert gather(store, frozenset(), desk="hotel-chat", customer_id="c1", now=NINE) == {}


def test_users_are_narrowed_by_group_role_presence_skill_and_desk(store):
    member(store, "a", skills=("payment",))
    member(store, "b", presence="away", desks=("train-chat",))
    member(store, "c", team="train", desks=("train-chat", "hotel-chat"))

    def ids(**wanted):
        return [user["id"] for user in people.list_users(store, after="", limit=9, **wanted)]

    with store.connection():
        assert ids(group="hotel") == ["a", "b"]
        assert ids(role="supervisor") == []
        assert ids(presence="away") == ["b"]
        assert ids(skill="payment") == ["a"]
        assert ids(desk="train-chat") == ["b", "c"]
        assert ids(desk="train-chat", group="train") == ["c"]
        assert people.read_user(store, "c")["serves"] == ["hotel-chat", "train-chat"]
        assert people.groups(store) == {"hotel": (2, 1), "train": (1, 1)}


def test_the_attribute_of_a_customers_open_tickets_counts_none_that_was_deleted(store):
    for name, live in (("there", True), ("gone", False)):
        _queued(store, name, customer_id="c1", queued_at=None, live=live)
    with store.connection():
        found = gather(store, frozenset({"customer.open_tickets"}), desk="hotel-chat", customer_id="c1", now=NINE)
    assert found == {"customer.open_tickets": 1}
