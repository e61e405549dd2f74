"""The JSON Schema of rule files: what an editor needs to complete and check them while they are written.

It is made from the schemas that read the files, the table of attributes and the list of actions. It knows no names that
a ruleset defines itself; those are checked by `rules-service check`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import marshmallow as ma
from apispec import APISpec
from apispec.ext.marshmallow import MarshmallowPlugin

from rules_service.clocks.calendar_config import CalendarSchema
from rules_service.clocks.holidays_config import HolidaysSchema
from rules_service.clocks.policies import SlaPolicySchema
from rules_service.connectors.schemas import ConnectorSchema, RequestSchema
from rules_service.machines.parse import LifecycleSchema, StateSchema, TransitionSchema
from rules_service.problems import DURATION, WALL
from rules_service.rules import Attribute, RuleSchema
from rules_service.ruleset.endpoints import EndpointSchema
from rules_service.ruleset.load import LISTED_SECTIONS, SECTIONS, AttributeSchema
from rules_service.ruleset.schema.actions import ACTION_SCHEMAS, action_shapes
from rules_service.ruleset.schema.conditions import condition_shapes
from rules_service.ruleset.schema.shapes import DEFINITIONS, RAW, SECTION_SHAPES
from rules_service.teams import DeskSchema, EscalationPolicySchema, GroupSchema, PresenceSchema, UserSchema
from rules_service.teams.escalation import StepSchema

__all__ = ["rule_file_schema"]

DIALECT = "https://json-schema.org/draft/2020-12/schema"

#: What a definition of each section is read by; the others stand in `shapes`.
_READ_BY: Mapping[str, type[ma.Schema]] = {
    "attributes": AttributeSchema,
    "calendars": CalendarSchema,
    "connectors": ConnectorSchema,
    "desks": DeskSchema,
    "endpoints": EndpointSchema,
    "escalation_policies": EscalationPolicySchema,
    "groups": GroupSchema,
    "lifecycle": LifecycleSchema,
    "presence": PresenceSchema,
    "rules": RuleSchema,
    "sla_policies": SlaPolicySchema,
    "users": UserSchema,
}
#: Schemas that others lead to by hand, not by nesting.
_BESIDE: tuple[type[ma.Schema], ...] = (HolidaysSchema, RequestSchema, StateSchema, StepSchema, TransitionSchema)
#: What is required of a definition, save in a group's own files, where the group is implied.
_IMPLIED = {"Desk": ("group",)}


def rule_file_schema(
    attributes: Mapping[str, Attribute], test_sections: Mapping[str, type[ma.Schema]] | None = None
) -> dict[str, Any]:
    """The JSON Schema (2020-12) of one rule file.

    `attributes` is the table of what conditions may read. `test_sections` are the sections of files with tests beside
    the rules, with what reads them, so that one schema serves a whole folder.
    """
    more = dict(test_sections or {})
    schemas: set[type[ma.Schema]] = {*_READ_BY.values(), *_BESIDE, *ACTION_SCHEMAS, *more.values()}
    definitions = {**_converted(schemas), **DEFINITIONS, **condition_shapes(attributes), **action_shapes()}
    for name, fields in RAW.items():
        for field, shape in fields.items():
            definitions[name]["properties"][field] |= shape
    definitions["Endpoint"]["oneOf"] = [{"required": ["url"]}, {"required": ["notify"]}]
    for name, implied in _IMPLIED.items():
        definitions[name]["required"] = [field for field in definitions[name]["required"] if field not in implied]
    tests = {name: _section(name, schema) for name, schema in more.items()}
    return {
        "$schema": DIALECT,
        "title": "Rule file",
        "description": "One file of a ruleset; the sections of all files of a folder add up.",
        "type": "object",
        "required": ["version"],
        "additionalProperties": False,
        "properties": {
            "version": {"const": 1, "description": "The version of the rule language."},
            **{name: SECTION_SHAPES.get(name) or _section(name, _READ_BY[name]) for name in SECTIONS},
            **tests,
        },
        "$defs": dict(sorted(definitions.items())),
    }


def _section(name: str, schema: type[ma.Schema]) -> dict[str, Any]:
    one = {"$ref": f"#/$defs/{name_of(schema)}"}
    if name in ("lifecycle", "presence", "given"):
        return one
    if name in (*LISTED_SECTIONS, "tests"):
        return {"type": ["array", "null"], "items": one}
    inner: dict[str, Any] = {"anyOf": [one, {"type": "null"}]} if name in ("groups", "users") else one
    return {"type": ["object", "null"], "additionalProperties": inner}


def name_of(schema: type[ma.Schema] | ma.Schema) -> str:
    """The name of a schema among the definitions."""
    kind = schema if isinstance(schema, type) else type(schema)
    return kind.__name__.removesuffix("Schema")


def _converted(schemas: set[type[ma.Schema]]) -> dict[str, Any]:
    """Each schema, and those nested in it, as JSON Schema by name."""
    plugin = MarshmallowPlugin(schema_name_resolver=name_of)
    spec = APISpec(title="", version="", openapi_version="3.1.0", plugins=[plugin])
    known = {}
    for schema in sorted(schemas, key=name_of):
        known[name_of(schema)] = schema.__doc__
        if name_of(schema) not in spec.components.schemas:
            spec.components.schema(name_of(schema), schema=schema)
    found: dict[str, Any] = _plain(spec.components.schemas)
    for name, about in known.items():
        found[name]["description"] = " ".join((about or "").split())
    return found


def _plain(value: Any) -> Any:
    """A plain value with references as JSON Schema has them, and without what means nothing to an editor."""
    if isinstance(value, dict):
        return {
            key: inner.replace("#/components/schemas/", "#/$defs/") if key == "$ref" else _plain(inner)
            for key, inner in value.items()
            if key != DURATION and not (key == "default" and inner in (None, [], {}))
        } | (_PATTERNS[value[DURATION]] if DURATION in value else {})
    return [_plain(item) for item in value] if isinstance(value, list) else value


_PATTERNS = {
    True: {"pattern": DEFINITIONS["duration"]["pattern"]},
    WALL: {"pattern": DEFINITIONS["wall_duration"]["pattern"]},
}
