"""The section `escalation_policies:`: whom to ask for help, in which order, and how long each has to react."""

from __future__ import annotations

from collections.abc import Container, Iterable
from dataclasses import dataclass
from typing import Any

import marshmallow as ma

from rules_service.durations import Duration, parse_duration
from rules_service.parties import check_party
from rules_service.problems import DURATION, Place, describe, hint, shaped

#: Parties that a step can address by one word.
STEP_PARTIES = ("supervisor", "technical", "management")

#: Whose yes an agent's request for help waits for.
APPROVALS = ("none", "supervisor")


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One rung: a party, the next level or a group, and what happens to the ticket."""

    #: One of STEP_PARTIES; None where `group`, `level` or `user` says who.
    party: str | None = None
    group: str | None = None
    #: `next` (one level above the assignee, same group: hierarchical, R2.11) or a level.
    level: str | int | None = None
    user: str | None = None
    #: Whether the ticket goes to the target (functional to a group, R2.10).
    hand_over: bool = False
    #: The next step starts when nobody acts within this time; None: it waits for ever.
    ack_within: Duration | None = None
    #: Parties told beside the target.
    notify: tuple[str, ...] = ()

    def __str__(self) -> str:
        for word, value in (("group", self.group), ("level", self.level), ("user", self.user)):
            if value is not None:
                return f"{word} {value}"
        return self.party or "nobody"


@dataclass(frozen=True, slots=True, kw_only=True)
class EscalationPolicy:
    """A ladder of steps. Source: R1.8, R2.9-12."""

    name: str
    steps: tuple[Step, ...]
    #: Whether an agent's request waits for a supervisor's yes. Source: R1.13.
    needs_approval: bool = False
    #: How often the whole ladder is climbed again when nobody acts.
    repeat: int = 0
    #: After this time escalation.overdue tells supervisor and management; nothing is closed by it. Source: R2.29.
    close_within: Duration | None = None


class StepSchema(ma.Schema):
    """One step."""

    to = ma.fields.Raw(required=True)
    hand_over = ma.fields.Boolean(load_default=False, truthy={True}, falsy={False})
    ack_within = ma.fields.String(load_default=None, metadata={DURATION: True})
    notify = ma.fields.List(ma.fields.String(), load_default=[])


class EscalationPolicySchema(ma.Schema):
    """One policy."""

    approval = ma.fields.String(load_default="none", validate=ma.validate.OneOf(APPROVALS))
    steps = ma.fields.List(ma.fields.Raw(), required=True, validate=ma.validate.Length(min=1, max=20))
    repeat = ma.fields.Integer(strict=True, load_default=0, validate=ma.validate.Range(min=0, max=10))
    close_within = ma.fields.String(load_default=None, metadata={DURATION: True})


def parse_escalation_policy(
    name: str, data: object, place: Place, *, groups: Container[str], users: Container[str]
) -> EscalationPolicy | None:
    """The policy, or None after reporting every problem."""
    before = len(place.problems)
    found = shaped(EscalationPolicySchema, data, place)
    if found is None:
        return None
    steps = [
        step
        for index, item in enumerate(found["steps"])
        if (step := _parse_step(item, place.at("steps", index), groups, users)) is not None
    ]
    close_within = _duration(found["close_within"], place.at("close_within"))
    if len(place.problems) > before:
        return None
    return EscalationPolicy(
        name=name,
        steps=tuple(steps),
        needs_approval=found["approval"] == "supervisor",
        repeat=found["repeat"],
        close_within=close_within,
    )


def _parse_step(data: object, place: Place, groups: Container[str], users: Container[str]) -> Step | None:
    found = shaped(StepSchema, data, place)
    if found is None:
        return None
    target = _parse_target(found["to"], place.at("to"), groups, users)
    if target is None:
        return None
    for index, party in enumerate(found["notify"]):
        check_party(party, place.at("notify", index), users, None)
    return Step(
        **target,
        hand_over=found["hand_over"],
        ack_within=_duration(found["ack_within"], place.at("ack_within")),
        notify=tuple(found["notify"]),
    )


def _parse_target(to: object, place: Place, groups: Container[str], users: Container[str]) -> dict[str, Any] | None:
    if isinstance(to, str) and to in STEP_PARTIES:
        return {"party": to}
    if isinstance(to, dict) and len(to) == 1:
        key, value = next(iter(to.items()))
        defined = {"group": groups, "user": users}.get(key)
        if defined is not None:
            if value in defined:
                return {key: value}
            listed = defined if isinstance(defined, Iterable) else ()
            place.at(key).problem("unknown-name", f"unknown {key} {describe(value)}{hint(value, listed)}")
            return None
        if key == "level" and value in ("next", 0, 1, 2, 3) and not isinstance(value, bool):
            return {"level": value}
    accepted = f"{', '.join(STEP_PARTIES)}, {{level: next}}, {{level: 0..3}}, {{group: NAME}} or {{user: ID}}"
    place.problem("value", f"a step goes to {accepted}; not {describe(to)}")
    return None


def _duration(text: str | None, place: Place) -> Duration | None:
    if text is None:
        return None
    try:
        found = parse_duration(text)
    except ValueError as error:
        place.problem("duration", str(error))
        return None
    if found.seconds == 0:
        # Two steps that are due at one instant would be taken for the same deadline.
        place.problem("value", "at least 1s; leave it out where nothing is to follow")
    return found
