"""A service on a database, with a clock that stands still: what tests do to it and see of it."""

from __future__ import annotations

import datetime as dt
import functools
import itertools
import json
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from rules_service.decide import load_ruleset
from rules_service.ruleset import Files, Ruleset, read_folder
from rules_service.ruleset.load import is_test
from rules_service.service.events import EventService, Incoming
from rules_service.service.publish import put_live
from rules_service.service.roster import set_presence
from rules_service.settings import read_settings
from rules_service.store import Store, people, read_ticket, rulesets
from rules_service.store.codec import dump as to_json
from rules_service.tickets import Actor, Event, Snapshot
from rules_service.worker import Worker

TRAVEL = Path(__file__).parents[1] / "rulesets" / "travel"

#: A Monday, nine in the morning in Jakarta.
NINE = dt.datetime(2026, 3, 2, 2, tzinfo=dt.UTC)

#: Makes every action of the travel ruleset a delivery.
VARIABLES = {
    "HELPDESK_WEBHOOK_URL": "http://127.0.0.1:9/hook",
    "HELPDESK_WEBHOOK_SECRET": "whsec_c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0",
}

Rows = list[tuple[Any, ...]]


class FakeClock:
    """The time that tests set."""

    def __init__(self, now: dt.datetime = NINE) -> None:
        self.now = now

    def __call__(self) -> dt.datetime:
        return self.now

    def advance(self, seconds: float) -> None:
        """Goes on."""
        self.now += dt.timedelta(seconds=seconds)


@functools.cache
def travel_files() -> Files:
    """Without its own tests: they would keep out the changes that are made to it here."""
    return {name: content for name, content in read_folder(TRAVEL).items() if not is_test(name)}


@functools.cache
def _loaded(files: tuple[tuple[str, bytes], ...]) -> Ruleset:
    ruleset, problems = load_ruleset(dict(files))
    assert ruleset is not None, "\n".join(map(str, problems))
    return ruleset


def ruleset_of(files: Mapping[str, str | bytes]) -> Ruleset:
    """The ruleset of these files, loaded once a process."""
    return _loaded(
        tuple((name, text.encode() if isinstance(text, str) else text) for name, text in sorted(files.items()))
    )


def variant(*replaced: tuple[str, str], add: Mapping[str, str] | None = None) -> dict[str, str | bytes]:
    """The travel ruleset with what matches a pattern replaced, (pattern, text), and with files added."""
    files: dict[str, str | bytes] = {name: content.decode() for name, content in travel_files().items()}
    for pattern, text in replaced:
        changed = {name: re.sub(pattern, text, str(content)) for name, content in files.items()}
        assert changed != files, f"nothing in the travel ruleset reads {pattern!r}"
        files = dict(changed)
    return files | (add or {})


class Scene:
    """One service, with a worker beside it, on one database."""

    def __init__(
        self, store: Store, clock: FakeClock | None = None, files: Mapping[str, str | bytes] | None = None
    ) -> None:
        self.store = store
        self.clock = clock or FakeClock()
        self.worker = Worker(
            read_settings({"RULES_SERVICE_DATABASE": store.url, **VARIABLES}), store=store, clock=self.clock
        )
        self.service: EventService = self.worker.events
        self._numbers = itertools.count(1)
        self.publish(travel_files() if files is None else files)

    def publish(self, files: Mapping[str, str | bytes]) -> None:
        """Puts a ruleset live here."""
        self.ruleset = ruleset_of(files)
        texts = {name: text.encode() if isinstance(text, str) else text for name, text in files.items()}
        # As `publish` does, which would read and compile the same files again in every test.
        put_live(self.store, self.ruleset, texts, self.clock(), "test")
        with self.store.connection():
            self.ruleset = replace(self.ruleset, predecessors=rulesets.known_rules(self.store))
        self.worker.live._ruleset = self.ruleset
        # Publishing marks every desk; here nothing waits yet.
        self.store.transact(lambda: self.store.sql("DELETE FROM timer"))

    # --- what happens -----------------------------------------------------------------------------------------------

    def online(self, *user_ids: str) -> None:
        """These users come online."""
        for user_id in user_ids:
            set_presence(self.store, user_id, "online", self.clock(), ruleset_hash=self.ruleset.hash)
            self.clock.advance(0.000001)

    def offline(self, *user_ids: str) -> None:
        """These users go offline."""
        for user_id in user_ids:
            set_presence(self.store, user_id, "offline", self.clock(), ruleset_hash=self.ruleset.hash)
            self.clock.advance(0.000001)

    def incoming(
        self,
        kind: str,
        ticket: str = "t1",
        *,
        by: str | Actor | None = None,
        at: dt.datetime | None = None,
        id: str | None = None,  # noqa: A002  an event's id
        request: bool = False,
        **data: Any,
    ) -> Incoming:
        """An event as the API would hand it over; `by` is a user's id, `customer`, `system`, or an actor."""
        if by in ("customer", "system"):
            actor: Actor | None = Actor(role=str(by))
        else:
            actor = Actor(id=by, role="") if isinstance(by, str) else by
        event = Event(
            id=id or f"e{next(self._numbers)}",
            type=kind,
            at=at or self.clock(),
            ticket_id=ticket,
            actor=actor,
            data=data,
            request=request,
        )
        body = {"id": event.id, "type": kind, "at": event.at, "ticket_id": ticket, "data": data, "request": request}
        return Incoming(event=event, body=to_json(body))

    def send(self, kind: str, ticket: str = "t1", **rest: Any) -> dict[str, Any]:
        """A fact; returns the answer."""
        return self.service.handle(self.incoming(kind, ticket, **rest))

    def ask(self, kind: str, ticket: str = "t1", **rest: Any) -> dict[str, Any]:
        """A request for a transition, named by its event; returns the answer."""
        return self.service.handle(self.incoming(kind, ticket, request=True, **rest))

    def create(self, ticket: str = "t1", **data: Any) -> dict[str, Any]:
        """A customer's first contact, by WhatsApp with the hotel team."""
        return self.send(
            "ticket.created", ticket, **{"subject": "Room", "channel": "whatsapp", "group": "hotel"} | data
        )

    def given(self, status: str, ticket: str = "t1") -> None:
        """The ticket in this status: queued, or held by ha1, who alone is online; a minute passes with each step."""
        steps = {
            "assigned": lambda: None,
            "open": lambda: self.send("ticket.opened", ticket, by="ha1"),
            "pending": lambda: self.send("message.sent", ticket, by="ha1", text="Halo"),
            "closed": lambda: self.send("ticket.closed", ticket, by="ha1"),
        }
        if status != "unassigned":
            self.online("ha1")
        self.create(ticket)
        for name, step in steps.items():
            if self.ticket(ticket).status == status:
                break
            self.clock.advance(60)
            step()
            assert self.ticket(ticket).status == name
        assert self.ticket(ticket).status == status

    def run_due(self) -> None:
        """The worker works off what is due."""
        with self.store.connection():
            while self.worker.run_due():
                pass

    def run_timers(self) -> None:
        """The worker drains the queues that are due."""
        with self.store.connection():
            while self.worker.run_timers():
                pass

    # --- what can be seen -------------------------------------------------------------------------------------------

    def snapshot(self, ticket: str = "t1") -> Snapshot:
        """The ticket with all its parts."""
        with self.store.connection():
            return read_ticket(self.store, ticket, lock=False).snapshot

    def ticket(self, ticket: str = "t1") -> Any:
        """The ticket."""
        return self.snapshot(ticket).ticket

    def clock_of(self, name: str, ticket: str = "t1") -> Any:
        """A service-level clock of the ticket; None when it has none of this name."""
        return next((clock for clock in self.snapshot(ticket).clocks if clock.name == name), None)

    def rows(self, text: str, *parameters: Any) -> Rows:
        """The rows of a query."""
        with self.store.connection():
            return self.store.rows(text, *parameters)

    def log(self, ticket: str = "t1") -> list[str]:
        """Types of the logged events of a ticket, in order."""
        return [row[0] for row in self.rows("SELECT type FROM event WHERE ticket_id = ? ORDER BY seq", ticket)]

    def decisions(self, event_id: str) -> list[dict[str, Any]]:
        """The logged decisions of an event."""
        ((text,),) = self.rows("SELECT decisions FROM event WHERE event_id = ?", event_id)
        found: list[dict[str, Any]] = json.loads(text)
        return found

    def actions(self, ticket: str = "t1", kind: str | None = None) -> list[tuple[str, dict[str, Any]]]:
        """(type, data) of the actions about a ticket, in order."""
        found = self.rows("SELECT type, data FROM action WHERE ticket_id = ? ORDER BY seq", ticket)
        return [(name, json.loads(data)) for name, data in found if kind in (None, name)]

    def load(self, user_id: str) -> int:
        """How many tickets a user holds, by the counter."""
        with self.store.connection():
            user = people.read_user(self.store, user_id)
        assert user is not None
        return int(user["open_count"])

    def loads_hold(self) -> None:
        """Every counter of the roster equals the tickets that are held."""
        known = {row[0] for row in self.rows("SELECT id FROM member")}
        held = {name for name, state in self.ruleset.lifecycle.states.items() if state.slot_held}
        counted: dict[str, int] = {}
        for (state,) in self.rows("SELECT id FROM ticket"):
            snapshot = self.snapshot(state)
            ticket, stint = snapshot.ticket, snapshot.stint
            if ticket and ticket.live and ticket.status in held and stint and stint.agent_id in known:
                counted[stint.agent_id] = counted.get(stint.agent_id, 0) + 1
        kept = {row[0]: row[1] for row in self.rows("SELECT id, open_count FROM member WHERE open_count <> 0")}
        assert kept == counted
