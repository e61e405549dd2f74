"""The world of stories chooses as the store does."""

import datetime as dt

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rules_service.decide.slots import slot_changes
from rules_service.simulate import MemoryWorld
from rules_service.store import Store, claim_slot, people, write_change
from rules_service.store.presence import set_presence
from rules_service.store.roster import sync
from rules_service.teams import Wanted
from rules_service.tickets import PRIORITIES, Snapshot, Stint
from tests.scene import NINE, ruleset_of
from tests.simulate.examples import BASE
from tests.store.rows import change, ticket

GROUPS = ("north", "south")
SKILLS = ("a", "b")
CHANNELS = ("chat", "telephony")

users = st.lists(
    st.fixed_dictionaries(
        {"group": st.sampled_from(GROUPS), "level": st.integers(0, 3)},
        optional={
            "skills": st.lists(st.sampled_from(SKILLS), unique=True),
            "max_assignment": st.integers(0, 3),
        },
    ),
    min_size=1,
    max_size=6,
)
desks = st.lists(
    st.fixed_dictionaries(
        {
            "channels": st.lists(st.sampled_from(CHANNELS), max_size=1),
            "members": st.sets(st.integers(0, 5)),
            "max_assignment": st.integers(1, 3),
        }
    ),
    min_size=1,
    max_size=3,
)
one = st.integers(0, 5)
steps = st.lists(
    st.one_of(
        st.tuples(st.just("online"), one),
        st.tuples(st.just("offline"), one),
        st.tuples(st.just("load"), one, st.integers(0, 4)),
        st.tuples(
            st.just("claim"),
            st.fixed_dictionaries(
                {},
                optional={
                    "user": one,
                    "desk": st.integers(0, 2),
                    "group": st.sampled_from(GROUPS),
                    "skill": st.sampled_from(SKILLS),
                    "level": st.integers(0, 3),
                    "without": st.sets(one, max_size=2),
                    "strategy": st.sampled_from(["least_loaded", "round_robin"]),
                },
            ),
        ),
    ),
    max_size=25,
)


def roster(users, desks):
    names = [f"u{number}" for number in range(len(users))]
    text = "version: 1\ndefault_desk: d0\ngroups: {north: {}, south: {}}\nusers:\n"
    text += "".join(f"  {name}: {user}\n" for name, user in zip(names, users, strict=True))
    text += "desks:\n"
    for number, desk in enumerate(desks):
        members = [name for index, name in enumerate(names) if index in desk["members"]]
        text += f"  d{number}: {desk | {'group': 'north', 'supervisor': 'u0', 'members': members}}\n"
    return ruleset_of({"lifecycle.yaml": BASE["lifecycle.yaml"], "teams.yaml": text})


@settings(max_examples=40)
@given(users=users, desks=desks, steps=steps)
def test_it_claims_whom_the_store_claims(sqlite, users, desks, steps):
    ruleset = roster(users, desks)
    world = MemoryWorld(ruleset, NINE)
    store = Store(sqlite.emptied())
    try:
        store.transact(lambda: sync(store, ruleset.roster, NINE))
        for step in steps:
            world.now += dt.timedelta(seconds=1)
            assert _taken(store, world, step, len(users), len(desks)) is True
    finally:
        store.close()


def _taken(store, world, step, users_count, desks_count):
    match step:
        case ("online" | "offline") as presence, number:
            user_id = f"u{number % users_count}"
            world.set_online(user_id, online=presence == "online")
            store.transact(lambda: set_presence(store, user_id, presence, world.now))
        case "load", number, count:
            user_id = f"u{number % users_count}"
            world.set_load(user_id, count)
            store.transact(lambda: store.sql("UPDATE member SET open_count = ? WHERE id = ?", count, user_id))
        case "claim", wished:
            named = dict(wished)
            if "user" in named:
                named["user"] = f"u{named['user'] % users_count}"
            if "desk" in named:
                named["desk"] = f"d{named['desk'] % desks_count}"
            wanted = Wanted(**named | {"without": frozenset(f"u{n}" for n in named.get("without", ()))})
            chosen = world.claim(wanted)
            stored = store.transact(lambda: claim_slot(store, wanted, world.now))
            assert (chosen.id if chosen else None) == stored
            world.claimed.clear()
    return True


tickets = st.lists(
    st.tuples(
        st.sampled_from([None, "standard", "gold", "vip"]),
        st.sampled_from(PRIORITIES),
        st.integers(0, 3),
        st.integers(0, 3),
        st.none() | st.integers(0, 3),
    ),
    max_size=6,
)
keys = st.lists(
    st.tuples(st.sampled_from(["tier", "priority", "created", "waiting"]), st.sampled_from(["asc", "desc"])),
    min_size=1,
    max_size=3,
    unique_by=lambda key: key[0],
)


@settings(max_examples=40)
@given(tickets=tickets, keys=keys)
def test_its_queues_have_the_order_of_the_store(sqlite, tickets, keys):
    order = ", ".join(f"{{{key}: {direction}}}" for key, direction in keys)
    text = BASE["teams.yaml"].decode().replace("supervisor: sam,", f"supervisor: sam, queue: [{order}],", 1)
    ruleset = ruleset_of({**BASE, "teams.yaml": text})
    world = MemoryWorld(ruleset, NINE)
    store = Store(sqlite.emptied())
    try:
        order = ruleset.roster.desks["service"].queue
        for number, (tier, priority, created, queued, waiting) in enumerate(tickets):
            found = ticket(
                f"t{number}",
                desk="service",
                customer_tier=tier,
                priority=priority,
                created_at=_after(created),
                queued_at=_after(queued),
                waiting_since_at=None if waiting is None else _after(waiting),
            )
            world.tickets[found.id] = Snapshot(ticket=found)
            index = ruleset.tiers.index(tier) if tier else -1
            store.transact(lambda found=found, index=index: write_change(store, change(found, tier=index, order=order)))
        queue = world.queue("service")
        with store.connection():
            first = people.next_queued(store, "service")
        assert (queue[0] if queue else None) == first
    finally:
        store.close()


def _after(seconds):
    return NINE + dt.timedelta(seconds=seconds)


def test_a_claimed_slot_is_not_counted_twice():
    ruleset = ruleset_of(BASE)
    world = MemoryWorld(ruleset, NINE)
    world.set_online("ann", online=True)
    world.claim(Wanted(user="ann"))
    held = ticket("t1", desk="service", status="assigned", assignee="ann", queued_at=None)
    after = Snapshot(ticket=held, stint=Stint(number=1, agent_id="ann", desk="service", assigned_at=NINE))
    assert slot_changes(ruleset, Snapshot(), after, ["ann"]) == {}
    assert world.settle("t1", after) == []
    assert world.loads()["ann"] == 1


@pytest.mark.parametrize("count", [0, 1, 3])
def test_who_holds_as_many_as_allowed_gets_no_more(count):
    world = MemoryWorld(ruleset_of(BASE), NINE)
    world.set_online("ann", online=True)
    world.set_load("ann", count)
    assert (world.claim(Wanted(user="ann")) is None) == (count == 3)
