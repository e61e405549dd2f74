"""The real helpdesk behaves as the example connector and its notes say; a new version of it is tried here first."""

import datetime as dt
import os

import pytest

from rules_service.connectors import already_done, requests_for
from tests.connectors.example import CONNECTOR, VARIABLES, expand
from tests.integration.helpdesk_server import CLOSED, OPEN, REOPENED, SERVICE_ACCOUNT, running_helpdesk
from tests.integration.receiver import Receiver

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def receiver():
    with Receiver() as receiver:
        yield receiver


@pytest.fixture(scope="module")
def helpdesk(receiver, tmp_path_factory):
    with running_helpdesk(tmp_path_factory.mktemp("helpdesk"), webhook_url=receiver.url) as helpdesk:
        yield helpdesk


@pytest.fixture
def ticket(helpdesk):
    return helpdesk.customer_opens(subject="VIP cannot pay", body="My payment fails.").ticket_id


def sends(helpdesk, action, data, ticket):
    """Carries an action out with the connector's request, as the relay does; says whether the helpdesk took it."""
    (request,) = requests_for(CONNECTOR, action, data, str(ticket), expand)
    path = request.url.removeprefix(f"{VARIABLES['HELPDESK_URL']}/api")
    return helpdesk.call(request.method, path, request.json).ok


@pytest.mark.parametrize(
    ("action", "names", "expected"),
    [
        ("set_priority", {"priority": "urgent"}, {"priority": 1}),
        ("reassign", {"to": "hx1"}, {"assigned_to": 4}),
        ("reassign", {"to": None}, {"assigned_to": None}),
        ("transfer", {"desk": "hotel-chat"}, {"queue": 1, "assigned_to": None}),
        ("close", {}, {"status": CLOSED}),
        ("reopen", {}, {"status": REOPENED}),
    ],
)
def test_an_action_changes_these_fields_and_never_the_title(helpdesk, ticket, action, names, expected):
    assert sends(helpdesk, action, names, ticket)
    after = helpdesk.ticket(ticket)
    assert {key: after[key] for key in expected} == expected
    assert after["title"] == "VIP cannot pay"


@pytest.mark.parametrize(
    ("action", "names", "comment"),
    [
        ("reply", {"text": "We are on it."}, "We are on it."),
        ("note", {"text": "Gateway down."}, "Gateway down."),
        ("alert", {"text": "Nobody answers."}, "Nobody answers."),
        ("escalate", {"summary": "No first response"}, "Escalated: No first response"),
        ("add_tags", {"tags": ["vip", "system-down"]}, "Tags: vip, system-down"),
        ("reply", {"text": "{{{{ a }} {% b %} {# c #} 9%}"}, "{ { { { a }} { % b % } { # c #} 9% }"),
    ],
)
def test_an_action_writes_this_followup_and_never_the_title(helpdesk, ticket, action, names, comment):
    assert sends(helpdesk, action, names, ticket)
    last = helpdesk.followups(ticket)[-1]
    assert (last["comment"], last["public"]) == (comment, action == "reply")
    assert last["user"] == helpdesk.users[SERVICE_ACCOUNT]
    assert helpdesk.ticket(ticket)["title"] == "VIP cannot pay"


@pytest.mark.parametrize("text", ["{{ a|b }}", "{% endverbatim %}", "100%}"])
def test_the_helpdesk_chokes_on_text_that_is_not_inert(helpdesk, ticket, text):
    assert helpdesk.call("POST", "/followups/", {"ticket": ticket, "comment": text}).status_code == 500


def test_a_public_reply_reaches_the_customer_by_mail(helpdesk, ticket):
    assert sends(helpdesk, "reply", {"text": "We are on it."}, ticket)
    last = helpdesk.mails_sent()[-1]
    assert last["To"] == "budi@example.com"
    assert "We are on it." in last.get_body(("plain",)).get_content()


@pytest.fixture
def receiver_is_down(tmp_path):
    down = Receiver()
    down.stop()
    with running_helpdesk(tmp_path, webhook_url=down.url) as helpdesk:
        yield helpdesk


def test_when_the_service_is_down_the_helpdesk_answers_500_and_has_saved_all_the_same(receiver_is_down):
    helpdesk = receiver_is_down
    assert helpdesk.customer_opens(subject="T", body="B").status_code == 500
    (ticket,) = helpdesk.tickets((OPEN,))
    reply = {"ticket": ticket["id"], "comment": "We are on it.", "public": True}
    before = dt.datetime.now(dt.UTC)
    assert helpdesk.call("POST", "/followups/", reply).status_code == 500
    for text, done in (("We are on it.\n", True), ("We are on it!", False)):
        now = helpdesk.ticket(ticket["id"])
        assert already_done(CONNECTOR, "reply", {"text": text}, str(ticket["id"]), now, since=before) is done
    helpdesk.customer_mails(f"Re: [support-{ticket['id']}]", body="Any news?")
    helpdesk.reads_mail()  # the mail is still in the box, and is taken for another one
    comments = [followup["comment"] for followup in helpdesk.followups(ticket["id"])]
    assert comments == ["B", "We are on it.", "Any news?\n", "Any news?\n"]
    assert len({followup["message_id"] for followup in helpdesk.followups(ticket["id"])[2:]}) == 1


def test_no_process_is_left_behind(receiver, tmp_path):
    with running_helpdesk(tmp_path, webhook_url=receiver.url) as helpdesk:
        assert helpdesk.process_id
    with pytest.raises(ProcessLookupError):
        os.kill(helpdesk.process_id, 0)
