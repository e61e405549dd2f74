"""JSON Schema of conditions: every attribute with the operators that it accepts, and what may stand beside them."""

from __future__ import annotations

from collections.abc import Mapping

from rules_service.rules import WINDOWED, Attribute
from rules_service.rules.operands import LONGEST_LIST, operators_of
from rules_service.ruleset.schema.shapes import Shape, one_or_more, ref

#: Operators that take a list only; one value or a list; what is said of the rest is one value.
_LISTS = ("in", "not_in")
_SEVERAL = ("contains_any", "contains_all", "contains_none", "keywords", "starts_with")

_ABOUT: Mapping[str, str] = {
    "is": "is equal to",
    "is_not": "is not equal to, or missing",
    "in": "is one of",
    "not_in": "is none of, or missing",
    "at_least": "is at least",
    "at_most": "is at most",
    "more_than": "is more than",
    "less_than": "is less than",
    "contains_any": "holds at least one of",
    "contains_all": "holds all of",
    "contains_none": "holds none of, or is missing",
    "keywords": "is hit by one of these keyword lists",
    "matches": "matches a regular expression (RE2)",
    "starts_with": "begins with",
    "exists": "has a value",
}

#: An attribute that a ruleset declares itself: of which type it is, the schema does not know.
_CUSTOM = "^ticket\\.custom\\."


def condition_shapes(attributes: Mapping[str, Attribute]) -> dict[str, Shape]:
    """`condition`, `conditions` and what may stand beside attributes, by definition."""
    shapes: dict[str, Shape] = {}
    properties: dict[str, Shape] = {
        "all": {**ref("conditions"), "description": "Every one holds."},
        "any": {**ref("conditions"), "description": "At least one holds."},
        "none": {**ref("conditions"), "description": "None holds."},
    }
    for name, attribute in sorted(attributes.items()):
        kind = _name(attribute)
        shapes[kind] = _compared(attribute)
        needs_on = " Only rules with `on:`, or `for: desk`, may read it." if attribute.needs_on else ""
        properties[name] = {**ref(kind), "description": f"{attribute.about}.{needs_on}"}
    shapes["custom"] = {"not": {"type": "null"}}
    shapes["condition"] = {
        "description": "All of its entries hold.",
        "type": "object",
        "properties": properties,
        "patternProperties": {_CUSTOM: ref("custom")},
        "additionalProperties": False,
    }
    entry = {"allOf": [ref("condition")], "minProperties": 1}
    shapes["conditions"] = one_or_more(entry)
    return shapes


def _name(attribute: Attribute) -> str:
    """Attributes that are compared alike share a definition."""
    parts = [attribute.kind, "of_percent" if attribute.unit == "pct" else ""]
    parts.append(attribute.name if attribute.values or attribute.ordered else "")
    parts.append("within" if attribute.name.startswith(WINDOWED) else "")
    return "compared_" + "_".join(part for part in parts if part)


def _compared(attribute: Attribute) -> Shape:
    one = _one(attribute)
    operators = operators_of(attribute)
    mapping: Shape = {
        "type": "object",
        "properties": {
            operator: {**_operand(operator, one), "description": _ABOUT[operator]} for operator in operators
        },
        "minProperties": 1,
        "additionalProperties": False,
    }
    if attribute.name.startswith(WINDOWED):
        mapping["properties"]["within"] = {**ref("wall_duration"), "description": "the window in which it is counted"}
        return mapping | {"required": ["within"], "minProperties": 2}
    return {"anyOf": [one, _list(one), mapping]}


def _operand(operator: str, one: Shape) -> Shape:
    if operator == "exists":
        return {"type": "boolean"}
    if operator in _LISTS:
        return _list(one)
    return {"anyOf": [one, _list(one)]} if operator in _SEVERAL else dict(one)


def _list(one: Shape) -> Shape:
    return {"type": "array", "items": one, "minItems": 1, "maxItems": LONGEST_LIST}


def _one(attribute: Attribute) -> Shape:
    match attribute.kind:
        case "number" if attribute.unit == "pct":
            return {
                "anyOf": [{"type": "number"}, {"type": "string", "pattern": r"^\s*-?[0-9]{1,15}(\.[0-9]{1,15})?%\s*$"}]
            }
        case "number":
            return {"type": "number"}
        case "duration":
            return ref("duration")
        case "bool":
            return {"type": "boolean"}
        case "choice" if attribute.values:
            return {"type": "string", "enum": list(attribute.values)}
    return {"type": "string"}
