"""The one path of every event: gather, run, apply, in one transaction."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rules_service.clock import Clock
from rules_service.decide import Brakes
from rules_service.errors import EventIdReused, ServiceError, TransitionRefused, UnknownTicket
from rules_service.ruleset import Ruleset
from rules_service.service.work import ClaimRefused, Shared, Work
from rules_service.store import Store, actions_of, claim_due, digest, presence, read_event, read_ticket
from rules_service.store.codec import plain
from rules_service.tickets import SYSTEM, Decision, Event, Snapshot

#: Most tickets of absent holders that one look takes on.
LEFT_BATCH = 100

#: The smallest difference between two instants.
_INSTANT = dt.timedelta(microseconds=1)


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
        self.shared = Shared(variables or {}, brakes or Brakes())

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
            work_ = Work(self.store, self.shared, ruleset, stored, now)
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
            work_ = Work(self.store, self.shared, ruleset, stored, now)
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
            work_ = Work(self.store, self.shared, ruleset, stored, now)
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
        self.store.transact_each(left, lambda found: self._release_left(*found))
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
        work = Work(self.store, self.shared, ruleset, stored, now)
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
        work = Work(self.store, self.shared, ruleset, stored, now)
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


class _NobodyFree(Exception):
    """No slot is free."""


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
