"""Conditions as alternatives of plain conjunctions, the only shape the network is given."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rules_service.rules.conditions import All, AnyOf, Atom, Not
from rules_service.rules.match import NEGATED

if TYPE_CHECKING:
    from rules_service.rules.conditions import Condition

#: Alternatives that one condition may become; a group that would make more is computed in Python as one truth.
MOST_ALTERNATIVES = 16
#: Parts that one conjunction may have; a condition with more is computed in Python as one truth.
MOST_LITERALS = 100
#: Elements of a `contains_all` that are asked for one by one.
_MOST_ELEMENTS = 4


@dataclass(frozen=True, slots=True)
class Literal:
    """An atom without negation, or a group computed as one truth, that must hold or must not."""

    part: Condition
    holds: bool


#: All of its literals; an empty one is always true.
Conjunction = tuple[Literal, ...]


def conjunctions_of(condition: Condition) -> list[Conjunction]:
    """The alternatives of which at least one holds exactly when `condition` does; none if it never can by its shape."""
    alternatives = _alternatives(condition, holds=True)
    if any(len(conjunction) > MOST_LITERALS for conjunction in alternatives):
        return [(Literal(condition, True),)]
    return alternatives


def _alternatives(condition: Condition, *, holds: bool) -> list[Conjunction]:
    match condition:
        case Atom():
            return [_plain(condition, holds=holds)]
        case Not(part):
            return _alternatives(part, holds=not holds)
        case All(parts) | AnyOf(parts):
            of_parts = [_alternatives(part, holds=holds) for part in parts]
            if isinstance(condition, All) is holds:
                return _product(parts, of_parts, holds=holds)
            union = list(dict.fromkeys(conjunction for found in of_parts for conjunction in found))
            return union if len(union) <= MOST_ALTERNATIVES else [(Literal(condition, holds),)]


def _product(parts: tuple[Condition, ...], of_parts: list[list[Conjunction]], *, holds: bool) -> list[Conjunction]:
    """Every choice of one alternative a part, the widest parts computed as one truth until the choices are few."""
    count = 1
    for index in sorted(range(len(parts)), key=lambda index: len(of_parts[index])):
        if count * len(of_parts[index]) > MOST_ALTERNATIVES:
            of_parts[index] = [(Literal(parts[index], holds),)]
        count *= len(of_parts[index])
    chosen: list[Conjunction] = [()]
    for alternatives in of_parts:
        chosen = [tuple(dict.fromkeys(left + right)) for left in chosen for right in alternatives]
    return list(dict.fromkeys(one for one in chosen if not _contradicts(one)))


def _contradicts(conjunction: Conjunction) -> bool:
    wanted = {literal.part for literal in conjunction if literal.holds}
    return any(not literal.holds and literal.part in wanted for literal in conjunction)


def _plain(atom: Atom, *, holds: bool) -> Conjunction:
    """`atom` or its negation by operators that do not negate."""
    operator, value = atom.operator, atom.value
    if operator in NEGATED:
        return (Literal(Atom(atom.attribute, NEGATED[operator], value), not holds),)
    if operator == "exists":
        return (Literal(Atom(atom.attribute, operator, True), holds is value),)
    if operator == "contains_all" and holds and len(value) <= _MOST_ELEMENTS:
        elements = (Atom(atom.attribute, "contains_any", frozenset({element})) for element in sorted(value))
        return tuple(Literal(element, True) for element in elements)
    return (Literal(atom, holds),)
