"""Stories under a simulated clock, and the tests beside the rules: what a ruleset does, before it is live."""

from rules_service.simulate.conditions import conditions
from rules_service.simulate.expecting import EXPECT, TICKET_FIELDS
from rules_service.simulate.rule_tests import DEFAULT_AT, TestReport, TestResult, run_tests
from rules_service.simulate.steps import DATA_FIELDS, VERBS
from rules_service.simulate.stories import (
    Chained,
    Happens,
    Loads,
    Moment,
    Played,
    Presence,
    Step,
    Story,
    Until,
    Waits,
    play,
)
from rules_service.simulate.why import first_false, why_not
from rules_service.simulate.world import MemoryWorld

__all__ = [
    "DATA_FIELDS",
    "DEFAULT_AT",
    "EXPECT",
    "TICKET_FIELDS",
    "VERBS",
    "Chained",
    "Happens",
    "Loads",
    "MemoryWorld",
    "Moment",
    "Played",
    "Presence",
    "Step",
    "Story",
    "TestReport",
    "TestResult",
    "Until",
    "Waits",
    "conditions",
    "first_false",
    "play",
    "run_tests",
    "why_not",
]
