"""Helpdesks asked again and again, because not everything that happens there sends a webhook."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Mapping

import structlog

from rules_service.clock import Clock
from rules_service.connectors import Connector, HttpRequest, UnsentAction, next_page, one_request, poll_request
from rules_service.delivery.sending import MAX_JSON, Sender, SendError
from rules_service.errors import ServiceError
from rules_service.ruleset import Ruleset, expand
from rules_service.service.connecting import ConnectorService

log = structlog.get_logger()

#: Most pages of one pass.
MAX_PAGES = 1_000

_NOT_FOUND = 404


class Poller:
    """One pass over each connector that polls, when its time has come."""

    def __init__(
        self,
        ruleset: Callable[[], Ruleset],
        sender: Sender,
        connecting: ConnectorService,
        clock: Clock,
        *,
        variables: Mapping[str, str],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """`monotonic` counts seconds between passes."""
        self._ruleset = ruleset
        self._sender = sender
        self._connecting = connecting
        self._clock = clock
        self._variables = variables
        self._monotonic = monotonic
        self._next_s: dict[str, float] = {}

    def run_once(self, stop: threading.Event) -> None:
        """Passes over the connectors that are due; one that cannot be reached is told in the log and tried again."""
        for connector in self._ruleset().connectors.values():
            if stop.is_set():
                return
            if connector.ticket is None or self._filled(connector.base_url) is None:
                continue
            # From now on, polled or not, what is opened there is new and not imported.
            self._connecting.since(connector)
            if connector.poll is None or self._monotonic() < self._next_s.get(connector.name, 0):
                continue
            self._next_s[connector.name] = self._monotonic() + connector.poll.every_s
            try:
                self.pass_over(connector, stop)
            except (SendError, UnsentAction, ServiceError) as error:
                log.warning("poll_failed", connector=connector.name, why=str(error))

    def pass_over(self, connector: Connector, stop: threading.Event) -> None:
        """Reads every page, then asks for each open ticket that was not listed; ends early once `stop` is set."""
        listed: set[str] = set()
        page: str | None = None
        for _ in range(MAX_PAGES):
            asked_at = self._clock()
            payload = self._get(poll_request(connector, self._filled, page))
            listed |= self._connecting.read_page(connector, payload, asked_at)
            page = next_page(connector, payload)
            if stop.is_set():
                return
            if page is None:
                break
        else:
            log.warning("poll_too_long", connector=connector.name, pages=MAX_PAGES)
            return
        for ticket_id in self._connecting.missing(connector, listed):
            if stop.is_set():
                return
            try:
                self._ask_for(connector, ticket_id)
            except (UnsentAction, ServiceError) as error:
                log.warning("polled_ticket_unreadable", connector=connector.name, why=str(error))

    def _ask_for(self, connector: Connector, ticket_id: str) -> None:
        request = one_request(connector, ticket_id, self._filled)
        if request is None:
            return
        asked_at = self._clock()
        reply = self._sender.send(request.method, request.url, headers=request.headers, most=MAX_JSON)
        if reply.status == _NOT_FOUND:
            self._connecting.gone(connector, ticket_id)
        elif reply.status == 200:  # noqa: PLR2004  found
            self._connecting.read_one(connector, _parsed(reply.body), asked_at)

    def _get(self, request: HttpRequest) -> object:
        reply = self._sender.send(request.method, request.url, headers=request.headers, most=MAX_JSON)
        if reply.status != 200:  # noqa: PLR2004  found
            raise SendError(f"the helpdesk answered {reply.status}")
        return _parsed(reply.body)

    def _filled(self, text: str) -> str | None:
        return expand(text, self._variables)


def _parsed(body: bytes) -> object:
    try:
        parsed: object = json.loads(body)
    except ValueError:
        raise SendError("the helpdesk's answer is not JSON, or is too large") from None
    return parsed
