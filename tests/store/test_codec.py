"""What is stored of a ticket is what was decided about it."""

import datetime as dt

from hypothesis import given
from hypothesis import strategies as st

from rules_service.store import codec
from rules_service.tickets import (
    PRIORITIES,
    Escalation,
    Person,
    RuleMemory,
    ServiceClock,
    Snapshot,
    Stint,
    Ticket,
)

_at = st.datetimes(dt.datetime(1970, 1, 1), dt.datetime(2200, 1, 1), timezones=st.just(dt.UTC))
_text = st.text(max_size=8)
_count = st.integers(0, 2**53)
_texts = st.lists(_text, max_size=3).map(tuple)
_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | _text,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(_text, inner, max_size=2),
    max_leaves=4,
)


def _maybe(strategy):
    return st.none() | strategy


_ticket = st.builds(
    Ticket,
    id=_text,
    status=_text,
    priority=st.sampled_from(PRIORITIES),
    channel=_maybe(_text),
    group=_maybe(_text),
    desk=_text,
    assignee=_maybe(_text),
    tags=st.frozensets(_text, max_size=3),
    subject=_maybe(_text),
    custom=st.dictionaries(_text, _json, max_size=3),
    source=_maybe(_text),
    customer_id=_maybe(_text),
    customer_name=_maybe(_text),
    customer_tier=_maybe(_text),
    customer_lifetime_value=_maybe(st.floats(allow_nan=False)),
    customer_language=_maybe(_text),
    created_at=_at,
    status_since_at=_at,
    queued_at=_maybe(_at),
    closed_at=_maybe(_at),
    last_act_at=_at,
    waiting_since_at=_maybe(_at),
    last_received_at=_maybe(_at),
    last_sent_at=_maybe(_at),
    transfers_count=_count,
    reopens_count=_count,
    stint_number=_count,
    last_assignee=_maybe(_text),
    live=st.booleans(),
)
_stint = st.builds(
    Stint,
    number=_count,
    agent_id=_text,
    desk=_text,
    assigned_at=_at,
    opened_at=_maybe(_at),
    responded_at=_maybe(_at),
    ended_at=_maybe(_at),
    ended_by=_maybe(_text),
    over_maximum=st.booleans(),
)
_clock = st.builds(
    ServiceClock,
    name=_text,
    stint_number=_count,
    status=st.sampled_from(["running", "paused", "met", "breached", "missed", "void"]),
    target_s=_count,
    calendar=_text,
    started_at=_at,
    used_s=_count,
    running_since_at=_maybe(_at),
    intervals=st.lists(st.tuples(_at, _at), max_size=3).map(tuple),
    due_at=_maybe(_at),
    warn_at_pct=st.lists(st.integers(0, 100), max_size=3).map(tuple),
    warned_pct=st.integers(0, 100),
    breached_at=_maybe(_at),
    stopped_at=_maybe(_at),
)
_escalation = st.builds(
    Escalation,
    id=_text,
    policy=_text,
    step=_count,
    round=_count,
    reasons=_texts,
    summary=_text,
    opened_at=_at,
    opened_by=_maybe(_text),
    targets=_texts,
    followers=_texts,
    acknowledged_at=_maybe(_at),
    acknowledged_by=_maybe(_text),
    step_due_at=_maybe(_at),
    overdue_at=_maybe(_at),
)
_memory = st.builds(
    RuleMemory,
    when_hash=_text,
    spent=st.booleans(),
    fired_count=_count,
    fired_at=st.lists(_at, max_size=3).map(tuple),
    stint_number=_count,
    stint_count=_count,
    total_count=_count,
)
_person = st.builds(
    Person,
    id=_text,
    name=_text,
    role=_text,
    group=_maybe(_text),
    level=st.integers(0, 3),
    skills=st.frozensets(_text, max_size=2),
    desks=st.frozensets(_text, max_size=2),
    online=st.booleans(),
    open_count=_count,
    slot_limit=_maybe(_count),
)
snapshots = st.builds(
    Snapshot,
    ticket=_maybe(_ticket),
    stint=_maybe(_stint),
    clocks=st.lists(_clock, max_size=3).map(tuple),
    escalation=_maybe(_escalation),
    memory=st.dictionaries(_text, _memory, max_size=2),
    last_fact_at=st.dictionaries(_text, _at, max_size=2),
    replies_at=st.lists(_at, max_size=2).map(tuple),
    firings_at=st.lists(_at, max_size=2).map(tuple),
    judged_at=_maybe(_at),
    ruleset_hash=_maybe(_text),
    people=st.dictionaries(_text, _person, max_size=2),
    gathered=st.dictionaries(_text, _json, max_size=2),
)


def test_the_strategy_covers_every_field_of_a_snapshot():
    """A part that is added to the vocabulary has to be added above."""
    for kind, strategy in (
        (Snapshot, snapshots),
        (Ticket, _ticket),
        (Stint, _stint),
        (ServiceClock, _clock),
        (Escalation, _escalation),
        (RuleMemory, _memory),
        (Person, _person),
    ):
        assert set(strategy.wrapped_strategy.kwargs) == set(kind.__dataclass_fields__)


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
