"""Rows that try every comparison of a set of conditions from both sides: what a new network is verified with."""

from __future__ import annotations

import math
import random
from typing import TYPE_CHECKING, Any

from rules_service.rules.conditions import Atom
from rules_service.rules.match import column_of, explain

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from rules_service.rules.conditions import Condition
    from rules_service.rules.conjunctions import Conjunction, Literal
    from rules_service.rules.vocabulary import Row, Vocabulary

_RANDOM_ROWS = 32
_MOST_ROWS = 256
#: Beyond it the next float may be infinity.
_LARGE = 1e300
#: Values that no attribute of this type should ever hold, and yet may.
_HOSTILE: Sequence[Any] = (None, math.nan, [], True, 7, "5", frozenset({"?"}))


def probe_rows(conjunctions: Sequence[Conjunction], atoms: Iterable[Atom], vocabulary: Vocabulary) -> Iterator[Row]:
    """At most some hundred rows, always the same for the same rules.

    Rows that fulfil a conjunction wherever that is found easily, boundary values of each atom, and values by chance.
    """
    chance = random.Random(1)  # noqa: S311  no secret
    values: dict[str, list[Any]] = {}
    for atom in atoms:
        found = values.setdefault(column_of(atom), [*_HOSTILE])
        found.extend(value for value in _boundaries(atom, vocabulary) if value not in found)
    wanted = list(conjunctions)
    if len(wanted) > _MOST_ROWS // 2:
        wanted = chance.sample(wanted, _MOST_ROWS // 2)
    yield {}
    for conjunction in wanted:
        yield _fulfilling(conjunction, values, vocabulary)
    boundaries = [(name, value) for name, found in values.items() for value in found]
    if len(boundaries) > _MOST_ROWS // 2:
        boundaries = chance.sample(boundaries, _MOST_ROWS // 2)
    for name, value in boundaries:
        yield {**_by_chance(values, chance), name: value}
    for _ in range(_RANDOM_ROWS):
        yield _by_chance(values, chance)


def _by_chance(values: dict[str, list[Any]], chance: random.Random) -> dict[str, Any]:
    return {name: chance.choice(found) for name, found in values.items()}


def _fulfilling(conjunction: Conjunction, values: dict[str, list[Any]], vocabulary: Vocabulary) -> Row:
    """A row on which `conjunction` holds, as far as one attribute at a time can be chosen among its boundary values."""
    by_column: dict[str, list[Literal]] = {}
    for literal in conjunction:
        if isinstance(literal.part, Atom):
            by_column.setdefault(column_of(literal.part), []).append(literal)
    row: dict[str, Any] = {}
    for name, literals in by_column.items():
        every = frozenset().union(*(_elements(literal.part) for literal in literals if literal.holds))
        for value in (*values[name], every):
            if all(explain(one.part, {name: value}, vocabulary).holds is one.holds for one in literals):
                row[name] = value
                break
    return row


def _elements(part: Condition) -> frozenset[Any]:
    if not isinstance(part, Atom):
        return frozenset()
    if part.operator == "keywords":
        return frozenset({part.value})
    return part.value if isinstance(part.value, frozenset) else frozenset()


def _boundaries(atom: Atom, vocabulary: Vocabulary) -> list[Any]:
    attribute = vocabulary.attribute(atom.attribute)
    values = list(atom.value)[:8] if isinstance(atom.value, frozenset) else [atom.value]
    if atom.operator == "keywords" or attribute.kind == "set":
        elements = [value for value in values if isinstance(value, str)]
        return [frozenset(), frozenset(elements), *(frozenset({element}) for element in elements)]
    match attribute.kind:
        case "number" | "duration":
            near = [value + step for value in values if not isinstance(value, bool) for step in (-1, 0, 1)]
            return [
                *near,
                *(math.nextafter(value, math.inf) for value in values if abs(value) < _LARGE),
                math.inf,
                -math.inf,
            ]
        case "choice":
            return [*attribute.values, *values]
        case "bool":
            return [True, False]
    texts = [value for value in values if isinstance(value, str)]
    return ["", *texts, *(f"{text} and more" for text in texts), "another"]
