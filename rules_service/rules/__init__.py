"""Conditions and actions of the rule language: read, checked, compiled, matched."""

from rules_service.rules.actions import ACTIONS, PLACEMENTS, SEVERITIES, ActionSpec, Limit, Names, Repeat
from rules_service.rules.conditions import (
    All,
    AnyOf,
    Atom,
    Condition,
    Not,
    atoms_of,
    attributes_of,
    changing_attributes,
    parse_condition,
)
from rules_service.rules.conjunctions import Conjunction, Literal, conjunctions_of
from rules_service.rules.keywords import KeywordIndex, parse_keywords
from rules_service.rules.match import Explanation, compile_match, explain
from rules_service.rules.matcher import Matcher, MatcherEvent, MatcherState
from rules_service.rules.possible import Domain, Possible
from rules_service.rules.rule import IRREGULAR, LISTENABLE, Rule, RuleSchema, parse_rule
from rules_service.rules.rulebook import Rulebook
from rules_service.rules.vocabulary import WINDOWED, Attribute, Row, Vocabulary

__all__ = [
    "ACTIONS",
    "IRREGULAR",
    "LISTENABLE",
    "PLACEMENTS",
    "SEVERITIES",
    "WINDOWED",
    "ActionSpec",
    "All",
    "AnyOf",
    "Atom",
    "Attribute",
    "Condition",
    "Conjunction",
    "Domain",
    "Explanation",
    "KeywordIndex",
    "Limit",
    "Literal",
    "Matcher",
    "MatcherEvent",
    "MatcherState",
    "Names",
    "Not",
    "Possible",
    "Repeat",
    "Row",
    "Rule",
    "RuleSchema",
    "Rulebook",
    "Vocabulary",
    "atoms_of",
    "attributes_of",
    "changing_attributes",
    "compile_match",
    "conjunctions_of",
    "explain",
    "parse_condition",
    "parse_keywords",
    "parse_rule",
]
