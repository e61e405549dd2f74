"""Actions: the feed for those who fetch, and the deliveries to those who are told."""

from __future__ import annotations

from typing import Any

import marshmallow as ma
from flask import current_app

from rules_service.api.auth import needs
from rules_service.api.blueprint import Blueprint
from rules_service.api.schemas import ActionSchema, StrictSchema, Text
from rules_service.errors import UnknownDelivery, UnknownName
from rules_service.store import outbox

blueprint = Blueprint("actions", __name__, description="Actions, fetched or delivered")

#: As PostgreSQL's bigint; a larger number is nobody's cursor.
_MOST = 2**63 - 1


class FeedQuerySchema(StrictSchema):
    """A page of the feed."""

    after = ma.fields.Integer(load_default=0, validate=ma.validate.Range(min=0, max=_MOST))
    limit = ma.fields.Integer(load_default=100, validate=ma.validate.Range(min=1, max=500))


class FedActionSchema(ActionSchema):
    """An action of the feed."""

    seq = ma.fields.Integer(metadata={"description": "its place in the feed; never used twice"})
    ticket_id = ma.fields.String()
    decision_id = ma.fields.String()
    created_at = ma.fields.String()


class FeedSchema(ma.Schema):
    """A page: actions in order, and what to ask for next."""

    items = ma.fields.List(ma.fields.Nested(FedActionSchema))
    next_after = ma.fields.Integer()


class DeliveriesQuerySchema(FeedQuerySchema):
    """A page of deliveries."""

    state = Text(load_default=None, validate=ma.validate.OneOf(["pending", "held", "delivered", "dead"]))


class DeliverySchema(ma.Schema):
    """One action on its way to one endpoint."""

    id = ma.fields.Integer()
    action_id = ma.fields.String()
    type = ma.fields.String()
    endpoint = ma.fields.String()
    ticket_id = ma.fields.String()
    state = ma.fields.String()
    attempts = ma.fields.Integer()
    next_attempt_at = ma.fields.String(allow_none=True)
    delivered_at = ma.fields.String(allow_none=True)
    last_error = ma.fields.String(allow_none=True)


class DeliveriesSchema(ma.Schema):
    """A page: deliveries in order, and what to ask for next."""

    items = ma.fields.List(ma.fields.Nested(DeliverySchema))
    next_after = ma.fields.Integer()


@blueprint.route("/v1/actions", methods=["GET"])
@needs("actions:read")
@blueprint.arguments(FeedQuerySchema, location="query")
@blueprint.response(200, FeedSchema)
def get_actions(query: dict[str, Any]) -> Any:
    """Actions in order, from the one after `after` on; keep asking with `next_after`."""
    items = outbox.feed(current_app.extensions["rules_service"].store, **query)
    return {"items": items, "next_after": items[-1]["seq"] if items else query["after"]}


@blueprint.route("/v1/deliveries", methods=["GET"])
@needs("actions:read")
@blueprint.arguments(DeliveriesQuerySchema, location="query")
@blueprint.response(200, DeliveriesSchema)
def get_deliveries(query: dict[str, Any]) -> Any:
    """Deliveries in order, those given up included; with `state` only those."""
    items = outbox.deliveries(current_app.extensions["rules_service"].store, **query)
    return {"items": items, "next_after": items[-1]["id"] if items else query["after"]}


@blueprint.route("/v1/deliveries/<int:delivery_id>/retry", methods=["POST"])
@needs("actions:write")
@blueprint.response(200)
def retry_delivery(delivery_id: int) -> Any:
    """Sends a delivery that was given up again."""
    services = current_app.extensions["rules_service"]
    if delivery_id > _MOST or not services.store.transact(
        lambda: outbox.revive(services.store, delivery_id, services.clock())
    ):
        raise UnknownDelivery(f"no delivery {delivery_id} was given up")
    return {"id": delivery_id, "state": "pending"}


class EnabledSchema(ma.Schema):
    """What enabling an endpoint did."""

    endpoint = ma.fields.String()
    was_disabled = ma.fields.Boolean()
    released = ma.fields.Integer(metadata={"description": "deliveries that were held and are on their way now"})


@blueprint.route("/v1/endpoints/<name>/enable", methods=["POST"])
@needs("actions:write")
@blueprint.response(200, EnabledSchema)
def enable_endpoint(name: str) -> Any:
    """Enables an endpoint that answered 410 Gone, and sends what was held for it, in order."""
    services = current_app.extensions["rules_service"]
    sent = services.store.transact(lambda: outbox.enable(services.store, name, services.clock()))
    if sent is None and name not in services.live.ruleset().endpoints:
        raise UnknownName(f'the ruleset in force has no endpoint "{name}"')
    return {"endpoint": name, "was_disabled": sent is not None, "released": sent or 0}
