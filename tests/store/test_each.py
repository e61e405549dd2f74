"""Work on many things of which one may fail."""

import peewee as pw
import pytest


def fill(store, failing, error):
    def work(number):
        store.sql("INSERT INTO desk_memory (desk, memory) VALUES (?, '{}')", f"d{number}")
        if number in failing:
            raise error
        return number

    return work


def kept(store):
    with store.connection():
        return [row[0] for row in store.rows("SELECT desk FROM desk_memory ORDER BY desk")]


def test_each_has_a_transaction_of_its_own_and_what_came_of_it_is_returned_in_order(store):
    assert store.transact_each([2, 1, 3], fill(store, (), None)) == [2, 1, 3]
    assert kept(store) == ["d1", "d2", "d3"]


def test_one_that_fails_leaves_no_trace_holds_up_no_other_and_is_told_at_the_end(store):
    with pytest.raises(RuntimeError, match="broken"):
        store.transact_each([1, 2, 3], fill(store, (1, 3), RuntimeError("broken")))
    assert kept(store) == ["d2"]


def test_a_database_that_is_away_ends_it_at_once(store):
    with pytest.raises(pw.OperationalError):
        store.transact_each([1, 2, 3], fill(store, (2,), pw.OperationalError("server closed the connection")))
    assert kept(store) == ["d1"]
