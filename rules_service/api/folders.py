"""Folders of tickets with their counts, and the queues of desks."""

from __future__ import annotations

from typing import Any

import marshmallow as ma
from flask import current_app

from rules_service.api.auth import needs
from rules_service.api.blueprint import Blueprint
from rules_service.api.schemas import StrictSchema, Text
from rules_service.service import folders
from rules_service.tickets import PRIORITIES

blueprint = Blueprint("folders", __name__, description="Folders of tickets, and queues")

_NAME = ma.validate.Length(min=1, max=200)

#: Farthest place of a queue that can be asked for.
_FARTHEST = 10_000_000


def _flag(about: str) -> Any:
    return ma.fields.Boolean(
        load_default=None,
        truthy={"true"},
        falsy={"false"},
        metadata={"description": about},
        error_messages={"invalid": "must be true or false"},
    )


class FolderQuerySchema(StrictSchema):
    """What a folder is narrowed by; all that is given must hold."""

    channel = Text(load_default=None, validate=_NAME)
    group = Text(load_default=None, validate=_NAME)
    desk = Text(load_default=None, validate=_NAME)
    assignee = Text(load_default=None, validate=_NAME, metadata={"description": "a user, or `none`"})
    status = Text(load_default=None, validate=_NAME)
    priority = Text(load_default=None, validate=ma.validate.OneOf(PRIORITIES))
    tier = Text(load_default=None, validate=_NAME, metadata={"description": "of the customer"})
    breached = _flag("whether a service level is, or was, breached")
    escalated = _flag("whether an escalation is open")
    open = _flag("true: open tickets only; false: closed ones only")


class TicketsQuerySchema(FolderQuerySchema):
    """A page of a folder."""

    after = Text(
        load_default=None,
        validate=ma.validate.Regexp(r"^[0-9]{1,16}\.(?s:.){1,200}\Z", error="must be the `next_after` of a page"),
        metadata={"description": "`next_after` of the page before"},
    )
    limit = ma.fields.Integer(load_default=50, validate=ma.validate.Range(min=1, max=200))


class CountsQuerySchema(FolderQuerySchema):
    """What a folder is counted by."""

    by = Text(required=True, validate=ma.validate.OneOf(["channel", "group", "desk", "assignee", "status"]))


class QueueQuerySchema(StrictSchema):
    """A page of a queue."""

    after = ma.fields.Integer(load_default=0, validate=ma.validate.Range(min=0, max=_FARTHEST))
    limit = ma.fields.Integer(load_default=50, validate=ma.validate.Range(min=1, max=200))


class FolderItemSchema(ma.Schema):
    """A ticket of a folder."""

    id = ma.fields.String()
    subject = ma.fields.String(allow_none=True)
    status = ma.fields.String()
    priority = ma.fields.String()
    tier = ma.fields.String(allow_none=True)
    channel = ma.fields.String(allow_none=True)
    group = ma.fields.String(allow_none=True)
    desk = ma.fields.String()
    assignee = ma.fields.String(allow_none=True)
    customer_id = ma.fields.String(allow_none=True)
    tags = ma.fields.List(ma.fields.String())
    created_at = ma.fields.String()
    queued_at = ma.fields.String(allow_none=True)
    waiting_since_at = ma.fields.String(allow_none=True)
    closed_at = ma.fields.String(allow_none=True)
    next_due_at = ma.fields.String(allow_none=True)
    breached = ma.fields.Boolean()
    escalated = ma.fields.Boolean()


class FolderSchema(ma.Schema):
    """A page of a folder, newest first."""

    items = ma.fields.List(ma.fields.Nested(FolderItemSchema))
    next_after = ma.fields.String(allow_none=True, metadata={"description": "null on the last page"})


class CountSchema(ma.Schema):
    """How many tickets have a value."""

    value = ma.fields.String(allow_none=True, metadata={"description": "null: those without one"})
    count = ma.fields.Integer()


class CountsSchema(ma.Schema):
    """How many tickets there are, by value."""

    by = ma.fields.String()
    total = ma.fields.Integer()
    items = ma.fields.List(ma.fields.Nested(CountSchema))


class QueuedSchema(ma.Schema):
    """A ticket that waits."""

    position = ma.fields.Integer(metadata={"description": "from 1"})
    ticket_id = ma.fields.String()
    subject = ma.fields.String(allow_none=True)
    priority = ma.fields.String()
    tier = ma.fields.String(allow_none=True)
    channel = ma.fields.String(allow_none=True)
    created_at = ma.fields.String()
    queued_at = ma.fields.String(metadata={"description": "since when it waits"})
    waiting_since_at = ma.fields.String(
        allow_none=True, metadata={"description": "the first customer message that nobody has answered"}
    )
    estimated_wait_s = ma.fields.Integer(
        allow_none=True,
        metadata={"description": "position x 3600 / served_within_1h; null where nothing was served"},
    )


class QueueSchema(ma.Schema):
    """The queue of a desk."""

    desk = ma.fields.String()
    order = ma.fields.List(ma.fields.String())
    total = ma.fields.Integer()
    served_within_1h = ma.fields.Integer(
        metadata={"description": "tickets that had waited and were given to somebody within the last hour"}
    )
    items = ma.fields.List(ma.fields.Nested(QueuedSchema))
    next_after = ma.fields.Integer(allow_none=True, metadata={"description": "null on the last page"})


@blueprint.route("/v1/tickets", methods=["GET"])
@needs("tickets:read")
@blueprint.arguments(TicketsQuerySchema, location="query")
@blueprint.response(200, FolderSchema)
def get_tickets(query: dict[str, Any]) -> Any:
    """A folder of tickets, newest first, without those that the helpdesk deleted or merged."""
    services = current_app.extensions["rules_service"]
    page = {"is_open": query.pop("open"), "after": query.pop("after"), "limit": query.pop("limit")}
    return folders.tickets(services.store, services.live.ruleset(), query, **page)


@blueprint.route("/v1/tickets/counts", methods=["GET"])
@needs("tickets:read")
@blueprint.arguments(CountsQuerySchema, location="query")
@blueprint.response(200, CountsSchema)
def get_counts(query: dict[str, Any]) -> Any:
    """How many tickets of a folder there are by channel, group, desk, assignee or status."""
    services = current_app.extensions["rules_service"]
    is_open = query.pop("open")
    return folders.ticket_counts(services.store, services.live.ruleset(), query.pop("by"), query, is_open=is_open)


@blueprint.route("/v1/desks/<path:desk>/queue", methods=["GET"])
@needs("tickets:read")
@blueprint.arguments(QueueQuerySchema, location="query")
@blueprint.response(200, QueueSchema)
def get_queue(query: dict[str, Any], desk: str) -> Any:
    """What waits at a desk, in the desk's order, with how long it may still wait."""
    services = current_app.extensions["rules_service"]
    return folders.queue(services.store, services.live.ruleset(), desk, services.clock(), **query)
