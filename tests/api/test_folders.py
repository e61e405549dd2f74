"""Questions about folders and queues that mean nothing are refused; whatever is asked, the service does not fail."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.api.test_bad_input import Refusals

pytestmark = pytest.mark.parametrize("databases", ["sqlite", "postgres"], indirect=True)


@pytest.fixture
def refused(client, scene, key, capfd, caplog):
    return Refusals(client, scene, key, capfd, caplog)


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("chanel=whatsapp", "/chanel"),
        ("channel=", "/channel"),
        ("channel=a%00b", "/channel.*NUL"),
        ("priority=top", "/priority.*urgent"),
        ("open=maybe", "/open: must be true or false"),
        ("breached=1", "/breached: must be true or false"),
        ("limit=0", "/limit"),
        ("limit=201", "/limit"),
        ("after=yesterday", "/after: must be the `next_after`"),
        ("after=99999999999999999.t1", "/after"),
    ],
)
def test_a_folder_that_cannot_be(refused, query, says):
    refused(422, "invalid_request", says, path=f"/v1/tickets?{query}", method="GET")
    if not query.startswith(("limit", "after")):
        refused(422, "invalid_request", says, path=f"/v1/tickets/counts?by=channel&{query}", method="GET")


def test_counts_by_something_else_and_a_tier_that_is_none(refused):
    refused(422, "invalid_request", "/by", path="/v1/tickets/counts", method="GET")
    refused(422, "invalid_request", "/by.*channel", path="/v1/tickets/counts?by=subject", method="GET")
    for path in ("/v1/tickets?tier=vpi", "/v1/tickets/counts?by=desk&tier=vpi"):
        refused(404, "unknown_name", 'no customer tier "vpi".*did you mean "vip"', path=path, method="GET")


def test_a_queue_that_cannot_be(refused):
    refused(404, "unknown_name", 'did you mean "hotel-chat"', path="/v1/desks/hotel-cat/queue", method="GET")
    for query in ("after=-1", "after=x", "limit=0", "after=99999999999999999999", "desk=x"):
        refused(
            422, "invalid_request", query.partition("=")[0], path=f"/v1/desks/hotel-chat/queue?{query}", method="GET"
        )


_TEXT = st.text(st.characters(codec="utf-8"), max_size=12) | st.sampled_from(["none", "true", "vip", "1.t", "hotel"])


@settings(max_examples=60)
@given(
    query=st.dictionaries(
        st.sampled_from(
            [
                "channel", "group", "desk", "assignee", "status", "priority", "tier", "breached", "escalated", "open",
                "after", "limit", "by", "role", "presence", "skill",
            ]
        ),
        _TEXT,
        max_size=4,
    ),
    path=st.sampled_from(["/v1/tickets", "/v1/tickets/counts", "/v1/desks/hotel-chat/queue", "/v1/users"]),
)  # fmt: skip
def test_any_question(client, query, path):
    response = client.get(path, query_string=query)
    assert response.status_code < 500, (path, query)


@settings(max_examples=60)
@given(
    content=st.binary(max_size=60)
    | st.lists(
        st.lists(st.sampled_from(["id", "name", "level", "skills", "a", "", "3", '"', "x;y", "\x00"]), max_size=4),
        max_size=4,
    ).map(lambda rows: "\n".join(",".join(row) for row in rows).encode())
)
def test_any_roster(client, content):
    response = client.post("/v1/users/import", data=content, content_type="text/csv")
    assert response.status_code in (200, 422), response.text
