"""Helpdesks plugged in by connectors: webhooks stored, payloads read, their events handled."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

import structlog

from rules_service.clock import Clock
from rules_service.connectors import (
    NO_LAG,
    SENT_FIELDS,
    Connector,
    Remembered,
    admits,
    created_at,
    imported_event,
    read_ticket,
    sent,
    ticket_id,
    tickets_in,
)
from rules_service.errors import EventIdReused, InvalidEvent, ServiceError, UnknownConnector
from rules_service.ruleset import Ruleset, expand
from rules_service.service.events import EventService, Incoming
from rules_service.store import Store, plugged
from rules_service.store import read_ticket as stored_ticket
from rules_service.store.codec import dump
from rules_service.tickets import Event

log = structlog.get_logger()

#: How much older than its arrival a webhook may be. A poll is dated by its question, and is never older.
WEBHOOK_LAG = dt.timedelta(seconds=2)

#: How often within an hour a ticket is taken back because its helpdesk did not take an action; then it stays.
#: Without this a person whom the helpdesk does not know would be given a queued ticket again and again.
TAKEN_BACK_AN_HOUR = 3

#: How often a webhook that makes the service stumble is tried before it is set aside.
MAX_TRIES = 3


class _Taken(Exception):
    """Another worker has the delivery."""


class ConnectorService:
    """Reads helpdesks' payloads; one transaction a ticket, its memory included."""

    def __init__(
        self,
        store: Store,
        ruleset: Callable[[], Ruleset],
        events: EventService,
        clock: Clock,
        *,
        variables: Mapping[str, str],
    ) -> None:
        """`variables` are what `${VAR}` in connectors stands for."""
        self._store = store
        self._ruleset = ruleset
        self._events = events
        self._clock = clock
        self._variables = variables
        self._since: dict[str, dt.datetime] = {}
        #: The webhook that made the service stumble last, and how often.
        self._stumbled = (0, 0)

    def accept(self, name: str, secret: str, body: bytes) -> None:
        """Stores a webhook to be read right after. UnknownConnector for a wrong name or secret, alike; InvalidEvent."""
        connector = self._ruleset().connectors.get(name)
        if connector is None or not admits(connector, secret, self._filled):
            raise UnknownConnector("no connector has this name and secret")
        try:
            # As text: of bytes, `loads` also takes encodings that could not be stored.
            text = body.decode()
            json.loads(text)
        except (ValueError, RecursionError):
            raise InvalidEvent("the body is not JSON") from None
        now = self._clock()
        self._store.transact(lambda: plugged.store_inbound(self._store, name, "inbound", text, now))

    def work_one(self) -> bool:
        """Reads the oldest stored webhook; False when there is none. One that cannot be read is kept, with the why."""
        connectors = self._ruleset().connectors
        with self._store.connection():
            # Looked for without a lock first: most of the time there is none.
            if plugged.first_inbound(self._store) is None:
                return False
        inbound_id = 0

        def work() -> bool:
            nonlocal inbound_id
            found = plugged.first_inbound(self._store)
            if found is None:
                return False
            inbound_id, name, _, payload, received_at = found
            error = None
            try:
                connector = connectors.get(name)
                if connector is None:
                    raise UnknownConnector(f'the ruleset has no connector "{name}" any more')
                for theirs in tickets_in(connector, json.loads(payload), "inbound"):
                    self._read(connector, theirs, received_at, WEBHOOK_LAG)
            except ServiceError as failure:
                error = f"{failure.code}: {failure.detail}"
                log.warning("inbound_unreadable", connector=name, why=error)
            plugged.settle_inbound(self._store, inbound_id, error)
            return True

        try:
            return self._store.transact(work)
        except Exception as failure:
            self._set_aside(inbound_id, failure)
            raise

    def _set_aside(self, inbound_id: int, failure: Exception) -> None:
        """Keeps one webhook that makes the service stumble again and again from holding up all that came after it."""
        last, tries = self._stumbled
        self._stumbled = (inbound_id, tries + 1 if inbound_id == last else 1)
        if inbound_id and self._stumbled[1] >= MAX_TRIES:
            why = f"{type(failure).__name__}: {failure}"
            self._store.transact(lambda: plugged.settle_inbound(self._store, inbound_id, why))

    def read_page(self, connector: Connector, payload: object, asked_at: dt.datetime) -> set[str]:
        """Reads one page of a poll that was asked for at `asked_at`; returns the ids of its tickets."""
        seen = set()
        for theirs in tickets_in(connector, payload, "poll"):
            try:
                seen.add(self.read_one(connector, theirs, asked_at))
            except ServiceError as failure:
                log.warning("polled_ticket_unreadable", connector=connector.name, why=failure.detail)
            except Exception:
                # Whatever is wrong with one ticket, the others are read.
                log.exception("polled_ticket_failed", connector=connector.name)
        return seen

    def read_one(self, connector: Connector, theirs: object, asked_at: dt.datetime) -> str:
        """Reads one ticket that was asked for at `asked_at`; returns its id."""
        found = ticket_id(connector, theirs)
        self._store.transact(lambda: self._read(connector, theirs, asked_at))
        return found

    def gone(self, connector: Connector, id_: str) -> None:
        """The helpdesk no longer knows a ticket; it is not asked for again."""
        event = Event(id=f"deleted:{id_}", type="ticket.deleted", at=self._clock(), ticket_id=id_)

        def work() -> None:
            self._handle(connector, [event])
            plugged.forget(self._store, connector.name, id_)

        self._store.transact(work)

    def missing(self, connector: Connector, listed: set[str]) -> list[str]:
        """Open tickets of a connector that its last complete poll did not list."""
        with self._store.connection():
            return [id_ for id_ in plugged.remembered_ids(self._store, connector.name) if id_ not in listed]

    def since(self, connector: Connector) -> dt.datetime:
        """When the connector was first at work; tickets created before are imported, and fire nothing."""
        known = self._since.get(connector.name)
        if known is not None:
            return known

        def work() -> dt.datetime:
            memory = plugged.read_memory(self._store, connector.name, "", lock=True)
            if memory is None:
                memory = {"since": self._clock().isoformat()}
                plugged.write_memory(self._store, connector.name, "", memory, self._clock())
            return dt.datetime.fromisoformat(memory["since"])

        found = self._since[connector.name] = self._store.transact(work)
        return found

    def overtaken(self, id_: str, action_type: str, data: Mapping[str, Any]) -> bool:
        """Whether the ticket has moved on since an action that is still on its way, and would be undone by sending it.

        Without this an assignment that could not be delivered for an hour would take the ticket from who holds it now.
        """
        if action_type not in SENT_FIELDS:
            return False
        with self._store.connection():
            ticket = stored_ticket(self._store, id_, lock=False).snapshot.ticket
        if ticket is None:
            return False
        ours = {
            "priority": ticket.priority,
            "assignee": ticket.assignee,
            "desk": ticket.desk,
            "status": "closed" if ticket.closed_at is not None else None,
        }
        wanted = {name: value(data) for name, value in SENT_FIELDS[action_type].items()}
        if action_type == "transfer":
            # Who got the ticket at its new desk is told by an action that follows.
            del wanted["assignee"]
        return any(ours[name] != value for name, value in wanted.items())

    def applied(self, name: str, id_: str, action_type: str, data: Mapping[str, Any]) -> None:
        """The helpdesk took an action of ours: what it changed there counts as seen, and is no news."""
        if action_type not in SENT_FIELDS:
            return
        now = self._clock()

        def work() -> None:
            memory = plugged.read_memory(self._store, name, id_, lock=True)
            if memory is not None:
                remembered = sent(Remembered.from_json(memory), action_type, data, now)
                plugged.write_memory(self._store, name, id_, remembered.to_json(), now)

        self._store.transact(work)

    def failed(
        self, event_id: str, id_: str, action_type: str, data: Mapping[str, Any], why: str, settle: Callable[[], bool]
    ) -> bool:
        """An action was given up: its ticket has the event `action.failed`, in one transaction with `settle`.

        Nothing is written, and the answer is False, where `settle` says that the delivery is another worker's by now.
        """

        def work() -> bool:
            # The ticket first, as everywhere.
            if stored_ticket(self._store, id_, lock=True).snapshot.ticket is not None:
                told = {"action": action_type, "detail": why, "to": data.get("to")}
                now = self._clock()
                an_hour_ago = now - dt.timedelta(hours=1)
                if plugged.placements_failed_since(self._store, id_, an_hour_ago) >= TAKEN_BACK_AN_HOUR:
                    told["stays"] = True
                event = Event(id=event_id, type="action.failed", at=now, ticket_id=id_, data=told)
                try:
                    with self._store.database.atomic():
                        self._events.handle_open(Incoming(event=event, body=_body(event)))
                except ServiceError as failure:
                    log.warning("event_refused", event=event_id, why=failure.detail)
            if not settle():
                raise _Taken
            return True

        try:
            return self._store.transact(work)
        except _Taken:
            return False

    # --- in the open transaction ------------------------------------------------------------------------------------

    def _read(self, connector: Connector, theirs: object, read_at: dt.datetime, lag: dt.timedelta = NO_LAG) -> None:
        """Handles what is new in a ticket that was asked for, or arrived, at `read_at`."""
        id_ = ticket_id(connector, theirs)
        memory = plugged.read_memory(self._store, connector.name, id_, lock=True)
        unmapped: set[tuple[str, str]] = set()
        if memory is None and self._is_older(connector, theirs):
            event, remembered = imported_event(connector, theirs, read_at, unmapped=unmapped)
            events: list[Event] = [event]
        else:
            known = None if memory is None else Remembered.from_json(memory)
            events, remembered = read_ticket(connector, theirs, known, read_at, lag=lag, unmapped=unmapped)
        for table, value in sorted(unmapped):
            log.warning("unmapped_value", connector=connector.name, table=table, value=value)
        self._handle(connector, events)
        kept = remembered.to_json()
        # That a ticket was read again and nothing was new is not worth a write at each poll.
        if memory is None or kept != {**memory, "read_at": kept["read_at"]}:
            plugged.write_memory(self._store, connector.name, id_, kept, self._clock())

    def _is_older(self, connector: Connector, theirs: object) -> bool:
        at = created_at(connector, theirs)
        return at is not None and at < self.since(connector)

    def _handle(self, connector: Connector, events: Iterable[Event]) -> None:
        """Handles the events; one that cannot be is told in the log and keeps no other from being handled."""
        for event in events:
            named = replace(event, source=connector.name, id=f"{connector.name}:{event.id}")
            try:
                with self._store.database.atomic():
                    self._events.handle_open(Incoming(event=named, body=_body(named)))
            except EventIdReused:
                # The helpdesk's entries can be edited; the same entry is the same event.
                continue
            except ServiceError as failure:
                log.warning("event_refused", connector=connector.name, event=named.id, why=failure.detail)

    def _filled(self, text: str) -> str | None:
        return expand(text, self._variables)


def _body(event: Event) -> str:
    return dump({"id": event.id, "type": event.type, "ticket_id": event.ticket_id, "at": event.at, "data": event.data})
