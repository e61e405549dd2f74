"""Conditions one by one: what each compared, what it found, and whether it holds; for programs and for people."""

from __future__ import annotations

from typing import Any

from rules_service.rules import All, AnyOf, Atom, Explanation, Not, Vocabulary
from rules_service.simulate.why import first_false, named, spoken


def conditions(found: Explanation, vocabulary: Vocabulary) -> dict[str, Any]:
    """The tree of a rule's conditions in JSON's types; `kind` is comparison, all, any or none."""
    match found.condition:
        case Atom() as atom:
            return {
                "kind": "comparison",
                "holds": found.holds,
                "attribute": atom.attribute,
                "operator": atom.operator,
                "wanted": _plain(atom.value),
                "found": None if atom.operator == "keywords" else _plain(found.actual),
                "text": _sentence(found, atom, vocabulary),
                "parts": [],
            }
        case All():
            kind, parts = "all", found.parts
        case AnyOf():
            kind, parts = "any", found.parts
        case Not(inner):
            kind = "none"
            parts = found.parts[0].parts if isinstance(inner, AnyOf) else found.parts
    return {
        "kind": kind,
        "holds": found.holds,
        "attribute": None,
        "operator": None,
        "wanted": None,
        "found": None,
        "text": f"{kind} of {len(parts)}",
        "parts": [conditions(part, vocabulary) for part in parts],
    }


def _sentence(found: Explanation, atom: Atom, vocabulary: Vocabulary) -> str:
    if not found.holds:
        return first_false(found, vocabulary)
    if atom.operator == "keywords":
        return f'{named(atom.attribute)} hits a keyword of "{atom.value}"'
    if found.actual is None:
        return f"{named(atom.attribute)} is missing"
    return f"{named(atom.attribute)} is {spoken(found.actual, vocabulary.attribute(atom.attribute).unit)}"


def _plain(value: Any) -> Any:
    if isinstance(value, frozenset | set):
        return sorted(value, key=repr)
    return list(value) if isinstance(value, tuple) else value
