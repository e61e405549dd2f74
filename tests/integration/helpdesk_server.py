"""A real django-helpdesk to test against: installs it once, starts it, and acts as the people who use it.

    with running_helpdesk(tmp_path, webhook_url=service_url) as helpdesk:
        ticket = helpdesk.customer_opens(subject="VIP cannot pay", body="...").ticket_id
        helpdesk.login("ha1").updates(ticket, comment="We are looking", public=True)

The environment is kept in `.cache/helpdesk-venv`, or where RULES_SERVICE_HELPDESK_VENV says; Django never enters ours.
"""

import contextlib
import email
import email.policy
import fcntl
import json
import os
import re
import secrets
import socket
import subprocess
import sys
import time
import urllib.parse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import requests

PROJECT = Path(__file__).with_name("helpdesk")
REQUIREMENTS = PROJECT / "requirements.txt"
CACHE = Path(__file__).parents[2] / ".cache"
QUEUE_ID = 1
SERVICE_ACCOUNT = "rules-service"
OPEN, REOPENED, RESOLVED, CLOSED, DUPLICATE = 1, 2, 3, 4, 5
START_WITHIN_S = 30
HTTP_TIMEOUT_S = 30


def installed_helpdesk() -> Path:
    """The Python of an environment that holds exactly `helpdesk/requirements.txt`; made at first use, about 20 s."""
    venv = Path(os.environ.get("RULES_SERVICE_HELPDESK_VENV") or CACHE / "helpdesk-venv")
    python = venv / "bin" / "python"
    done = venv / "installed.txt"
    wanted = f"# Python {sys.version_info.major}.{sys.version_info.minor}\n{REQUIREMENTS.read_text()}"
    venv.parent.mkdir(parents=True, exist_ok=True)
    if venv.parent == CACHE:
        (CACHE / ".gitignore").write_text("*\n")
    with venv.with_name(venv.name + ".lock").open("w") as lock:  # tests may run in several processes
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not done.is_file() or done.read_text() != wanted:
            _run([sys.executable, "-m", "venv", "--clear", str(venv)])
            _run([str(python), "-m", "pip", "install", "--quiet", "-r", str(REQUIREMENTS)])
            done.write_text(wanted)
    return python


@dataclass(frozen=True, kw_only=True)
class Submission:
    """What a person saw after sending a form: `ticket_id` and `key` are None when the helpdesk answered an error."""

    status_code: int
    seconds: float
    ticket_id: int | None
    key: str | None = None


@dataclass(frozen=True, kw_only=True)
class Agent:
    """A member of staff, logged in to the web pages."""

    helpdesk: "Helpdesk"
    session: requests.Session

    def opens(
        self, *, subject: str, body: str, customer: str, priority: int = 3, assigned_to: str | None = None
    ) -> Submission:
        """Open a ticket for a customer with the form for staff."""
        form = {
            "queue": QUEUE_ID,
            "title": subject,
            "body": body,
            "submitter_email": customer,
            "priority": priority,
            "assigned_to": "" if assigned_to is None else self.helpdesk.users[assigned_to],
        }
        return self.helpdesk.submit(self.session, "/tickets/submit/", form)

    def updates(
        self,
        ticket_id: int,
        *,
        comment: str = "",
        public: bool = False,
        status: int | None = None,
        owner: str | None = None,
        priority: int | None = None,
    ) -> Submission:
        """Send the update form of a ticket's page with these changes; `owner` "" gives the ticket to nobody."""
        ticket = self.helpdesk.ticket(ticket_id)
        form = {
            "comment": comment,
            "new_status": ticket["status"] if status is None else status,
            "title": ticket["title"],
            "queue": ticket["queue"],
            "priority": ticket["priority"] if priority is None else priority,
            "owner": (ticket["assigned_to"] or 0) if owner is None else self.helpdesk.users.get(owner, 0),
        }
        if public:
            form["public"] = "1"  # a box that is not ticked sends nothing
        return self.helpdesk.submit(self.session, f"/tickets/{ticket_id}/update/", form)

    def takes(self, ticket_id: int) -> Submission:
        """Follow the "take" link of a ticket's page."""
        started = time.monotonic()
        answer = self.session.get(f"{self.helpdesk.url}/tickets/{ticket_id}/?take", timeout=HTTP_TIMEOUT_S)
        return Submission(status_code=answer.status_code, seconds=time.monotonic() - started, ticket_id=ticket_id)

    def in_bulk(self, action: str, *ticket_ids: int) -> Submission:
        """Act on the ticket list: `take`, `unassign`, `close`, `close_public`, `delete` or `assign_NUMBER`."""
        form = {"action": action, "ticket_id": ticket_ids}
        return self.helpdesk.submit(self.session, "/tickets/update/", form, page="/tickets/submit/")

    def holds(self, ticket_id: int, *, on_hold: bool = True) -> Submission:
        """Put the ticket on hold with its button, or take it off."""
        return self.helpdesk.submit(self.session, f"/tickets/{ticket_id}/{'hold' if on_hold else 'unhold'}/", {})

    def drags(self, ticket_id: int, *, status: int) -> Submission:
        """Move the ticket's card to another column of the board."""
        return self.helpdesk.submit(
            self.session,
            f"/tickets/{ticket_id}/kanban-update/",
            {"status": status},
            page="/tickets/submit/",
            as_json=True,
        )


@dataclass(frozen=True, kw_only=True)
class Helpdesk:
    """A helpdesk that is up: where it is, who is in it, and what its people do."""

    url: str
    data: Path
    users: dict[str, int]
    password: str = field(repr=False)
    process_id: int
    python: Path
    environment: dict[str, str] = field(repr=False)
    _api: requests.Session = field(repr=False)

    # people

    def customer_opens(
        self, *, subject: str, body: str, customer: str = "budi@example.com", priority: int = 3
    ) -> Submission:
        """Open a ticket as a customer does, with the public form; an error of the helpdesk is returned, not raised."""
        form = {
            "queue": QUEUE_ID,
            "title": subject,
            "body": body,
            "submitter_email": customer,
            "priority": priority,
        }
        return self.submit(_session(), "/tickets/submit/", form)

    def customer_mails(self, subject: str, *, body: str, customer: str = "budi@example.com") -> None:
        """Write a mail, read by the helpdesk when this returns; the subject `[support-7]` answers on ticket 7."""
        mail = EmailMessage()
        mail["From"] = customer
        mail["To"] = "support@example.com"
        mail["Subject"] = subject
        mail["Message-ID"] = f"<{secrets.token_hex(8)}@example.com>"
        mail.set_content(body)
        (self.data / "inbox" / f"{secrets.token_hex(8)}.eml").write_bytes(mail.as_bytes())
        self.reads_mail()

    def reads_mail(self) -> None:
        """Read the mailbox as the helpdesk does every few minutes; a mail that fails stays in it."""
        _run([str(self.python), "-m", "django", "get_email", "--quiet"], environment=self.environment)

    def customer_accepts(self, opened: Submission, *, customer: str = "budi@example.com") -> Submission:
        """Follow the link "I accept this resolution" of the ticket's public page."""
        query = {"ticket": f"support-{opened.ticket_id}", "email": customer, "key": opened.key, "close": 1}
        started = time.monotonic()
        answer = _session().get(f"{self.url}/view/", params=query, timeout=HTTP_TIMEOUT_S, allow_redirects=False)
        return Submission(
            status_code=answer.status_code,
            seconds=time.monotonic() - started,
            ticket_id=opened.ticket_id,
            key=opened.key,
        )

    def login(self, name: str) -> Agent:
        """Log in by the login page."""
        session = _session()
        answer = self.submit(session, "/login/", {"username": name, "password": self.password})
        assert answer.status_code == requests.codes.found, f"{name} could not log in"
        return Agent(helpdesk=self, session=session)

    def mails_sent(self) -> list[EmailMessage]:
        """Every mail that the helpdesk has sent, oldest first."""
        files = sorted((self.data / "outbox").iterdir(), key=lambda file: file.stat().st_mtime_ns)
        return [_mail(part) for file in files for part in file.read_text().split("-" * 79) if part.strip()]

    # the REST interface, as the service account

    def call(self, method: str, path: str, json_body: object = None) -> requests.Response:
        """One request of the service account to the REST interface; the answer's status is the caller's business."""
        return self._api.request(method, f"{self.url}/api{path}", json=json_body, timeout=HTTP_TIMEOUT_S)

    def ticket(self, ticket_id: int) -> dict[str, Any]:
        """The ticket as the REST interface shows it, follow-ups included."""
        return self._json("GET", f"/tickets/{ticket_id}/")

    def followups(self, ticket_id: int) -> list[dict[str, Any]]:
        """The follow-ups of a ticket, oldest first."""
        followups: list[dict[str, Any]] = self.ticket(ticket_id)["followup_set"]
        return followups

    def tickets(self, statuses: Sequence[int] = (OPEN, REOPENED)) -> list[dict[str, Any]]:
        """The first hundred tickets in these states, lowest number first."""
        page = self._json("GET", f"/tickets/?page_size=100&status={','.join(map(str, statuses))}")
        found: list[dict[str, Any]] = page["results"]
        return found

    # below the surface

    def submit(
        self,
        session: requests.Session,
        path: str,
        form: dict[str, Any],
        *,
        page: str | None = None,
        as_json: bool = False,
    ) -> Submission:
        """Load `page` for its token as a browser does, then send the form; redirects are read, not followed."""
        loaded = session.get(self.url + (page or re.sub(r"/(update|hold|unhold)/$", "/", path)), timeout=HTTP_TIMEOUT_S)
        token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', loaded.text)
        assert token is not None, f"no form at {loaded.url} ({loaded.status_code})"
        sent: dict[str, Any] = {"json": form} if as_json else {"data": form}
        started = time.monotonic()
        answer = session.post(
            self.url + path,
            headers={"X-CSRFToken": token[1], "Referer": loaded.url},
            timeout=HTTP_TIMEOUT_S,
            allow_redirects=False,
            **sent,
        )
        seconds = time.monotonic() - started
        ticket_id, key = _redirected_to(answer.headers.get("Location", ""))
        return Submission(status_code=answer.status_code, seconds=seconds, ticket_id=ticket_id, key=key)

    def _json(self, method: str, path: str) -> dict[str, Any]:
        answer = self.call(method, path)
        answer.raise_for_status()
        body: dict[str, Any] = answer.json()
        return body


@contextlib.contextmanager
def running_helpdesk(data: Path, *, webhook_url: str) -> Iterator[Helpdesk]:
    """A helpdesk with a fresh database in the folder `data`, its webhooks going to `webhook_url`; stopped at the end.

    Raises AssertionError with the end of the server's log when it does not answer within 30 s.
    """
    python = installed_helpdesk()
    password = secrets.token_urlsafe(12)
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(PROJECT),
        "PYTHONDONTWRITEBYTECODE": "1",
        "DJANGO_SETTINGS_MODULE": "settings",
        "NO_PROXY": "127.0.0.1",
        "HELPDESK_DATA": str(data),
        "HELPDESK_SECRET_KEY": secrets.token_urlsafe(32),
        "HELPDESK_PASSWORD": password,
        "HELPDESK_NEW_TICKET_WEBHOOK_URLS": webhook_url,
        "HELPDESK_FOLLOWUP_WEBHOOK_URLS": webhook_url,
    }
    users = json.loads(_run([str(python), str(PROJECT / "prepare.py")], environment=environment))
    log = data / "server.log"
    with socket.create_server(("127.0.0.1", 0)) as listening, log.open("wb") as output:
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        process = subprocess.Popen(
            [str(python), str(PROJECT / "serve.py"), str(listening.fileno())],
            env=environment,
            stdout=output,
            stderr=subprocess.STDOUT,
            pass_fds=[listening.fileno()],  # no other program can take the port in between
        )
    try:
        api = _session()
        api.auth = (SERVICE_ACCOUNT, password)
        helpdesk = Helpdesk(
            url=url,
            data=data,
            users=users,
            password=password,
            process_id=process.pid,
            python=python,
            environment=environment,
            _api=api,
        )
        _wait_until_it_answers(url, log)
        yield helpdesk
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_until_it_answers(url: str, log: Path) -> None:
    try:  # the socket listens already: this waits for the answer, and ends at once when the server has died
        _session().get(f"{url}/login/", timeout=START_WITHIN_S).raise_for_status()
    except requests.RequestException as problem:
        raise AssertionError(f"the helpdesk did not start: {problem}\n{log.read_text()[-2000:]}") from problem


def _session() -> requests.Session:
    session = requests.Session()
    session.trust_env = False  # a proxy has no business here
    return session


def _mail(text: str) -> EmailMessage:
    return email.message_from_string(text.lstrip("\n"), policy=email.policy.default)


def _redirected_to(location: str) -> tuple[int | None, str | None]:
    """Ticket number and customer's key in the address that a form leads to, where it names them."""
    query = urllib.parse.parse_qs(urllib.parse.urlsplit(location).query)
    if "ticket" in query:
        return int(query["ticket"][0].rpartition("-")[2]), query["key"][0]
    number = re.search(r"/tickets/(\d+)/", location)
    return (int(number[1]) if number else None), None


def _run(command: list[str], *, environment: dict[str, str] | None = None) -> str:
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command[:4]} failed\n{done.stdout}\n{done.stderr}"
    return done.stdout
