"""Whatever statement of an event's transaction fails, nothing of the event stays anywhere."""

import contextlib
import datetime as dt

import pytest

from tests.databases import difference, dump
from tests.scene import NINE


class Broken(Exception):
    """What a database says when it breaks."""


@contextlib.contextmanager
def breaking(store, number, *, commit=False):
    """The database fails at the statement of this number, or at the commit; yields the statements so far."""
    seen = []
    execute, real_commit = store.database.execute_sql, store.database.commit

    def execute_sql(sql, *args, **kwargs):
        seen.append(sql)
        if len(seen) == number:
            raise Broken(sql)
        return execute(sql, *args, **kwargs)

    def broken_commit():
        if commit:
            raise Broken("commit")
        real_commit()

    store.database.execute_sql, store.database.commit = execute_sql, broken_commit
    try:
        yield seen
    finally:
        del store.database.execute_sql, store.database.commit


def _created(scene):
    scene.online("ha1")
    return lambda: scene.create("new", body="segera, sistem macet", customer={"id": "c", "tier": "vip"}, id="x")


def _transferred(scene):
    scene.given("pending")
    scene.create("waiting")
    return lambda: scene.ask("ticket.transferred", by="ha1", group="train", id="x")


def _closed(scene):
    scene.given("pending")
    scene.ask("ticket.escalated", by="ha1", summary="Help")
    return lambda: scene.send("ticket.closed", by="ha1", id="x")


def _due(scene):
    scene.given("assigned")
    scene.clock.now = NINE + dt.timedelta(hours=1)
    return lambda: scene.service.handle_due("t1")


def _reassigned(scene):
    scene.given("pending")
    scene.online("ha2")
    return lambda: scene.ask("ticket.reassigned", by="hs1", assignee="ha2", id="x")


def _drained(scene):
    scene.create()
    scene.online("ha1")
    return lambda: scene.service.distribute("t1")


def _online(scene):
    scene.create()
    return lambda: scene.online("ha1")


EVENTS = {
    "created and assigned": (_created, 8),
    "transferred": (_transferred, 8),
    "closed": (_closed, 8),
    "deadline": (_due, 8),
    "reassigned": (_reassigned, 8),
    "drained": (_drained, 6),
    "online": (_online, 4),
}


@pytest.mark.req("R3.28")
@pytest.mark.parametrize(("prepare", "least"), EVENTS.values(), ids=EVENTS)
def test_every_statement_that_fails_leaves_no_trace(scene, prepare, least):
    happen = prepare(scene)
    before = dump(scene.store)
    number = 0
    while True:
        number += 1
        try:
            with breaking(scene.store, number) as seen:
                happen()
        except Broken:
            assert difference(before, dump(scene.store)) == [], f"after statement {number}: {seen[-1]}"
            continue
        break
    # It came through once there was no statement left to fail.
    assert number > least
    assert len(seen) == number - 1
    assert difference(before, dump(scene.store)) != []
    scene.loads_hold()


@pytest.mark.parametrize(("prepare", "least"), EVENTS.values(), ids=EVENTS)
def test_a_commit_that_fails_leaves_no_trace_and_the_event_can_be_sent_again(scene, prepare, least):
    happen = prepare(scene)
    before = dump(scene.store)
    with pytest.raises(Broken), breaking(scene.store, 0, commit=True):
        happen()
    assert difference(before, dump(scene.store)) == []
    happen()
    assert difference(before, dump(scene.store)) != []
    scene.loads_hold()


def test_in_a_batch_a_failure_of_the_database_undoes_the_whole_batch(scene):
    before = dump(scene.store)
    batch = [scene.incoming("ticket.created", f"t{number}", group="hotel") for number in range(3)]
    with breaking(scene.store, 0) as seen:
        scene.service.handle_batch(batch[:1])
    once = len(seen)
    after_one = dump(scene.store)
    assert difference(before, after_one) != []
    with pytest.raises(Broken), breaking(scene.store, once + 3):
        scene.service.handle_batch(batch)
    assert difference(after_one, dump(scene.store)) == []
