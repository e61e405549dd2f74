"""The section `endpoints:`: where actions go, or people are told; and `${VAR}`, which keeps secrets out of files."""

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
    """A receiver of signed webhooks, or of notifications; one of `url` and `notify` is there.

    They and `secret` keep their `${VAR}` until they are used.
    """

    name: str
    #: Where webhooks go.
    url: str | None = None
    #: Signs the webhooks.
    secret: str | None = None
    #: An address as `apprise` reads it, such as `slack://...` or `mailto://...`.
    notify: str | None = None
    #: The action types that it receives; None: all.
    actions: frozenset[str] | None = None

    def wants(self, action_type: str) -> bool:
        """Whether actions of this type go there."""
        return self.actions is None or action_type in self.actions

    @property
    def texts(self) -> tuple[str, ...]:
        """What may hold a `${VAR}`."""
        return tuple(text for text in (self.url, self.secret, self.notify) if text is not None)


class EndpointSchema(ma.Schema):
    """One endpoint."""

    url = ma.fields.String(load_default=None, metadata={"description": "Where signed webhooks go."})
    secret = ma.fields.String(load_default=None, metadata={"description": "Signs the webhooks: whsec_ and base64."})
    notify = ma.fields.String(
        load_default=None,
        metadata={"description": "Whom to tell instead, as apprise writes it: mailto://..., slack://..., tgram://..."},
    )
    actions = ma.fields.Raw(load_default="all")


def parse_endpoint(name: str, data: object, place: Place) -> Endpoint | None:
    """The endpoint, or None after reporting every problem."""
    found = shaped(EndpointSchema, data, place)
    if found is None:
        return None
    if not _is_one(found, place):
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
    return Endpoint(name=name, url=found["url"], secret=found["secret"], notify=found["notify"], actions=wanted)


def _is_one(found: dict[str, Any], place: Place) -> bool:
    """Whether it is a webhook or a notification, and not both."""
    if (found["url"] is None) == (found["notify"] is None):
        kind = "missing" if found["url"] is None else "value"
        place.problem(kind, "an endpoint takes exactly one of url, notify")
        return False
    if found["notify"] is None:
        return True
    if found["secret"] is not None:
        place.at("secret").problem("value", "`secret:` signs webhooks; what is sent by `notify:` is not signed")
        return False
    if "${" not in found["notify"] and "://" not in found["notify"]:
        example = "such as mailto://USER:PASSWORD@example.com"
        place.at("notify").problem("value", f"`notify:` is an address as apprise writes it, {example}")
        return False
    return True


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
