"""The one path of every event: gather, run, apply, in one transaction."""

from __future__ import annotations

import datetime as dt
import json
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from rules_service.clock import Clock
from rules_service.connectors import Connector
from rules_service.decide import Brakes, adopt, described, due_event, evolve, next_due_at, run, slot_changes
from rules_service.errors import EventIdReused, ServiceError, TransitionRefused, UnknownTicket
from rules_service.ruleset import Endpoint, Ruleset, expand
from rules_service.store import (
    Chain,
    Change,
    Outgoing,
    Store,
    Stored,
    action_id,
    actions_of,
    claim_due,
    claim_slot,
    desks,
    digest,
    freed_slot,
    gather,
    presence,
    queue_waits,
    read_event,
    read_loads,
    read_ticket,
    recent_events,
    write_actions,
    write_change,
)
from rules_service.store.codec import dump, plain
from rules_service.teams import Wanted, queue_key
from rules_service.tickets import SYSTEM, Action, Decision, Event, Person, Snapshot, Ticket

#: Most deadlines of one ticket that one transaction works off.
_MAX_DEADLINES = 20

#: Most tickets of absent holders that one look takes on.
LEFT_BATCH = 100

#: The smallest difference between two instants.
_INSTANT = dt.timedelta(microseconds=1)

#: How soon a ticket that stays in an open desk's queue is looked at again, in case a slot was freed in between.
_LOOK_AGAIN = dt.timedelta(milliseconds=100)


@dataclass(frozen=True, slots=True, kw_only=True)
class Incoming:
    """An event with its canonical body, which tells the same event from another under its id."""

    event: Event
    body: str


class EventService:
    """Handles events; the only writer of tickets."""

    def __init__(
        self,
        store: Store,
        ruleset: Callable[[], Ruleset],
        clock: Clock,
        *,
        variables: Mapping[str, str] | None = None,
        brakes: Brakes | None = None,
    ) -> None:
        """`ruleset` gives the active one; `variables` are what `${VAR}` in it stands for."""
        self.store = store
        self.ruleset = ruleset
        self.clock = clock
        self.variables = variables or {}
        self.brakes = brakes or Brakes()
        self._fired: dict[str, deque[dt.datetime]] = {}
        self._counting = threading.Lock()
        self._receivers: dict[tuple[str, str | None], dict[str, tuple[str, ...]]] = {}

    def handle(self, incoming: Incoming) -> dict[str, Any]:
        """What the event did: ticket, outcome, fired, actions, irregular, reasons, marks, decision_id, duplicate.

        The same event again gives the first answer with `duplicate: true`. Errors: EventIdReused, UnknownTicket,
        TransitionRefused (a request that the lifecycle does not allow; nothing is written).
        """
        return self.store.transact(lambda: self.handle_open(incoming))

    def handle_batch(self, batch: Sequence[Incoming]) -> list[dict[str, Any] | ServiceError]:
        """The answer, or the error, of each event in order; one transaction, a savepoint an event."""

        def work() -> list[dict[str, Any] | ServiceError]:
            answers: list[dict[str, Any] | ServiceError] = []
            for incoming in batch:
                try:
                    with self.store.database.atomic():
                        answers.append(self.handle_open(incoming))
                except ServiceError as error:
                    answers.append(error)
            return answers

        return self.store.transact(work)

    def handle_due(self, ticket_id: str) -> bool:
        """Works off what time has brought to a ticket; False when nothing was due, or somebody else works on it."""

        def work() -> bool:
            now, ruleset = self.clock(), self.ruleset()
            stored = claim_due(self.store, ticket_id, now)
            if stored is None:
                return False
            work_ = _Work(self, ruleset, stored, now)
            work_.deadlines(now, waits=True)
            if not work_.chains:
                # The index was ahead of the ticket, as after a change of rules: put it right.
                work_.apply(even_if_nothing=True)
                return False
            work_.apply()
            return True

        return self.store.transact(work)

    def judge_anew(self, ticket_id: str) -> None:
        """Judges a ticket under the active ruleset: rules that hold already are primed, deadlines are set anew."""

        def work() -> None:
            now, ruleset = self.clock(), self.ruleset()
            stored = read_ticket(self.store, ticket_id, lock=True)
            if stored.version == 0 or stored.snapshot.ruleset_hash == ruleset.hash:
                return
            work_ = _Work(self, ruleset, stored, now)
            work_.judge()
            work_.apply(even_if_nothing=True)

        self.store.transact(work)

    def distribute(self, ticket_id: str) -> bool:
        """Offers a queued ticket to its desk; False, and nothing written, when nobody has a free slot.

        ClaimRefused, and nothing written, when whoever has one is not given the ticket.
        """

        def work() -> bool:
            now, ruleset = self.clock(), self.ruleset()
            stored = read_ticket(self.store, ticket_id, lock=True)
            ticket = stored.snapshot.ticket
            if ticket is None or ticket.queued_at is None:
                return True
            event = Event(
                id=f"drain:{ticket.id}:{stored.version}", type="timer.due", at=now, ticket_id=ticket.id, actor=SYSTEM,
                data={"desk": ticket.desk}, cause="distribution",
            )  # fmt: skip
            work_ = _Work(self, ruleset, stored, now)
            work_.deadlines(now)
            work_.run(event)
            after = work_.after.ticket
            if after is not None and after.queued_at is not None and after.stint_number == ticket.stint_number:
                raise ClaimRefused if work_.world.claimed else _NobodyFree
            work_.apply()
            return True

        try:
            return self.store.transact(work)
        except _NobodyFree:
            return False

    def release_left(self) -> int:
        """Gives tickets back to their queues whose holders are gone for longer than the ruleset allows; how many."""
        after_s = self.ruleset().presence.release_after_s
        if after_s is None:
            return 0
        with self.store.connection():
            left = presence.left_tickets(self.store, self.clock() - dt.timedelta(seconds=after_s), LEFT_BATCH)
        failed: Exception | None = None
        for found in left:
            try:
                self.store.transact(lambda found=found: self._release_left(*found))  # type: ignore[misc]
            except Exception as error:  # noqa: BLE001  raised below, once the others are released
                failed = error
        if failed is not None:
            raise failed
        return len(left)

    def _release_left(self, ticket_id: str, user_id: str, since: dt.datetime) -> None:
        now, ruleset = self.clock(), self.ruleset()
        stored = read_ticket(self.store, ticket_id, lock=True)
        ticket = stored.snapshot.ticket
        event_id = presence.left_event_id(ticket_id, user_id, since)
        if ticket is None or ticket.assignee != user_id or read_event(self.store, event_id) is not None:
            return
        if not presence.is_gone(self.store, user_id, since):
            return
        event = Event(
            id=event_id, type="ticket.released", at=now, ticket_id=ticket_id, actor=SYSTEM,
            data={"reason": f"{user_id} is not online"}, request=True, cause="absence",
        )  # fmt: skip
        work = _Work(self, ruleset, stored, now)
        work.deadlines(now)
        work.run(event)
        work.apply()

    # --- one event --------------------------------------------------------------------------------------------------

    def handle_open(self, incoming: Incoming) -> dict[str, Any]:
        """As `handle`, within the transaction that is open."""
        event = incoming.event
        now, ruleset = self.clock(), self.ruleset()
        stored = read_ticket(self.store, event.ticket_id, lock=True)
        known = read_event(self.store, event.id)
        if known is not None:
            return _again(event, incoming.body, known)
        if stored.version == 0 and event.type not in ("ticket.created", "ticket.imported"):
            raise UnknownTicket(
                f'no ticket "{event.ticket_id}" is known; send ticket.created or ticket.imported first',
                ticket_id=event.ticket_id,
            )
        work = _Work(self, ruleset, stored, now)
        # What is due at its very instant comes after it: an answer at the second of its deadline is in time.
        work.deadlines(min(event.at, now) - _INSTANT)
        decisions = work.run(event)
        first = decisions[0]
        if first.outcome == "refused":
            raise TransitionRefused(
                "; ".join(reason.text for reason in first.reasons), reasons=[plain(reason) for reason in first.reasons]
            )
        if ruleset.presence.heartbeat_s is not None and event.actor is not None and event.actor.id is not None:
            # Who acts is there, whether or not their client beats.
            presence.hear(self.store, event.actor.id, now)
        answer = _answer(event, decisions, work.after)
        work.record(event, decisions, incoming.body, json.dumps(answer, separators=(",", ":"), ensure_ascii=False))
        work.apply()
        return answer

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
        from rules_service.rules import ACTIONS  # noqa: PLC0415  once a ruleset

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


class _NobodyFree(Exception):
    """No slot is free."""


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


class _Work:
    """One transaction about one ticket: the chains run so far, and the snapshot after them."""

    def __init__(self, service: EventService, ruleset: Ruleset, stored: Stored, now: dt.datetime) -> None:
        self.service = service
        self.store = service.store
        self.ruleset = ruleset
        self.before = stored.snapshot
        self.after = stored.snapshot
        self.version = stored.version
        self.next_due_at = stored.next_due_at
        self.now = now
        self.world = _World(service.store, ruleset, now)
        self.chains: list[Chain] = []

    def run(self, event: Event) -> list[Decision]:
        """Decides one event and all that it causes. Events of the service itself are recorded at once."""
        self._gather(event)
        decisions, self.after = run(self.ruleset, self.after, event, self.now, self.world, brakes=self.service.brakes)
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
        while len(done) < _MAX_DEADLINES:
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
                receivers=self.service.receivers(self.ruleset, ticket.source),
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
        for rule_id in self.service.too_often(fired, self.now):
            if not desks.brake(self.store, self.ruleset.hash, rule_id, self.now):
                continue
            text = f'The rule "{rule_id}" fired too often and only shadows until the next ruleset is published'
            action = Action(
                type="alert",
                data={"to": ["management"], "severity": "critical", "text": text, "rule": rule_id},
                cause=f"rule:{rule_id}",
            )
            event_id = f"brake:{self.ruleset.hash[:12]}:{rule_id}"
            alert = Outgoing(id=action_id(event_id, 1), subject=f"rule:{rule_id}", event_id=event_id, action=action)
            write_actions(self.store, [alert], self.service.receivers(self.ruleset, None), self.now)

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
            queue_waits(self.store, ticket.desk, self.now + _LOOK_AGAIN)

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


def _again(event: Event, body: str, known: tuple[str, str | None]) -> dict[str, Any]:
    if known[0] != digest(body) or known[1] is None:
        raise EventIdReused(
            f'the event id "{event.id}" was used with another body; send the new event under an id of its own',
            event_id=event.id,
        )
    answer: dict[str, Any] = json.loads(known[1])
    return {**answer, "duplicate": True}


def _answer(event: Event, decisions: Sequence[Decision], after: Snapshot) -> dict[str, Any]:
    ticket = after.ticket
    assert ticket is not None
    return {
        "ticket": {
            "id": ticket.id,
            "status": ticket.status,
            "priority": ticket.priority,
            "group": ticket.group,
            "desk": ticket.desk,
            "assignee": ticket.assignee,
            "tags": sorted(ticket.tags),
        },
        "outcome": decisions[0].outcome,
        "irregular": any(decision.outcome == "irregular" for decision in decisions),
        "reasons": [plain(reason) for reason in decisions[0].reasons],
        "marks": sorted({mark for decision in decisions for mark in decision.marks}),
        "fired": [firing.rule_id for decision in decisions for firing in decision.firings if firing.outcome == "fired"],
        "actions": [
            {
                "id": found_id,
                "type": action.type,
                "cause": action.cause,
                "data": plain(action.data),
                **({"held_until_at": action.held_until_at.isoformat()} if action.held_until_at else {}),
            }
            for found_id, action in actions_of(event, decisions)
        ],
        "decision_id": event.id,
        "duplicate": False,
    }


def _canonical(event: Event) -> str:
    return dump({"id": event.id, "type": event.type, "at": event.at, "ticket_id": event.ticket_id, "data": event.data})
