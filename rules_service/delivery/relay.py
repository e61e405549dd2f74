"""Actions on their way: claimed from the outbox, signed, sent, settled. At least once, in order for each ticket."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import random
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor

import structlog
from standardwebhooks import Webhook

from rules_service.clock import Clock
from rules_service.connectors import UnsentAction, already_done, check_request, requests_for
from rules_service.delivery.notifying import Notify, Unusable, notification
from rules_service.delivery.sending import MAX_JSON, Sender, SendError
from rules_service.ruleset import Ruleset, expand
from rules_service.service.connecting import ConnectorService
from rules_service.store import Store, outbox
from rules_service.store.outbox import Claimed

log = structlog.get_logger()

#: Seconds after which an unsettled attempt counts as lost; longer than any attempt can take.
LEASE_S = 60

#: Deliveries under way at once, in all and to one endpoint, so that a slow one holds up nobody else.
MAX_UNDER_WAY = 16
MAX_PER_ENDPOINT = 6

#: Seconds from each failed attempt to the next; after the last one the delivery is dead, kept to be sent by hand.
BACKOFF_S = (5, 30, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400)

_GONE = 410


class Failed(Exception):
    """The attempt failed; `final` when no further one can help."""

    def __init__(self, why: str, *, final: bool = False) -> None:
        """`why` is kept with the delivery."""
        super().__init__(why)
        self.final = final


class Gone(Exception):
    """The endpoint answered 410: it wants nothing any more."""

    def __init__(self, url: str) -> None:
        """`url` is the address that answered so."""
        super().__init__("the endpoint answered 410 Gone and is disabled")
        self.address_sha256 = _sha256(url)


class Relay:
    """Delivers what the outbox holds."""

    def __init__(
        self,
        store: Store,
        ruleset: Callable[[], Ruleset],
        sender: Sender,
        connecting: ConnectorService,
        clock: Clock,
        *,
        variables: Mapping[str, str],
        notify: Notify,
        backoff_s: tuple[int, ...] = BACKOFF_S,
    ) -> None:
        """`variables` are what `${VAR}` in endpoints stands for; `backoff_s` is for tests that cannot wait."""
        self._store = store
        self._ruleset = ruleset
        self._sender = sender
        self._connecting = connecting
        self._clock = clock
        self._variables = variables
        self._notify = notify
        self._backoff_s = backoff_s
        self._pool = ThreadPoolExecutor(MAX_UNDER_WAY, thread_name_prefix="relay")
        self._under_way: Counter[str] = Counter()
        self._counting = threading.Lock()
        self._jitter = random.Random()  # noqa: S311  spreads attempts, keeps no secret

    def run_once(self) -> int:
        """Claims what is due and hands it to the pool; returns how many attempts began."""
        with self._counting:
            free = MAX_UNDER_WAY - self._under_way.total()
            busy = [endpoint for endpoint, count in self._under_way.items() if count >= MAX_PER_ENDPOINT]
        if free <= 0:
            return 0
        now = self._clock()
        with self._store.connection():
            disabled = outbox.disabled(self._store)
            moved = [found.endpoint for found in disabled if self._has_moved(found)]
            if not moved and not outbox.is_due(self._store, now):
                return 0

        def claim() -> list[Claimed]:
            for found in disabled:
                if found.endpoint in moved:
                    outbox.enable(self._store, found.endpoint, now)
                else:
                    outbox.hold(self._store, found, now)
            return outbox.claim_deliveries(
                self._store, now, lease_s=LEASE_S, limit=min(free, MAX_PER_ENDPOINT), without=busy
            )

        claimed = self._store.transact(claim)
        for delivery in claimed:
            with self._counting:
                self._under_way[delivery.endpoint] += 1
            self._pool.submit(self._attempt, delivery)
        return len(claimed)

    def _has_moved(self, found: outbox.Disabled) -> bool:
        """Whether a disabled endpoint has another address by now, or is gone from the ruleset."""
        endpoint = self._ruleset().endpoints.get(found.endpoint)
        if endpoint is None or endpoint.url is None:
            return True
        url = expand(endpoint.url, self._variables)
        return url is not None and _sha256(url) != found.address_sha256

    def is_idle(self) -> bool:
        """Whether no attempt is under way."""
        with self._counting:
            return self._under_way.total() == 0

    def stop(self) -> None:
        """Waits for the attempts under way."""
        self._pool.shutdown(wait=True)

    def _attempt(self, delivery: Claimed) -> None:
        try:
            try:
                if delivery.endpoint.startswith("connector:"):
                    self._by_connector(delivery)
                else:
                    self._to_endpoint(delivery)
            except Gone as error:
                self._disable(delivery, error)
            except (Failed, SendError, UnsentAction) as error:
                self._failed(
                    delivery, str(error), final=isinstance(error, UnsentAction) or getattr(error, "final", False)
                )
            else:
                self._settle(lambda: outbox.settle_delivered(self._store, delivery, self._clock()))
        except Exception:
            # The lease ends by itself, and the delivery is tried again.
            log.exception("delivery_failed", delivery=delivery.id, endpoint=delivery.endpoint)
        finally:
            with self._counting:
                self._under_way[delivery.endpoint] -= 1
            if not self._store.database.is_closed():
                self._store.database.close()

    def _give_up(self, delivery: Claimed, why: str) -> None:
        """Marks a delivery as dead; what a helpdesk did not take becomes an event of its ticket, in one transaction.

        But not the alert about such an event, which would make another one, without end.
        """

        def settle() -> bool:
            return outbox.settle_dead(self._store, delivery, why)

        if not delivery.endpoint.startswith("connector:") or delivery.cause == "action.failed":
            self._settle(settle)
            return
        # Sent again by hand and given up again, it has failed again.
        event_id = f"failed:{delivery.id}:{delivery.lease_until:%Y%m%dT%H%M%S.%f}"
        self._connecting.failed(event_id, delivery.ticket_id, delivery.action_type, delivery.data, why, settle)

    def _disable(self, delivery: Claimed, gone: Gone) -> None:
        log.error("endpoint_disabled", endpoint=delivery.endpoint, delivery=delivery.id, why=str(gone))
        self._settle(lambda: outbox.disable(self._store, delivery, gone.address_sha256, self._clock(), str(gone)))

    def _settle(self, work: Callable[[], bool]) -> None:
        self._store.transact(work)

    def _failed(self, delivery: Claimed, why: str, *, final: bool) -> None:
        attempt = delivery.attempts
        if final or attempt > len(self._backoff_s):
            log.warning("delivery_dead", delivery=delivery.id, endpoint=delivery.endpoint, attempts=attempt, why=why)
            self._give_up(delivery, why)
            return
        wait_s = self._backoff_s[attempt - 1] * self._jitter.uniform(0.8, 1.2)
        at = self._clock() + dt.timedelta(seconds=wait_s)
        log.info("delivery_put_off", delivery=delivery.id, endpoint=delivery.endpoint, attempts=attempt, why=why)
        self._settle(lambda: outbox.settle_later(self._store, delivery, at, why))

    def _to_endpoint(self, delivery: Claimed) -> None:
        endpoint = self._ruleset().endpoints.get(delivery.endpoint)
        if endpoint is None:
            raise Failed("the ruleset has no such endpoint any more", final=True)
        if endpoint.notify is not None:
            self._by_notification(delivery, endpoint.notify)
        else:
            assert endpoint.url is not None
            self._by_webhook(delivery, endpoint.url, endpoint.secret)

    def _by_notification(self, delivery: Claimed, address: str) -> None:
        url = expand(address, self._variables)
        if url is None:
            raise Failed("a variable of the endpoint's notify is not set")
        title, body, severity = notification(delivery.action_type, delivery.data, delivery.ticket_id)
        try:
            self._notify(url, title, body, severity)
        except Unusable as error:
            raise Failed(str(error), final=True) from None

    def _by_webhook(self, delivery: Claimed, address: str, secret: str | None) -> None:
        url = expand(address, self._variables)
        if url is None:
            raise Failed("a variable of the endpoint's url is not set")
        body = webhook_body(delivery)
        reply = self._sender.send("POST", url, headers=self._headers(delivery, secret, body), data=body)
        if reply.status == _GONE:
            raise Gone(url)
        if not 200 <= reply.status < 300:  # noqa: PLR2004  success, as HTTP has it
            raise Failed(f"the endpoint answered {reply.status}")

    def _headers(self, delivery: Claimed, secret: str | None, body: bytes) -> dict[str, str]:
        at = self._clock()
        headers = {
            "Content-Type": "application/json",
            "webhook-id": delivery.action_id,
            "webhook-timestamp": str(int(at.timestamp())),
        }
        if secret is not None:
            key = expand(secret, self._variables)
            if key is None:
                raise Failed("a variable of the endpoint's secret is not set")
            try:
                signature = Webhook(key).sign(delivery.action_id, at, body.decode())
            except ValueError:
                raise Failed("the endpoint's secret is not `whsec_` and base64") from None
            headers["webhook-signature"] = signature
        return headers

    def _by_connector(self, delivery: Claimed) -> None:
        name = delivery.endpoint.removeprefix("connector:")
        connector = self._ruleset().connectors.get(name)
        if connector is None:
            raise Failed("the ruleset has no such connector any more", final=True)

        def filled(text: str) -> str | None:
            return expand(text, self._variables)

        if any(filled(text) is None for text in connector.texts):
            raise Failed("a variable of the connector is not set")
        kind, data, ticket_id = delivery.action_type, delivery.data, delivery.ticket_id
        if self._connecting.overtaken(ticket_id, kind, data):
            log.info("delivery_overtaken", delivery=delivery.id, endpoint=delivery.endpoint, type=kind)
            return
        for index, request in enumerate(requests_for(connector, kind, data, ticket_id, filled)):
            check = check_request(connector, kind, data, ticket_id, filled, index=index)
            if check is not None and delivery.attempts > 1:
                # The first attempt seemed to fail; the helpdesk may have carried it out all the same.
                found = self._sender.send("GET", check.url, headers=check.headers, most=MAX_JSON)
                if found.status != 200:  # noqa: PLR2004  found
                    raise Failed(f"the helpdesk answered {found.status}")
                fetched = _json(found.body)
                try:
                    if already_done(connector, kind, data, ticket_id, fetched, since=delivery.created_at, index=index):
                        continue
                except UnsentAction as error:
                    # What it answers while it starts or stops says nothing; later it may.
                    raise Failed(str(error)) from None
            reply = self._sender.send(request.method, request.url, headers=request.headers, json=request.json)
            if not 200 <= reply.status < 300:  # noqa: PLR2004  success, as HTTP has it
                raise Failed(f"the helpdesk answered {reply.status}")
        self._connecting.applied(name, ticket_id, kind, data)


def webhook_body(delivery: Claimed) -> bytes:
    """The body of a webhook, in the shape of Standard Webhooks; equal at every attempt."""
    body = {
        "type": f"action.{delivery.action_type}",
        "timestamp": delivery.created_at.isoformat().replace("+00:00", "Z"),
        "data": {
            "id": delivery.action_id,
            "ticket_id": delivery.ticket_id,
            "decision_id": delivery.event_id,
            "cause": delivery.cause,
            **delivery.data,
        },
    }
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _json(body: bytes) -> object:
    try:
        return json.loads(body)
    except ValueError:
        return None
