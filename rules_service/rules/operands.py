"""What may stand beside an operator: checked against the attribute's type and brought into one form."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING

from rules_service.durations import Duration, parse_duration
from rules_service.problems import Place, describe, hint
from rules_service.rules.patterns import compile_pattern

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rules_service.rules.vocabulary import Attribute, Kind

_EQUAL = ("is", "is_not", "in", "not_in")
_ORDER = ("at_least", "at_most", "more_than", "less_than")

#: The operators that each kind of attribute accepts; those of `_ORDER` on a choice only where it is ordered.
OPERATORS: Mapping[Kind, tuple[str, ...]] = {
    "text": (*_EQUAL, "keywords", "matches", "starts_with", "exists"),
    "number": (*_EQUAL, *_ORDER, "exists"),
    "duration": (*_EQUAL, *_ORDER, "exists"),
    "choice": (*_EQUAL, *_ORDER, "exists"),
    "bool": ("is", "is_not", "exists"),
    "set": ("contains_any", "contains_all", "contains_none", "exists"),
}
#: Entries that one list may have.
LONGEST_LIST = 1_000

_PERCENT = re.compile(r"-?\d{1,15}(\.\d{1,15})?%")

#: One checked value. Durations become seconds one step later, where it is known whether they count service hours.
Operand = str | int | float | bool | Duration


def operators_of(attribute: Attribute) -> tuple[str, ...]:
    """The operators that `attribute` accepts."""
    known = OPERATORS[attribute.kind]
    if attribute.kind == "choice" and not attribute.ordered:
        return tuple(operator for operator in known if operator not in _ORDER)
    return known


def read_operand(
    operator: str, data: object, place: Place, attribute: Attribute, keyword_lists: frozenset[str]
) -> Operand | frozenset[Operand] | tuple[str, ...] | None:
    """The value that stands beside `operator`, one of the operators of `attribute`; None once a problem is reported.

    A frozenset for operators on lists; a tuple where the comparison holds if it holds for one of its entries.
    """
    match operator:
        case "exists":
            return _truth(data, place, "exists")
        case "keywords":
            return _names(data, place, keyword_lists)
        case "starts_with":
            return _prefixes(data, place, attribute)
        case "matches":
            return _pattern(data, place, attribute)
        case "in" | "not_in" | "contains_any" | "contains_all" | "contains_none":
            return _several(operator, data, place, attribute)
    return _one(data, place, attribute)


def _one(data: object, place: Place, attribute: Attribute) -> Operand | None:
    if data is None:
        place.problem("type", f"{attribute.name} is compared with nothing; for a missing value write exists: false")
        return None
    match attribute.kind:
        case "number":
            return _number(data, place, attribute)
        case "duration":
            return _duration(data, place)
        case "bool":
            return _truth(data, place, attribute.name)
    text = _text(data, place, attribute.name)
    if text is not None and attribute.values and text not in attribute.values:
        place.problem("value", f'{attribute.name} is never "{text[:60]}"{hint(text, attribute.values)}')
        return None
    return text


def _truth(data: object, place: Place, what: str) -> bool | None:
    if isinstance(data, bool):
        return data
    place.problem("type", f"{what} is true or false, not {describe(data)}")
    return None


def _several(operator: str, data: object, place: Place, attribute: Attribute) -> frozenset[Operand] | None:
    if operator.endswith("in") and not isinstance(data, list):
        place.problem("type", f'"{operator}" takes a list, not {describe(data)}')
        return None
    items = _items(data, place)
    if items is None:
        return None
    values = [_one(item, where, attribute) for item, where in items]
    return None if None in values else frozenset(value for value in values if value is not None)


def _names(data: object, place: Place, known: frozenset[str]) -> tuple[str, ...] | None:
    items = _items(data, place)
    if items is None:
        return None
    names = [_text(item, where, "the name of a keyword list") for item, where in items]
    for name, (_, where) in zip(names, items, strict=True):
        if name is not None and name not in known:
            where.problem("unknown-name", f'no keyword list is called "{name[:60]}"{hint(name, known)}')
    return None if not known.issuperset(names) else tuple(dict.fromkeys(name for name in names if name is not None))


def _prefixes(data: object, place: Place, attribute: Attribute) -> tuple[str, ...] | None:
    items = _items(data, place)
    if items is None:
        return None
    texts = [_text(item, where, attribute.name) for item, where in items]
    if "" in texts:
        items[texts.index("")][1].problem("value", "every text starts with nothing; say what it starts with")
        return None
    return None if None in texts else tuple(dict.fromkeys(text for text in texts if text is not None))


def _pattern(data: object, place: Place, attribute: Attribute) -> str | None:
    text = _text(data, place, attribute.name)
    if text is None:
        return None
    try:
        compile_pattern(text)
    except ValueError as error:
        place.problem("pattern", f"RE2 cannot run this regular expression: {error}")
        return None
    return text


def _text(data: object, place: Place, what: str) -> str | None:
    if isinstance(data, str):
        return data
    quotes = "; put it in quotes" if isinstance(data, bool | int | float) else ""
    place.problem("type", f"{what} is text, not {describe(data)}{quotes}")
    return None


def _items(data: object, place: Place) -> list[tuple[object, Place]] | None:
    if not isinstance(data, list):
        return [(data, place)]
    if not data:
        place.problem("value", "an empty list; name at least one value")
        return None
    if len(data) > LONGEST_LIST:
        place.problem(
            "limit", f"a list has at most {LONGEST_LIST} entries, not {len(data)}; a tag or keyword list helps"
        )
        return None
    return [(item, place.at(index)) for index, item in enumerate(data)]


def _number(data: object, place: Place, attribute: Attribute) -> int | float | None:
    if isinstance(data, int | float) and not isinstance(data, bool):
        if math.isfinite(data):
            return data
        place.problem("value", f"{attribute.name} is compared with a finite number, not {data}")
        return None
    percent = attribute.unit == "pct"
    if percent and isinstance(data, str) and _PERCENT.fullmatch(data.strip()):
        digits = data.strip()[:-1]
        return float(digits) if "." in digits else int(digits)
    accepted = 'a number or a percentage such as "80%"' if percent else "a number"
    place.problem("type", f"{attribute.name} is {accepted}, not {describe(data)}")
    return None


def _duration(data: object, place: Place) -> Duration | None:
    try:
        return parse_duration(data)
    except ValueError as error:
        place.problem("duration", str(error))
        return None
