"""What conditions can ever hold: contradictions within a conjunction, and what one conjunction says of another.

Everything is on the safe side: a contradiction that is found is one, some that exist are not found.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from rules_service.rules.conditions import Atom
from rules_service.rules.conjunctions import Conjunction, Literal
from rules_service.rules.patterns import compile_pattern
from rules_service.rules.vocabulary import Attribute, Vocabulary


@dataclass(frozen=True, slots=True, kw_only=True)
class Domain:
    """What is known of the values of an attribute, beyond its type."""

    #: The only values it can have; None: not known.
    values: frozenset[str] | None = None
    #: Bounds of a number, both included.
    least: float = -math.inf
    most: float = math.inf
    #: Whether a number is whole.
    whole: bool = False
    #: Whether it is never missing, or always.
    always: bool = False
    never: bool = False


#: What is known of an attribute, by its name.
Domains = Callable[[str], Domain]


@dataclass(frozen=True, slots=True)
class Possible:
    """Judges conjunctions over one vocabulary, with what is known of its attributes."""

    vocabulary: Vocabulary
    domains: Domains

    def contradiction(self, conjunction: Conjunction) -> str | None:
        """An attribute of which no value meets the conjunction; None where no contradiction is found.

        Groups that a conjunction holds as one truth count as possible, unless the same one must hold and must not.
        """
        by_attribute: dict[str, list[Literal]] = {}
        for literal in conjunction:
            for atom in (literal.part,) if isinstance(literal.part, Atom) else ():
                by_attribute.setdefault(atom.attribute, []).append(literal)
        for name, literals in by_attribute.items():
            if not self._has_a_value(name, [(lit.part, lit.holds) for lit in literals if isinstance(lit.part, Atom)]):
                return name
        wanted = {literal.part for literal in conjunction if literal.holds}
        if any(not literal.holds and literal.part in wanted for literal in conjunction):
            return "this"
        return None

    def implies(self, conjunction: Conjunction, other: Conjunction) -> bool:
        """Whether `other` surely holds wherever `conjunction` does."""
        return all(self._implied(conjunction, literal) for literal in other)

    def _implied(self, conjunction: Conjunction, literal: Literal) -> bool:
        if literal in conjunction:
            return True
        if not isinstance(literal.part, Atom):
            return False
        about = tuple(
            one for one in conjunction if isinstance(one.part, Atom) and one.part.attribute == literal.part.attribute
        )
        return self.contradiction((*about, Literal(literal.part, not literal.holds))) is not None

    def _has_a_value(self, name: str, atoms: list[tuple[Atom, bool]]) -> bool:
        domain, attribute = self.domains(name), self.vocabulary.attribute(name)
        wanted = {atom for atom, holds in atoms if holds}
        if any(not holds and atom in wanted for atom, holds in atoms):
            return False
        if not wanted and not domain.always:
            # Every negation is true where the value is missing.
            return True
        if domain.never or any(not holds and atom.operator == "exists" for atom, holds in atoms):
            return False
        compared = [(atom, holds) for atom, holds in atoms if atom.operator != "exists"]
        match attribute.kind:
            case "number" | "duration":
                return _number(compared, domain)
            case "bool":
                return len({atom.value is holds for atom, holds in compared}) < 2  # noqa: PLR2004  true and false
            case "set":
                return _set(compared)
        return _text(compared, attribute, domain.values)


def _text(atoms: Iterable[tuple[Atom, bool]], attribute: Attribute, values: frozenset[str] | None) -> bool:
    allowed = values if values is not None else frozenset(attribute.values) or None
    tests: list[tuple[Callable[[str], bool], bool]] = []
    prefixes: list[tuple[str, bool]] = []
    for atom, holds in atoms:
        operator, value = atom.operator, atom.value
        if operator in ("is", "in") and holds:
            given = frozenset({value}) if operator == "is" else frozenset(value)
            allowed = given if allowed is None else allowed & given
        elif operator in ("is", "in"):
            tests.append((({value} if operator == "is" else value).__contains__, False))
        elif operator in _RANKED and attribute.values:
            tests.append((_ranked(attribute.values, operator, value), holds))
        elif operator == "starts_with":
            prefixes.append((value, holds))
        elif operator == "matches":
            tests.append((compile_pattern(value), holds))
    if allowed is not None:
        tests += [(_begins(prefix), holds) for prefix, holds in prefixes]
        return any(all(test(value) is holds for test, holds in tests) for value in allowed)
    longest = max((prefix for prefix, holds in prefixes if holds), key=len, default="")
    return all(longest.startswith(prefix) is holds for prefix, holds in prefixes)


def _begins(prefix: str) -> Callable[[str], bool]:
    return lambda value: value.startswith(prefix)


_RANKED = ("at_least", "more_than", "at_most", "less_than")


def _ranked(values: tuple[str, ...], operator: str, than: str) -> Callable[[str], bool]:
    ranks: Mapping[str, int] = {value: rank for rank, value in enumerate(values)}
    limit = ranks.get(than, -1)
    if operator == "at_least":
        return lambda value: ranks.get(value, -1) >= limit
    if operator == "more_than":
        return lambda value: ranks.get(value, -1) > limit
    if operator == "at_most":
        return lambda value: 0 <= ranks.get(value, -1) <= limit
    return lambda value: 0 <= ranks.get(value, -1) < limit


#: An operator on numbers -> what its negation is.
_OPPOSITE: Mapping[str, str] = {
    "at_least": "less_than", "less_than": "at_least", "at_most": "more_than", "more_than": "at_most",
}  # fmt: skip


def _number(atoms: Iterable[tuple[Atom, bool]], domain: Domain) -> bool:
    low, above, high, below, whole = domain.least, False, domain.most, False, domain.whole
    allowed: frozenset[float] | None = None
    excluded: set[float] = set()
    for atom, holds in atoms:
        value = atom.value
        if atom.operator in ("is", "in"):
            given = frozenset({value}) if atom.operator == "is" else frozenset(value)
            if not holds:
                excluded |= given
            else:
                allowed = given if allowed is None else allowed & given
            continue
        operator = atom.operator if holds else _OPPOSITE[atom.operator]
        if operator in ("at_least", "more_than") and (value, operator == "more_than") > (low, above):
            low, above = value, operator == "more_than"
        elif operator in ("at_most", "less_than") and (value, operator != "less_than") < (high, not below):
            high, below = value, operator == "less_than"
    if whole:
        low = low if math.isinf(low) else math.floor(low) + 1 if above else math.ceil(low)
        high = high if math.isinf(high) else math.ceil(high) - 1 if below else math.floor(high)
        above = below = False

    def fits(value: float) -> bool:
        inside = (value > low if above else value >= low) and (value < high if below else value <= high)
        return inside and value not in excluded and (not whole or value == math.floor(value))

    if allowed is not None:
        return any(fits(value) for value in allowed)
    if low > high or (low == high and (above or below)):
        return False
    if whole and high - low <= len(excluded):
        return any(fits(value) for value in range(int(low), int(high) + 1))
    return low < high or low not in excluded


def _set(atoms: Iterable[tuple[Atom, bool]]) -> bool:
    held: set[str] = set()
    shut: set[str] = set()
    some: list[frozenset[str]] = []
    not_all: list[frozenset[str]] = []
    for atom, holds in atoms:
        elements = frozenset(atom.value)
        if atom.operator == "contains_all":
            if holds:
                held |= elements
            else:
                not_all.append(elements)
        elif not holds:
            shut |= elements
        elif len(elements) == 1:
            held |= elements
        else:
            some.append(elements)
    return (
        held.isdisjoint(shut)
        and all(not elements <= shut for elements in some)
        and all(not elements <= held for elements in not_all)
    )
