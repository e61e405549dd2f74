"""What runs all day reads its index, not the table, at a hundred thousand rows."""

import datetime as dt

import peewee as pw
import pytest

from rules_service.clock import micros
from rules_service.store import Store, due_tickets, outbox, people, presence, tables
from tests.scene import NINE

MANY = 100_000


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def large(request):
    """A store of its own, with many tickets and deliveries of which few are due."""
    store = Store(request.getfixturevalue(request.param).new())
    store.upgrade()
    at = micros(NINE)
    with store.connection(), store.database.atomic():
        _fill(store, tables.Ticket, {
            "id": "'t' || n",
            "desk": "'desk' || (n - n / 5 * 5)",
            "created_at": f"{at} + n",
            "queued_at": f"CASE WHEN n / 10 * 10 = n THEN {at} + n END",
            "queue_key": f"CASE WHEN n / 10 * 10 = n THEN '' || ({at} + n) END",
            "next_due_at": f"{at} + CAST(n AS BIGINT) * 1000000",
            "state": "'{}'",
        })  # fmt: skip
        _fill(store, tables.Delivery, {
            "id": "n + 1",
            "action_seq": "1",
            "ticket_id": "'t' || n",
            "endpoint": "'helpdesk'",
            "state": "CASE WHEN n / 10 * 10 = n THEN 'pending' ELSE 'delivered' END",
            "next_attempt_at": f"{at} + n",
        })  # fmt: skip
        store.sql(
            "INSERT INTO action (seq, id, ticket_id, event_id, type, cause, data, created_at)"
            " VALUES (1, 'act_1', 't', 'e', 'reply', 'rule:x', '{}', 0)"
        )
        if store.is_postgres:
            # Autovacuum does this by itself, some time later.
            store.sql("ANALYZE")
    yield store
    store.close()


def _fill(store, table, values):
    """Rows of these expressions of their number `n`, and something in every other column that needs something."""
    fields = table._meta.sorted_fields
    needed = {field.column_name: "''" if isinstance(field, pw.TextField) else "0" for field in fields if not field.null}
    needed |= {name: "FALSE" for name in needed if isinstance(table._meta.columns[name], pw.BooleanField)}
    needed |= values
    numbers = f"WITH RECURSIVE s(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM s WHERE n < {MANY - 1})"
    name = table._meta.table_name
    store.sql(f"{numbers} INSERT INTO {name} ({', '.join(needed)}) SELECT {', '.join(needed.values())} FROM s")


def plan_of(store, work):
    """How the database answers the first statement that `work` runs."""
    statements = []
    real = store.sql

    def recording(text, *parameters):
        statements.append((text, parameters))
        return real(text, *parameters)

    store.sql = recording
    try:
        with store.connection(), store.database.atomic() as transaction:
            work()
            transaction.rollback()
    finally:
        store.sql = real
    text, parameters = statements[0]
    with store.connection():
        if store.is_postgres:
            return "\n".join(row[0] for row in store.rows(f"EXPLAIN {text}", *parameters))
        return "\n".join(row[3] for row in store.rows(f"EXPLAIN QUERY PLAN {text}", *parameters))


def _scans(plan, table):
    return [
        line
        for line in plan.splitlines()
        if f"Seq Scan on {table}" in line or (f"SCAN {table}" in line and "INDEX" not in line)
    ]


def test_due_tickets_read_the_index_of_deadlines(large):
    plan = plan_of(large, lambda: due_tickets(large, NINE + dt.timedelta(seconds=50), 100))
    assert "ticket_due" in plan
    assert not _scans(plan, "ticket")
    assert "SORT" not in plan.upper().replace("TICKET_DUE", "")


def test_the_queue_of_a_desk_reads_the_index_of_queues(large):
    plan = plan_of(large, lambda: people.next_queued(large, "desk0"))
    assert "ticket_queue" in plan
    assert "SORT" not in plan.upper()
    assert "TEMP B-TREE" not in plan.upper()
    assert not _scans(plan, "ticket")


def test_the_tickets_of_who_is_gone_are_found_by_an_index_of_open_tickets(large):
    plan = plan_of(large, lambda: presence.left_tickets(large, NINE, 100))
    assert any(name in plan for name in ("ticket_held", "ticket_open", "ticket_judged")), (
        "all of them hold open tickets"
    )
    assert not _scans(plan, "ticket")


def test_claiming_deliveries_reads_the_indexes_of_what_is_pending(large):
    plan = plan_of(
        large, lambda: outbox.claim_deliveries(large, NINE + dt.timedelta(microseconds=50), lease_s=60, limit=6)
    )
    assert "delivery_due" in plan
    assert "delivery_order" in plan
    assert not _scans(plan, "delivery")
    assert not _scans(plan, "d")
    assert not _scans(plan, "e")
