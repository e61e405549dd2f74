"""Folders and counts read their index and not the table, at thirty thousand tickets."""

import contextlib

import pytest

from rules_service.clock import micros
from rules_service.store import Store, folders
from tests.scene import NINE
from tests.store.test_plans import plan_of

MANY = 30_000


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def large(request):
    """A store of its own with many tickets, one in ten of them open."""
    store = Store(request.getfixturevalue(request.param).new())
    store.upgrade()
    numbers = (
        f"SELECT n FROM generate_series(0, {MANY - 1}) AS s(n)"
        if store.is_postgres
        else f"WITH RECURSIVE s(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM s WHERE n < {MANY - 1}) SELECT n FROM s"
    )
    text = "CAST({} AS TEXT)"
    values = (
        f"'t' || {text.format('n')}, 1, CASE WHEN n % 10 = 0 THEN 'open' ELSE 'closed' END, n % 4, n % 3 - 1,"
        f" 'channel' || {text.format('n % 5')}, 'group' || {text.format('n % 20')}, 'desk' || {text.format('n % 40')},"
        f" CASE WHEN n % 10 = 0 AND n % 3 = 0 THEN NULL ELSE 'user' || {text.format('n % 500')} END,"
        f" {micros(NINE)} + n, CASE WHEN n % 10 = 0 THEN NULL ELSE {micros(NINE)} + n END, n % 7 = 0, n % 11 = 0, '',"
        " '{}'"
    )
    columns = (
        "id, version, status, priority, tier, channel, team, desk, assignee, created_at, closed_at, breached,"
        " escalated, judged_under, state"
    )
    with store.connection(), store.database.atomic():
        statement = f"INSERT INTO ticket ({columns}) SELECT {values} FROM ({numbers}) AS numbers"
        store.sql(statement.replace("%", "%%") if store.is_postgres else statement)
    with store.connection():
        if store.is_postgres:
            # Autovacuum does this by itself, some time later.
            store.sql("VACUUM ANALYZE ticket")
    yield store
    store.close()


FILTERS = [
    {},
    {"channel": "channel1"},
    {"group": "group3"},
    {"desk": "desk39"},
    {"status": "open"},
    {"priority": "urgent"},
    {"tier": 1},
    {"breached": True},
    {"escalated": True, "group": "group1"},
    {"assignee": folders.NOBODY},
    {"channel": "nothing"},
]


def _reads_the_table(plan):
    return [
        line
        for line in plan.splitlines()
        if "Seq Scan on ticket" in line or ("SCAN ticket" in line and "INDEX" not in line)
    ]


@pytest.mark.parametrize("is_open", [True, False, None], ids=["open", "closed", "both"])
@pytest.mark.parametrize("filters", FILTERS, ids=str)
def test_a_folder_reads_the_index_of_open_or_closed_tickets_in_its_order(large, filters, is_open):
    after = (NINE, "t5")

    def work():
        # There is nothing in the tickets to be shown.
        with contextlib.suppress(AttributeError):
            folders.listed(large, filters, is_open=is_open, after=after, limit=50)

    plan = plan_of(large, work)
    assert not _reads_the_table(plan), plan
    if not large.is_postgres:
        wanted = {True: ["ticket_open"], False: ["ticket_closed"], None: ["ticket_open", "ticket_closed"]}[is_open]
        assert all(name in plan for name in wanted), plan
        # Only the two halves that both are made of need to be put in order.
        assert plan.count("USE TEMP B-TREE") == (1 if is_open is None else 0) or "MERGE" in plan, plan


@pytest.mark.parametrize("by", folders.COUNTED_BY)
@pytest.mark.parametrize("is_open", [True, False], ids=["open", "closed"])
def test_counts_read_nothing_but_the_index(large, by, is_open):
    plan = plan_of(large, lambda: folders.counts(large, by, {"channel": "channel1"}, is_open=is_open))
    if large.is_postgres:
        # Nine in ten are closed, where reading the table is as cheap; of the open ones the index is read.
        assert not is_open or not _reads_the_table(plan), plan
    else:
        assert f"USING COVERING INDEX ticket_{'open' if is_open else 'closed'}" in plan, plan


def test_the_answers_are_right_at_this_size_too(large):
    with large.connection():
        assert folders.counts(large, "group", {"channel": "channel0"}, is_open=True) == [
            ("group0", MANY // 20),
            ("group10", MANY // 20),
        ]
        assert sum(found for _, found in folders.counts(large, "status", {}, is_open=None)) == MANY


def test_what_a_desk_served_reads_its_index(large):
    plan = plan_of(large, lambda: folders.served(large, "desk1", NINE))
    if not large.is_postgres:
        assert "stint_served" in plan
