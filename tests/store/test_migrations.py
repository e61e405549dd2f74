"""The migrations and the declared tables are one schema."""

import re

import peewee as pw
import pytest
from playhouse.migrations import Runner

from rules_service.errors import NotReady
from rules_service.store import Store
from rules_service.store.store import MIGRATIONS
from rules_service.store.tables import TABLES
from tests.databases import TABLE_NAMES


def _words(text):
    return re.sub(r"\s+", " ", re.sub(r'["()]', "", text or "")).strip().lower()


def _sqlite_schema(store):
    found = {}
    for name, sql in store.rows("SELECT name, sql FROM sqlite_master WHERE type = 'table'"):
        # Sorted: a column that a later migration adds comes last, and its place means nothing.
        columns = sorted(row[1:4] + row[5:6] for row in store.rows(f"PRAGMA table_info({name})"))
        indexes = []
        for _, index, unique, origin, partial in store.rows(f"PRAGMA index_list({name})"):
            on = [(row[2], row[3]) for row in store.rows(f"PRAGMA index_xinfo({index})") if row[5]]
            text = store.row("SELECT sql FROM sqlite_master WHERE name = ?", index)[0]
            condition = _words((text or "").partition(" WHERE ")[2])
            indexes.append((index, unique, origin, partial, tuple(on), condition))
        checks = sorted(_words(check) for check in re.findall(r"CHECK \((.*?)\)(?=[,)]|$| [A-Z])", sql))
        found[name] = (columns, sorted(indexes), checks)
    return found


def _postgres_schema(store):
    columns = store.rows(
        "SELECT table_name, column_name, data_type, is_nullable, column_default FROM information_schema.columns"
        " WHERE table_schema = 'public' ORDER BY table_name, column_name"
    )
    indexes = store.rows(
        "SELECT tablename, indexname, indexdef FROM pg_indexes WHERE schemaname = 'public' ORDER BY 1, 2"
    )
    constraints = store.rows(
        "SELECT conrelid::regclass::text, contype::text, pg_get_constraintdef(oid) FROM pg_constraint"
        " WHERE connamespace = 'public'::regnamespace ORDER BY 1, 2, 3"
    )
    names = {row[0] for row in columns}
    return {
        name: tuple([row[1:] for row in rows if row[0] == name] for rows in (columns, indexes, constraints))
        for name in names
    }


def schema(store):
    """table -> its columns, indexes and constraints, as the database tells them."""
    with store.connection():
        found = _postgres_schema(store) if store.is_postgres else _sqlite_schema(store)
    found.pop("schema_migration", None)
    found.pop("sqlite_sequence", None)
    return found


@pytest.fixture
def empty(databases):
    opened = Store(databases.new())
    yield opened
    opened.close()


def test_migrating_up_from_nothing_gives_the_declared_tables(databases, empty):
    assert empty.upgrade() == [found.name for found in Runner(empty.database, str(MIGRATIONS)).migrations()]
    migrated = schema(empty)
    assert set(migrated) == set(TABLE_NAMES)
    declared = Store(databases.new())
    with declared.connection():
        declared.database.create_tables(TABLES)
    assert schema(declared) == migrated
    declared.close()


def test_the_comparison_sees_a_partial_index_a_type_a_check_and_a_null(databases, empty):
    """A comparison that cannot fail would be worthless."""
    empty.upgrade()
    before = schema(empty)
    statements = ["DROP INDEX ticket_due", "CREATE INDEX ticket_due ON ticket (next_due_at)"]
    with empty.connection():
        for statement in statements:
            empty.sql(statement)
    assert schema(empty)["ticket"] != before["ticket"]
    assert {name: found for name, found in schema(empty).items() if name != "ticket"} == {
        name: found for name, found in before.items() if name != "ticket"
    }
    text = repr(before)
    assert "pending" in text
    assert "online" in text


def test_upgrading_again_does_nothing(empty):
    first = empty.upgrade()
    before = schema(empty)
    assert first
    assert empty.upgrade() == []
    assert schema(empty) == before


def test_going_down_leaves_nothing_and_going_up_again_gives_the_same(empty):
    empty.upgrade()
    before = schema(empty)
    with empty.connection():
        names = [found.name for found in Runner(empty.database, str(MIGRATIONS)).migrations()]
        assert Runner(empty.database, str(MIGRATIONS)).down(names[0]) == names[::-1]
    assert schema(empty) == {}
    assert empty.upgrade() == names
    assert schema(empty) == before


def test_a_database_that_lacks_migrations_is_not_ready_and_says_what_to_do(empty):
    with pytest.raises(NotReady, match="run `rules-service db upgrade`"):
        empty.check_ready()
    empty.upgrade()
    empty.check_ready()


def test_a_database_that_cannot_be_opened_is_not_ready(tmp_path):
    store = Store(f"sqlite:///{tmp_path}/missing/rules.db")
    with pytest.raises(NotReady, match="cannot be opened"):
        store.check_ready()


@pytest.mark.parametrize(
    "statement",
    [
        (
            "INSERT INTO delivery (action_seq, ticket_id, endpoint, state, attempts, next_attempt_at)"
            " VALUES (1, 't', 'e', 'lost', 0, 0)"
        ),
        (
            "INSERT INTO member (id, name, role, level, source, active, presence, open_count)"
            " VALUES ('a', 'a', 'agent', 0, 'api', true, 'asleep', 0)"
        ),
        (
            "INSERT INTO member (id, name, role, level, source, active, presence, open_count)"
            " VALUES ('a', 'a', 'agent', 0, 'api', true, 'online', -1)"
        ),
    ],
)
def test_states_that_cannot_be_are_refused_by_the_database(store, statement):
    with pytest.raises(pw.IntegrityError), store.connection(), store.database.atomic():
        store.sql(statement)


def test_a_ticket_has_one_open_stint(store):
    insert = (
        "INSERT INTO stint (ticket_id, number, agent_id, desk, assigned_at, over_maximum)"
        " VALUES ('t', ?, 'a', 'd', 0, false)"
    )
    with store.connection():
        store.sql(insert, 1)
        with pytest.raises(pw.IntegrityError), store.database.atomic():
            store.sql(insert, 2)
        store.sql("UPDATE stint SET ended_at = 1 WHERE number = 1")
        store.sql(insert, 2)


def test_tickets_that_were_deleted_before_there_were_folders_are_in_none(empty):
    runner = Runner(empty.database, str(MIGRATIONS))
    with empty.connection():
        first, *_ = (found.name for found in runner.migrations())
        runner.up(first)
        insert = (
            "INSERT INTO ticket (id, version, status, priority, tier, desk, created_at, breached, escalated,"
            " judged_under, state) VALUES (?, 1, 'open', 0, 0, 'd', 0, false, false, '', ?)"
        )
        empty.sql(insert, "there", '{"ticket":{"id":"there","subject":"\\"live\\":false"}}')
        empty.sql(insert, "gone", '{"ticket":{"id":"gone","live":false}}')
    empty.upgrade()
    with empty.connection():
        assert empty.rows("SELECT id FROM ticket WHERE live") == [("there",)]
