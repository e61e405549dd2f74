"""Stories: a few events, and what the service makes of them while a simulated clock runs. No database, no waiting.

Deadlines come at their exact instants, a freed slot is handed out at once, a desk's queue when the desk opens. Every
event goes through `decide.run`, as in the service.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from rules_service.decide import described, due_event, next_due_at, run, told_together
from rules_service.ruleset import Ruleset
from rules_service.simulate.desk_rules import DeskRules
from rules_service.simulate.world import MemoryWorld
from rules_service.tickets import SYSTEM, Actor, Decision, Event, Notice, Snapshot

#: Chains of decisions that one story may take; a rule that goes round for ever ends there.
MOST_CHAINS = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Happens:
    """An event, or with `request` a transition that is asked for and may be refused."""

    type: str
    ticket_id: str
    actor: Actor | None = None
    data: Mapping[str, Any] = field(default_factory=dict)
    request: bool = False
    #: Seconds from when it happened to when it is reported.
    late_by_s: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Waits:
    """Time passes."""

    seconds: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Until:
    """Time passes until an instant; one that is over changes nothing."""

    at: dt.datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Presence:
    """Users come online or go offline."""

    users: tuple[str, ...]
    online: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Loads:
    """Users hold this many tickets from now on, those of the story included."""

    counts: Mapping[str, int]


Step = Happens | Waits | Until | Presence | Loads


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """What happens, in order."""

    at: dt.datetime
    online: tuple[str, ...] = ()
    #: Tickets that users hold beside those of the story.
    loads: Mapping[str, int] = field(default_factory=dict)
    #: Desk ("": every customer) -> values that stand in for what the service would count over all tickets, such as
    #: `desk.queue_length`.
    stated: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    steps: tuple[Step, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Chained:
    """One event, or one deadline, with all the decisions that it caused."""

    #: Index of the step of the story during which it happened.
    step: int
    now: dt.datetime
    event: Event
    decisions: tuple[Decision, ...]
    #: The request was refused: nothing changed.
    refused: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """Everything as it stands after a step."""

    now: dt.datetime
    tickets: Mapping[str, Snapshot]
    #: User id -> tickets held.
    loads: Mapping[str, int]
    #: Desk -> ids of the tickets that wait there, in its order.
    queues: Mapping[str, tuple[str, ...]]
    #: Chains so far.
    chains_count: int
    #: Desk -> what rules for desks see of it; empty where there are none.
    desks: Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Played:
    """A story that was told."""

    chains: tuple[Chained, ...]
    #: The beginning, then one after each step.
    moments: tuple[Moment, ...]
    #: What could not go on: a deadline that comes again and again, or more than MOST_CHAINS. Empty when all is well.
    faults: tuple[str, ...] = ()


def play(ruleset: Ruleset, story: Story) -> Played:
    """Tells the story under a ruleset; the same story always gives the same answer.

    An event on a ticket that does not exist has to be ticket.created or ticket.imported; ValueError otherwise.
    """
    player = _Player(ruleset, story)
    for step in story.steps:
        player.take(step)
    return Played(chains=tuple(player.chains), moments=tuple(player.moments), faults=tuple(player.faults))


class _Player:
    """The simulated service: one ticket at a time, as `service.events` works, with the worker's passes in between."""

    def __init__(self, ruleset: Ruleset, story: Story) -> None:
        self.ruleset = ruleset
        self.world = MemoryWorld(ruleset, story.at.astimezone(dt.UTC), stated=story.stated)
        self.chains: list[Chained] = []
        self.faults: list[str] = []
        self.step = 0
        self._due: dict[str, dt.datetime | None] = {}
        self._done: set[str] = set()
        self._versions: dict[str, int] = {}
        #: Desks whose queue may move.
        self._draining: set[str] = set()
        self._desks = DeskRules(ruleset)
        #: Users who went offline, with the time of it.
        self._absent: dict[str, dt.datetime] = {}
        #: Actions that are held: key -> notices, oldest first.
        self._held: dict[str, list[Notice]] = {}
        for user_id in story.online:
            self.world.set_online(user_id, online=True)
        for user_id, count in story.loads.items():
            self.world.set_load(user_id, count)
        self._drain()
        self.moments: list[Moment] = [self._moment()]

    def take(self, step: Step) -> None:
        """One step, with all that follows from it at the same instant."""
        match step:
            case Waits(seconds=seconds):
                self._advance(self.world.now + dt.timedelta(seconds=seconds))
            case Until(at=at):
                self._advance(max(self.world.now, at.astimezone(dt.UTC)))
            case Presence(users=users, online=online):
                for user_id in users:
                    person = self.world.person(user_id)
                    if not online and person is not None and person.online:
                        self._absent[user_id] = self.world.now
                    self.world.set_online(user_id, online=online)
                    if online:
                        self._absent.pop(user_id, None)
                        self._free(user_id)
            case Loads(counts=counts):
                for user_id, count in counts.items():
                    self.world.set_load(user_id, count)
                    self._free(user_id)
            case Happens():
                self._happens(step)
        self._drain()
        self.moments.append(self._moment())
        self.step += 1

    # --- events -----------------------------------------------------------------------------------------------------

    def _happens(self, step: Happens) -> None:
        if step.ticket_id not in self.world.tickets and step.type not in ("ticket.created", "ticket.imported"):
            raise ValueError(f'no ticket "{step.ticket_id}" is known; begin with ticket.created or ticket.imported')
        self._advance(self.world.now)
        event = Event(
            id=f"{step.ticket_id}:{self.step + 1}",
            type=step.type,
            at=self.world.now - dt.timedelta(seconds=step.late_by_s),
            ticket_id=step.ticket_id,
            actor=step.actor,
            data=step.data,
            request=step.request,
        )
        decisions, after = self._run(event)
        refused = decisions[0].outcome == "refused"
        self._note(event, decisions, refused=refused)
        if not refused:
            self._settle(step.ticket_id, after)

    def _run(self, event: Event) -> tuple[list[Decision], Snapshot]:
        snapshot = self.world.tickets.get(event.ticket_id, Snapshot())
        decisions, after = run(self.ruleset, self.world.gather(snapshot, event), event, self.world.now, self.world)
        return decisions, replace(after, people={}, gathered={})

    def _note(self, event: Event, decisions: Sequence[Decision], *, refused: bool = False) -> None:
        if not refused:
            decisions = [self._hold(event, decision) for decision in decisions]
        self.chains.append(
            Chained(step=self.step, now=self.world.now, event=event, decisions=tuple(decisions), refused=refused)
        )

    def _hold(self, event: Event, decision: Decision) -> Decision:
        """The decision without the actions that are held; those are told at their time."""
        for number, action in enumerate(decision.actions):
            if action.held_until_at is not None:
                own = f"{event.id}:{decision.generation}:{number}"
                notice = Notice(
                    id=own, key=action.digest_key or own, subject=event.ticket_id, event_id=event.id, action=action,
                    decided_at=self.world.now, due_at=action.held_until_at,
                )  # fmt: skip
                self._held.setdefault(notice.key, []).append(notice)
        return replace(decision, actions=tuple(action for action in decision.actions if action.held_until_at is None))

    def _tell(self, key: str) -> None:
        """Tells what was held under a key: by itself, or together."""
        notices = self._held.pop(key)
        first = notices[0]
        action = told_together(notices) if len(notices) > 1 else replace(first.action, held_until_at=None)
        event = Event(
            id=f"notice:{first.id}", type="timer.due", at=self.world.now, ticket_id=first.subject, actor=SYSTEM,
            data={"notices": len(notices)}, cause="deadline",
        )  # fmt: skip
        told = Decision(event=event, now=self.world.now, ruleset_hash=self.ruleset.hash, actions=(action,))
        self._note(event, [told])

    def _settle(self, ticket_id: str, after: Snapshot) -> None:
        for user_id in self.world.settle(ticket_id, after):
            self._free(user_id)
        self._versions[ticket_id] = self._versions.get(ticket_id, 0) + 1
        self._due[ticket_id] = next_due_at(self.ruleset, after, self.world.now)

    # --- time -------------------------------------------------------------------------------------------------------

    def _advance(self, until: dt.datetime) -> None:
        """Works off what is due up to `until`, in the order of time, each at its instant."""
        self._drain()
        while True:
            due = [(at, ticket_id) for ticket_id, at in self._due.items() if at is not None]
            at, ticket_id = min(due, key=lambda found: found[0], default=(None, ""))
            opens_at, desk = min(self._openings(), default=(None, ""))
            judged_at = self._desks.next_at(self.world)
            held = (
                (min(notice.due_at for notice in found), found[0].decided_at, key) for key, found in self._held.items()
            )
            told_at, _, key = min(held, default=(None, None, ""))
            left_at, left = min(self._left(), default=(None, ""))
            instants = (at, opens_at, judged_at, told_at, left_at)
            first = min((instant for instant in instants if instant is not None), default=None)
            if first is None or first > until:
                break
            self.world.now = max(self.world.now, first)
            if first == at:
                self._deadline(ticket_id)
            elif first == opens_at:
                self._draining.add(desk)
            elif first == told_at:
                self._tell(key)
            elif first == left_at:
                self._release(left)
            self._drain()
        self.world.now = until

    def _deadline(self, ticket_id: str) -> None:
        event = due_event(self.ruleset, self.world.tickets[ticket_id], self.world.now)
        if len(self.chains) >= MOST_CHAINS:
            self._give_up(ticket_id, f"the story takes more than {MOST_CHAINS:,} events and deadlines")
            return
        if event is None or event.id in self._done:
            what = event.id if event is not None else f"of {ticket_id} at {self.world.now.isoformat()}"
            self._give_up(ticket_id, f"the deadline {what} comes again and again")
            return
        self._done.add(event.id)
        decisions, after = self._run(event)
        self._note(event, decisions)
        self._settle(ticket_id, after)

    def _give_up(self, ticket_id: str, fault: str) -> None:
        self.faults.append(fault)
        self._due[ticket_id] = None

    def _left(self) -> Iterator[tuple[dt.datetime, str]]:
        """When each ticket whose holder went offline goes back to its queue."""
        after_s = self.ruleset.presence.release_after_s
        if after_s is None:
            return
        for ticket_id, snapshot in self.world.tickets.items():
            holder = snapshot.stint.agent_id if snapshot.stint is not None else None
            since = self._absent.get(holder or "")
            if since is not None and f"left:{ticket_id}:{holder}:{since.isoformat()}" not in self._done:
                yield max(since + dt.timedelta(seconds=after_s), self.world.now), ticket_id

    def _release(self, ticket_id: str) -> None:
        stint = self.world.tickets[ticket_id].stint
        assert stint is not None
        event = Event(
            id=f"left:{ticket_id}:{stint.agent_id}:{self._absent[stint.agent_id].isoformat()}", type="ticket.released",
            at=self.world.now, ticket_id=ticket_id, actor=SYSTEM, data={"reason": f"{stint.agent_id} is not online"},
            request=True, cause="absence",
        )  # fmt: skip
        self._done.add(event.id)
        decisions, after = self._run(event)
        self._note(event, decisions)
        self._settle(ticket_id, after)

    def _openings(self) -> Iterator[tuple[dt.datetime, str]]:
        """When each closed desk opens where somebody waits."""
        for desk in self._distributing({found.desk for found in self._queued()}):
            calendar = self.ruleset.calendar_of_desk(desk)
            if not calendar.is_open(self.world.now):
                yield calendar.next_open(self.world.now), desk

    # --- queues -----------------------------------------------------------------------------------------------------

    def _queued(self) -> Iterator[Any]:
        for snapshot in self.world.tickets.values():
            if snapshot.ticket is not None and snapshot.ticket.queued_at is not None:
                yield snapshot.ticket

    def _distributing(self, desks: set[str]) -> list[str]:
        known = self.ruleset.roster.desks
        return [name for name in sorted(desks) if name in known and known[name].proactive_assignment]

    def _free(self, user_id: str) -> None:
        person = described(self.ruleset, user_id)
        self._draining |= person.desks if person is not None else frozenset()

    def _drain(self) -> None:
        """Hands out the queues of desks that have a slot again, in their order, until no slot is free; judges desks."""
        while self._draining:
            desk = min(self._draining)
            self._draining.discard(desk)
            if not self._distributing({desk}) or not self.ruleset.calendar_of_desk(desk).is_open(self.world.now):
                continue
            while (queue := self.world.queue(desk)) and self._distribute(queue[0]):
                pass
        for decision in self._desks.judge(self.world):
            self._note(decision.event, [decision])

    def _distribute(self, ticket_id: str) -> bool:
        ticket = self.world.tickets[ticket_id].ticket
        assert ticket is not None
        if len(self.chains) >= MOST_CHAINS:
            self.faults.append(f"the ticket {ticket_id} goes to its queue again and again")
            return False
        event = Event(
            id=f"drain:{ticket_id}:{self._versions[ticket_id]}", type="timer.due", at=self.world.now,
            ticket_id=ticket_id, actor=SYSTEM, data={"desk": ticket.desk}, cause="distribution",
        )  # fmt: skip
        decisions, after = self._run(event)
        if after.ticket is not None and after.ticket.queued_at is not None and not self.world.claimed:
            return False
        self._note(event, decisions)
        self._settle(ticket_id, after)
        return True

    def _moment(self) -> Moment:
        desks = {ticket.desk for ticket in self._queued()}
        return Moment(
            now=self.world.now,
            tickets=dict(self.world.tickets),
            loads=self.world.loads(),
            queues={desk: tuple(self.world.queue(desk)) for desk in sorted(desks)},
            chains_count=len(self.chains),
            desks={desk: self.world.figures(desk) for desk in self.ruleset.roster.desks}
            if self.ruleset.rules.desk_rules
            else {},
        )
