"""Whatever JSON comes in, the service itself never fails."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rules_service.tickets import EVENT_TYPES
from tests.databases import dump

pytestmark = pytest.mark.parametrize("databases", ["sqlite", "postgres"], indirect=True)

_SETTINGS = settings(max_examples=40)

_text = st.text(st.characters(), max_size=10) | st.sampled_from(
    [
        "",
        "ha1",
        "hotel",
        "hotel-chat",
        "t1",
        "vip",
        "2026-03-02T09:00:00+07:00",
        "sistem macet",
        "\x00",
        "\ud800",
        "closed",
    ]
)
_scalar = st.none() | st.booleans() | st.integers() | st.integers(-(10**400), 10**400) | st.floats() | _text
_json = st.recursive(
    _scalar, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_text, inner, max_size=4), max_leaves=12
)
_names = (
    "subject", "body", "text", "channel", "priority", "status", "tags", "add_tags", "remove_tags", "group", "desk",
    "assignee", "customer", "custom", "automated", "override", "summary", "reason", "policy", "start_at", "score", "into",
    "action", "detail",
)  # fmt: skip
_data = st.dictionaries(st.sampled_from(_names), _json | st.lists(_text, max_size=3), max_size=6)
#: Close to an event: the right names, and now and then the right kind of value.
_event = st.fixed_dictionaries(
    {
        "id": _text | st.uuids().map(str),
        "type": st.sampled_from(list(EVENT_TYPES)) | _json,
        "ticket_id": _text | st.just("t1"),
    },
    optional={
        "at": _json | st.datetimes().map(lambda at: at.isoformat() + "Z"),
        "actor": _json | st.fixed_dictionaries({"id": _text, "role": st.sampled_from(["agent", "customer", "system"])}),
        "data": _data | _json,
        "user_id": _text,
    },
)


def _post(client, path, body):
    # As Python's own encoder writes it: NaN, Infinity and halves of surrogate pairs included.
    response = client.post(path, data=json.dumps(body), content_type="application/json")
    assert response.status_code < 500, (response.status_code, body)
    if response.status_code >= 400:
        assert response.content_type == "application/problem+json"
        assert response.json["code"]
        assert response.json["detail"]
    return response


@_SETTINGS
@given(body=_json)
def test_any_json(client, body):
    _post(client, "/v1/events", body)


@_SETTINGS
@given(events=st.lists(_event, min_size=1, max_size=5))
def test_anything_like_an_event_alone_and_in_a_batch(client, scene, events):
    client.post(
        "/v1/events", json={"id": "first", "type": "ticket.created", "ticket_id": "t1", "data": {"group": "hotel"}}
    )
    _post(client, "/v1/events", events[0])
    answers = _post(client, "/v1/events", {"events": events}).json["answers"]
    assert len(answers) == len(events)
    for answer in answers:
        assert "error" not in answer or answer["error"]["status"] < 500
    json.dumps(dump(scene.store), allow_nan=False)
    scene.loads_hold()
    assert client.get("/v1/tickets/t1").status_code == 200


@_SETTINGS
@given(
    data=_data, trigger=st.sampled_from(["assign", "close", "transfer", "reassign", "escalate", "respond", "reopen"])
)
def test_any_data_of_a_transition(client, scene, data, trigger):
    client.post(
        "/v1/events", json={"id": "first", "type": "ticket.created", "ticket_id": "t1", "data": {"group": "hotel"}}
    )
    _post(
        client,
        "/v1/tickets/t1/transitions",
        {"trigger": trigger, "actor": {"id": "hs1", "role": "supervisor"}, "data": data},
    )
    scene.loads_hold()


@_SETTINGS
@given(body=_json | st.fixed_dictionaries({"files": st.dictionaries(st.just("a.yaml"), _text | _json)}))
def test_any_ruleset(client, body):
    _post(client, "/v1/rulesets/check", body)


@_SETTINGS
@given(body=_json)
def test_any_presence(client, body):
    _post(client, "/v1/users/ha1/presence", body)
