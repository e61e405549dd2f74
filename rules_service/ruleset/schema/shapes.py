"""JSON Schema of what the schemas of the files leave open, because it is checked value by value: written by hand."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from rules_service.clocks import CLOCKS
from rules_service.connectors import ACTION_DATA
from rules_service.machines import GUARDS
from rules_service.parties import PARTIES
from rules_service.rules import ACTIONS, IRREGULAR, LISTENABLE
from rules_service.teams import QUEUE_KEYS
from rules_service.teams.escalation import STEP_PARTIES
from rules_service.tickets import EVENT_TYPES, ROLES

Shape = dict[str, Any]

_UNIT = r"[0-9]{1,9}\s*[smhd]\s*"
_DAY = "(mon|tue|wed|thu|fri|sat|sun)"
_DATE = "[0-9]{4}-[0-9]{2}-[0-9]{2}"


def ref(name: str) -> Shape:
    """A reference to a definition."""
    return {"$ref": f"#/$defs/{name}"}


def one_or_more(item: Shape) -> Shape:
    """The item, or a list of at least one."""
    return {"anyOf": [item, {"type": "array", "items": item, "minItems": 1}]}


def described(names: Mapping[str, str] | Iterable[str]) -> Shape:
    """One of these texts, each with what it means where that is known."""
    shape: Shape = {"type": "string", "enum": list(names)}
    if isinstance(names, Mapping):
        shape["markdownEnumDescriptions"] = list(names.values())
    return shape


def _mapping(key: str, value: Shape) -> Shape:
    """A mapping whose keys match a pattern."""
    return {"type": "object", "patternProperties": {f"^{key}$": value}, "additionalProperties": False}


_EVENTS = {name: EVENT_TYPES.get(name, "a fact that the lifecycle had no edge for") for name in LISTENABLE}
assert IRREGULAR in _EVENTS

_TARGETS: Shape = {
    "type": "object",
    "properties": {name: {**ref("duration"), "description": measure.about} for name, measure in CLOCKS.items()},
    "additionalProperties": False,
}
_PERIODS: Shape = one_or_more(
    {
        "type": "string",
        "pattern": r"^(closed|as usual|([01][0-9]|2[0-3]):[0-5][0-9]-(([01][0-9]|2[0-3]):[0-5][0-9]|24:00))$",
    }
)
_REQUESTS: Shape = one_or_more(ref("Request"))

#: Definitions that are no schema of the files.
DEFINITIONS: Mapping[str, Shape] = {
    "duration": {
        "description": "A length of time with its unit: 300s, 30m, 24h, 7d, 1h 30m, service 30m.",
        "type": "string",
        "pattern": rf"^\s*(service +)?({_UNIT})+$",
    },
    "wall_duration": {
        "description": "A length of time on the wall clock, with its unit: 300s, 30m, 24h, 7d, 1h 30m.",
        "type": "string",
        "pattern": rf"^\s*({_UNIT})+$",
    },
    "Keywords": {
        "description": "Keywords under one name; it hits a text if one of them does.",
        "type": "object",
        "properties": {
            "match": {
                "type": "string",
                "enum": ["words", "prefix", "substring"],
                "default": "words",
                "description": "Whole words, words that may go on, or anywhere.",
            },
            "any": {"type": "array", "items": {"type": "string"}, "minItems": 1, "description": "On every channel."},
            "by_channel": {
                "type": "object",
                "additionalProperties": {"type": "array", "items": {"type": "string"}, "minItems": 1},
                "description": "Besides, on one channel each.",
            },
        },
        "anyOf": [{"required": ["any"]}, {"required": ["by_channel"]}],
        "additionalProperties": False,
    },
    "Template": {
        "description": "A message in one or more languages, the first of which is the one to fall back to.",
        "type": "object",
        "minProperties": 1,
        "additionalProperties": {
            "anyOf": [
                {"type": "string"},
                {
                    "type": "object",
                    "properties": {"text": {"type": "string"}},
                    "required": ["text"],
                    "additionalProperties": False,
                },
            ]
        },
    },
}

#: Sections that no schema reads as a whole.
SECTION_SHAPES: Mapping[str, Shape] = {
    "default_desk": {"type": "string", "description": "The desk of a ticket that names neither desk nor group."},
    "customer_tiers": {
        "type": "array", "items": {"type": "string"}, "minItems": 1, "description": "Lowest first.",
    },
    "keywords": {"type": ["object", "null"], "additionalProperties": ref("Keywords")},
    "templates": {"type": ["object", "null"], "additionalProperties": ref("Template")},
}  # fmt: skip

#: Schema -> field -> what may stand there.
RAW: Mapping[str, Mapping[str, Shape]] = {
    "Alert": {
        "to": {
            "items": {
                "anyOf": [
                    {"type": "string", "enum": list(PARTIES)},
                    {"type": "string", "pattern": "^(user|endpoint):.+$"},
                ]
            },
            "description": "Who is told.",
        },
    },
    "Calendar": {
        "timezone": {"type": "string", "description": "A name of the IANA database, such as Asia/Jakarta."},
        "hours": {
            "anyOf": [{"const": "24/7"}, _mapping(f"{_DAY}(-{_DAY})?", _PERIODS)],
            "description": 'Periods by day: {mon-fri: ["08:00-12:00", "13:00-17:00"], sat: closed}.',
        },
        "exceptions": {**_mapping(_DATE, _PERIODS), "description": "Periods by date."},
        "holidays": ref("Holidays"),
        "on_holidays": {**_PERIODS, "description": 'closed, "as usual", or periods.'},
    },
    "Holidays": {
        "country": {"type": "string", "description": "ISO 3166 code, such as ID."},
        "categories": one_or_more({"type": "string"}),
        "subdivision": {"type": "string"},
        "add": {
            "type": "array",
            "items": {"anyOf": [{"type": "string", "pattern": f"^{_DATE}$"}, _mapping(_DATE, {"type": "string"})]},
        },
        "remove": {"type": "array", "items": {"type": "string", "pattern": f"^{_DATE}$"}},
    },
    "Desk": {
        "queue": {
            "items": {
                "anyOf": [
                    {"type": "string", "enum": list(QUEUE_KEYS)},
                    {
                        "type": "object",
                        "properties": {key: {"type": "string", "enum": ["asc", "desc"]} for key in QUEUE_KEYS},
                        "minProperties": 1,
                        "maxProperties": 1,
                        "additionalProperties": False,
                    },
                ]
            }
        },
        "sla": _TARGETS,
    },
    "Endpoint": {
        "actions": {
            "anyOf": [{"const": "all"}, {"type": "array", "items": described(ACTIONS)}],
            "description": "The actions that are delivered there.",
        },
    },
    "EscalationPolicy": {"steps": {"items": ref("Step")}},
    "Presence": {
        "away": {
            "anyOf": [
                {"const": "keep"},
                {
                    "type": "object",
                    "properties": {"release_after": ref("wall_duration")},
                    "required": ["release_after"],
                    "additionalProperties": False,
                },
            ],
            "description": "What becomes of the tickets of an agent who is not online.",
        },
    },
    "Lifecycle": {
        "states": {
            "type": "object",
            "minProperties": 1,
            "additionalProperties": {"anyOf": [ref("State"), {"type": "null"}]},
        },
        "roles": {
            "additionalProperties": {"type": "array", "items": {"type": "string", "enum": list(ROLES)}},
        },
        "transitions": {"items": ref("Transition")},
    },
    "Transition": {
        "from": {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]},
        "guards": {"items": described({name: guard.__doc__ or "" for name, guard in GUARDS.items()})},
    },
    "Step": {
        "to": {
            "anyOf": [
                {"type": "string", "enum": list(STEP_PARTIES)},
                {
                    "type": "object",
                    "properties": {
                        "group": {"type": "string"},
                        "user": {"type": "string"},
                        "level": {"enum": ["next", 0, 1, 2, 3]},
                    },
                    "minProperties": 1,
                    "maxProperties": 1,
                    "additionalProperties": False,
                },
            ]
        },
        "notify": {
            "items": {"anyOf": [{"type": "string", "enum": list(PARTIES)}, {"type": "string", "pattern": "^user:.+$"}]},
            "description": "Who is told, beside those who are asked and those who follow.",
        },
    },
    "SlaPolicy": {
        "when": {"anyOf": [ref("condition"), {"type": "null"}]},
        "targets": _TARGETS,
        "warn_at": {
            "items": {
                "anyOf": [
                    {"type": "string", "pattern": r"^\s*[1-9][0-9]?\s*%?\s*$"},
                    {"type": "integer", "minimum": 1, "maximum": 99},
                ]
            }
        },
    },
    "Rule": {
        "on": {**one_or_more(described(_EVENTS)), "description": "The events at which it fires while `when` holds."},
        "when": {"anyOf": [ref("condition"), {"type": "null"}], "description": "What has to hold."},
        "then": {"type": "array", "items": ref("action"), "minItems": 1, "description": "What is done."},
        "limit": {"pattern": rf"^\s*0*[1-9][0-9]* +per +(ticket|stint|(service +)?({_UNIT})+)\s*$"},
    },
    "Poll": {"every": ref("wall_duration")},
    "Request": {"json": {}},
    "Connector": {
        "outbound": {
            "properties": dict.fromkeys(ACTION_DATA, _REQUESTS),
            "additionalProperties": False,
        },
        "operations": {"additionalProperties": _REQUESTS},
    },
}
