"""Whatever is sent, reading it ends in events or in InvalidEvent."""

import contextlib
import copy
import json

from hypothesis import given, settings
from hypothesis import strategies as st

from rules_service.connectors import (
    Remembered,
    UnsentAction,
    already_done,
    created_at,
    imported_event,
    next_page,
    poll_request,
    read_ticket,
    requests_for,
    ticket_id,
    tickets_in,
)
from rules_service.errors import InvalidEvent
from rules_service.tickets import EVENT_TYPES
from tests.connectors.example import CONNECTOR, NOW, expand, payload

WORDS = st.sampled_from(
    ["ticket", "results", "next", "id", "user", "date", "comment", "followup_set", "status", "title"]
)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=8) | WORDS
JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(WORDS | st.text(max_size=4), inner, max_size=5),
    max_leaves=20,
)
REAL = payload("reopened-by-customer")["ticket"]
SPOTS = [(key,) for key in REAL] + [("followup_set", 3, key) for key in REAL["followup_set"][3]] + [("followup_set", 0)]


def deep(levels):
    value = "x"
    for _ in range(levels):
        value = {"ticket": [value]}
    return value


def read_all(theirs):
    """Everything that reading offers, on one value."""
    with contextlib.suppress(InvalidEvent):
        ticket_id(CONNECTOR, theirs)
        created_at(CONNECTOR, theirs)
    with contextlib.suppress(InvalidEvent):
        event, remembered = imported_event(CONNECTOR, theirs, NOW)
        check(event, remembered)
    with contextlib.suppress(InvalidEvent):
        events, remembered = read_ticket(CONNECTOR, theirs, None, NOW)
        for event in events:
            check(event, remembered)
        assert read_ticket(CONNECTOR, theirs, Remembered.from_json(remembered.to_json()), NOW)[0] == []


def check(event, remembered):
    assert event.type in EVENT_TYPES
    assert event.at.utcoffset().total_seconds() == 0
    assert event.id
    assert event.ticket_id
    json.dumps([event.id, event.ticket_id, dict(event.data), remembered.to_json()], allow_nan=False).encode()
    assert "\0" not in str(event)
    str(event).encode()


@settings(max_examples=80)
@given(JSON)
def test_any_json_is_read_or_refused(sent):
    for source in ("inbound", "poll"):
        with contextlib.suppress(InvalidEvent):
            for theirs in tickets_in(CONNECTOR, sent, source):
                read_all(theirs)
    with contextlib.suppress(InvalidEvent, UnsentAction):
        poll_request(CONNECTOR, expand, next_page(CONNECTOR, sent))
    with contextlib.suppress(UnsentAction):
        already_done(CONNECTOR, "reply", {"text": "x"}, "7", sent, since=NOW)
    read_all(sent)


@settings(max_examples=80)
@given(st.sampled_from(SPOTS), JSON)
def test_a_real_ticket_with_one_value_replaced_is_read_or_refused(spot, value):
    theirs = copy.deepcopy(REAL)
    here = theirs
    for step in spot[:-1]:
        here = here[step]
    here[spot[-1]] = value
    read_all(theirs)
    with contextlib.suppress(UnsentAction):
        already_done(CONNECTOR, "reply", {"text": "x"}, "7", theirs, since=NOW)


@settings(max_examples=80)
@given(
    st.sampled_from(sorted(CONNECTOR.outbound)), st.dictionaries(st.sampled_from(["to", "text", "tags", "desk"]), JSON)
)
def test_any_data_of_an_action_is_sent_or_refused(action, data):
    with contextlib.suppress(UnsentAction):
        for request in requests_for(CONNECTOR, action, data, "7", expand):
            assert request.url.startswith("https://helpdesk.example.com/api/")


def test_what_is_nested_too_deeply_is_refused():
    for levels in (30, 400):
        read_all(deep(levels))
        read_all({**REAL, "title": deep(levels)})
        read_all({**REAL, "followup_set": [deep(levels)]})
