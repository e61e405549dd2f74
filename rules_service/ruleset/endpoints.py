"""The section `endpoints:`: where actions are delivered; and `${VAR}`, which keeps secrets out of rule files."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import marshmallow as ma

from rules_service.problems import Place, check_names, describe, shaped
from rules_service.rules import ACTIONS

_VARIABLE = re.compile(r"\$\{([A-Z_][A-Z0-9_]*)\}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """A receiver of signed webhooks. `url` and `secret` keep their `${VAR}` until they are used."""

    name: str
    url: str
    secret: str | None = None
    #: The action types that it receives; None: all.
    actions: frozenset[str] | None = None

    def wants(self, action_type: str) -> bool:
        """Whether actions of this type go there."""
        return self.actions is None or action_type in self.actions


class EndpointSchema(ma.Schema):
    """One endpoint."""

    url = ma.fields.String(required=True)
    secret = ma.fields.String(load_default=None)
    actions = ma.fields.Raw(load_default="all")


def parse_endpoint(name: str, data: object, place: Place) -> Endpoint | None:
    """The endpoint, or None after reporting every problem."""
    found = shaped(EndpointSchema, data, place)
    if found is None:
        return None
    actions = found["actions"]
    if actions == "all":
        wanted = None
    elif isinstance(actions, list):
        check_names(actions, ACTIONS, "action", place.at("actions"))
        wanted = frozenset(map(str, actions))
    else:
        place.at("actions").problem("type", f"`actions:` is all, or a list of actions; not {describe(actions)}")
        return None
    return Endpoint(name=name, url=found["url"], secret=found["secret"], actions=wanted)


def expand(text: str, variables: Mapping[str, str]) -> str | None:
    """`text` with every `${VAR}` replaced from `variables`; None when one of them is unset or empty."""
    if any(not variables.get(name) for name in _VARIABLE.findall(text)):
        return None
    return _VARIABLE.sub(lambda match: variables[match[1]], text)


def expand_all(value: Any, variables: Mapping[str, str]) -> Any:
    """A plain value with every text in it expanded; a text with an unset variable becomes None."""
    match value:
        case str():
            return expand(value, variables)
        case list() | tuple():
            return [expand_all(item, variables) for item in value]
        case dict():
            return {key: expand_all(item, variables) for key, item in value.items()}
    return value


def unset_variables(text: str, variables: Mapping[str, str]) -> list[str]:
    """The names of the `${VAR}` in `text` that are unset or empty."""
    return [name for name in _VARIABLE.findall(text) if not variables.get(name)]
