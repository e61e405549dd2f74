"""A decision being made: the snapshot as it changes, and what is noted on the way. Lives for one event only."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from rules_service.decide.telling import alert
from rules_service.ruleset import Ruleset
from rules_service.tickets import (
    SYSTEM,
    Action,
    Actor,
    Decision,
    Escalation,
    Event,
    Firing,
    Person,
    Reason,
    RuleMemory,
    ServiceClock,
    Snapshot,
    Stint,
    Ticket,
)

#: Parts of a snapshot that decisions write.
WRITTEN = (
    "ticket", "stint", "clocks", "escalation", "memory", "last_fact_at", "replies_at", "firings_at", "ruleset_hash",
    "recent",
)  # fmt: skip


@dataclass(slots=True, kw_only=True)
class Draft:
    """Working values; `decision()` freezes them."""

    ruleset: Ruleset
    before: Snapshot
    event: Event
    #: Who did it, after an unnamed actor was resolved.
    actor: Actor
    #: When it happened, clamped between the ticket's creation and now.
    at: dt.datetime
    #: Ours; state follows it.
    now: dt.datetime
    ticket: Ticket
    stint: Stint | None
    clocks: dict[str, ServiceClock]
    escalation: Escalation | None
    memory: Mapping[str, RuleMemory]
    last_fact_at: Mapping[str, dt.datetime]
    replies_at: tuple[dt.datetime, ...]
    firings_at: tuple[dt.datetime, ...]
    recent: Mapping[str, tuple[dt.datetime, ...]]
    outcome: str = "done"
    reasons: list[Reason] = field(default_factory=list)
    marks: list[str] = field(default_factory=list)
    ended_clocks: list[ServiceClock] = field(default_factory=list)
    ended_stints: list[Stint] = field(default_factory=list)
    row: Mapping[str, Any] = field(default_factory=dict)
    judged_at: dt.datetime | None = None
    firings: list[Firing] = field(default_factory=list)
    actions: list[Action] = field(default_factory=list)
    follow_ups: list[Event] = field(default_factory=list)

    def set(self, **fields: Any) -> None:
        """Changes fields of the ticket."""
        self.ticket = replace(self.ticket, **fields)

    def act(self, kind: str, cause: str, **data: Any) -> None:
        """Notes an action for the helpdesk or for people."""
        self.actions.append(Action(type=kind, data=data, cause=cause))

    def alert(self, cause: str, to: Sequence[str], severity: str, text: str) -> None:
        """Notes an alert of the service's own."""
        self.actions.append(
            alert(self.ruleset, cause, to, severity, text, ticket=self.ticket, escalation=self.escalation)
        )

    def tell(self, kind: str, **data: Any) -> None:
        """Notes an action where the event was asked for: a fact the helpdesk knows already."""
        if self.event.request:
            self.act(kind, self.event.cause or "request", **data)

    def follow(
        self,
        kind: str,
        data: Mapping[str, Any],
        *,
        cause: str | None,
        actor: Actor | None = SYSTEM,
        request: bool = False,
        at: dt.datetime | None = None,
    ) -> None:
        """Notes an event of the same ticket that this one causes; it is the next generation's."""
        number = len(self.follow_ups) + 1
        self.follow_ups.append(
            Event(
                id=f"{self.event.id}.{number}",
                type=kind,
                at=at or self.now,
                ticket_id=self.ticket.id,
                actor=actor,
                data=data,
                request=request,
                source=self.event.source,
                cause=cause,
            )
        )

    def person(self, user_id: str | None) -> Person | None:
        """The user, with the present load where it was gathered, else as the ruleset says; None if unknown."""
        if user_id is None:
            return None
        return self.before.people.get(user_id) or described(self.ruleset, user_id)

    def decision(self) -> Decision:
        """What was decided, with only the parts of the snapshot that changed."""
        after: dict[str, Any] = {
            "ticket": self.ticket,
            "stint": self.stint,
            "clocks": tuple(self.clocks.values()),
            "escalation": self.escalation,
            "memory": self.memory,
            "last_fact_at": self.last_fact_at,
            "replies_at": self.replies_at,
            "firings_at": self.firings_at,
            "ruleset_hash": self.ruleset.hash,
            "recent": self.recent,
        }
        return Decision(
            event=replace(self.event, actor=self.actor),
            now=self.now,
            judged_at=self.judged_at,
            ruleset_hash=self.ruleset.hash,
            outcome=self.outcome,
            reasons=tuple(self.reasons),
            marks=tuple(dict.fromkeys(self.marks)),
            changes={name: after[name] for name in WRITTEN if after[name] != getattr(self.before, name)},
            ended_clocks=tuple(self.ended_clocks),
            ended_stints=tuple(self.ended_stints),
            row=self.row,
            firings=tuple(self.firings),
            actions=tuple(self.actions),
            follow_ups=tuple(self.follow_ups),
        )


def described(ruleset: Ruleset, user_id: str) -> Person | None:
    """A user as the ruleset describes them, load and presence unknown; None for an unknown one."""
    user = ruleset.roster.users.get(user_id)
    if user is None:
        return None
    return Person(
        id=user.id,
        name=user.name,
        role=user.role,
        group=user.group,
        level=user.level,
        skills=user.skills,
        desks=frozenset(ruleset.roster.desks_of.get(user.id, ())),
        slot_limit=ruleset.roster.slot_limit(user),
    )
