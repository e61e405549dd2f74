"""One transaction about one ticket: gather, run, apply."""

from __future__ import annotations

import datetime as dt
import threading
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import replace

from rules_service.connectors import Connector
from rules_service.decide import Brakes, adopt, alert, described, due_event, evolve, next_due_at, run, slot_changes
from rules_service.rules import ACTIONS
from rules_service.ruleset import Endpoint, Ruleset, expand
from rules_service.store import (
    Chain,
    Change,
    Outgoing,
    Store,
    Stored,
    action_id,
    claim_slot,
    desks,
    freed_slot,
    gather,
    queue_waits,
    read_event,
    read_loads,
    recent_events,
    write_actions,
    write_change,
)
from rules_service.store.codec import dump
from rules_service.teams import Wanted, queue_key
from rules_service.tickets import SYSTEM, Decision, Event, Person, Ticket

#: Most deadlines of one ticket that one transaction works off.
MAX_DEADLINES = 20

#: How soon a ticket that stays in an open desk's queue is looked at again, in case a slot was freed in between.
LOOK_AGAIN = dt.timedelta(milliseconds=100)


class Shared:
    """What all transactions of a process share: who receives what, and how often each rule fired of late."""

    def __init__(self, variables: Mapping[str, str], brakes: Brakes) -> None:
        """`variables` are what `${VAR}` in a ruleset stands for."""
        self.variables = variables
        self.brakes = brakes
        self._fired: dict[str, deque[dt.datetime]] = {}
        self._counting = threading.Lock()
        self._receivers: dict[tuple[str, str | None], dict[str, tuple[str, ...]]] = {}

    def too_often(self, rule_ids: Sequence[str], now: dt.datetime) -> list[str]:
        """Notes that rules fired; returns those that fired over the brake's limit in this process within its window."""
        found = []
        window, most = dt.timedelta(seconds=self.brakes.rule_window_s), self.brakes.firings_a_rule
        with self._counting:
            for rule_id in rule_ids:
                fired = self._fired.setdefault(rule_id, deque(maxlen=most + 1))
                fired.append(now)
                if len(fired) > most and now - fired[0] <= window:
                    fired.clear()
                    found.append(rule_id)
        return found

    def receivers(self, ruleset: Ruleset, source: str | None) -> Mapping[str, tuple[str, ...]]:
        """Action type -> the endpoints, and the ticket's own connector, that are told; those without an address not.

        `call:NAME` -> the connector of that name, whose operation is called.
        """
        found = self._receivers.get((ruleset.hash, source))
        if found is None:
            found = self._receivers[ruleset.hash, source] = self._receivers_of(ruleset, source)
        return found

    def _receivers_of(self, ruleset: Ruleset, source: str | None) -> dict[str, tuple[str, ...]]:
        def reached(found: Endpoint | Connector) -> bool:
            return all(expand(text, self.variables) is not None for text in found.texts)

        endpoints = [found for found in ruleset.endpoints.values() if reached(found)]
        connectors = {name: found for name, found in ruleset.connectors.items() if reached(found)}
        connector = connectors.get(source or "")
        calls = {f"call:{name}": (f"connector:{name}",) for name in connectors}
        named = {f"endpoint:{endpoint.name}": (endpoint.name,) for endpoint in endpoints}
        return (
            calls
            | named
            | {
                kind: (
                    *(endpoint.name for endpoint in endpoints if endpoint.wants(kind)),
                    *((f"connector:{connector.name}",) if connector and kind in connector.outbound else ()),
                )
                for kind in ACTIONS
            }
        )


class ClaimRefused(Exception):
    """Who has a free slot is not given the ticket, as where this process does not know of a new user yet."""


class _World:
    """Claims slots in the transaction that is open."""

    def __init__(self, store: Store, ruleset: Ruleset, now: dt.datetime) -> None:
        self.store = store
        self.ruleset = ruleset
        self.now = now
        self.claimed: list[str] = []

    def claim(self, wanted: Wanted) -> Person | None:
        user_id = claim_slot(self.store, wanted, self.now)
        if user_id is None:
            return None
        self.claimed.append(user_id)
        person = described(self.ruleset, user_id) or Person(id=user_id, name=user_id, role="agent")
        return replace(person, online=True)


class Work:
    """One transaction about one ticket: the chains run so far, and the snapshot after them."""

    def __init__(self, store: Store, shared: Shared, ruleset: Ruleset, stored: Stored, now: dt.datetime) -> None:
        """Nothing is read or written before it is asked for; the transaction is open."""
        self.store = store
        self.shared = shared
        self.ruleset = ruleset
        self.before = stored.snapshot
        self.after = stored.snapshot
        self.version = stored.version
        self.next_due_at = stored.next_due_at
        self.now = now
        self.world = _World(store, ruleset, now)
        self.chains: list[Chain] = []

    def run(self, event: Event) -> list[Decision]:
        """Decides one event and all that it causes. Events of the service itself are recorded at once."""
        self._gather(event)
        decisions, self.after = run(self.ruleset, self.after, event, self.now, self.world, brakes=self.shared.brakes)
        if event.cause is not None:
            self.record(event, decisions, _canonical(event), None)
        return decisions

    def judge(self) -> None:
        """Brings the ticket under the active ruleset, after what time has brought to it by now."""
        self.deadlines(self.now)
        ticket = self.after.ticket
        assert ticket is not None
        if self.after.ruleset_hash == self.ruleset.hash:
            return
        event = Event(id="", type="timer.due", at=self.now, ticket_id=ticket.id, actor=SYSTEM)
        self._gather(event)
        self.after = evolve(self.after, adopt(self.ruleset, self.after, event, self.now))

    def record(self, event: Event, decisions: Sequence[Decision], body: str, answer: str | None) -> None:
        """Notes a chain for the log."""
        self.chains.append(Chain(event=event, decisions=decisions, body=body, answer=answer))

    def deadlines(self, until: dt.datetime, *, waits: bool = False) -> None:
        """Runs what was due until then, oldest first: what happened before an event is decided before it.

        With `waits`, a clock that is due is left for as long as the helpdesk may still tell of an answer before.
        """
        ticket = self.before.ticket
        lag = self.ruleset.lag(ticket.source) if ticket is not None else dt.timedelta(0)
        fresh = self.before.ruleset_hash == self.ruleset.hash
        if fresh and (self.next_due_at is None or self.next_due_at - lag > until):
            return
        done: set[str] = set()
        while len(done) < MAX_DEADLINES:
            event = due_event(self.ruleset, self.after, until, waits=waits)
            if event is None or event.id in done or read_event(self.store, event.id) is not None:
                return
            done.add(event.id)
            self.run(event)

    def apply(self, *, even_if_nothing: bool = False) -> None:
        """Writes everything."""
        if not self.chains and not even_if_nothing:
            return
        ticket = self.after.ticket
        assert ticket is not None
        slots = slot_changes(self.ruleset, self.before, self.after, self.world.claimed)
        tier = self.ruleset.tier_of(ticket)
        desk = self.ruleset.roster.desks.get(ticket.desk)
        write_change(
            self.store,
            Change(
                version=self.version,
                before=self.before,
                after=self.after,
                chains=self.chains,
                now=self.now,
                ruleset_hash=self.ruleset.hash,
                next_due_at=next_due_at(self.ruleset, self.after, self.now),
                tier=tier,
                queue_key=queue_key(desk.queue if desk is not None else (), ticket, tier),
                slots=slots,
                receivers=self.shared.receivers(self.ruleset, ticket.source),
            ),
        )
        for user_id, delta in slots.items():
            if delta < 0:
                freed_slot(self.store, user_id, self.now)
        self._brake()
        self._wait(ticket)

    def _brake(self) -> None:
        """A rule that fires without end only shadows from now on, and somebody learns of it."""
        fired = [
            firing.rule_id
            for chain in self.chains
            for decision in chain.decisions
            for firing in decision.firings
            if firing.outcome == "fired"
        ]
        for rule_id in self.shared.too_often(fired, self.now):
            if not desks.brake(self.store, self.ruleset.hash, rule_id, self.now):
                continue
            text = f'The rule "{rule_id}" fired too often and only shadows until the next ruleset is published'
            action = alert(self.ruleset, f"rule:{rule_id}", ["management"], "critical", text)
            event_id = f"brake:{self.ruleset.hash[:12]}:{rule_id}"
            out = Outgoing(id=action_id(event_id, 1), subject=f"rule:{rule_id}", event_id=event_id, action=action)
            write_actions(self.store, [out], self.shared.receivers(self.ruleset, None), self.now)

    def _wait(self, ticket: Ticket) -> None:
        """A ticket left in a queue that distributes is looked at again: soon, or when its desk opens."""
        desk = self.ruleset.roster.desks.get(ticket.desk)
        if ticket.queued_at is None or desk is None or not desk.proactive_assignment:
            return
        calendar = self.ruleset.calendar_of_desk(ticket.desk)
        soon = self.before.ticket is None or self.before.ticket.queued_at is None
        if not calendar.is_open(self.now):
            queue_waits(self.store, ticket.desk, calendar.next_open(self.now))
        elif soon:
            queue_waits(self.store, ticket.desk, self.now + LOOK_AGAIN)

    def _gather(self, event: Event) -> None:
        """Fetches what guards and rules of this event may look at beyond the ticket."""
        ticket = self.after.ticket
        ids = {event.data.get("assignee"), event.data.get("wanted", {}).get("to")} - {None}
        if ids and ticket is not None and ticket.assignee is not None:
            ids.add(ticket.assignee)
        people = {
            found_id: person for found_id in ids if (person := described(self.ruleset, str(found_id))) is not None
        }
        loads = read_loads(self.store, people, people) if people else {}
        needs = self.ruleset.gathered_needs
        gathered = {}
        if needs:
            desk = ticket.desk if ticket else self.ruleset.roster.desk_for(
                desk=event.data.get("desk"), group=event.data.get("group"), channel=event.data.get("channel")
            )  # fmt: skip
            customer = ticket.customer_id if ticket else (event.data.get("customer") or {}).get("id")
            gathered = gather(self.store, needs, desk=desk, customer_id=customer, now=self.now)
            if ticket is None and "customer.open_tickets" in gathered:
                # The one that this event makes known is not written yet.
                gathered["customer.open_tickets"] += 1
        self.after = replace(self.after, people=loads, gathered=gathered)
        counted = self.ruleset.recent_s
        if counted and ticket is not None and self.after.ruleset_hash != self.ruleset.hash:
            # New rules may count what the ticket does not remember; the log does.
            self.after = replace(self.after, recent=recent_events(self.store, ticket.id, counted, self.now))


def _canonical(event: Event) -> str:
    return dump({"id": event.id, "type": event.type, "at": event.at, "ticket_id": event.ticket_id, "data": event.data})
