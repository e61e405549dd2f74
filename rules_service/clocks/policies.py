"""The section `sla_policies:`: which tickets are held to which targets."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import marshmallow as ma

from rules_service.problems import Place, shaped

OnReopen = Literal["continue", "restart"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SlaPolicy:
    """Targets for the tickets that `applies` holds for; of several policies the first that applies wins."""

    id: str
    applies: Callable[[Mapping[str, Any]], bool]
    #: The attributes that `applies` reads.
    needs: frozenset[str] = frozenset()
    targets_s: Mapping[str, int] = field(default_factory=dict)
    warn_at_pct: tuple[int, ...] = ()
    #: Whether the resolution clock goes on from what it had used, or starts anew, when a ticket is reopened.
    on_reopen: OnReopen = "continue"


class SlaPolicySchema(ma.Schema):
    """One policy."""

    id = ma.fields.String(required=True)
    about = ma.fields.String(load_default=None)
    when = ma.fields.Raw(load_default=None)
    targets = ma.fields.Dict(keys=ma.fields.String(), required=True)
    warn_at = ma.fields.List(ma.fields.Raw(), load_default=[])
    on_reopen = ma.fields.String(load_default="continue", validate=ma.validate.OneOf(["continue", "restart"]))


def parse_sla_policy(data: object, place: Place) -> dict[str, Any] | None:
    """The checked shape of one policy with `warn_at` in per cent; `when` and `targets` are for the caller to parse."""
    found = shaped(SlaPolicySchema, data, place)
    if found is not None:
        found["warn_at"] = tuple(
            pct
            for index, value in enumerate(found["warn_at"])
            if (pct := _per_cent(value, place.at("warn_at", index))) is not None
        )
    return found


def _per_cent(value: object, place: Place) -> int | None:
    text = str(value).removesuffix("%").strip()
    if text.isdecimal() and 1 <= int(text) <= 99:  # noqa: PLR2004  at 100 the clock breaches
        return int(text)
    place.problem("value", f'a warning comes at a share of the target from "1%" to "99%"; not {value!r}')
    return None
