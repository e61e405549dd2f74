"""A ruleset, loaded: everything that decisions need, immutable, identified by the hash of its content."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field

from rules_service.clocks import Calendar, SlaPolicy
from rules_service.connectors import Connector
from rules_service.durations import Duration
from rules_service.machines import Lifecycle
from rules_service.messages import Template, Text
from rules_service.rules import Attribute, KeywordIndex, Rulebook
from rules_service.ruleset.endpoints import Endpoint
from rules_service.teams import EscalationPolicy, PresencePolicy, Roster
from rules_service.tickets import Ticket

#: How many tiers a customer can have where the ruleset does not say.
DEFAULT_TIERS = ("standard", "vip")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Ruleset:
    """One valid ruleset."""

    #: SHA-256 over names and contents of its files, `${VAR}` unexpanded.
    hash: str
    lifecycle: Lifecycle
    calendars: Mapping[str, Calendar]
    roster: Roster
    presence: PresencePolicy
    #: Customer tiers, lowest first.
    tiers: tuple[str, ...]
    sla_policies: tuple[SlaPolicy, ...]
    escalation_policies: Mapping[str, EscalationPolicy]
    keywords: KeywordIndex | None
    templates: Mapping[str, Template]
    #: Inline texts of actions, compiled, by their source.
    texts: Mapping[str, Text]
    endpoints: Mapping[str, Endpoint]
    connectors: Mapping[str, Connector]
    rules: Rulebook
    custom: Mapping[str, Attribute] = field(default_factory=dict)
    #: rule id -> (attribute, value) of its comparisons that time alone changes; rules without `on:` only.
    timed_atoms: Mapping[str, tuple[tuple[str, object], ...]] = field(default_factory=dict)
    #: Rules that fired so often that they only shadow until the next ruleset.
    braked: frozenset[str] = frozenset()
    #: Event type -> the longest window, in seconds, in which `recent.*` of some rule counts it.
    recent_s: Mapping[str, int] = field(default_factory=dict)
    #: Hash of an earlier ruleset -> (rule id, hash of its conditions) of its rules without `on:`, and of its calendars.
    predecessors: Mapping[str, frozenset[tuple[str, str]]] = field(default_factory=dict)
    #: Attributes that rules read and only the database knows.
    gathered_needs: frozenset[str] = frozenset()

    def hours(self, calendar: str) -> Calendar:
        """The calendar of that name; one that a newer ruleset no longer has counts as always open."""
        return self.calendars.get(calendar) or self.calendars["always"]

    def calendar_of_desk(self, desk: str) -> Calendar:
        """The service hours of a desk."""
        found = self.roster.desks.get(desk)
        return self.hours(found.calendar if found else "always")

    def tier_of(self, ticket: Ticket) -> int:
        """The place of the customer's tier, the lowest is 0; -1 without one."""
        return self.tiers.index(ticket.customer_tier) if ticket.customer_tier in self.tiers else -1

    def later(self, desk: str, start: dt.datetime, length: Duration) -> dt.datetime:
        """The instant at which so much time has passed since `start`: wall time, or service time of the desk."""
        if length.service:
            return self.calendar_of_desk(desk).add(start, length.seconds)
        return start + dt.timedelta(seconds=length.seconds)

    def lag(self, source: str | None) -> dt.timedelta:
        """By how much the connector of that name may tell late what happened; nothing for none."""
        found = self.connectors.get(source or "")
        return dt.timedelta(seconds=found.lag_s if found else 0)
