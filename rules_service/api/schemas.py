"""What requests and answers look like."""

from __future__ import annotations

import datetime as dt
import math
from typing import Any

import marshmallow as ma

from rules_service.service.storable import storable
from rules_service.tickets import EVENT_TYPES, INTERNAL_EVENT_TYPES, PRIORITIES, ROLES

_ID = ma.validate.Length(min=1, max=200)

#: Longest text of a message or summary, in characters.
MAX_TEXT = 100_000

#: Most events in one batch.
MAX_BATCH = 500

#: How deep values of one's own (`custom`) may be nested.
MAX_DEPTH = 8

_OUT_OF_RANGE = "is out of range; accepted: the years 1990 to 2190"

PUBLIC_EVENT_TYPES = tuple(name for name in EVENT_TYPES if name not in INTERNAL_EVENT_TYPES)


class Text(ma.fields.String):
    """Text that both databases can keep."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:
        found: str = super()._deserialize(value, attr, data, **kwargs)
        storable(found)
        return found


class UTCInstant(ma.fields.AwareDateTime):
    """An aware instant in ISO 8601, converted to UTC; one without an offset is refused."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> dt.datetime:
        try:
            found: dt.datetime = super()._deserialize(value, attr, data, **kwargs).astimezone(dt.UTC)
        except OverflowError:
            raise ma.ValidationError(_OUT_OF_RANGE) from None
        if not 1990 <= found.year <= 2190:  # noqa: PLR2004  what calendars cover
            raise ma.ValidationError(_OUT_OF_RANGE)
        return found


class Flag(ma.fields.Boolean):
    """true or false, and nothing that could pass for one of them."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> bool:
        del attr, data, kwargs
        if not isinstance(value, bool):
            raise self.make_error("invalid", input=value)
        return value


def _storable(value: Any, depth: int = 0) -> None:
    """Values of one's own: JSON that every database can keep, and that can be written again as it was read."""
    if depth > MAX_DEPTH:
        raise ma.ValidationError(f"is nested deeper than {MAX_DEPTH} levels")
    if isinstance(value, str):
        storable(value)
    elif isinstance(value, int) and not -(2**63) <= value < 2**63:
        raise ma.ValidationError("holds a whole number of more than 64 bits")
    elif isinstance(value, float) and not math.isfinite(value):
        raise ma.ValidationError("holds a number that is not finite")
    elif isinstance(value, list):
        for item in value:
            _storable(item, depth + 1)
    elif isinstance(value, dict):
        for key, item in value.items():
            storable(key)
            _storable(item, depth + 1)


class StrictSchema(ma.Schema):
    """Unknown fields are refused, in bodies and in queries."""

    class Meta:
        """Settings of marshmallow."""

        unknown = ma.RAISE


class ActorSchema(StrictSchema):
    """Who did it."""

    id = Text(load_default=None, allow_none=True, validate=_ID)
    role = Text(load_default="", validate=ma.validate.OneOf(ROLES))


class CustomerSchema(StrictSchema):
    """The customer."""

    id = Text(allow_none=True, validate=ma.validate.Length(max=200))
    name = Text(allow_none=True, validate=ma.validate.Length(max=500))
    tier = Text(allow_none=True, validate=ma.validate.Length(max=80))
    lifetime_value = ma.fields.Float(allow_none=True, allow_nan=False)
    language = Text(allow_none=True, validate=ma.validate.Length(max=35))


def _tags() -> Any:
    return ma.fields.List(Text(validate=ma.validate.Length(min=1, max=80)), validate=ma.validate.Length(max=100))


def _limited(most: int) -> Any:
    return ma.validate.Length(max=most)


#: Field of `data` -> its shape. One table for all events; which fields an event needs is in REQUIRED.
DATA_FIELDS: dict[str, Any] = {
    "subject": lambda: Text(allow_none=True, validate=_limited(1_000)),
    "body": lambda: Text(allow_none=True, validate=_limited(MAX_TEXT)),
    "text": lambda: Text(allow_none=True, validate=_limited(MAX_TEXT)),
    "channel": lambda: Text(allow_none=True, validate=_limited(80)),
    "priority": lambda: Text(allow_none=True, validate=ma.validate.OneOf(PRIORITIES)),
    "status": lambda: Text(allow_none=True, validate=_limited(80)),
    "tags": _tags,
    "add_tags": _tags,
    "remove_tags": _tags,
    "group": lambda: Text(allow_none=True, validate=_limited(80)),
    "desk": lambda: Text(allow_none=True, validate=_limited(80)),
    "assignee": lambda: Text(allow_none=True, validate=_limited(200)),
    "customer": lambda: ma.fields.Nested(CustomerSchema, allow_none=True),
    "custom": lambda: ma.fields.Dict(keys=Text(validate=_limited(80)), allow_none=True, validate=_storable),
    "automated": Flag,
    "override": Flag,
    "summary": lambda: Text(allow_none=True, validate=_limited(MAX_TEXT)),
    "reason": lambda: Text(allow_none=True, validate=_limited(1_000)),
    "policy": lambda: Text(allow_none=True, validate=_limited(80)),
    "start_at": lambda: ma.fields.Integer(strict=True, allow_none=True, validate=ma.validate.Range(min=1, max=20)),
    "score": lambda: ma.fields.Float(allow_none=True, allow_nan=False),
    "into": lambda: Text(allow_none=True, validate=_limited(200)),
    "action": lambda: Text(allow_none=True, validate=_limited(80)),
    "detail": lambda: Text(allow_none=True, validate=_limited(2_000)),
}

DataSchema = StrictSchema.from_dict({name: make() for name, make in DATA_FIELDS.items()}, name="EventDataSchema")

#: Event type -> fields of `data` that it cannot do without.
REQUIRED: dict[str, tuple[str, ...]] = {
    "message.received": ("text",),
    "ticket.escalated": (),
    "action.failed": ("action",),
}


class EventSchema(StrictSchema):
    """Something that happened."""

    id = Text(required=True, validate=_ID, metadata={"description": "names the event for ever; sent twice, done once"})
    type = Text(required=True, metadata={"enum": list(PUBLIC_EVENT_TYPES)})
    at = UTCInstant(load_default=None, metadata={"description": "when it happened, with an offset; now, if left out"})
    ticket_id = Text(load_default=None, validate=_ID)
    user_id = Text(load_default=None, validate=_ID)
    actor = ma.fields.Nested(ActorSchema, load_default=None, allow_none=True)
    data = ma.fields.Nested(DataSchema, load_default=dict)


class TicketSummarySchema(ma.Schema):
    """A ticket in an answer."""

    id = ma.fields.String()
    status = ma.fields.String()
    priority = ma.fields.String()
    group = ma.fields.String(allow_none=True)
    desk = ma.fields.String()
    assignee = ma.fields.String(allow_none=True)
    tags = ma.fields.List(ma.fields.String())


class ReasonSchema(ma.Schema):
    """Why something is refused or irregular."""

    code = ma.fields.String()
    text = ma.fields.String()


class ActionSchema(ma.Schema):
    """Something the helpdesk is told to do, or people to know."""

    id = ma.fields.String()
    type = ma.fields.String()
    cause = ma.fields.String()
    data = ma.fields.Dict()
    held_until_at = ma.fields.String(
        metadata={"description": "when it goes out at the latest, where it is held: a digest, or deferred"}
    )


class AnswerSchema(ma.Schema):
    """What an event did."""

    ticket = ma.fields.Nested(TicketSummarySchema, allow_none=True)
    outcome = ma.fields.String()
    irregular = ma.fields.Boolean()
    reasons = ma.fields.List(ma.fields.Nested(ReasonSchema))
    marks = ma.fields.List(ma.fields.String())
    fired = ma.fields.List(ma.fields.String())
    actions = ma.fields.List(ma.fields.Nested(ActionSchema))
    decision_id = ma.fields.String()
    duplicate = ma.fields.Boolean()


class TransitionSchema(StrictSchema):
    """A transition asked for."""

    id = Text(load_default=None, validate=_ID, metadata={"description": "makes sending it twice safe"})
    trigger = Text(required=True)
    actor = ma.fields.Nested(ActorSchema, required=True)
    data = ma.fields.Nested(DataSchema, load_default=dict)


class AllowedSchema(ma.Schema):
    """A trigger that is possible now."""

    trigger = ma.fields.String()
    to = ma.fields.String(metadata={"description": "status after it; the present one where it stays"})
    requires = ma.fields.List(ma.fields.String())


class RefusedSchema(ma.Schema):
    """A trigger that is not possible now, with every reason."""

    trigger = ma.fields.String()
    reasons = ma.fields.List(ma.fields.Nested(ReasonSchema))


class OptionsSchema(ma.Schema):
    """What may be done with a ticket now."""

    status = ma.fields.String()
    allowed = ma.fields.List(ma.fields.Nested(AllowedSchema))
    refused = ma.fields.List(ma.fields.Nested(RefusedSchema))


class OptionsQuerySchema(StrictSchema):
    """For whom."""

    role = Text(required=True, validate=ma.validate.OneOf(ROLES))
    user = Text(load_default=None, validate=_ID)


class LifecycleQuerySchema(StrictSchema):
    """A question without a ticket."""

    status = Text(required=True)
    role = Text(required=True, validate=ma.validate.OneOf(ROLES))


class LifecycleOptionSchema(AllowedSchema):
    """A row of the lifecycle that is open to a role."""

    guards = ma.fields.List(ma.fields.String())


class LifecycleOptionsSchema(ma.Schema):
    """What a role may try in a status."""

    status = ma.fields.String()
    role = ma.fields.String()
    allowed = ma.fields.List(ma.fields.Nested(LifecycleOptionSchema))


class PresenceSchema(StrictSchema):
    """A user's presence."""

    presence = Text(required=True, validate=ma.validate.OneOf(["online", "offline", "away"]))


class UserSchema(ma.Schema):
    """A user with their load."""

    id = ma.fields.String()
    name = ma.fields.String()
    group = ma.fields.String(allow_none=True)
    role = ma.fields.String()
    level = ma.fields.Integer()
    presence = ma.fields.String()
    open_count = ma.fields.Integer()
    slot_limit = ma.fields.Integer(allow_none=True, metadata={"description": "the maximum in force; null: none"})
    max_assignment = ma.fields.Integer(allow_none=True, metadata={"description": "their own maximum"})
    skills = ma.fields.List(ma.fields.String())
    desks = ma.fields.List(
        ma.fields.String(), allow_none=True, metadata={"description": "as added by API; null: those of the group"}
    )
    serves = ma.fields.List(ma.fields.String(), metadata={"description": "the desks that they serve now"})
    source = ma.fields.String(metadata={"enum": ["file", "api"]})
    active = ma.fields.Boolean()


class ProblemSchema(ma.Schema):
    """An error (RFC 9457); some codes tell more, each under a name of its own."""

    class Meta:
        """Settings of marshmallow."""

        unknown = ma.INCLUDE

    type = ma.fields.String(required=True, metadata={"format": "uri-reference"})
    title = ma.fields.String(required=True)
    status = ma.fields.Integer(required=True)
    code = ma.fields.String(required=True, metadata={"description": "stable; docs/errors lists them all"})
    detail = ma.fields.String(required=True, metadata={"description": "what was wrong, and what would be accepted"})
