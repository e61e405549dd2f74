"""The pure core: no database, no clock, no network. What an event does, and why."""

from rules_service.decide.attributes import ATTRIBUTES, DECLARED, GATHERED, Facts, row_of
from rules_service.decide.deadlines import due_event, next_due_at
from rules_service.decide.decide import adopt, decide, evolve
from rules_service.decide.desks import DeskDecision, decide_desk
from rules_service.decide.draft import described
from rules_service.decide.firing import Brakes, prime
from rules_service.decide.holding import told_together
from rules_service.decide.loading import check_ruleset, load_ruleset
from rules_service.decide.run import EmptyWorld, World, run
from rules_service.decide.slots import holder, slot_changes
from rules_service.decide.telling import alert
from rules_service.decide.triggers import EVENT_OF, move_of

__all__ = [
    "ATTRIBUTES",
    "DECLARED",
    "EVENT_OF",
    "GATHERED",
    "Brakes",
    "DeskDecision",
    "EmptyWorld",
    "Facts",
    "World",
    "adopt",
    "alert",
    "check_ruleset",
    "decide",
    "decide_desk",
    "described",
    "due_event",
    "evolve",
    "holder",
    "load_ruleset",
    "move_of",
    "next_due_at",
    "prime",
    "row_of",
    "run",
    "slot_changes",
    "told_together",
]
