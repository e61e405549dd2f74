"""The shape of the section `connectors:`."""

from __future__ import annotations

from typing import Any

import marshmallow as ma

from rules_service.problems import DURATION, WALL


def _texts(**options: Any) -> ma.fields.Dict:
    return ma.fields.Dict(keys=ma.fields.String(), values=ma.fields.String(), **options)


class AuthSchema(ma.Schema):
    """auth: exactly one of them."""

    basic = ma.fields.String()
    bearer = ma.fields.String()


class InboundAuthSchema(ma.Schema):
    """inbound.auth."""

    path_secret = ma.fields.String(required=True, validate=ma.validate.Length(min=1))


class InboundSchema(ma.Schema):
    """inbound."""

    auth = ma.fields.Nested(InboundAuthSchema, required=True)
    tickets = ma.fields.String(required=True)


class PollSchema(ma.Schema):
    """poll."""

    every = ma.fields.Raw(required=True)
    path = ma.fields.String(required=True)
    tickets = ma.fields.String(required=True)
    next = ma.fields.String(load_default=None)
    one = ma.fields.String(load_default=None)


class TicketShapeSchema(ma.Schema):
    """ticket."""

    id = ma.fields.String(required=True)
    created_at = ma.fields.String(load_default=None)
    entries = ma.fields.String(load_default=None)
    entry_id = ma.fields.String(load_default=None)
    echo = ma.fields.String(load_default=None)
    # `fields` is marshmallow's own name
    compared = _texts(required=True, data_key="fields")


class ActorSchema(ma.Schema):
    """actor of an event."""

    id = ma.fields.String(load_default=None)
    role = ma.fields.String(load_default=None)


class EventRowSchema(ma.Schema):
    """One row of events."""

    type = ma.fields.String(required=True)
    when = ma.fields.String(required=True)
    id = ma.fields.String(required=True)
    at = ma.fields.String(load_default=None)
    actor = ma.fields.Nested(ActorSchema, load_default=None)
    data = _texts(load_default={})


class CheckSchema(ma.Schema):
    """One of checks."""

    path = ma.fields.String(required=True)
    among = ma.fields.String(required=True)
    same = ma.fields.String(required=True)
    at = ma.fields.String(load_default=None)


class RequestSchema(ma.Schema):
    """One request of outbound or operations."""

    method = ma.fields.String(required=True)
    path = ma.fields.String(required=True)
    json = ma.fields.Raw(load_default=None)
    check = ma.fields.String(load_default=None)


class ConnectorSchema(ma.Schema):
    """One connector."""

    base_url = ma.fields.String(required=True)
    lag = ma.fields.String(load_default="0s", metadata={DURATION: WALL})
    auth = ma.fields.Nested(AuthSchema, load_default=None)
    headers = _texts(load_default={})
    values = ma.fields.Dict(keys=ma.fields.String(), values=ma.fields.Dict(keys=ma.fields.String()), load_default={})
    inbound = ma.fields.Nested(InboundSchema, load_default=None)
    poll = ma.fields.Nested(PollSchema, load_default=None)
    ticket = ma.fields.Nested(TicketShapeSchema, load_default=None)
    events = ma.fields.List(ma.fields.Nested(EventRowSchema), load_default=[])
    checks = ma.fields.Dict(keys=ma.fields.String(), values=ma.fields.Nested(CheckSchema), load_default={})
    outbound = ma.fields.Dict(keys=ma.fields.String(), load_default={})
    operations = ma.fields.Dict(keys=ma.fields.String(), load_default={})
