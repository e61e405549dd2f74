"""Groups, desks and users of one ruleset, and the questions that assignment asks of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

Strategy = Literal["least_loaded", "round_robin"]

#: What a desk's queue may be ordered by, with the order that the bare name means.
QUEUE_KEYS: Mapping[str, str] = {"tier": "desc", "priority": "desc", "created": "asc", "waiting": "asc"}

#: Channels whose desks leave their members one ticket at a time. Source: R5.19.
TELEPHONY = "telephony"


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """A team with its supervisors. Source: R5.9."""

    name: str
    supervisors: tuple[str, ...] = ()
    #: How often a ticket may be transferred away from here; None: no limit. Source: R2.30.
    transfer_limit: int | None = None
    #: Name of the escalation policy that an escalation without one takes.
    escalation: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """Who serves which channels for which group, and how. Source: R5.10-19, R5.27-31."""

    name: str
    group: str
    channels: tuple[str, ...]
    #: Exactly one. Source: R5.13.
    supervisor: str
    members: tuple[str, ...]
    #: Required; counts only for a member without a maximum of their own. Source: R5.14, R5.18.
    max_assignment: int
    proactive_assignment: bool = True
    strategy: Strategy = "least_loaded"
    #: Name of the calendar of its service hours.
    calendar: str = "always"
    #: (key of QUEUE_KEYS, whether ascending).
    queue: tuple[tuple[str, bool], ...] = (("created", True),)
    #: Clock name -> target in seconds; wins over a policy, clock by clock.
    sla_s: Mapping[str, int] = field(default_factory=dict)
    #: Whether its file leaves out `members:`, so that the agents of the group serve it, those who come later too.
    by_group: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """A person of the roster."""

    id: str
    name: str
    group: str | None
    role: str = "agent"
    #: L0 to L3; higher means more complex cases. Source: R2.12.
    level: int = 0
    skills: frozenset[str] = frozenset()
    #: Tickets at one time over all channels; None: the desks' maxima add up. Source: R5.16-18.
    max_assignment: int | None = None
    #: file:line:col of a user of a rule file; empty for one who was added by API.
    defined_at: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Added:
    """A person who was added by API, not by a rule file."""

    user: User
    #: Names of the desks to serve; None: those of the group, for an agent, that the group serves as a whole.
    desks: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Whom an assignment looks for. Every field that is set narrows the choice."""

    user: str | None = None
    desk: str | None = None
    group: str | None = None
    skill: str | None = None
    level: int | None = None
    #: Users who must not be chosen, such as the one who holds the ticket.
    without: frozenset[str] = frozenset()
    strategy: Strategy = "least_loaded"

    def __str__(self) -> str:
        named = [(key, getattr(self, key)) for key in ("user", "desk", "group", "skill", "level")]
        return ", ".join(f"{key} {value}" for key, value in named if value is not None) or "anybody"


@dataclass(frozen=True, slots=True, kw_only=True)
class Roster:
    """All groups, desks and users of a ruleset."""

    groups: Mapping[str, Group]
    desks: Mapping[str, Desk]
    users: Mapping[str, User]
    default_desk: str
    #: user id -> names of the desks with the user as a member, in file order.
    desks_of: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    #: The roster as the rule files alone have it; None where this one is.
    files: Roster | None = None

    def with_added(self, people: Iterable[Added]) -> Roster:
        """The roster of the rule files with these people, in place of those added before; a file's user comes first.

        A desk that the ruleset does not have is not served. Source: R5.9.
        """
        base = self.files or self
        users, desks_of = dict(base.users), dict(base.desks_of)
        joined: dict[str, list[str]] = {}
        for added in people:
            user = added.user
            if user.id in base.users:
                continue
            served = tuple(name for name, desk in base.desks.items() if _serves(added, desk))
            users[user.id], desks_of[user.id] = user, served
            for name in served:
                joined.setdefault(name, []).append(user.id)
        desks = {
            name: replace(desk, members=(*desk.members, *joined[name])) if name in joined else desk
            for name, desk in base.desks.items()
        }
        return replace(base, users=users, desks=desks, desks_of=desks_of, files=base)

    def desk_for(self, *, desk: str | None, group: str | None, channel: str | None) -> str:
        """The named desk, else the group's desk for the channel (or its first), else the default desk."""
        if desk is not None and desk in self.desks:
            return desk
        if group is not None:
            own = [found for found in self.desks.values() if found.group == group]
            for found in own:
                if channel in found.channels:
                    return found.name
            if own:
                return own[0].name
        return self.default_desk

    def slot_limit(self, user: User) -> int | None:
        """1 with a desk for telephony (R5.19); else the user's own maximum; else the desks' summed (R5.17-18)."""
        desks = [self.desks[name] for name in self.desks_of.get(user.id, ())]
        if any(TELEPHONY in desk.channels for desk in desks):
            return 1
        if user.max_assignment is not None:
            return user.max_assignment
        return sum(desk.max_assignment for desk in desks) if desks else None

    def is_member(self, user_id: str, desk: str) -> bool:
        """Whether the user serves the desk."""
        return desk in self.desks_of.get(user_id, ())


def _serves(added: Added, desk: Desk) -> bool:
    if added.desks is not None:
        return desk.name in added.desks
    return desk.by_group and added.user.role == "agent" and added.user.group == desk.group
