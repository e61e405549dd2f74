"""What the network is shown of a row: small whole numbers, so that nothing of a row's values reaches the engine.

A scalar attribute becomes the class its value falls into, out of the finitely many that the rules can tell apart: for
a number, between which of the rules' constants it lies or which it equals; for a text, which constant it is. Class 0
is a missing value. So ints of any size, floats, infinities and texts of any length compare exactly as in `match`.
Everything else (sets, keywords, patterns, groups computed as one truth) becomes 0 or 1.
"""

from __future__ import annotations

import operator
from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from typing import Literal as OneOf

from rules_service.rules.conditions import Atom
from rules_service.rules.match import column_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from rules_service.rules.conditions import Condition
    from rules_service.rules.conjunctions import Literal
    from rules_service.rules.vocabulary import Attribute, Vocabulary

#: How a column is derived; see Column.
Form = OneOf["code", "low", "high", "among", "member", "truth"]

#: What the comparisons of tests mean.
COMPARE: Mapping[str, Callable[[int, int], bool]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
#: For comparisons with one constant: the comparison with its class; and for the negations, which are true on a missing
#: value, a column that shows one so that the opposite comparison is.
_COMPARED: Mapping[str, tuple[str, Form, str]] = {
    "is": ("==", "low", "!="),
    "at_least": (">=", "low", "<"),
    "more_than": (">", "low", "<="),
    "at_most": ("<=", "high", ">"),
    "less_than": ("<", "high", ">="),
}


@dataclass(frozen=True, slots=True)
class Column:
    """One number that is derived from a row.

    code: the class of a scalar attribute, absent where missing, which makes every comparison false. low, high: the
    same, but where missing 0, or more than any class. among: 1 where the class is one of those of `what`, else 0.
    member: 1 where `what` is an element of the set `source`, else absent. truth: 1 where the condition `what` holds,
    else 0.
    """

    form: Form
    #: The key of the row; of a truth, empty.
    source: str
    what: Any = None


@dataclass(frozen=True, slots=True)
class Test:
    """A comparison of one column with a whole number: what the engine evaluates for one literal."""

    column: Column
    #: A key of COMPARE.
    comparison: str
    number: int


class Classes:
    """The classes of one scalar attribute: which class a value falls into, and how each column shows each class."""

    def __init__(self, attribute: Attribute, atoms: Iterable[Atom]) -> None:
        self.attribute = attribute
        constants = {value for atom in atoms if atom.operator != "exists" for value in _values(atom)}
        self._numeric = attribute.kind in ("number", "duration")
        #: The values told apart, lowest first where they have an order.
        self._constants: list[Any] = sorted(constants)
        first, step = 2, 1  # class 1 is every other text
        if attribute.kind == "bool":
            self._constants, first = [False, True], 1
        elif attribute.kind == "choice" and attribute.values:
            self._constants, first = list(attribute.values), 1
        elif self._numeric:
            step = 2  # class 1 is below all constants; then each constant, and what lies between it and the next
        self._class = {value: first + step * rank for rank, value in enumerate(self._constants)}
        #: How many classes there are; they count from 0.
        self.count = first + step * len(self._constants)

    @property
    def splits(self) -> bool:
        """Whether rows can be told apart by this attribute beforehand, by some few values."""
        return not self._numeric

    def test(self, atom: Atom, *, holds: bool) -> Test:
        """The test that is true exactly in the classes where `atom` holds, or does not."""
        name = atom.attribute
        if atom.operator == "exists":
            return Test(Column("code", name), ">=", 1) if holds else Test(Column("low", name), "<", 1)
        if atom.operator == "in":
            return Test(Column("among", name, atom.value), "==", int(holds))
        comparison, form, opposite = _COMPARED[atom.operator]
        number = self._class[atom.value]
        return Test(Column("code", name), comparison, number) if holds else Test(Column(form, name), opposite, number)

    def shown(self, column: Column) -> list[int | None]:
        """The number that `column` shows for each class, by class; None where it is absent."""
        classes = range(1, self.count)
        match column.form:
            case "low":
                return [0, *classes]
            case "high":
                return [self.count, *classes]
            case "among":
                found = {self._class[value] for value in column.what}
                return [int(number in found) for number in range(self.count)]
        return [None, *classes]

    def classes_where(self, test: Test) -> frozenset[int]:
        """The classes in which `test` is true."""
        compare = COMPARE[test.comparison]
        shown = enumerate(self.shown(test.column))
        return frozenset(number for number, value in shown if value is not None and compare(value, test.number))

    def expression(self, variables: dict[str, Any], name: str) -> str:
        """Python for the class of the value that the row has under the variable `name`; adds to `variables`."""
        if self.attribute.kind == "bool":
            return f"2 if (v := get({name})) is True else 1 if v is False else 0"
        number = len(variables)
        if self._numeric:
            variables[f"b{number}"] = self._constants
            spot = f"1 + left(b{number}, v) + right(b{number}, v)"
            return f"{spot} if (v := get({name})).__class__ in NUMBERS and v == v else 0"
        variables[f"c{number}"] = self._class.get
        return f"c{number}(v, {0 if self.attribute.values else 1}) if isinstance(v := get({name}), str) else 0"


#: What the text of `Classes.expression` refers to.
NAMES: Mapping[str, Any] = {"left": bisect_left, "right": bisect_right, "NUMBERS": frozenset({int, float})}


def classes_of(literals: Iterable[Literal], vocabulary: Vocabulary) -> dict[str, Classes]:
    """The classes of every scalar attribute that `literals` compare, by name."""
    atoms: dict[str, list[Atom]] = {}
    for literal in literals:
        if _is_scalar(literal.part, vocabulary):
            assert isinstance(literal.part, Atom)
            atoms.setdefault(literal.part.attribute, []).append(literal.part)
    return {name: Classes(vocabulary.attribute(name), found) for name, found in atoms.items()}


def test_of(literal: Literal, classes: Mapping[str, Classes], vocabulary: Vocabulary) -> Test:
    """The test that is true exactly where `literal` is."""
    part = literal.part
    if _is_scalar(part, vocabulary):
        assert isinstance(part, Atom)
        return classes[part.attribute].test(part, holds=literal.holds)
    if isinstance(part, Atom) and literal.holds:
        # Only where it must hold: a member that is absent makes every comparison false, the negated ones too.
        if part.operator == "keywords":
            return Test(Column("member", column_of(part), part.value), "==", 1)
        if part.operator == "contains_any" and len(part.value) == 1:
            return Test(Column("member", part.attribute, next(iter(part.value))), "==", 1)
    return Test(Column("truth", "", part), "==", int(literal.holds))


def _is_scalar(part: Condition, vocabulary: Vocabulary) -> bool:
    if not isinstance(part, Atom) or part.operator in ("keywords", "matches", "starts_with"):
        return False
    return vocabulary.attribute(part.attribute).kind != "set"


def _values(atom: Atom) -> Iterable[Any]:
    return atom.value if isinstance(atom.value, frozenset) else (atom.value,)
