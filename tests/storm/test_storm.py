"""4 processes x 8 threads on 200 agents and 5 desks: no maximum is passed, and no ticket is lost between two owners."""

import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

from rules_service.clock import utc_now
from rules_service.decide import load_ruleset
from rules_service.service.publish import publish
from rules_service.service.user_rows import Row
from rules_service.service.users import import_users
from rules_service.settings import read_settings
from rules_service.store import Store
from rules_service.worker import Worker
from tests.simulate.examples import BASE
from tests.storm.throwing import AGENTS_OF_A_DESK, DESKS, LEAST, OVERRIDDEN, RULES, agent

PROCESSES = 4

FILES = {"lifecycle.yaml": BASE["lifecycle.yaml"], **{name: text.encode() for name, text in RULES.items()}}

#: Notes every slot that is taken, in the transaction that takes it.
AUDIT_SQLITE = """
CREATE TABLE audit (user_id TEXT, open_count INTEGER, slot_limit INTEGER)
--
CREATE TRIGGER audit_slots AFTER UPDATE OF open_count ON member WHEN NEW.open_count > OLD.open_count
BEGIN INSERT INTO audit VALUES (NEW.id, NEW.open_count, NEW.slot_limit); END
"""
AUDIT_POSTGRES = """
CREATE TABLE audit (user_id TEXT, open_count INTEGER, slot_limit INTEGER)
--
CREATE FUNCTION note_slot() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN INSERT INTO audit VALUES (NEW.id, NEW.open_count, NEW.slot_limit); RETURN NULL; END $$
--
CREATE TRIGGER audit_slots AFTER UPDATE OF open_count ON member FOR EACH ROW
WHEN (NEW.open_count > OLD.open_count) EXECUTE FUNCTION note_slot()
"""


def prepared(url):
    """A store with the ruleset, 200 agents of whom half are online, and the audit."""
    store = Store(url)
    store.upgrade()
    publish(store, FILES, utc_now(), by="test")
    ruleset, _ = load_ruleset(FILES)
    chance = random.Random(1)
    rows = []
    for number in range(DESKS * AGENTS_OF_A_DESK):
        person = agent(number, chance)
        fields = {"id": person.user.id, "group": person.user.group, "max_assignment": person.user.max_assignment}
        rows.append(Row(number=number + 1, fields={**fields, **({"desks": person.desks} if person.desks else {})}))
    import_users(store, lambda: ruleset, rows, utc_now())
    with store.connection():
        store.sql("UPDATE member SET presence = 'online' WHERE id IN (SELECT id FROM member WHERE LENGTH(id) = 3)")
        for statement in (AUDIT_POSTGRES if store.is_postgres else AUDIT_SQLITE).split("--"):
            store.sql(statement)
    return store


def storm(databases, seconds):
    url = databases.new()
    store = prepared(url)
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    worker = subprocess.Popen(
        [sys.executable, "-m", "rules_service.cli", "worker"],
        env={**environment, "RULES_SERVICE_DATABASE": url, "RULES_SERVICE_LOG": "error"},
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    throwers = [
        subprocess.Popen(
            [sys.executable, "-m", "tests.storm.throwing", url, str(number), str(seconds)],
            env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        for number in range(PROCESSES)
    ]  # fmt: skip
    outputs = [thrower.communicate(timeout=seconds + 120) for thrower in throwers]
    worker.terminate()
    said, _ = worker.communicate(timeout=60)
    assert [(thrower.returncode, output[1]) for thrower, output in zip(throwers, outputs, strict=True)] == [
        (0, "")
    ] * PROCESSES
    assert said == ""
    done = sum(sum(map(int, output[0].split())) for output in outputs)
    assert done >= PROCESSES * LEAST
    with store.connection():
        taken = store.rows("SELECT COUNT(*) FROM audit")[0][0]
        assert taken > done / 10
    return store


def nothing_is_wrong(store):
    with store.connection():
        over = store.rows("SELECT user_id, open_count, slot_limit FROM audit WHERE open_count > slot_limit")
        assert [row for row in over if int(row[0][1:]) % OVERRIDDEN] == []
        agents = {row[0] for row in store.rows("SELECT agent_id FROM stint WHERE over_maximum")}
        assert {row[0] for row in over} <= agents
        holders = {}
        for ticket_id, agent_id in store.rows("SELECT ticket_id, agent_id FROM stint WHERE ended_at IS NULL"):
            assert ticket_id not in holders
            holders[ticket_id] = agent_id
        held = {}
        for ticket_id, assignee, queued_at, closed_at in store.rows(
            "SELECT id, assignee, queued_at, closed_at FROM ticket"
        ):
            holder = holders.pop(ticket_id, None)
            if closed_at is not None:
                assert (queued_at, holder) == (None, None), ticket_id
                continue
            # Held by one, or in the one queue of its desk.
            assert (queued_at is None) == (holder is not None), ticket_id
            assert assignee == holder, ticket_id
            if holder is not None:
                held[holder] = held.get(holder, 0) + 1
        assert holders == {}
        counted = dict(store.rows("SELECT id, open_count FROM member WHERE open_count > 0"))
        assert counted == held


def nobody_waits_where_a_slot_is_free(store):
    """Once the storm is over and the queues were looked at, whoever still waits waits for a slot."""
    worker = Worker(read_settings({"RULES_SERVICE_DATABASE": store.url}), store=store)
    worker.live.follow()
    with store.connection():
        store.sql("UPDATE timer SET due_at = 0")
        while worker.run_timers():
            pass
        waiting = [row[0] for row in store.rows("SELECT DISTINCT desk FROM ticket WHERE queued_at IS NOT NULL")]
        for desk in waiting:
            free = store.rows(
                "SELECT m.id FROM member m JOIN membership s ON s.user_id = m.id WHERE s.desk = ? AND m.active"
                " AND m.presence = 'online' AND (m.slot_limit IS NULL OR m.open_count < m.slot_limit)",
                desk,
            )
            assert free == [], desk
    worker.relay.stop()


@pytest.mark.req("R4.20", "R4.22", "R5.2", "R5.16")
def test_a_storm_of_seconds_passes_no_maximum_and_loses_no_ticket(databases):
    store = storm(databases, 5)
    nothing_is_wrong(store)
    nobody_waits_where_a_slot_is_free(store)
    nothing_is_wrong(store)
    store.close()


@pytest.mark.slow
def test_a_storm_of_a_minute_passes_no_maximum_and_loses_no_ticket(databases):
    store = storm(databases, 60)
    nothing_is_wrong(store)
    nobody_waits_where_a_slot_is_free(store)
    nothing_is_wrong(store)
    store.close()
