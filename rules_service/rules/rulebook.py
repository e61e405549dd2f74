"""All rules of a ruleset, partitioned by what they listen to: an event meets only the rules that can care."""

from __future__ import annotations

import dataclasses
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from rules_service.rules.conditions import attributes_of
from rules_service.rules.match import compile_match
from rules_service.rules.matcher import Matcher, MatcherEvent, MatcherState
from rules_service.rules.rule import IRREGULAR, Rule
from rules_service.rules.vocabulary import Row, Vocabulary


@dataclass(frozen=True, slots=True, kw_only=True)
class _Part:
    """Some of the rules, and what tells which of them hold on a row."""

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
        #: Told of what an operator should know: disagreements, failures of the engine. Set it before the first match.
        self.report: Callable[[MatcherEvent], None] = _nobody
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
        self._position = {rule.id: position for position, rule in enumerate(self.rules)}
        self._listened = frozenset[str]().union(*(rule.on for rule in self.ticket_rules))
        #: "" for the rules without `on:`, else the type of event that the rules listen to.
        self._parts: dict[str, _Part] = {}
        self._building = threading.Lock()

    def needs(self, event_type: str, *, irregular: bool = False) -> frozenset[str]:
        """The attributes that `matching` reads of the row at such an event."""
        return frozenset[str]().union(*(part.needs for part in self._judged(event_type, irregular=irregular)))

    def matching(self, event_type: str, row: Row, *, irregular: bool = False) -> list[Rule]:
        """The rules that hold on `row` at such an event, in the order in which they act.

        Judged are those without `on:` and those that listen to the event; `irregular` ones also those that listen to
        `event.irregular`.
        """
        found = {
            rule.id: rule
            for part in self._judged(event_type, irregular=irregular)
            for rule in map(part.rules.__getitem__, part.matcher.matching(row))
        }
        return sorted(found.values(), key=lambda rule: self._position[rule.id])

    def _judged(self, event_type: str, *, irregular: bool) -> Iterator[_Part]:
        yield self._part("")
        if event_type in self._listened:
            yield self._part(event_type)
        if irregular and IRREGULAR in self._listened:
            yield self._part(IRREGULAR)

    def _part(self, name: str) -> _Part:
        found = self._parts.get(name)
        if found is None:
            with self._building:
                found = self._parts.get(name)
                if found is None:
                    found = self._parts[name] = self._build(name)
        return found

    def prepare(self) -> None:
        """Builds the networks of all kinds of events now, so that no event has to wait for one."""
        for name in ("", *sorted(self._listened)):
            self._part(name)

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
        """Gives the networks back; whoever still holds the rulebook is answered by `match` alone."""
        for part in list(self._parts.values()):
            part.matcher.close()

    def _tell(self, event: MatcherEvent) -> None:
        self.report(event)

    def _build(self, name: str) -> _Part:
        rules = tuple(rule for rule in self.ticket_rules if name in rule.on) if name else self.edge_rules
        return _Part(
            rules=rules,
            matcher=Matcher(
                [(rule.id, rule.when) for rule in rules],
                self.vocabulary,
                matches=[self.holds[rule.id] for rule in rules],
                on_event=self._tell,
            ),
            needs=frozenset[str]().union(*(self.reads[rule.id] for rule in rules)),
        )


def _nobody(_event: MatcherEvent) -> None:
    """Nobody is told."""
