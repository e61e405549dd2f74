"""JSON Schema of the actions of a rule."""

from __future__ import annotations

from rules_service.rules.actions import ACTIONS, SHAPES
from rules_service.ruleset.schema.shapes import Shape, ref

#: What reads the parameters of actions.
ACTION_SCHEMAS = tuple(dict.fromkeys(schema for schema, _, _ in SHAPES.values()))

_VALUE: Shape = {"type": ["string", "number", "boolean", "null"]}
_SET: Shape = {
    "type": "object",
    "minProperties": 1,
    "properties": {"customer.tier": {"type": "string"}},
    "patternProperties": {"^custom\\.": _VALUE},
    "additionalProperties": False,
}


def action_shapes() -> dict[str, Shape]:
    """`action`, and the parameters of each that are no schema of their own."""
    bare = [name for name, (schema, _, _) in SHAPES.items() if not schema().fields]
    properties = {name: {**_parameters(name), "description": about} for name, about in ACTIONS.items()}
    named: Shape = {
        "type": "object",
        "properties": properties,
        "minProperties": 1,
        "maxProperties": 1,
        "additionalProperties": False,
    }
    alone: Shape = {
        "type": "string",
        "enum": bare,
        "markdownEnumDescriptions": [ACTIONS[name] for name in bare],
    }
    about = "One action: its name, with its parameters."
    return {"action": {"description": about, "oneOf": [named, alone]}}


def _parameters(name: str) -> Shape:
    if name == "set":
        return _SET
    schema, short, one_of = SHAPES[name]
    whole = ref(schema.__name__.removesuffix("Schema"))
    if one_of:
        whole = {"allOf": [whole], "oneOf": [{"required": [key]} for key in one_of]}
    elif name == "reassign":
        whole = {"allOf": [whole], "minProperties": 1}
    if short is None:
        return (
            whole if any(field.required for field in schema().fields.values()) else {"anyOf": [whole, {"type": "null"}]}
        )
    given = {"$ref": f"{ref(schema.__name__.removesuffix('Schema'))['$ref']}/properties/{short}"}
    others = [key for key, field in schema().fields.items() if field.required and key != short]
    if others or (one_of and short not in one_of):
        # Without the rest the short form says too little.
        return whole
    return {"anyOf": [whole, given]}
