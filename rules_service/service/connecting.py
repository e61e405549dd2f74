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
from rules_service.store.codec import dump
from rules_service.tickets import Event

log = structlog.get_logger()


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

    def accept(self, name: str, secret: str, body: bytes) -> None:
        """Stores a webhook to be read right after. UnknownConnector for a wrong name or secret, alike; InvalidEvent."""
        connector = self._ruleset().connectors.get(name)
        if connector is None or not admits(connector, secret, self._filled):
            raise UnknownConnector("no connector has this name and secret")
        try:
            json.loads(body)
            text = body.decode()
        except (ValueError, RecursionError):
            raise InvalidEvent("the body is not JSON") from None
        if "\\u0000" in text or "\x00" in text:
            text = text.replace("\\u0000", " ").replace("\x00", " ")
        now = self._clock()
        self._store.transact(lambda: plugged.store_inbound(self._store, name, "inbound", text, now))

    def work_one(self) -> bool:
        """Reads the oldest stored webhook; False when there is none. One that cannot be read is kept, with the why."""

        def work() -> bool:
            found = plugged.first_inbound(self._store)
            if found is None:
                return False
            inbound_id, name, _, payload, received_at = found
            error = None
            try:
                connector = self._ruleset().connectors.get(name)
                if connector is None:
                    raise UnknownConnector(f'the ruleset has no connector "{name}" any more')
                for theirs in tickets_in(connector, json.loads(payload), "inbound"):
                    self._read(connector, theirs, received_at)
            except ServiceError as failure:
                error = f"{failure.code}: {failure.detail}"
                log.warning("inbound_unreadable", connector=name, why=error)
            plugged.settle_inbound(self._store, inbound_id, error)
            return True

        return self._store.transact(work)

    def read_page(self, connector: Connector, payload: object, asked_at: dt.datetime) -> set[str]:
        """Reads one page of a poll that was asked for at `asked_at`; returns the ids of its tickets."""
        seen = set()
        for theirs in tickets_in(connector, payload, "poll"):
            try:
                seen.add(self.read_one(connector, theirs, asked_at))
            except ServiceError as failure:
                log.warning("polled_ticket_unreadable", connector=connector.name, why=failure.detail)
        return seen

    def read_one(self, connector: Connector, theirs: object, asked_at: dt.datetime) -> str:
        """Reads one ticket that was asked for at `asked_at`; returns its id."""
        found = ticket_id(connector, theirs)
        self._store.transact(lambda: self._read(connector, theirs, asked_at))
        return found

    def gone(self, connector: Connector, id_: str) -> None:
        """The helpdesk no longer knows a ticket."""
        now = self._clock()
        event = Event(id=f"{connector.name}:deleted:{id_}", type="ticket.deleted", at=now, ticket_id=id_)
        self._store.transact(lambda: self._handle(connector, [event]))

    def missing(self, connector: Connector, listed: set[str]) -> list[str]:
        """Open tickets of a connector that its last complete poll did not list."""
        with self._store.connection():
            return [id_ for id_ in plugged.remembered_ids(self._store, connector.name) if id_ not in listed]

    def since(self, connector: Connector) -> dt.datetime:
        """When the connector was first at work; tickets created before are imported, and fire nothing."""

        def work() -> dt.datetime:
            memory = plugged.read_memory(self._store, connector.name, "", lock=True)
            if memory is None:
                memory = {"since": self._clock().isoformat()}
                plugged.write_memory(self._store, connector.name, "", memory, self._clock())
            return dt.datetime.fromisoformat(memory["since"])

        return self._store.transact(work)

    def applied(self, name: str, id_: str, action_type: str, data: Mapping[str, Any]) -> None:
        """The helpdesk took an action of ours: what it changed there counts as seen, and is no news."""
        now = self._clock()

        def work() -> None:
            memory = plugged.read_memory(self._store, name, id_, lock=True)
            if memory is not None:
                remembered = sent(Remembered.from_json(memory), action_type, data)
                plugged.write_memory(self._store, name, id_, {**remembered.to_json(), "sent_at": now.isoformat()}, now)

        self._store.transact(work)

    # --- in the open transaction ------------------------------------------------------------------------------------

    def _read(self, connector: Connector, theirs: object, read_at: dt.datetime) -> None:
        id_ = ticket_id(connector, theirs)
        now = self._clock()
        memory = plugged.read_memory(self._store, connector.name, id_, lock=True)
        unmapped: set[tuple[str, str]] = set()
        if memory is None and self._is_older(connector, theirs):
            event, remembered = imported_event(connector, theirs, now, unmapped=unmapped)
            events: list[Event] = [event]
        else:
            if memory is not None and read_at <= _sent_at(memory):
                # Read before our own last change: its fields are older than what we know.
                return
            known = None if memory is None else Remembered.from_json(memory)
            events, remembered = read_ticket(connector, theirs, known, now, unmapped=unmapped)
        for table, value in sorted(unmapped):
            log.warning("unmapped_value", connector=connector.name, table=table, value=value)
        self._handle(connector, events)
        kept = {**remembered.to_json(), **({"sent_at": memory["sent_at"]} if memory and "sent_at" in memory else {})}
        if kept != memory:
            plugged.write_memory(self._store, connector.name, id_, kept, now)

    def _is_older(self, connector: Connector, theirs: object) -> bool:
        at = created_at(connector, theirs)
        return at is not None and at < self.since(connector)

    def _handle(self, connector: Connector, events: Iterable[Event]) -> None:
        """Handles the events; one that cannot be is told in the log and keeps no other from being handled."""
        for event in events:
            named = replace(event, source=connector.name, id=f"{connector.name}:{event.id}")
            body = dump(
                {"id": named.id, "type": named.type, "ticket_id": named.ticket_id, "at": named.at, "data": named.data}
            )
            try:
                with self._store.database.atomic():
                    self._events.handle_open(Incoming(event=named, body=body))
            except EventIdReused:
                # The helpdesk's entries can be edited; the same entry is the same event.
                continue
            except ServiceError as failure:
                log.warning("event_refused", connector=connector.name, event=named.id, why=failure.detail)

    def _filled(self, text: str) -> str | None:
        return expand(text, self._variables)


def _sent_at(memory: Mapping[str, Any]) -> dt.datetime:
    text = memory.get("sent_at")
    return dt.datetime.fromisoformat(text) if text else dt.datetime.min.replace(tzinfo=dt.UTC)
