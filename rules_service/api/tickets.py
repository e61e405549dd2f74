"""Tickets: as they stand, and what may be done with them."""

from __future__ import annotations

import uuid
from typing import Any

from flask import current_app

from rules_service.api.auth import acting_as, needs
from rules_service.api.blueprint import Blueprint
from rules_service.api.events import canonical, read_json
from rules_service.api.schemas import AnswerSchema, OptionsQuerySchema, OptionsSchema, TransitionSchema
from rules_service.decide import EVENT_OF
from rules_service.errors import InvalidEvent
from rules_service.problems import hint
from rules_service.service import reading
from rules_service.service.events import Incoming
from rules_service.tickets import Actor, Event

blueprint = Blueprint("tickets", __name__, description="Tickets, and what may be done with them")


@blueprint.route("/v1/tickets/<path:ticket_id>/transitions", methods=["GET"])
@needs("tickets:read")
@blueprint.arguments(OptionsQuerySchema, location="query")
@blueprint.response(200, OptionsSchema)
def get_options(query: dict[str, Any], ticket_id: str) -> Any:
    """What a role, or one user, may do with the ticket now; and why not the rest, every reason."""
    services = current_app.extensions["rules_service"]
    actor = acting_as(Actor(id=query["user"], role=query["role"])) or Actor(role=query["role"])
    return reading.options(services.store, services.live.ruleset(), ticket_id, actor, services.clock())


@blueprint.route("/v1/tickets/<path:ticket_id>/transitions", methods=["POST"])
@needs("tickets:write")
@blueprint.arguments(TransitionSchema, location="json")
@blueprint.response(200, AnswerSchema)
def post_transition(body: dict[str, Any], ticket_id: str) -> Any:
    """Asks for a transition; one that the lifecycle refuses changes nothing and is answered 409 with every reason."""
    services = current_app.extensions["rules_service"]
    if body["trigger"] not in EVENT_OF:
        raise InvalidEvent(f'unknown trigger "{body["trigger"][:80]}"{hint(body["trigger"], EVENT_OF)}')
    actor = acting_as(Actor(**body["actor"]))
    event = Event(
        id=body["id"] or f"req_{uuid.uuid4().hex}",
        type=EVENT_OF[body["trigger"]],
        at=services.clock(),
        ticket_id=ticket_id,
        actor=actor,
        data=body["data"],
        request=True,
    )
    return services.events.handle(Incoming(event=event, body=canonical({**read_json(), "ticket_id": ticket_id})))


@blueprint.route("/v1/tickets/<path:ticket_id>", methods=["GET"])
@needs("tickets:read")
@blueprint.response(200)
def get_ticket(ticket_id: str) -> Any:
    """The ticket as it stands: fields, stint, clocks, escalation, next deadline."""
    services = current_app.extensions["rules_service"]
    return reading.ticket(services.store, services.live.ruleset(), ticket_id, services.clock())
