"""Each action becomes the request that the helpdesk expects, and nothing else."""

import datetime as dt
import re

import pytest

from rules_service.connectors import (
    ACTION_DATA,
    HttpRequest,
    UnsentAction,
    already_done,
    check_request,
    one_request,
    poll_request,
    requests_for,
)
from tests.connectors.example import CONNECTOR, expand, parsed

TICKET = "https://helpdesk.example.com/api/tickets/7/"
FOLLOWUPS = "https://helpdesk.example.com/api/followups/"
BASIC = {"Authorization": "Basic cnVsZXMtc2VydmljZTpwYXNzOndvcmQ="}


def followup(comment, *, public=False, **more):
    return {"ticket": "7", "public": public, "comment": comment, **more}


TABLE = [
    ("set_priority", {"priority": "urgent", "previous": "low"}, "PATCH", TICKET, {"priority": 1}),
    ("set_priority", {"priority": "low"}, "PATCH", TICKET, {"priority": 4}),  # the first of theirs
    ("reassign", {"to": "hx1", "previous": "ha1"}, "PATCH", TICKET, {"assigned_to": 4}),
    ("reassign", {"to": None, "previous": "ha1"}, "PATCH", TICKET, {"assigned_to": None}),
    ("transfer", {"group": "hotel", "desk": "hotel-chat"}, "PATCH", TICKET, {"queue": 1, "assigned_to": None}),
    (
        "reply",
        {"text": "We are on it.\n", "template": "x"},
        "POST",
        FOLLOWUPS,
        followup("We are on it.\n", public=True),
    ),
    ("request_feedback", {"text": "Well?"}, "POST", FOLLOWUPS, followup("Well?", public=True)),
    ("note", {"text": "Gateway down."}, "POST", FOLLOWUPS, followup("Gateway down.")),
    ("alert", {"text": "Nobody answers.", "to": ["supervisor"]}, "POST", FOLLOWUPS, followup("Nobody answers.")),
    ("escalate", {"summary": "Late", "context": {}}, "POST", FOLLOWUPS, followup("Escalated: Late")),
    ("escalate", {"summary": None}, "POST", FOLLOWUPS, followup("Escalated: ")),
    ("add_tags", {"tags": ["vip", "late"]}, "POST", FOLLOWUPS, followup("Tags: vip, late")),
    ("remove_tags", {"tags": ["vip"]}, "POST", FOLLOWUPS, followup("Tags removed: vip")),
    ("close", {}, "POST", FOLLOWUPS, followup("", new_status=4)),
    ("reopen", {}, "POST", FOLLOWUPS, followup("", new_status=2)),
    (
        "reply",
        {"text": "{{{{ a }} {% b %} {# c #} 9%}"},
        "POST",
        FOLLOWUPS,
        followup("{ { { { a }} { % b % } { # c #} 9% }", public=True),
    ),
    ("reply", {"text": "${HELPDESK_PASSWORD}"}, "POST", FOLLOWUPS, followup("${HELPDESK_PASSWORD}", public=True)),
    ("set", {"fields": {"custom.x": 1}}, None, None, None),
    ("call", {"connector": "jira", "operation": "create"}, None, None, None),
]


@pytest.mark.parametrize(("action", "data", "method", "url", "body"), TABLE)
def test_an_action_becomes_this_request(action, data, method, url, body):
    expected = [] if method is None else [HttpRequest(method=method, url=url, json=body, headers=BASIC)]
    assert requests_for(CONNECTOR, action, data, "7", expand) == expected


def test_the_table_tries_every_action_of_the_example():
    assert set(CONNECTOR.outbound) <= {row[0] for row in TABLE}
    assert set(CONNECTOR.outbound) == set(ACTION_DATA) - {"set"}


@pytest.mark.parametrize(
    ("action", "data", "message"),
    [
        ("reassign", {"to": "zz9"}, "the table \"user\" has no word for 'zz9'"),
        ("reassign", {}, "'to' is undefined"),
        ("add_tags", {"tags": None}, "fails"),
        ("note", {"text": "x" * 100_001}, "more than 100,000 characters"),
    ],
)
def test_an_action_that_cannot_be_sent_says_why(action, data, message):
    with pytest.raises(UnsentAction, match=re.escape(message)):
        requests_for(CONNECTOR, action, data, "7", expand)


def test_a_variable_that_is_not_set_sends_nothing():
    with pytest.raises(UnsentAction, match=re.escape("a variable of ${HELPDESK_URL} is not set")):
        requests_for(CONNECTOR, "close", {}, "7", lambda _: None)


@pytest.mark.parametrize(
    ("ticket_id", "path"), [("7/../../users", "7%2F..%2F..%2Fusers"), ("7?x=1#y", "7%3Fx%3D1%23y"), ("é", "%C3%A9")]
)
def test_an_id_stays_one_segment_of_the_path(ticket_id, path):
    (request,) = requests_for(CONNECTOR, "reassign", {"to": None}, ticket_id, expand)
    assert request.url == f"https://helpdesk.example.com/api/tickets/{path}/"


@pytest.mark.parametrize("ticket_id", ["", ".", ".."])
def test_an_id_that_would_change_the_path_is_not_sent(ticket_id):
    with pytest.raises(UnsentAction, match="cannot stand in a path"):
        requests_for(CONNECTOR, "reassign", {"to": None}, ticket_id, expand)


# --- polling ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("page", "url"),
    [
        (None, "https://helpdesk.example.com/api/tickets/?status=1,2&page_size=100"),
        ("http://helpdesk.example.com/api/tickets/?page=2", "https://helpdesk.example.com/api/tickets/?page=2"),
        ("https://evil.example.net/api/tickets/?page=2", "https://helpdesk.example.com/api/tickets/?page=2"),
        ("//evil.example.net/x", "https://helpdesk.example.com/x"),
        ("/api/tickets/?page=2", "https://helpdesk.example.com/api/tickets/?page=2"),
        ("?page=2", "https://helpdesk.example.com/api/tickets/?page=2"),
        ("file:///etc/passwd", "https://helpdesk.example.com/etc/passwd"),
    ],
)
def test_every_page_is_asked_for_at_the_host_that_we_know(page, url):
    assert poll_request(CONNECTOR, expand, page) == HttpRequest(method="GET", url=url, headers=BASIC)


def test_a_next_page_that_is_no_address_is_refused():
    with pytest.raises(UnsentAction, match="cannot be read"):
        poll_request(CONNECTOR, expand, "http://[")


def test_one_ticket_is_asked_for_by_its_id():
    assert one_request(CONNECTOR, "7", expand) == HttpRequest(method="GET", url=TICKET, headers=BASIC)


# --- sending again ---------------------------------------------------------------------------------------------------

FIRST_TRY = dt.datetime(2026, 11, 21, 22, 10, tzinfo=dt.UTC)


def saved(comment, *, public=True, user=5, date="2026-11-21T22:10:01.5Z", new_status=None):
    entry = {"comment": comment, "public": public, "user": user, "date": date, "new_status": new_status}
    return {"id": 7, "followup_set": [{**entry, "comment": None, "user": None}, entry]}


@pytest.mark.parametrize(
    ("fetched", "done"),
    [
        (saved("Hello\nthere {"), True),
        (saved("Hello\r\nthere {\r\n"), True),
        (saved("Hello\nthere {", date="2026-11-21T22:06:00+00:00"), True),  # their clock may be behind
        (saved("Hello\nthere {", date="2026-11-21T21:40:00Z"), False),  # the same words, half an hour ago
        (saved("Hello\nthere {", date="2026-11-22T05:10:01+07:00"), True),
        (saved("Hello"), False),
        (saved("Hello\nthere {", public=False), False),
        (saved("Hello\nthere {", user=1), False),
        ({"followup_set": []}, False),
    ],
)
def test_a_reply_that_was_saved_although_it_failed_is_recognised(fetched, done):
    data = {"text": "Hello\nthere {  "}
    assert already_done(CONNECTOR, "reply", data, "7", fetched, since=FIRST_TRY) is done


def test_a_close_is_recognised_by_the_status_that_it_set():
    assert already_done(CONNECTOR, "close", {}, "7", saved("", public=False, new_status=4), since=FIRST_TRY)
    assert not already_done(CONNECTOR, "close", {}, "7", saved("", public=False), since=FIRST_TRY)


def test_what_sets_a_value_is_just_sent_again():
    assert check_request(CONNECTOR, "reassign", {"to": "ha1"}, "7", expand) is None
    assert not already_done(CONNECTOR, "reassign", {"to": "ha1"}, "7", {})
    assert check_request(CONNECTOR, "set", {}, "7", expand) is None


def test_the_check_asks_for_the_ticket():
    expected = HttpRequest(method="GET", url=TICKET, headers=BASIC)
    assert check_request(CONNECTOR, "reply", {"text": "Hello"}, "7", expand) == expected


@pytest.mark.parametrize("fetched", [None, [], {"detail": "Not found."}, {"followup_set": [{"date": "today"}]}])
def test_an_answer_that_shows_nothing_leaves_it_open(fetched):
    with pytest.raises(UnsentAction):
        already_done(CONNECTOR, "reply", {"text": "Hello"}, "7", fetched, since=FIRST_TRY)


# --- other shapes ----------------------------------------------------------------------------------------------------

JIRA = """
connectors:
  jira:
    base_url: https://jira.example.com/prefix/
    auth: {bearer: "${JIRA_TOKEN}"}
    headers: {X-Atlassian-Token: no-check}
    values: {level: {P1: urgent, "007": high}}
    operations:
      create:
        - method: POST
          path: /rest/issue
          json:
            fields: {summary: "{{ summary | upper }}", labels: ["{{ level | theirs('level') }}", late, 3]}
            customer: "{{ context.customer.id | default('nobody') }}"
        - {method: PUT, path: "/rest/link/{{ ticket.id }}?by={{ summary }}"}
"""


def test_an_operation_of_a_call_may_be_several_requests():
    connector, problems = parsed(JIRA, "jira")
    assert problems == []
    data = {"summary": "a&b", "level": "urgent", "context": {"customer": {}}}
    call = {"connector": "jira", "operation": "create", "data": data}
    headers = {"X-Atlassian-Token": "no-check", "Authorization": "Bearer t0ken"}
    assert requests_for(connector, "call", call, "7", lambda text: text.replace("${JIRA_TOKEN}", "t0ken")) == [
        HttpRequest(
            method="POST",
            url="https://jira.example.com/prefix/rest/issue",
            json={"fields": {"summary": "A&B", "labels": ["P1", "late", 3]}, "customer": "nobody"},
            headers=headers,
        ),
        HttpRequest(method="PUT", url="https://jira.example.com/prefix/rest/link/7?by=a%26b", headers=headers),
    ]
    high = requests_for(connector, "call", {**call, "data": {**data, "level": "high"}}, "7", lambda text: text)
    assert high[0].json["fields"]["labels"][0] == "007"
    with pytest.raises(UnsentAction, match='has no operation "delete"'):
        requests_for(connector, "call", {**call, "operation": "delete"}, "7", expand)
    assert one_request(connector, "7", expand) is None
