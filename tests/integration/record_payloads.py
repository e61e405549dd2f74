"""Record what the helpdesk really sends: `python -m tests.integration.record_payloads` rewrites `payloads/*.json`.

The fast suite reads the files; record anew when `helpdesk/requirements.txt` moves to another version.
"""

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.integration.helpdesk_server import CLOSED, RESOLVED, Helpdesk, Submission, running_helpdesk
from tests.integration.receiver import Receiver

PAYLOADS = Path(__file__).with_name("payloads")
PUBLIC_URL = "https://helpdesk.example.com"


def acts(helpdesk: Helpdesk) -> Iterator[str]:
    """The name of each payload, after the act that caused it."""
    ha1, ha2, hs1, hx1 = (helpdesk.login(name) for name in ("ha1", "ha2", "hs1", "hx1"))

    opened = helpdesk.customer_opens(subject="VIP cannot pay", body="Sistem macet, tidak bisa bayar.")
    ticket = number(opened)
    yield "created-by-customer"
    ha1.updates(ticket, comment="We are looking into it.", public=True)
    yield "reply-by-agent"
    ha1.updates(ticket, comment="Payment gateway seems down.")
    yield "note-by-agent"
    helpdesk.call("POST", "/followups/", {"ticket": ticket, "comment": "Kami menerima pesan Anda.", "public": True})
    yield "reply-by-service"
    ha1.updates(ticket, owner="ha2")
    yield "reassigned"
    hs1.updates(ticket, priority=1)
    yield "priority-changed"
    ha2.updates(ticket, comment="My colleague who knows payments goes on.", public=True, owner="hx1")
    yield "reply-and-handover"
    helpdesk.customer_mails(f"Re: [support-{ticket}]", body="Any news?")
    yield "reply-by-customer"
    helpdesk.customer_mails(
        f"Re: [support-{ticket}]", body="Answered from my mailbox.", customer="hx1@staff.example.com"
    )
    yield "mail-by-staff"
    hx1.updates(ticket, comment="Paid now.", public=True, status=RESOLVED)
    yield "reply-and-resolve"
    helpdesk.customer_accepts(opened)
    yield "closed-by-customer"
    helpdesk.customer_mails(f"Re: [support-{ticket}]", body="It fails again.")
    yield "reopened-by-customer"
    hs1.updates(ticket, owner="")
    yield "unassigned"
    hs1.updates(ticket, status=CLOSED)
    yield "closed"

    helpdesk.customer_mails("Invoice", body="Please send the invoice.", customer="sari@example.com")
    yield "created-by-mail"
    ha1.takes(ticket + 1)
    yield "taken"
    by_staff = ha1.opens(subject="Call back", body="He called.", customer="sari@example.com", assigned_to="ha2")
    yield "created-by-staff"
    hx1.updates(number(by_staff), comment="I take this one.", public=True, owner="hx1")
    yield "reply-and-take"
    new = {"queue": 1, "title": "From a form", "description": "A lead.", "submitter_email": "sari@example.com"}
    created = helpdesk.call("POST", "/tickets/", {**new, "priority": 4}).json()["id"]
    yield "created-by-service"

    # What sends nothing shows in the next page of the poll only.
    helpdesk.call("PATCH", f"/tickets/{created}/", {"priority": 2})
    ha1.in_bulk("assign_2", created)
    ha1.holds(number(by_staff))
    hs1.in_bulk("close", ticket + 1)


def number(submission: Submission) -> int:
    assert submission.ticket_id is not None, submission
    return submission.ticket_id


def keep(name: str, payload: dict[str, Any]) -> None:
    text = json.dumps(payload, indent=1, ensure_ascii=False)
    (PAYLOADS / f"{name}.json").write_text(text + "\n")


def main() -> None:
    PAYLOADS.mkdir(exist_ok=True)
    with (
        Receiver() as receiver,
        tempfile.TemporaryDirectory() as data,
        running_helpdesk(Path(data), webhook_url=receiver.url) as helpdesk,
    ):
        for name in acts(helpdesk):
            keep(name, receiver.one())
            assert receiver.taken(), f"{name} sent more than one payload"
        assert receiver.taken(), "something sends a webhook now that sent none"
        page = helpdesk.call("GET", "/tickets/?status=1,2&page_size=1").json()
        page["next"] = page["next"].replace(helpdesk.url, PUBLIC_URL)
        keep("poll-page-1", page)
        keep("poll-page-2", helpdesk.call("GET", "/tickets/?status=1,2&page_size=1&page=2").json() | {"previous": None})
        keep("poll-closed-ticket", helpdesk.ticket(2))


if __name__ == "__main__":
    main()
