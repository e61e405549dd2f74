"""All rules of a ruleset, partitioned by what they listen to: an event meets only the rules that can care."""

from __future__ import annotations

import dataclasses
import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from rules_service.rules.conditions import attributes_of
from rules_service.rules.match import compile_match
from rules_service.rules.matcher import Matcher, MatcherState
from rules_service.rules.rule import IRREGULAR, Rule
from rules_service.rules.vocabulary import Row, Vocabulary


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """The rules that one kind of event concerns, in the order in which they act."""

    rules: tuple[Rule, ...]
    matcher: Matcher
    #: The attributes that their conditions read.
    needs: frozenset[str]


class Rulebook:
    """Rules in the order in which they act (`order`, then file, then line), and who of them matches a row.

    Networks are built when first used, per process, hence after any fork.
    """

    def __init__(self, rules: Sequence[Rule], vocabulary: Vocabulary) -> None:
        """`rules` come in file order; a stable sort by `order` keeps it."""
        self.rules: tuple[Rule, ...] = tuple(sorted(rules, key=lambda rule: rule.order))
        self.vocabulary = vocabulary
        self.by_id: Mapping[str, Rule] = {rule.id: rule for rule in self.rules}
        self.ticket_rules: tuple[Rule, ...] = tuple(rule for rule in self.rules if rule.subject == "ticket")
        self.desk_rules: tuple[Rule, ...] = tuple(rule for rule in self.rules if rule.subject == "desk")
        #: Rules for tickets without `on:`, judged at every event and every deadline.
        self.edge_rules: tuple[Rule, ...] = tuple(rule for rule in self.ticket_rules if not rule.on)
        #: rule id -> its conditions by `match`, the definition of truth.
        self.holds: Mapping[str, Callable[[Row], bool]] = {
            rule.id: compile_match(rule.when, vocabulary) for rule in self.rules
        }
        #: rule id -> the attributes that its conditions read.
        self.reads: Mapping[str, frozenset[str]] = {rule.id: attributes_of(rule.when) for rule in self.rules}
        self._listened = frozenset().union(*(rule.on for rule in self.rules)) if self.rules else frozenset()
        self._parts: dict[frozenset[str], Part] = {}
        self._building = threading.Lock()

    def part(self, event_type: str, *, irregular: bool = False) -> Part:
        """The rules to judge at an event: those without `on:` and those that listen to it."""
        names = {event_type, IRREGULAR} if irregular else {event_type}
        heard = self._listened.intersection(names)
        found = self._parts.get(heard)
        if found is None:
            with self._building:
                found = self._parts.get(heard)
                if found is None:
                    found = self._parts[heard] = self._build(heard)
        return found

    def counts(self) -> dict[str, int]:
        """Engine events since the rulebook was made, by kind, over all parts."""
        total: Counter[str] = Counter()
        for part in list(self._parts.values()):
            total.update(dataclasses.asdict(part.matcher.counters))
        return dict(total)

    def states(self) -> list[MatcherState]:
        """What answers, and why, of every part built so far."""
        return [part.matcher.state for part in list(self._parts.values())]

    def close(self) -> None:
        """Gives the networks back; the rulebook must not be used afterwards."""
        for part in self._parts.values():
            part.matcher.close()

    def _build(self, heard: frozenset[str]) -> Part:
        rules = tuple(rule for rule in self.ticket_rules if not rule.on or rule.on & heard)
        return Part(
            rules=rules,
            matcher=Matcher([(rule.id, rule.when) for rule in rules], self.vocabulary),
            needs=frozenset[str]().union(*(self.reads[rule.id] for rule in rules)),
        )
