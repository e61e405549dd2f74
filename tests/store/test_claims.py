"""Slots: who is chosen, and that no maximum is ever passed."""

import datetime as dt
import threading
from collections import Counter

import pytest

from rules_service.store import claim_slot
from rules_service.store.people import read_user
from rules_service.teams import Wanted
from tests.scene import NINE
from tests.store.rows import member


def _claim(store, now=NINE, **wanted):
    return store.transact(lambda: claim_slot(store, Wanted(**wanted), now))


def _ago(minutes):
    return NINE - dt.timedelta(minutes=minutes)


@pytest.mark.req("R3.10", "R4.20")
def test_least_loaded_takes_who_has_the_fewest_then_who_waited_longest_then_by_id(store):
    member(store, "busy", open_count=2)
    member(store, "recent", open_count=1, last_assigned_at=_ago(1))
    member(store, "rested", open_count=1, last_assigned_at=_ago(9))
    member(store, "b-idle", last_assigned_at=_ago(1))
    member(store, "c-new")
    member(store, "a-new")
    chosen = [_claim(store, NINE + dt.timedelta(seconds=second), desk="hotel-chat") for second in range(6)]
    assert chosen == ["a-new", "c-new", "b-idle", "rested", "recent", "a-new"]


def test_round_robin_takes_who_waited_longest_whatever_they_hold(store):
    member(store, "first", open_count=3, last_assigned_at=_ago(9))
    member(store, "second", last_assigned_at=_ago(5))
    member(store, "never", open_count=4)
    chosen = [
        _claim(store, NINE + dt.timedelta(seconds=second), desk="hotel-chat", strategy="round_robin")
        for second in range(4)
    ]
    assert chosen == ["never", "first", "second", "first"]


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ({"user": "b"}, "b"),
        ({"skill": "core-system"}, "c"),
        ({"skill": "nothing"}, None),
        ({"group": "train"}, "d"),
        ({"level": 1}, "b"),
        ({"level": 2}, "c"),
        ({"level": 4}, None),
        ({"desk": "train-chat"}, "d"),
        ({"desk": "hotel-chat"}, "a"),
        ({"desk": "hotel-chat", "without": frozenset({"a"})}, "b"),
        ({"desk": "hotel-chat", "without": frozenset({"a", "b", "c"})}, None),
        ({"desk": "hotel-chat", "level": 1, "skill": "core-system"}, "c"),
        ({"desk": "train-chat", "skill": "core-system"}, None),
        ({}, "a"),
    ],
)
def test_every_wish_narrows_the_choice(store, wanted, expected):
    member(store, "a")
    member(store, "b", level=1)
    member(store, "c", level=2, skills=("core-system",))
    member(store, "d", desks=("train-chat",), team="train", open_count=1)
    assert _claim(store, **wanted) == expected


@pytest.mark.req("R3.9", "R5.16")
@pytest.mark.parametrize(
    "state",
    [
        {"presence": "offline"},
        {"presence": "away"},
        {"active": False},
        {"open_count": 5},
        {"open_count": 7},
        {"slot_limit": 0},
    ],
)
def test_who_is_not_there_or_has_no_free_slot_is_never_chosen(store, state):
    member(store, "a", **state)
    assert _claim(store, desk="hotel-chat") is None
    assert _claim(store, user="a") is None


def test_a_user_without_a_maximum_always_has_a_free_slot(store):
    member(store, "a", slot_limit=None, open_count=1_000)
    assert _claim(store, desk="hotel-chat") == "a"


def test_a_claim_that_is_rolled_back_takes_nothing(store):
    member(store, "a")

    def work():
        assert claim_slot(store, Wanted(user="a"), NINE) == "a"
        raise KeyError

    with pytest.raises(KeyError):
        store.transact(work)
    with store.connection():
        assert read_user(store, "a")["open_count"] == 0


@pytest.mark.req("R4.20", "R4.21")
@pytest.mark.parametrize("strategy", ["least_loaded", "round_robin"])
def test_many_claims_at_once_fill_every_slot_and_pass_no_maximum(store, strategy):
    limits = {f"a{number}": number + 1 for number in range(4)}
    for user_id, limit in limits.items():
        member(store, user_id, slot_limit=limit)
    chosen = []
    barrier = threading.Barrier(6)

    def claim():
        barrier.wait()
        chosen.extend(_claim(store, desk="hotel-chat", strategy=strategy) for _ in range(4))

    threads = [threading.Thread(target=claim) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert Counter(user_id for user_id in chosen if user_id) == limits
    assert chosen.count(None) == 24 - sum(limits.values())
    with store.connection():
        assert dict(store.rows("SELECT id, open_count FROM member")) == limits
