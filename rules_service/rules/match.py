"""The definition of truth: what a condition means on a row, in plain Python.

What a missing value means is written here, and only here:

* A value is missing if it is None or absent, of another type than its attribute's kind, NaN, or a choice outside the
  choice's values. A number is an int or a float, never a bool. An empty text and an empty set are values.
* A comparison with a missing value is false, whatever the operator.
* `is_not`, `not_in`, `contains_none` and `none:` are the exact negations of `is`, `in`, `contains_any` and `any:`, so
  on a missing value they are true; `exists: false` is the negation of `exists: true`.

Numbers compare exactly, ints of any size with floats too. Texts compare exactly, upper and lower case apart.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rules_service.rules.conditions import All, AnyOf, Atom, Not
from rules_service.rules.patterns import compile_pattern
from rules_service.rules.vocabulary import KEYWORDS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from rules_service.rules.conditions import Condition
    from rules_service.rules.vocabulary import Attribute, Kind, Row, Vocabulary

#: Operators that are the exact negation of another.
NEGATED: Mapping[str, str] = {"is_not": "is", "not_in": "in", "contains_none": "contains_any"}

#: Python for each operator. `{n}` stands for the variable with the name to read, `{k}` for the one with the value to
#: compare with; nothing else is ever put in. `get` is the row's, `v` scratch.
_TEXT = "isinstance(v := get({n}), str)"
_NUMBER = "(v := get({n})).__class__ in NUMBERS"
_SET = "isinstance(v := get({n}), SETS)"
_ON_TEXT: Mapping[str, str] = {
    "is": "get({n}) == {k}",
    "in": f"({_TEXT} and v in {{k}})",
    "exists": f"({_TEXT})",
    "starts_with": f"({_TEXT} and v.startswith({{k}}))",
    "matches": f"({_TEXT} and {{k}}(v))",
    "keywords": f"({_SET} and {{k}} in v)",
}
_ON_NUMBER: Mapping[str, str] = {
    "is": f"({_NUMBER} and v == {{k}})",
    "in": f"({_NUMBER} and v in {{k}})",
    "exists": f"({_NUMBER} and v == v)",
    "at_least": f"({_NUMBER} and v >= {{k}})",
    "more_than": f"({_NUMBER} and v > {{k}})",
    "at_most": f"({_NUMBER} and v <= {{k}})",
    "less_than": f"({_NUMBER} and v < {{k}})",
}
#: `{k}` of the last five is a pair: the ranks of the choice's values, and the rank or values to compare with.
_ON_CHOICE: Mapping[str, str] = {
    "is": "get({n}) == {k}",
    "in": f"({_TEXT} and v in {{k}})",
    "exists": f"({_TEXT} and v in {{k}}[0])",
    "at_least": f"({_TEXT} and {{k}}[0].get(v, -1) >= {{k}}[1])",
    "more_than": f"({_TEXT} and {{k}}[0].get(v, -1) > {{k}}[1])",
    "at_most": f"({_TEXT} and 0 <= {{k}}[0].get(v, -1) <= {{k}}[1])",
    "less_than": f"({_TEXT} and 0 <= {{k}}[0].get(v, -1) < {{k}}[1])",
}
_TEMPLATES: Mapping[Kind, Mapping[str, str]] = {
    "text": _ON_TEXT,
    "number": _ON_NUMBER,
    "duration": _ON_NUMBER,
    "choice": _ON_CHOICE,
    "bool": {"is": "get({n}) is {k}", "exists": "get({n}).__class__ is bool"},
    "set": {
        "contains_any": f"({_SET} and not {{k}}.isdisjoint(v))",
        "contains_all": f"({_SET} and {{k}} <= v)",
        "exists": f"({_SET})",
    },
}
_NAMES: Mapping[str, Any] = {"NUMBERS": frozenset({int, float}), "SETS": (frozenset, set)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """Why a condition holds on a row or does not: the same tree, with what each comparison found."""

    condition: Condition
    holds: bool
    #: The value that a comparison read, None if absent; None for `all`, `any` and `none`.
    actual: Any = None
    #: One for each part of `all`, `any` and `none`, in order.
    parts: tuple[Explanation, ...] = ()


def compile_match(condition: Condition, vocabulary: Vocabulary) -> Callable[[Row], bool]:
    """A function that says whether `condition` holds on a row; it never raises, whatever values the row holds."""
    constants: dict[str, Any] = dict(_NAMES)
    text = f"def holds(row):\n    get = row.get\n    return {_expression(condition, vocabulary, constants)}\n"
    # The text is made of the templates above and of numbered variables alone; every name and value of the rule file is
    # bound to a variable, never written into it.
    exec(compile(text, "<condition>", "exec"), constants)  # noqa: S102
    holds: Callable[[Row], bool] = constants["holds"]
    return holds


def explain(condition: Condition, row: Row, vocabulary: Vocabulary) -> Explanation:
    """The tree of `condition` with the truth of each part on `row`; of the whole it is what `compile_match` says."""
    match condition:
        case Atom():
            attribute = vocabulary.attribute(condition.attribute)
            holds = _atom_match(condition, attribute)(row.get)
            return Explanation(condition=condition, holds=holds, actual=row.get(column_of(condition)))
        case Not(part):
            inner = explain(part, row, vocabulary)
            return Explanation(condition=condition, holds=not inner.holds, parts=(inner,))
        case All(parts) | AnyOf(parts):
            found = tuple(explain(part, row, vocabulary) for part in parts)
            truths = [one.holds for one in found]
            holds = all(truths) if isinstance(condition, All) else any(truths)
            return Explanation(condition=condition, holds=holds, parts=found)


def column_of(atom: Atom) -> str:
    """The key of the row that `atom` reads."""
    return atom.attribute + KEYWORDS if atom.operator == "keywords" else atom.attribute


def _expression(condition: Condition, vocabulary: Vocabulary, constants: dict[str, Any]) -> str:
    match condition:
        case Atom():
            number = len(constants)
            name, value = f"n{number}", f"k{number}"
            constants[name] = column_of(condition)
            template, constants[value] = _compiled(condition, vocabulary.attribute(condition.attribute))
            return template.format(n=name, k=value)
        case Not(part):
            return f"(not {_expression(part, vocabulary, constants)})"
        case All(parts):
            return f"({' and '.join(_expression(part, vocabulary, constants) for part in parts) or 'True'})"
        case AnyOf(parts):
            return f"({' or '.join(_expression(part, vocabulary, constants) for part in parts) or 'False'})"


def _compiled(atom: Atom, attribute: Attribute) -> tuple[str, Any]:
    """The template of `atom`, and the value its `{k}` stands for."""
    operator = NEGATED.get(atom.operator, atom.operator)
    template = _TEMPLATES[attribute.kind][operator]
    value = atom.value
    if operator == "matches":
        value = compile_pattern(value)
    if attribute.kind == "choice" and operator not in ("is", "in"):
        ranks = {choice: rank for rank, choice in enumerate(attribute.values)}
        value = (ranks, ranks.get(value))
        if not ranks:
            template = _ON_TEXT["exists"]
    if atom.operator in NEGATED or (operator == "exists" and atom.value is False):
        template = f"(not {template})"
    return template, value


@functools.lru_cache(maxsize=8_192)
def _atom_match(atom: Atom, attribute: Attribute) -> Callable[[Callable[[str], Any]], bool]:
    template, value = _compiled(atom, attribute)
    function: Callable[[Callable[[str], Any]], bool] = _factory(template)(column_of(atom), value)
    return function


@functools.lru_cache(maxsize=64)
def _factory(template: str) -> Callable[[str, Any], Any]:
    text = f"lambda name, value: lambda get: {template.format(n='name', k='value')}"
    factory: Callable[[str, Any], Any] = eval(text, dict(_NAMES))  # noqa: S307  the templates of this file alone
    return factory
