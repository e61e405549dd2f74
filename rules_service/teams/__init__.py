"""Who serves what: groups, desks, users, their maxima, and which desk a ticket belongs to."""

from rules_service.teams.escalation import EscalationPolicy, EscalationPolicySchema, Step, parse_escalation_policy
from rules_service.teams.parse import DeskSchema, GroupSchema, UserSchema, addressable, parse_targets, parse_teams
from rules_service.teams.presence import PresencePolicy, PresenceSchema, parse_presence
from rules_service.teams.queues import queue_key
from rules_service.teams.roster import QUEUE_KEYS, Added, Desk, Group, Roster, User, Wanted

__all__ = [
    "QUEUE_KEYS",
    "Added",
    "Desk",
    "DeskSchema",
    "EscalationPolicy",
    "EscalationPolicySchema",
    "Group",
    "GroupSchema",
    "PresencePolicy",
    "PresenceSchema",
    "Roster",
    "Step",
    "User",
    "UserSchema",
    "Wanted",
    "addressable",
    "parse_escalation_policy",
    "parse_presence",
    "parse_targets",
    "parse_teams",
    "queue_key",
]
