"""A ruleset as the checks look at it: what its conditions come to, and what is known of its attributes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from rules_service.clocks import CLOCKS
from rules_service.problems import Marks, Place
from rules_service.rules import (
    IRREGULAR,
    All,
    Atom,
    Condition,
    Conjunction,
    Domain,
    Literal,
    Possible,
    Rule,
    conjunctions_of,
    parse_condition,
)
from rules_service.ruleset.load import Definitions
from rules_service.ruleset.model import Ruleset
from rules_service.ruleset.ownership import owner_of

#: Attributes that every row of a ticket has.
_ALWAYS = frozenset(
    {
        "ticket.status", "ticket.desk", "ticket.priority", "ticket.tags", "ticket.transfers", "ticket.reopens",
        "ticket.escalated", "event.type", "event.automated", "event.irregular", "time.age", "service_time.age",
    }
)  # fmt: skip
#: Attributes, by what their names begin with, that count and never fall below zero.
_COUNTS = ("time.", "service_time.", "recent.", "desk.", "ticket.transfers", "ticket.reopens", "customer.open_tickets")

#: The highest level of a user.
_HIGHEST_LEVEL = 3


class Study:
    """One ruleset under examination; made once, asked by every check."""

    def __init__(self, ruleset: Ruleset, definitions: Definitions) -> None:
        self.ruleset = ruleset
        self.definitions = definitions
        #: The clocks that any ticket is held to.
        self.targets = frozenset[str]().union(
            *(policy.targets_s for policy in ruleset.sla_policies),
            *(desk.sla_s for desk in ruleset.roster.desks.values()),
        )
        self._domains: dict[str, Domain] = {}
        self.possible = Possible(ruleset.rules.vocabulary, self.domain)
        #: rule id -> every alternative of its conditions and of its `on:`, those included that can never hold.
        self.written: Mapping[str, tuple[Conjunction, ...]] = {
            rule.id: tuple((*one, *heard(rule)) for one in conjunctions_of(rule.when)) for rule in ruleset.rules.rules
        }
        #: rule id -> the alternatives that can hold.
        self.alternatives: Mapping[str, tuple[Conjunction, ...]] = {
            rule_id: self.holding(written) for rule_id, written in self.written.items()
        }
        #: The same of the conditions of SLA policies.
        self.written_of_policy = {
            policy.id: tuple(conjunctions_of(self._condition_of_policy(policy.id))) for policy in ruleset.sla_policies
        }

    def place(self, section: str, name: str) -> Place:
        """Where a definition stands."""
        return self.definitions[section][name][1]

    def holding(self, alternatives: Iterable[Conjunction]) -> tuple[Conjunction, ...]:
        """Those that can hold."""
        return tuple(one for one in alternatives if self.possible.contradiction(one) is None)

    def live_rules(self) -> Iterator[Rule]:
        """The rules that act."""
        return (rule for rule in self.ruleset.rules.rules if rule.mode == "live")

    def domain(self, name: str) -> Domain:
        """What is known of an attribute."""
        found = self._domains.get(name)
        if found is None:
            found = self._domains[name] = self._domain(name)
        return found

    def _domain(self, name: str) -> Domain:
        lifecycle, roster = self.ruleset.lifecycle, self.ruleset.roster
        always = name in _ALWAYS
        match name:
            case "ticket.status":
                return Domain(values=frozenset(lifecycle.states), always=always)
            case "ticket.desk" | "desk.name":
                return Domain(values=frozenset(roster.desks), always=always)
            case "ticket.group" | "desk.group":
                return Domain(values=frozenset(roster.groups))
            case "ticket.level":
                return Domain(least=0, most=_HIGHEST_LEVEL, whole=True)
            case "event.clock":
                return Domain(values=frozenset(CLOCKS))
        if name.startswith("sla."):
            clock, _, part = name.removeprefix("sla.").partition(".")
            least = {"target": 1.0, "used_pct": 0.0}.get(part)
            never = clock not in self.targets
            return Domain(never=never) if least is None else Domain(least=least, never=never)
        if name.startswith(_COUNTS):
            return Domain(least=0, whole=True, always=always)
        return Domain(always=always)

    def _condition_of_policy(self, policy_id: str) -> Condition:
        data, place = self.definitions["sla_policies"][policy_id]
        vocabulary = self.ruleset.rules.vocabulary
        written = data.get("when") if isinstance(data, dict) else None
        owner = owner_of(place.file)
        parts = [part for part in (written, {"ticket.group": owner} if owner else None) if part is not None]
        read = [parse_condition(part, Place("", Marks(), []), vocabulary) for part in parts]
        return All(tuple(condition for condition in read if condition is not None))


def heard(rule: Rule) -> tuple[Literal, ...]:
    """What a rule's `on:` says of the event."""
    if not rule.on:
        return ()
    if IRREGULAR not in rule.on:
        return (Literal(Atom("event.type", "in", rule.on), True),)
    return (Literal(Atom("event.irregular", "is", True), True),) if rule.on == {IRREGULAR} else ()


def comparisons(when: object, place: Place) -> Iterator[tuple[str, str, object, Place]]:
    """Every value that a `when:` compares with: attribute, operator, value, and where the value stands."""
    for key, value in when.items() if isinstance(when, dict) else ():
        here = place.at(key)
        if key in ("all", "any", "none"):
            if isinstance(value, list):
                for index, entry in enumerate(value):
                    yield from comparisons(entry, here.at(index))
            else:
                yield from comparisons(value, here)
        elif isinstance(value, dict):
            for operator, operand in value.items():
                yield from _each(key, operator, operand, here.at(operator))
        else:
            yield from _each(key, "in" if isinstance(value, list) else "is", value, here)


def _each(name: str, operator: str, value: object, place: Place) -> Iterator[tuple[str, str, object, Place]]:
    if isinstance(value, list):
        for index, one in enumerate(value):
            yield name, operator, one, place.at(index)
    else:
        yield name, operator, value, place
