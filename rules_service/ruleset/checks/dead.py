"""Rules and SLA policies that never come to anything: by their own conditions, or by what stands before them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from rules_service.problems import Problem, hint
from rules_service.rules import Atom, Conjunction, Literal, Rule
from rules_service.ruleset.checks.study import Study, comparisons, heard

#: Pairs of definitions that are reasoned about; of those beyond, only comparisons that are the same word by word count.
MOST_PAIRS = 5_000

_EQUAL = ("is", "is_not", "in", "not_in")


def never_matching(study: Study) -> Iterator[Problem]:
    """Values that an attribute never has, and conditions that nothing can meet."""
    for rule in study.ruleset.rules.rules:
        impossible = list(_impossible(study, "rules", rule.id))
        yield from impossible
        if not impossible and not study.alternatives[rule.id]:
            message = f'the rule "{rule.id}" can never fire: {_reason(study, study.written[rule.id])}'
            yield study.place("rules", rule.id).at("when").warning("never-matches", message)
    for policy in study.ruleset.sla_policies:
        impossible = list(_impossible(study, "sla_policies", policy.id))
        yield from impossible
        written = study.written_of_policy[policy.id]
        if not impossible and not study.holding(written):
            message = f'the SLA policy "{policy.id}" can never apply: {_reason(study, written)}'
            yield study.place("sla_policies", policy.id).at("when").warning("never-matches", message)


def _impossible(study: Study, section: str, name: str) -> Iterator[Problem]:
    data, place = study.definitions[section][name]
    when = data.get("when") if isinstance(data, dict) else None
    for attribute, operator, value, where in comparisons(when, place.at("when")):
        values = study.domain(attribute).values
        if operator in _EQUAL and values is not None and isinstance(value, str) and value not in values:
            yield where.warning("never-matches", f'{attribute} is never "{value[:60]}"{hint(value, values)}')


def _reason(study: Study, written: Sequence[Conjunction]) -> str:
    names = dict.fromkeys(name for one in written if (name := study.possible.contradiction(one)) is not None)
    missing = next((name for name in names if study.domain(name).never), None)
    if missing is not None:
        clock = missing.split(".")[1]
        return f"{missing} has no value, because nothing sets a target for the clock {clock}"
    known = " and of ".join(name for name in names if name != "this")
    return f"no value of {known} meets its conditions" if known else "its conditions exclude each other"


def shadowed(study: Study) -> Iterator[Problem]:
    """Rules that an earlier `stop` always keeps from acting, and SLA policies whose tickets an earlier one takes.

    Only a rule with `on:` and without a limit stops every time; one without `on:` stops once, until it is armed again.
    """
    stops = _Earlier(study)
    rules = study.ruleset.rules
    for rule in rules.rules:
        stop = stops.taking(study.alternatives[rule.id], lambda name, rule=rule: _hears(rules.by_id[name], rule))  # type: ignore[misc]
        if stop is not None and rule.on:
            where = study.place("rules", stop)
            message = f'the rule "{rule.id}" can never fire: "{stop}" at {where} stops before it each time'
            yield study.place("rules", rule.id).at("id").warning("shadowed", message)
        if rule.stop and rule.on and rule.limit is None and rule.mode == "live":
            # What it listens to is compared by itself.
            listens = len(heard(rule))
            stops.add(rule.id, [one[: len(one) - listens] for one in study.written[rule.id]])
    policies = _Earlier(study)
    for policy in study.ruleset.sla_policies:
        written = study.written_of_policy[policy.id]
        before = policies.taking(study.holding(written), lambda _: True)
        if before is not None:
            where = study.place("sla_policies", before)
            message = f'the SLA policy "{policy.id}" can never apply: "{before}" at {where} comes first'
            yield study.place("sla_policies", policy.id).at("id").warning("shadowed", message)
        policies.add(policy.id, written)


def _hears(stop: Rule, rule: Rule) -> bool:
    """Whether `stop` is judged whenever `rule` is."""
    return stop.on >= rule.on and (stop.automated or not rule.automated)


@dataclass(frozen=True, slots=True)
class _Alternative:
    """One alternative of an earlier definition."""

    number: int
    name: str
    literals: Conjunction
    written: frozenset[Literal]


class _Earlier:
    """What stands before a definition, found by what it says, so that a thousand of them are no million pairs."""

    def __init__(self, study: Study) -> None:
        self._study = study
        self._alternatives: dict[str, list[_Alternative]] = {}
        #: One of its literals (None for an alternative without any) -> alternatives.
        self._by_literal: dict[Literal | None, list[_Alternative]] = {}
        self._by_attributes: dict[frozenset[str | None], list[_Alternative]] = {}
        self._left = MOST_PAIRS

    def add(self, name: str, alternatives: Iterable[Conjunction]) -> None:
        """Adds a definition."""
        number = len(self._alternatives)
        found = [_Alternative(number, name, one, frozenset(one)) for one in alternatives]
        self._alternatives[name] = found
        for one in found:
            rarest = min(one.written, key=lambda literal: len(self._by_literal.get(literal, ())), default=None)
            self._by_literal.setdefault(rarest, []).append(one)
            self._by_attributes.setdefault(_attributes(one.literals), []).append(one)

    def taking(self, alternatives: Sequence[Conjunction], counts: Callable[[str], bool]) -> str | None:
        """The first definition that counts and holds wherever one of `alternatives` does; None if none is found.

        What can never hold is taken by nobody.
        """
        if not alternatives or not self._alternatives:
            return None
        first, *rest = alternatives
        for look in (self._word_by_word, self._by_meaning):
            found = sorted({(one.number, one.name) for one in look(first) if counts(one.name)})
            for _, name in found:
                if all(self._covers(name, other) for other in rest):
                    return name
        return None

    def _word_by_word(self, conjunction: Conjunction) -> Iterator[_Alternative]:
        written = frozenset(conjunction)
        for literal in (None, *written):
            yield from (one for one in self._by_literal.get(literal, ()) if one.written <= written)

    def _by_meaning(self, conjunction: Conjunction) -> Iterator[_Alternative]:
        read = _attributes(conjunction)
        for attributes, found in self._by_attributes.items():
            if not attributes <= read:
                continue
            for one in found:
                if self._left <= 0:
                    return
                self._left -= 1
                if self._study.possible.implies(conjunction, one.literals):
                    yield one

    def _covers(self, name: str, conjunction: Conjunction) -> bool:
        return any(self._study.possible.implies(conjunction, one.literals) for one in self._alternatives[name])


def _attributes(conjunction: Conjunction) -> frozenset[str | None]:
    """The attributes of its comparisons; None for groups that it holds as one truth."""
    return frozenset(literal.part.attribute if isinstance(literal.part, Atom) else None for literal in conjunction)
