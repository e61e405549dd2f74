"""What is stored of a ticket is what was decided about it."""

import dataclasses
import datetime as dt
import types
import typing
from collections.abc import Mapping
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from rules_service.clock import instant
from rules_service.store import codec
from rules_service.tickets import Snapshot, Stint

_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=8), inner, max_size=2),
    max_leaves=4,
)

_PLAIN = {
    str: st.text(max_size=8),
    int: st.integers(0, 2**53),
    bool: st.booleans(),
    float: st.floats(allow_nan=False),
    dt.datetime: st.integers(0, 2**53 // 2).map(instant),
    Any: _JSON,
}


def values_of(kind):
    """Any value of a type of the vocabulary, whatever parts it gets in future."""
    origin, args = typing.get_origin(kind), typing.get_args(kind)
    if kind in _PLAIN:
        return _PLAIN[kind]
    if dataclasses.is_dataclass(kind):
        hints = typing.get_type_hints(kind)
        return st.builds(kind, **{field.name: values_of(hints[field.name]) for field in dataclasses.fields(kind)})
    if origin is typing.Literal:
        return st.sampled_from(args)
    if origin in (types.UnionType, typing.Union):
        return st.none() | values_of(next(arg for arg in args if arg is not types.NoneType))
    if origin is tuple and args[1] is Ellipsis:
        return st.lists(values_of(args[0]), max_size=2).map(tuple)
    if origin is tuple:
        return st.tuples(*map(values_of, args))
    if origin is frozenset:
        return st.frozensets(values_of(args[0]), max_size=3)
    assert issubclass(origin, Mapping), kind
    return st.dictionaries(values_of(args[0]), values_of(args[1]), max_size=2)


snapshots = values_of(Snapshot)


@given(snapshots)
def test_a_snapshot_comes_back_as_it_was_stored(snapshot):
    assert codec.load(Snapshot, codec.dump(snapshot)) == snapshot


@given(snapshots)
def test_the_stored_text_has_no_default_values_and_is_the_same_again(snapshot):
    text = codec.dump(snapshot)
    assert codec.dump(codec.load(Snapshot, text)) == text
    assert '"closed_at":null' not in text


def test_a_field_that_is_no_longer_known_is_passed_over():
    assert codec.load(Stint, '{"number":1,"agent_id":"a","desk":"d","assigned_at":0,"gone":1}').agent_id == "a"


def test_an_empty_snapshot_is_stored_as_nothing():
    assert codec.dump(Snapshot()) == "{}"
