"""What a rule's `when` is made of: a tree of atoms, each an attribute, an operator and a value; and how it is read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rules_service.durations import Duration, parse_duration
from rules_service.problems import Place, describe, hint
from rules_service.rules import operands
from rules_service.rules.vocabulary import WINDOWED, Attribute, Kind, Row, Vocabulary

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = [
    "MOST_ATOMS",
    "MOST_DEPTH",
    "All",
    "AnyOf",
    "Atom",
    "Attribute",
    "Condition",
    "Kind",
    "Not",
    "Row",
    "Vocabulary",
    "atoms_of",
    "attributes_of",
    "changing_attributes",
    "parse_condition",
]

#: Levels of `all`, `any` and `none` inside each other that one condition may have.
MOST_DEPTH = 20
#: Comparisons that one condition may hold.
MOST_ATOMS = 200

_GROUPS = ("all", "any", "none")


@dataclass(frozen=True, slots=True)
class Atom:
    """One comparison. `value` is checked and normalised when parsed: seconds for durations, frozenset for lists.

    `keywords` holds one list's name, `matches` one pattern, `starts_with` one text, `exists` true or false.
    """

    attribute: str
    operator: str
    value: Any


@dataclass(frozen=True, slots=True)
class All:
    """True when every part is; an empty one is true."""

    parts: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class AnyOf:
    """True when at least one part is; an empty one is false."""

    parts: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Not:
    """True exactly when its part is false; `none: [...]` is the negation of the AnyOf its entries."""

    part: Condition


Condition = Atom | All | AnyOf | Not


def atoms_of(condition: Condition) -> Iterator[Atom]:
    """Every comparison of `condition`, in the order they are written."""
    match condition:
        case Atom():
            yield condition
        case Not(part):
            yield from atoms_of(part)
        case All(parts) | AnyOf(parts):
            for part in parts:
                yield from atoms_of(part)


def attributes_of(condition: Condition) -> frozenset[str]:
    """The attributes that `condition` reads, windowed ones with their window."""
    return frozenset(atom.attribute for atom in atoms_of(condition))


def changing_attributes(condition: Condition, vocabulary: Vocabulary) -> frozenset[str]:
    """The attributes that `condition` reads and that change without an event of the ticket."""
    return frozenset(name for name in attributes_of(condition) if vocabulary.attribute(name).needs_on)


def parse_condition(data: object, place: Place, vocabulary: Vocabulary) -> Condition | None:
    """The condition that a `when:` states; None if anything in it is wrong, each mistake reported at its place.

    A mapping is all of its keys. Under `any` and `none` each key of a mapping, or each entry of a list, counts by
    itself; an entry of a list is again a mapping, all of its keys. An empty `when` is always true.
    """
    before = len(place.problems)
    parsed = _Parser(vocabulary).mapping(data, place, 0)
    if len(place.problems) > before:
        return None
    assert parsed is not None
    return _joined(parsed)


def _joined(parts: list[Condition]) -> Condition:
    return parts[0] if len(parts) == 1 else All(tuple(parts))


class _Parser:
    """Reads one condition; a method returns None (or leaves an entry out) once it has reported a problem."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._vocabulary = vocabulary
        self._atoms = 0

    def mapping(self, data: object, place: Place, depth: int) -> list[Condition] | None:
        """One condition for each key of a mapping."""
        if not isinstance(data, dict):
            more = "; write all: or any: before a list" if isinstance(data, list) else ""
            place.problem("type", f"a condition is a mapping of attributes to values, not {describe(data)}{more}")
            return None
        if depth > MOST_DEPTH:
            place.problem("limit", f"conditions nest at most {MOST_DEPTH} levels deep")
            return None
        parts = []
        for key, value in data.items():
            part = self._entry(key, value, place.at(key), depth)
            if part is not None:
                parts.append(part)
        return parts

    def _entry(self, key: object, value: object, place: Place, depth: int) -> Condition | None:
        if key in _GROUPS:
            return self._group(str(key), value, place, depth + 1)
        attribute = self._vocabulary.attributes.get(key) if isinstance(key, str) else None
        if attribute is None:
            named = describe(key) if not isinstance(key, str) else f'"{key[:100]}"'
            near = hint(key, [*self._vocabulary.attributes, *_GROUPS])
            place.problem("unknown-attribute", f"no attribute is called {named}{near}", key=True)
            return None
        return self._field(attribute, value, place)

    def _group(self, key: str, data: object, place: Place, depth: int) -> Condition | None:
        if isinstance(data, list):
            if depth > MOST_DEPTH:
                place.problem("limit", f"conditions nest at most {MOST_DEPTH} levels deep")
                return None
            read = [self.mapping(item, place.at(index), depth) for index, item in enumerate(data)]
            parts = [_joined(entry) for entry in read if entry is not None]
            for index, entry in enumerate(read):
                if entry == [] and data[index] == {}:
                    place.at(index).problem("value", "an empty entry; name at least one attribute")
        elif isinstance(data, dict):
            parts = self.mapping(data, place, depth) or []
        else:
            place.problem("type", f"{key} takes a list of conditions or a mapping, not {describe(data)}")
            return None
        if not data:
            place.problem("value", f"an empty {key}; name at least one condition")
            return None
        match key:
            case "all":
                return _joined(parts)
            case "any":
                return AnyOf(tuple(parts))
        return Not(AnyOf(tuple(parts)))

    def _field(self, attribute: Attribute, data: object, place: Place) -> Condition | None:
        name = attribute.name
        if isinstance(data, dict):
            comparisons = dict(data)
            if name.startswith(WINDOWED):
                window = self._window(comparisons.pop("within", None), place)
                name = f"{name}[{window}]"
            if not comparisons:
                place.problem(
                    "missing", f"{attribute.name} needs an operator{hint('', operands.operators_of(attribute))}"
                )
                return None
            parts = [self._comparison(name, attribute, key, value, place.at(key)) for key, value in comparisons.items()]
            return _joined([part for part in parts if part is not None])
        if name.startswith(WINDOWED):
            self._window(None, place)
            return None
        if attribute.kind == "set":
            return self._comparison(name, attribute, "contains_any", data, place)
        return self._comparison(name, attribute, "in" if isinstance(data, list) else "is", data, place)

    def _window(self, data: object, place: Place) -> int:
        if data is None:
            place.problem("missing", f"{place.path[-1]} counts in a window; write {{within: 10m, at_least: 3}}")
            return 0
        place = place.at("within")
        try:
            window = parse_duration(data)
        except ValueError as error:
            place.problem("duration", str(error))
            return 0
        if window.service or window.seconds == 0:
            place.problem("duration", "a window is a length of wall time above zero, such as 10m")
        return window.seconds

    def _comparison(
        self, name: str, attribute: Attribute, operator: object, data: object, place: Place
    ) -> Condition | None:
        accepted = operands.operators_of(attribute)
        if operator not in accepted:
            if operator == "within":
                place.problem("unknown-operator", f"only {WINDOWED}* counts within a window", key=True)
                return None
            known = any(operator in names for names in operands.OPERATORS.values())
            what = f"{name} is a {attribute.kind}, which cannot be compared by" if known else "no operator is called"
            place.problem("unknown-operator", f'{what} "{operator}"{hint(operator, accepted)}', key=True)
            return None
        assert isinstance(operator, str)
        value = operands.read_operand(operator, data, place, attribute, self._vocabulary.keyword_lists)
        if value is None:
            return None
        before = self._atoms
        self._atoms += len(value) if isinstance(value, tuple) else 1
        if before <= MOST_ATOMS < self._atoms:
            place.problem("limit", f"a condition holds at most {MOST_ATOMS} comparisons", key=True)
        if isinstance(value, tuple):
            atoms = tuple(Atom(name, operator, one) for one in value)
            return atoms[0] if len(atoms) == 1 else AnyOf(atoms)
        return self._timed(name, operator, value, place)

    def _timed(self, name: str, operator: str, value: Any, place: Place) -> Atom | None:
        """The atom, with durations as seconds; where they count service hours, of the attribute that does so too."""
        found = value if isinstance(value, frozenset) else {value}
        if not any(isinstance(one, Duration) for one in found):
            return Atom(name, operator, value)
        if len({one.service for one in found}) > 1:
            place.problem("duration", "a list counts either service hours or wall time, not both")
            return None
        if next(iter(found)).service and not name.startswith("service_time."):
            counted = f"service_{name}"
            if not name.startswith("time.") or counted not in self._vocabulary.attributes:
                place.problem("duration", f"{name} cannot be counted in service hours; leave out the word service")
                return None
            name = counted
        seconds = frozenset(one.seconds for one in found)
        return Atom(name, operator, seconds if isinstance(value, frozenset) else next(iter(seconds)))
