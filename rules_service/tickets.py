"""The vocabulary: what a ticket, an event, a stint, a clock, an escalation and a decision are. Plain data.

Everything here is frozen: a change makes a new value. Instants are aware UTC datetimes.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

#: Priorities, lowest first.
PRIORITIES = ("low", "medium", "high", "urgent")

#: Roles that people have; beside them there are `customer` and `system`.
STAFF_ROLES = ("agent", "supervisor", "technical", "management")
ROLES = (*STAFF_ROLES, "customer", "system")

#: Every type of event with what it tells. Source: DESIGN of the event table; tests check that each is handled.
EVENT_TYPES: Mapping[str, str] = {
    "ticket.created": "a customer's first contact became a ticket",
    "ticket.imported": "a ticket that existed before is made known, as it stands; no rule fires",
    "ticket.opened": "somebody opened the conversation",
    "ticket.assigned": "the ticket was given to a user, or to nobody",
    "ticket.reassigned": "a supervisor or a rule moved it to another user",
    "ticket.transferred": "it moved to another group or desk",
    "ticket.escalated": "help was called",
    "ticket.closed": "the interaction ended",
    "ticket.reopened": "a closed ticket was taken up again",
    "ticket.released": "it went back to its desk's queue",
    "ticket.updated": "fields changed",
    "ticket.deleted": "it no longer exists in the helpdesk",
    "ticket.merged": "it became part of another ticket",
    "message.received": "the customer wrote",
    "message.sent": "somebody, or a machine, answered the customer",
    "note.added": "somebody wrote an internal note",
    "feedback.received": "the customer judged the service",
    "escalation.approved": "a supervisor agreed to an escalation that waits for it",
    "escalation.refused": "a supervisor did not agree to an escalation that waits for it",
    "escalation.acknowledged": "a target of the escalation took it up",
    "escalation.closed": "the escalation is over",
    "user.online": "an agent can receive tickets",
    "user.offline": "an agent can receive no more tickets",
    "action.applied": "the helpdesk carried an action out",
    "action.failed": "the helpdesk could not carry an action out",
    "clock.warned": "a share of a clock's target is used up",
    "clock.breached": "a clock's target passed unmet",
    "sla.corrected": "what was reported late, such as an answer in time, took a breach back",
    "escalation.step_due": "nobody took an escalation up in time",
    "escalation.overdue": "an escalation is open longer than its policy allows",
    "timer.due": "time alone changed what holds for the ticket",
}

#: Event types that only the service itself may produce.
INTERNAL_EVENT_TYPES = frozenset(
    {"clock.warned", "clock.breached", "sla.corrected", "escalation.step_due", "escalation.overdue", "timer.due"}
)

#: Event types about a person, not about a ticket.
USER_EVENT_TYPES = frozenset({"user.online", "user.offline"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """Who did it: an id of the roster or the helpdesk (None for an unnamed one) and one of ROLES."""

    id: str | None = None
    role: str = "system"


SYSTEM = Actor()


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that happened to a ticket, or is asked for. Immutable."""

    #: Names the event for ever; the same id is processed once.
    id: str
    #: A key of EVENT_TYPES.
    type: str
    #: When it happened (not when it arrived).
    at: dt.datetime
    ticket_id: str
    #: None where the helpdesk does not say: it then counts as the assignee's for open, respond and close, as SYSTEM's
    #: for the rest.
    actor: Actor | None = None
    data: Mapping[str, Any] = field(default_factory=dict)
    #: True where a transition is asked for and may be refused; False for a fact.
    request: bool = False
    #: The connector that brought it; None for the API.
    source: str | None = None
    #: What made the service itself produce it: `rule:ID`, `distribution`, `escalation`, `deadline`; None from outside.
    cause: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """Why something is refused or irregular: a stable code and a sentence."""

    code: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticket:
    """One interaction between a customer and the company, as it stands."""

    id: str
    status: str
    #: One of PRIORITIES.
    priority: str = "medium"
    channel: str | None = None
    group: str | None = None
    desk: str
    assignee: str | None = None
    tags: frozenset[str] = frozenset()
    subject: str | None = None
    custom: Mapping[str, Any] = field(default_factory=dict)
    #: The connector through which its helpdesk is plugged in; None when events come by the API.
    source: str | None = None

    customer_id: str | None = None
    customer_name: str | None = None
    customer_tier: str | None = None
    customer_lifetime_value: float | None = None
    customer_language: str | None = None

    created_at: dt.datetime
    #: When the present status began; an internal transition does not restart it.
    status_since_at: dt.datetime
    #: When it entered the queue it stands in; None while somebody holds it or it is closed.
    queued_at: dt.datetime | None = None
    closed_at: dt.datetime | None = None
    #: The last act of a person; deadlines, follow-ups, echoes and automated messages do not touch it.
    last_act_at: dt.datetime
    #: The first customer message that nobody has answered.
    waiting_since_at: dt.datetime | None = None
    last_received_at: dt.datetime | None = None
    last_sent_at: dt.datetime | None = None
    #: Who gave the last answer.
    last_sent_by: str | None = None
    transfers_count: int = 0
    reopens_count: int = 0
    #: Counts the stints; 0 before the first assignment.
    stint_number: int = 0
    #: The holder of the last stint that ended; reopening offers the ticket to them first.
    last_assignee: str | None = None
    #: False once the helpdesk deleted or merged it: clocks are void, no rule fires.
    live: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Stint:
    """One agent's time with a ticket. Source: R4.18."""

    number: int
    agent_id: str
    desk: str
    assigned_at: dt.datetime
    #: When the agent first opened and first answered it within this stint.
    opened_at: dt.datetime | None = None
    responded_at: dt.datetime | None = None
    ended_at: dt.datetime | None = None
    #: The trigger that ended it.
    ended_by: str | None = None
    over_maximum: bool = False
    #: Who held the ticket until then; None where it came from the queue.
    taken_from: str | None = None


ClockStatus = Literal["running", "paused", "met", "breached", "missed", "void"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceClock:
    """One service-level measurement of a ticket or a stint, counted on one calendar."""

    #: A key of clocks.CLOCKS.
    name: str
    #: The stint it measures; 0 for a clock of the whole ticket.
    stint_number: int = 0
    #: running, paused; met in time; breached and still unmet; missed: stopped after the breach; void: no verdict.
    status: ClockStatus = "running"
    target_s: int
    #: Name of the calendar it is counted on.
    calendar: str
    started_at: dt.datetime
    #: Service seconds in the intervals that are over.
    used_s: int = 0
    #: Start of the interval now counted; None while paused or stopped.
    running_since_at: dt.datetime | None = None
    #: The intervals that are over: (start, end).
    intervals: tuple[tuple[dt.datetime, dt.datetime], ...] = ()
    #: Since when it did not run, and the state that paused it: (from, state); until the next pause or interval.
    pauses: tuple[tuple[dt.datetime, str], ...] = ()
    #: What intervals were counted on before `calendar` as it now stands: (until, calendar, short hash of the ruleset).
    calendars: tuple[tuple[dt.datetime, str, str], ...] = ()
    #: When it breaches if nothing stops it; None while paused or stopped.
    due_at: dt.datetime | None = None
    warn_at_pct: tuple[int, ...] = ()
    warned_pct: int = 0
    breached_at: dt.datetime | None = None
    stopped_at: dt.datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Escalation:
    """An open call for help on a ticket; it never changes state or owner by itself."""

    id: str
    policy: str
    #: Index of the step now standing, from 0; rounds count the repeats, from 0.
    step: int = 0
    round: int = 0
    reasons: tuple[str, ...] = ()
    summary: str = ""
    opened_at: dt.datetime
    opened_by: str | None = None
    #: Since when it waits for a supervisor's yes, with nobody asked yet; None once it has it, or needs none.
    approval_wanted_at: dt.datetime | None = None
    approved_by: str | None = None
    #: The users asked so far, in order.
    targets: tuple[str, ...] = ()
    #: Who keeps following it: who escalated, and who held the ticket.
    followers: tuple[str, ...] = ()
    acknowledged_at: dt.datetime | None = None
    acknowledged_by: str | None = None
    #: When the next step starts unless a target acts; None once acknowledged or past the last step.
    step_due_at: dt.datetime | None = None
    overdue_at: dt.datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleMemory:
    """What one rule remembers of one ticket."""

    #: Short hash of the rule's `when`; another one means that the memory is of another rule.
    when_hash: str
    #: Whether it has fired (or was primed) since its conditions last became true.
    spent: bool = False
    #: Firings since its conditions last became true, for `repeat`.
    fired_count: int = 0
    #: The last firings that its `limit` or `repeat` has to know, oldest first.
    fired_at: tuple[dt.datetime, ...] = ()
    #: The stint of the last firing, for `limit: N per stint`, and the firings within it.
    stint_number: int = 0
    stint_count: int = 0
    #: Firings on this ticket ever, for `limit: N per ticket`.
    total_count: int = 0
    #: When a repeat was due last and held back; the next one is due a whole period later.
    held_back_at: dt.datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """A user as the pure core needs one: who they are, and whether they can take a ticket now."""

    id: str
    name: str
    role: str
    group: str | None = None
    level: int = 0
    skills: frozenset[str] = frozenset()
    desks: frozenset[str] = frozenset()
    online: bool = False
    #: Tickets that hold a slot of theirs, and how many may.
    open_count: int = 0
    slot_limit: int | None = None

    @property
    def has_free_slot(self) -> bool:
        """Whether one more ticket stays within the maximum."""
        return self.slot_limit is None or self.open_count < self.slot_limit


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """All that a decision about one ticket may look at."""

    ticket: Ticket | None = None
    stint: Stint | None = None
    clocks: tuple[ServiceClock, ...] = ()
    escalation: Escalation | None = None
    memory: Mapping[str, RuleMemory] = field(default_factory=dict)
    #: Instant of the last fact of each type, to tell one that arrives out of order.
    last_fact_at: Mapping[str, dt.datetime] = field(default_factory=dict)
    #: Recent automatic replies and firings, for the brakes against loops.
    replies_at: tuple[dt.datetime, ...] = ()
    firings_at: tuple[dt.datetime, ...] = ()
    #: When, and under which ruleset, the rules were last judged.
    judged_at: dt.datetime | None = None
    ruleset_hash: str | None = None
    #: Users of the roster whose present load a guard may ask for, by id. Context: never written back.
    people: Mapping[str, Person] = field(default_factory=dict)
    #: Event type -> when the last ones happened, within the longest window in which a rule counts them by `recent.*`.
    recent: Mapping[str, tuple[dt.datetime, ...]] = field(default_factory=dict)
    #: Values of attributes that only the database knows, by name (`desk.queue_length`). Context: never written back.
    gathered: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """What the helpdesk is told to do, or people to know."""

    #: A key of rules.ACTIONS, or `assign` and `release`, which distribution produces.
    type: str
    data: Mapping[str, Any]
    #: What caused it: `rule:ID`, `distribution`, `escalation`, `request`.
    cause: str
    #: When it goes out where it is held: deferred, or to be told together with others. None: at once.
    held_until_at: dt.datetime | None = None
    #: Actions that are told together carry the same key; None: by itself.
    digest_key: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """An action that is held, for the time being."""

    #: The id that the action will carry.
    id: str
    #: What is told together shares a key; an action by itself has its own id here.
    key: str
    #: A ticket's id, or `desk:NAME`.
    subject: str
    event_id: str
    action: Action
    #: The connector of its ticket; None for none.
    source: str | None = None
    decided_at: dt.datetime
    due_at: dt.datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Firing:
    """One rule acting once on one ticket, or being held back, with the reason."""

    rule_id: str
    #: `fired`; `shadow`; `held_back` with the reason.
    outcome: Literal["fired", "shadow", "held_back"]
    reason: str
    #: The values that its conditions read.
    because: Mapping[str, Any] = field(default_factory=dict)
    #: What became of actions that were not carried out: `reassign: nobody with the skill has a free slot`.
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """The record of one event of a chain: what it did, which rules fired and why, and what follows."""

    event: Event
    generation: int = 0
    now: dt.datetime
    #: The instant on which the rules judged: `now`, or the time of the deadline that came due.
    judged_at: dt.datetime | None = None
    ruleset_hash: str
    #: `done`; `recorded` (nothing to move); `unchanged`; `irregular`; `refused` (a request); `late` (clocks only).
    outcome: str = "done"
    reasons: tuple[Reason, ...] = ()
    marks: tuple[str, ...] = ()
    #: Parts of the snapshot that are new, by name.
    changes: Mapping[str, Any] = field(default_factory=dict)
    #: Clocks that ended with this event and stints that ended; they go to history.
    ended_clocks: tuple[ServiceClock, ...] = ()
    ended_stints: tuple[Stint, ...] = ()
    #: The attributes that the rules saw.
    row: Mapping[str, Any] = field(default_factory=dict)
    firings: tuple[Firing, ...] = ()
    actions: tuple[Action, ...] = ()
    #: Events of the same ticket that this one causes.
    follow_ups: tuple[Event, ...] = ()
