"""The section `presence:`: when an agent counts as gone, and what becomes of the tickets that they hold."""

from __future__ import annotations

from dataclasses import dataclass

import marshmallow as ma

from rules_service.durations import parse_wall_s
from rules_service.problems import DURATION, WALL, Place, describe, shaped


@dataclass(frozen=True, slots=True, kw_only=True)
class PresencePolicy:
    """What follows from silence and from absence."""

    #: An agent who is not heard of for so long goes offline; None: nobody does by silence.
    heartbeat_s: int | None = None
    #: An agent who is not online for so long loses their tickets to the queue; None: they keep them.
    release_after_s: int | None = None


class PresenceSchema(ma.Schema):
    """How long an agent may be silent, and what becomes of the tickets of one who is not online."""

    heartbeat = ma.fields.String(load_default=None, metadata={DURATION: WALL})
    away = ma.fields.Raw(load_default="keep")


def parse_presence(data: object, place: Place) -> PresencePolicy:
    """The policy; every mistake becomes a problem at its place."""
    found = shaped(PresenceSchema, {} if data is None else data, place)
    if found is None:
        return PresencePolicy()
    away, release_after_s = found["away"], None
    if isinstance(away, dict) and set(away) == {"release_after"}:
        release_after_s = _seconds(away["release_after"], place.at("away", "release_after"))
    elif away != "keep":
        place.at("away").problem("value", f"`away:` is keep or {{release_after: 10m}}; not {describe(away)}")
    return PresencePolicy(
        heartbeat_s=_seconds(found["heartbeat"], place.at("heartbeat")) if found["heartbeat"] is not None else None,
        release_after_s=release_after_s,
    )


def _seconds(text: object, place: Place) -> int | None:
    try:
        seconds = parse_wall_s(text)
    except ValueError as error:
        place.problem("duration", str(error))
        return None
    if seconds == 0:
        place.problem("value", "at least 1s; leave it out where nothing is to happen")
    return seconds
