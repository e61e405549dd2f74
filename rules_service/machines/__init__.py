"""The ticket lifecycle: rows of the ruleset, run by one shared machine."""

from rules_service.machines.guards import GUARDS, Move
from rules_service.machines.lifecycle import TRIGGERS, Fired, Lifecycle, Refused, State, Transition
from rules_service.machines.parse import LifecycleSchema, parse_lifecycle

__all__ = [
    "GUARDS",
    "TRIGGERS",
    "Fired",
    "Lifecycle",
    "LifecycleSchema",
    "Move",
    "Refused",
    "State",
    "Transition",
    "parse_lifecycle",
]
