"""Bad input is answered by a problem document that says what would be accepted; nothing is written, nothing leaks."""

import datetime as dt
import json
import re

import pytest

from rules_service.service.keys import SCOPES, create_key
from tests.databases import difference, dump

SECRET = "kartu-kredit-4111111111111111"

GOOD = {
    "id": "e1",
    "type": "ticket.created",
    "ticket_id": "t1",
    "data": {"subject": "Room", "body": SECRET, "channel": "whatsapp", "group": "hotel"},
}


def event(**changes):
    """A good event, with fields changed; `data` is merged, and None takes a field away."""
    data = {**GOOD["data"], **changes.pop("data", {})}
    made = {**GOOD, "data": data} | changes
    return {name: value for name, value in made.items() if value is not None}


class Refusals:
    """Sends what is bad and looks at everything around it."""

    def __init__(self, client, scene, key, capfd, caplog):
        self.client, self.scene, self.key = client, scene, key
        self._capfd, self._caplog = capfd, caplog

    def __call__(self, status, code, says, *, path="/v1/events", method="POST", **request):
        before = dump(self.scene.store)
        response = self.client.open(path, method=method, **request)
        assert response.status_code == status, response.text[:500]
        assert response.content_type == "application/problem+json"
        body = response.json
        assert (body["status"], body["code"]) == (status, code)
        assert body["type"] == f"/docs/errors#{code}"
        assert re.search(says, body["detail"]), body["detail"]
        assert len(response.data) < 5_000
        assert difference(before, dump(self.scene.store)) == []
        out, err = self._capfd.readouterr()
        logged = out + err + self._caplog.text
        assert self.key not in logged
        assert self.key.rpartition("_")[2] not in logged
        assert SECRET not in logged
        return response


@pytest.fixture
def refused(client, scene, key, capfd, caplog):
    return Refusals(client, scene, key, capfd, caplog)


# --- what is not an event at all --------------------------------------------------------------------------------------

BODIES = {
    "nothing": (b"", 400, "invalid_json|bad_request"),
    "half an object": (b'{"id": "e1", ', 400, "invalid_json"),
    "words": (b"hello", 400, "invalid_json"),
    "not UTF-8": (b'{"id": "\xff\xfe"}', 400, "invalid_json"),
    "nested deeply": (b"[" * 100_000 + b"]" * 100_000, 400, "invalid_json"),
    "objects nested deeply": (b'{"a":' * 100_000 + b"1" + b"}" * 100_000, 400, "invalid_json"),
    "a huge integer": (b'{"id": ' + b"9" * 5_000 + b"}", 400, "invalid_json"),
    "a list": (b"[]", 422, "invalid_event"),
    "a string": (b'"x"', 422, "invalid_event"),
    "a number": (b"1", 422, "invalid_event"),
    "null": (b"null", 422, "invalid_event"),
}


@pytest.mark.parametrize(("body", "status", "code"), BODIES.values(), ids=BODIES)
@pytest.mark.parametrize("databases", ["sqlite"], indirect=True)
def test_a_body_that_is_no_json_object(refused, body, status, code):
    response = refused.client.post("/v1/events", data=body, content_type="application/json")
    assert re.fullmatch(code, response.json["code"])
    refused(status, response.json["code"], "JSON|json", data=body, content_type="application/json")


@pytest.mark.parametrize(
    "body", [BODIES["nested deeply"][0], BODIES["a list"][0], b"hello", BODIES["a huge integer"][0]]
)
@pytest.mark.parametrize(
    ("path", "method"),
    [
        ("/v1/tickets/t1/transitions", "POST"),
        ("/v1/users/ha1/presence", "POST"),
        ("/v1/rulesets/check", "POST"),
        ("/v1/rulesets", "POST"),
    ],
)
@pytest.mark.parametrize("databases", ["sqlite"], indirect=True)
def test_a_body_that_is_no_json_object_at_any_address(refused, path, method, body):
    response = refused.client.open(path, method=method, data=body, content_type="application/json")
    assert response.status_code in (400, 422)
    refused(
        response.status_code, response.json["code"], ".", path=path, method=method, data=body,
        content_type="application/json",
    )  # fmt: skip


@pytest.mark.parametrize(
    "content_type", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", None]
)
def test_another_content_type(refused, content_type):
    refused(415, "unsupported_media_type", "application/json", data=json.dumps(event()), content_type=content_type)


def test_a_body_over_one_mebibyte(refused):
    body = json.dumps(event(data={"body": "x" * 1024 * 1024}))
    refused(413, "body_too_large", "1 MiB", data=body, content_type="application/json")


# --- fields -----------------------------------------------------------------------------------------------------------

FIELDS = [
    ({"type": "ticket.craeted"}, "unknown_event_type", r'did you mean "ticket\.created"|ticket\.created'),
    ({"type": "clock.breached"}, "unknown_event_type", "unknown event type"),
    ({"type": "x" * 10_000}, "unknown_event_type", "unknown event type"),
    ({"type": None}, "invalid_event", "/type"),
    ({"id": None}, "invalid_event", "/id"),
    ({"id": ""}, "invalid_event", "/id"),
    ({"id": "x" * 1_000}, "invalid_event", "/id"),
    ({"id": "a\x00b"}, "invalid_event", "/id.*NUL"),
    ({"id": "a\ud800b"}, "invalid_event", "/id.*surrogate"),
    ({"ticket_id": None}, "invalid_event", "/ticket_id.*required"),
    ({"at": "2026-03-02T09:00:00"}, "invalid_event", "/at.*aware"),
    ({"at": "yesterday"}, "invalid_event", "/at"),
    ({"at": "2026-13-40T09:00:00Z"}, "invalid_event", "/at"),
    ({"at": "0001-01-01T00:00:00+14:00"}, "invalid_event", "/at.*1990"),
    ({"at": "9999-12-31T23:59:59-14:00"}, "invalid_event", "/at.*1990"),
    ({"at": "1989-12-31T23:59:59Z"}, "invalid_event", "/at.*1990"),
    ({"at": "2500-01-01T00:00:00Z"}, "invalid_event", "/at.*1990"),
    ({"surprise": 1}, "invalid_event", "/surprise.*Unknown"),
    ({"actor": {"id": "ha1", "role": "king"}}, "invalid_event", "/actor/role.*agent"),
    ({"actor": {"id": "ha1", "rank": 1}}, "invalid_event", "/actor/rank"),
    ({"data": {"surprise": 1}}, "invalid_event", "/data/surprise"),
    ({"data": {"desk": "hotel-chta"}}, "invalid_event", "/data/desk.*hotel-chat"),
    ({"data": {"group": "hotle"}}, "invalid_event", "/data/group.*hotel"),
    ({"data": {"customer": {"tier": "platinum"}}}, "invalid_event", "/data/customer/tier"),
    ({"data": {"customer": {"tier": "vpi"}}}, "invalid_event", "/data/customer/tier.*vip"),
    ({"data": {"priority": "top"}}, "invalid_event", "/data/priority.*urgent"),
    ({"data": {"body": "x" * 100_001}}, "invalid_event", "/data/body.*100000"),
    ({"data": {"body": "a\x00b"}}, "invalid_event", "/data/body.*NUL"),
    ({"data": {"body": "\udc00"}}, "invalid_event", "/data/body.*surrogate"),
    ({"data": {"subject": "x" * 1_001}}, "invalid_event", "/data/subject"),
    ({"data": {"tags": ["x"] * 101}}, "invalid_event", "/data/tags"),
    ({"data": {"tags": [""]}}, "invalid_event", "/data/tags/0"),
    ({"data": {"customer": {"lifetime_value": float("nan")}}}, "invalid_event", "/data/customer/lifetime_value"),
    ({"data": {"customer": {"lifetime_value": float("inf")}}}, "invalid_event", "/data/customer/lifetime_value"),
    ({"data": {"customer": {"lifetime_value": 10**400}}}, "invalid_event", "/data/customer/lifetime_value"),
    ({"data": {"score": float("-inf")}}, "invalid_event", "/data/score"),
    ({"data": {"custom": {"k": float("nan")}}}, "invalid_event", "/data/custom"),
    ({"data": {"custom": {"k": 10**4_000}}}, "invalid_event", "/data/custom"),
    ({"data": {"custom": {"k": "\ud800"}}}, "invalid_event", "/data/custom"),
    ({"data": {"custom": {"k": "a\x00b"}}}, "invalid_event", "/data/custom"),
    ({"data": {"custom": {"k": {"l": ["\ud800"]}}}}, "invalid_event", "/data/custom"),
    ({"data": {"custom": {"\ud800": 1}}}, "invalid_event", "/data/custom"),
    ({"type": "message.received", "data": {"text": None}}, "invalid_event", "/data/text.*required"),
    ({"type": "action.failed"}, "invalid_event", "/data/action.*required"),
    ({"type": "user.online"}, "invalid_event", "/user_id.*required"),
]


@pytest.mark.parametrize(("changes", "code", "says"), FIELDS, ids=[str(row[0])[:40] for row in FIELDS])
@pytest.mark.parametrize("databases", ["sqlite"], indirect=True)
def test_a_field_that_is_missing_wrong_or_unknown(refused, changes, code, says):
    refused(422, code, says, data=json.dumps(event(**changes)), content_type="application/json")


@pytest.mark.parametrize("databases", ["postgres"], indirect=True)
def test_text_that_postgresql_cannot_keep_is_refused_before_it_gets_there(refused):
    for name in ("id", "ticket_id", "type"):
        for text in ("a\x00b", "a\ud800b"):
            refused(
                422,
                "unknown_event_type" if name == "type" else "invalid_event",
                ".",
                data=json.dumps(event(**{name: text})),
                content_type="application/json",
            )
    for changes in (
        {"custom": {"k": ["\x00"]}},
        {"tags": ["\ud800"]},
        {"customer": {"name": "\x00"}},
        {"body": "\x00"},
    ):
        refused(422, "invalid_event", "/data", data=json.dumps(event(data=changes)), content_type="application/json")


def test_custom_values_nested_beyond_reason(refused):
    for depth in (20, 200, 900):
        nested = json.dumps(event()).replace('"Room"', '"Room", "custom": {"k": ' + "[" * depth + "]" * depth + "}")
        refused(422, "invalid_event", "/data/custom", data=nested, content_type="application/json")


_TEXTS = (5, 1.5, True, [], {}, ["x"])
_WRONG = {
    **dict.fromkeys(["id", "ticket_id", "user_id"], _TEXTS),
    "type": (5, True, [], {}, None),
    "at": (5, True, [], {}, "", "x"),
    "actor": (5, True, [], "ha1", [{}]),
    "data": (5, True, [], "x", [{}]),
    **{
        f"data.{name}": _TEXTS
        for name in (
            "subject", "body", "text", "channel", "priority", "status", "group", "desk", "assignee", "summary", "reason",
            "policy", "into", "action", "detail",
        )
    },
    **dict.fromkeys(["data.tags", "data.add_tags", "data.remove_tags"], (5, True, "x", {}, [5], [None], [[]])),
    **dict.fromkeys(["data.automated", "data.override"], (1, 0, "true", "yes", [], {})),
    "data.start_at": ("1", 1.5, True, [], {}, 0, 21, -1),
    "data.score": (True, "five", [], {}),
    "data.customer": (5, True, "x", [], [{}]),
    "data.custom": (5, True, "x", [], [{}]),
    "data.customer.id": _TEXTS,
    "data.customer.name": _TEXTS,
    "data.customer.tier": _TEXTS,
    "data.customer.language": _TEXTS,
    "data.customer.lifetime_value": (True, "much", [], {}),
    "actor.id": _TEXTS,
    "actor.role": _TEXTS,
}  # fmt: skip


@pytest.mark.parametrize(("path", "values"), _WRONG.items(), ids=_WRONG)
@pytest.mark.parametrize("databases", ["sqlite"], indirect=True)
def test_a_value_of_another_type(refused, path, values):
    for value in values:
        body = event()
        *steps, last = path.split(".")
        here = body
        for step in steps:
            here = here.setdefault(step, {})
        here[last] = value
        refused(422, "invalid_event", "/" + path.replace(".", "/"), json=body)


def test_the_table_of_wrong_types_has_every_field(databases):
    from rules_service.api.schemas import DATA_FIELDS, ActorSchema, CustomerSchema, EventSchema

    expected = {*EventSchema().fields, *(f"data.{name}" for name in DATA_FIELDS)}
    expected |= {f"data.customer.{name}" for name in CustomerSchema().fields}
    expected |= {f"actor.{name}" for name in ActorSchema().fields}
    assert set(_WRONG) == expected


def test_the_longest_text_is_taken(client, scene):
    response = client.post("/v1/events", json=event(data={"body": "x" * 100_000}))
    assert response.status_code == 200
    assert response.json["ticket"]["id"] == "t1"


def test_the_most_that_can_be_said_is_taken(client, scene):
    full = {
        "id": "e1", "type": "ticket.created", "ticket_id": "t/1 é?#", "at": "2026-03-02T08:59:59.999999+07:00",
        "actor": {"id": "c1", "role": "customer"},
        "data": {
            "subject": "Kamar 😀", "body": "\u2028\u202e\t\r\n\x01 'quotes\" \\ $$ %s {{ x }} ?", "channel": "whatsapp",
            "priority": "low", "tags": ["a", "a", "é"], "desk": "hotel-chat", "group": "hotel",
            "customer": {"id": "c1", "name": "Sari", "tier": "vip", "lifetime_value": 1e12, "language": "id"},
            "custom": {"order": {"lines": [1, 2.5, None, True, "x"]}, "": ""}, "automated": False,
        },
    }  # fmt: skip
    response = client.post("/v1/events", json=full)
    assert response.status_code == 200, response.text
    shown = client.get("/v1/tickets/t%2F1%20%C3%A9%3F%23")
    assert shown.status_code == 200
    assert (shown.json["subject"], shown.json["custom"]["order"]["lines"]) == ("Kamar 😀", [1, 2.5, None, True, "x"])
    assert dt.datetime.fromisoformat(shown.json["created_at"]) == dt.datetime.fromisoformat(full["at"])


# --- names that mean nothing ------------------------------------------------------------------------------------------


def test_an_unknown_ticket(refused):
    body = {"id": "e1", "type": "message.received", "ticket_id": "nope", "data": {"text": SECRET}}
    refused(404, "unknown_ticket", r'"nope".*ticket\.created', json=body)
    refused(404, "unknown_ticket", "nope", path="/v1/tickets/nope", method="GET")
    refused(404, "unknown_ticket", "nope", path="/v1/tickets/nope/transitions?role=agent", method="GET")
    body = {"trigger": "close", "actor": {"id": "ha1", "role": "agent"}}
    refused(404, "unknown_ticket", "nope", path="/v1/tickets/nope/transitions", json=body)


def test_an_unknown_user(refused):
    refused(404, "unknown_user", "nobody", json={"id": "e1", "type": "user.online", "user_id": "nobody"})
    refused(404, "unknown_user", "nobody", path="/v1/users/nobody", method="GET")
    refused(404, "unknown_user", "nobody", path="/v1/users/nobody/presence", method="POST", json={"presence": "online"})


@pytest.mark.parametrize("databases", ["postgres"], indirect=True)
@pytest.mark.parametrize(
    "name", ["%00", "a%00b", "%ff", "%ED%A0%80", "x" * 2_000, "%25s", "'; DROP TABLE ticket --", "é"]
)
@pytest.mark.parametrize(
    ("path", "method"),
    [
        ("/v1/tickets/{}", "GET"),
        ("/v1/tickets/{}/transitions?role=agent", "GET"),
        ("/v1/users/{}", "GET"),
        ("/v1/tickets/x/transitions?role=agent&user={}", "GET"),
        ("/v1/rulesets/{}/activate", "POST"),
        ("/v1/inbound/{}/secret", "POST"),
        ("/v1/inbound/x/{}", "POST"),
        ("/v1/lifecycle/transitions?role=agent&status={}", "GET"),
    ],
)
def test_an_address_with_anything_in_it_is_never_an_error_of_the_service(refused, path, method, name):
    request = {"json": {}} if method == "POST" else {}
    response = refused.client.open(path.format(name), method=method, **request)
    assert 400 <= response.status_code < 500, response.text
    refused(response.status_code, response.json["code"], ".", path=path.format(name), method=method, **request)


def test_unknown_parameters_routes_and_methods(refused):
    refused.client.post("/v1/events", json=event())
    refused(422, "invalid_request", "surprise", path="/v1/tickets/t1/transitions?role=agent&surprise=1", method="GET")
    refused(422, "invalid_request", "role", path="/v1/tickets/t1/transitions", method="GET")
    refused(422, "invalid_request", "role.*agent", path="/v1/tickets/t1/transitions?role=king", method="GET")
    refused(404, "unknown_name", "oppen.*open", path="/v1/lifecycle/transitions?role=agent&status=oppen", method="GET")
    refused(404, "not_found", "/docs", path="/v1/evnts")
    refused(404, "not_found", "/docs", path="/v1/evnts", json=event())
    assert set(refused(405, "method_not_allowed", ".", method="GET").headers["Allow"].split(", ")) == {
        "OPTIONS",
        "POST",
    }
    assert (
        "POST"
        in refused(405, "method_not_allowed", ".", path="/v1/users/ha1/presence", method="DELETE").headers["Allow"]
    )


def test_a_transition_that_is_refused_says_every_reason(refused):
    refused.client.post("/v1/events", json=event())
    body = {"trigger": "close", "actor": {"id": "ta1", "role": "agent"}}
    found = refused(409, "transition_refused", "assignee", path="/v1/tickets/t1/transitions", json=body)
    assert [reason["code"] for reason in found.json["reasons"]] == ["may_not_act_for"]
    body["trigger"] = "clsoe"
    refused(422, "invalid_event", 'clsoe.*"close"', path="/v1/tickets/t1/transitions", json=body)
    body = {"trigger": "close"}
    refused(422, "invalid_request", "/actor", path="/v1/tickets/t1/transitions", json=body)


def test_an_event_id_that_is_used_again_with_another_body(refused):
    assert refused.client.post("/v1/events", json=event()).status_code == 200
    refused(409, "event_id_reused", '"e1".*another body', json=event(data={"subject": "Other"}))


# --- who may ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "header",
    [None, "", "Bearer", "Bearer ", "Bearer x", "Basic abc", "Bearer rsk_x_y", "Bearer rsk__", "Bearer rsk_\xff_\xff",
     "Bearer rsk_%00_x", "Bearer rsk_a\x00b_c", "bearer " + "x" * 5_000],
)  # fmt: skip
def test_no_key_or_a_bad_key(refused, header):
    del refused.client.environ_base["HTTP_AUTHORIZATION"]
    # Straight into the environment: what a server would hand over, whatever a client library refuses to send.
    environ = {} if header is None else {"HTTP_AUTHORIZATION": header}
    for path, method in (
        ("/v1/events", "POST"),
        ("/v1/tickets/t1", "GET"),
        ("/metrics", "GET"),
        ("/v1/ruleset", "GET"),
    ):
        request = {"json": event()} if method == "POST" else {}
        found = refused(
            401, "not_authenticated", "Authorization: Bearer KEY", path=path, method=method, environ_overrides=environ,
            **request,
        )  # fmt: skip
        assert found.headers["WWW-Authenticate"].startswith("Bearer")


def test_a_key_with_one_character_changed(refused):
    for wrong in (refused.key[:-1] + ("a" if refused.key[-1] != "a" else "b"), refused.key + "x", refused.key[:-1]):
        refused.client.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {wrong}"
        refused(401, "not_authenticated", ".", json=event())


def test_a_key_without_the_scope(refused, scene):
    addresses = {
        ("/v1/events", "POST"): "events:write",
        ("/v1/tickets/t1", "GET"): "tickets:read",
        ("/v1/tickets/t1/transitions", "POST"): "tickets:write",
        ("/v1/tickets/t1/transitions?role=agent", "GET"): "tickets:read",
        ("/v1/users/ha1", "GET"): "users:read",
        ("/v1/users/ha1/presence", "POST"): "users:write",
        ("/v1/rulesets", "POST"): "rules:write",
        ("/v1/ruleset", "GET"): "rules:read",
        ("/metrics", "GET"): "metrics:read",
    }
    for (path, method), scope in addresses.items():
        others = [found for found in SCOPES if found != scope]
        key = create_key(scene.store, scene.clock(), name="limited", scopes=others)
        refused.client.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {key}"
        request = {"json": {}} if method != "GET" else {}
        refused(403, "not_allowed", scope, path=path, method=method, **request)


def test_a_persons_key_acts_as_that_person_only(refused, scene):
    refused.client.post("/v1/events", json=event())
    key = create_key(scene.store, scene.clock(), name="ha1", scopes=list(SCOPES), role="agent", user_id="ha1")
    refused.client.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {key}"
    other = {"id": "ha2", "role": "agent"}
    body = {"id": "e2", "type": "note.added", "ticket_id": "t1", "actor": other, "data": {"text": "x"}}
    refused(403, "not_allowed", "acts as ha1 only", json=body)
    refused(
        403, "not_allowed", "ha1 only", path="/v1/tickets/t1/transitions", json={"trigger": "close", "actor": other}
    )
    refused(403, "not_allowed", "ha1 only", path="/v1/tickets/t1/transitions?role=agent&user=ha2", method="GET")
    refused(403, "not_allowed", "ha1", path="/v1/users/ha2/presence", method="POST", json={"presence": "online"})
    refused(403, "not_allowed", "ha1", json={"id": "e3", "type": "user.online", "user_id": "ha2"})
    # A role that is claimed does not count either.
    body = {"trigger": "reassign", "actor": {"id": "ha1", "role": "supervisor"}, "data": {"assignee": "ha2"}}
    refused(409, "transition_refused", ".", path="/v1/tickets/t1/transitions", json=body)


# --- batches ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "batch",
    [[], [event(id=f"e{n}") for n in range(501)], {}, "x", None, 5],
    ids=["empty", "501", "object", "text", "null", "number"],
)
@pytest.mark.parametrize("databases", ["sqlite"], indirect=True)
def test_a_batch_of_another_size_or_shape(refused, batch):
    refused(422, "invalid_event", "1 to 500", json={"events": batch})


def test_a_batch_with_something_beside_it(refused):
    refused(422, "invalid_event", "nothing else", json={"events": [event()], "id": "x"})


def test_a_batch_that_mixes_good_and_bad_is_answered_in_order(client, scene):
    batch = [
        event(id="e1"),
        {"id": "e2"},
        5,
        event(id="e3", type="ticket.craeted"),
        {"id": "e4", "type": "message.received", "ticket_id": "unknown", "data": {"text": "x"}},
        {"id": "e5", "type": "user.online", "user_id": "ha1"},
        {"id": "e6", "type": "user.online", "user_id": "nobody"},
        {"id": "e7", "type": "message.received", "ticket_id": "t1", "data": {"text": "x"}},
        event(id="e1"),
        event(id="e1", data={"subject": "Other"}),
    ]
    response = client.post("/v1/events", json={"events": batch})
    assert response.status_code == 200
    found = [
        answer["error"]["code"] if "error" in answer else (answer["outcome"], answer["duplicate"])
        for answer in response.json["answers"]
    ]
    assert found == [
        ("done", False),
        "invalid_event",
        "invalid_event",
        "unknown_event_type",
        "unknown_ticket",
        ("done", False),
        "unknown_user",
        ("done", False),
        ("done", True),
        "event_id_reused",
    ]
    assert scene.log() == ["ticket.created", "message.received"]


def test_the_largest_batch_is_taken(client, scene):
    batch = [event(id=f"e{number}", ticket_id=f"t{number}") for number in range(500)]
    response = client.post("/v1/events", json={"events": batch})
    assert [answer["ticket"]["id"] for answer in response.json["answers"]] == [f"t{number}" for number in range(500)]


def test_presence_sent_twice_is_done_once(client, scene):
    body = {"id": "e1", "type": "user.online", "user_id": "ha1"}
    first = client.post("/v1/events", json=body)
    second = client.post("/v1/events", json=body)
    assert (first.status_code, second.status_code) == (200, 200)
    assert (first.json["duplicate"], second.json["duplicate"]) == (False, True)
    assert scene.rows("SELECT COUNT(*) FROM event WHERE event_id = 'e1'") == [(1,)]
    third = client.post("/v1/events", json={**body, "user_id": "ha2"})
    assert third.json["code"] == "event_id_reused"


# --- the service's own failure ----------------------------------------------------------------------------------------


def test_a_failure_of_the_service_says_nothing_of_its_inside(refused, app, monkeypatch):
    def broken(incoming):
        raise RuntimeError("the pool is empty")

    monkeypatch.setattr(app.extensions["rules_service"].events, "handle", broken)
    response = refused.client.post("/v1/events", json=event())
    assert (response.status_code, response.json["code"]) == (500, "internal_error")
    assert "pool" not in response.text
