"""A second, naive reading of the language, only for tests: walks the tree, shares nothing with match.py.

It answers in three values, true, false and missing, and turns missing into false at the edge of each comparison.
"""

from __future__ import annotations

import re

from rules_service.rules.conditions import All, AnyOf, Atom, Not

MISSING = object()


def holds(condition, row, vocabulary):
    if isinstance(condition, All):
        return False not in [holds(part, row, vocabulary) for part in condition.parts]
    if isinstance(condition, AnyOf):
        return True in [holds(part, row, vocabulary) for part in condition.parts]
    if isinstance(condition, Not):
        return holds(condition.part, row, vocabulary) is False
    assert isinstance(condition, Atom)
    return atom_holds(condition, row, vocabulary)


def atom_holds(atom, row, vocabulary):
    if atom.operator == "is_not":
        return not atom_holds(Atom(atom.attribute, "is", atom.value), row, vocabulary)
    if atom.operator == "not_in":
        return not any(atom_holds(Atom(atom.attribute, "is", one), row, vocabulary) for one in atom.value)
    if atom.operator == "in":
        return any(atom_holds(Atom(atom.attribute, "is", one), row, vocabulary) for one in atom.value)
    if atom.operator == "contains_none":
        return not atom_holds(Atom(atom.attribute, "contains_any", atom.value), row, vocabulary)
    if atom.operator == "keywords":
        hits = row.get(f"{atom.attribute}#keywords")
        return isinstance(hits, frozenset) and atom.value in list(hits)
    attribute = vocabulary.attributes[atom.attribute.split("[")[0]]
    value = clean(row.get(atom.attribute), attribute)
    if atom.operator == "exists":
        return (value is not MISSING) == atom.value
    if value is MISSING:
        return False
    return compare(value, atom.operator, atom.value, attribute)


def clean(value, attribute):
    if attribute.kind in ("number", "duration"):
        if type(value) is int:
            return value
        return value if type(value) is float and value == value else MISSING  # noqa: PLR0124  NaN
    if attribute.kind == "bool":
        return value if type(value) is bool else MISSING
    if attribute.kind == "set":
        return sorted(value) if isinstance(value, frozenset) else MISSING
    if not isinstance(value, str):
        return MISSING
    if attribute.values and value not in attribute.values:
        return MISSING
    return value


def compare(value, operator, wanted, attribute):
    match operator:
        case "is":
            return value == wanted
        case "contains_any":
            return any(element in wanted for element in value)
        case "contains_all":
            return all(element in value for element in wanted)
        case "starts_with":
            return value[: len(wanted)] == wanted
        case "matches":  # the patterns of these tests mean the same in both languages
            return re.search(wanted, value[:100_000]) is not None
    if attribute.kind == "choice":
        value, wanted = attribute.values.index(value), attribute.values.index(wanted)
    match operator:
        case "at_least":
            return value >= wanted
        case "at_most":
            return value <= wanted
        case "more_than":
            return value > wanted
        case "less_than":
            return value < wanted
    raise AssertionError(operator)
