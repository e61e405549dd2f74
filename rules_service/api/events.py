"""POST /v1/events: what happened, one by one or in batches."""

from __future__ import annotations

import json
from typing import Any

import marshmallow as ma
from flask import current_app, g, request
from werkzeug.exceptions import BadRequest

from rules_service.api.auth import acting_as, needs
from rules_service.api.blueprint import Blueprint
from rules_service.api.problems import flattened, service_problem
from rules_service.api.schemas import MAX_BATCH, PUBLIC_EVENT_TYPES, REQUIRED, AnswerSchema, EventSchema
from rules_service.errors import InvalidEvent, NotAllowed, ServiceError, UnknownEventType
from rules_service.problems import hint
from rules_service.service.events import Incoming
from rules_service.service.roster import set_presence
from rules_service.tickets import USER_EVENT_TYPES, Actor, Event

blueprint = Blueprint("events", __name__, description="What happened in the helpdesk")

_EVENT = EventSchema()


@blueprint.route("/v1/events", methods=["POST"])
@needs("events:write")
@blueprint.doc(
    requestBody={
        "required": True,
        "content": {
            "application/json": {
                "schema": {
                    "oneOf": [
                        {"$ref": "#/components/schemas/Event"},
                        {
                            "type": "object",
                            "required": ["events"],
                            "properties": {
                                "events": {
                                    "type": "array",
                                    "items": {"$ref": "#/components/schemas/Event"},
                                    "minItems": 1,
                                    "maxItems": MAX_BATCH,
                                }
                            },
                        },
                    ]
                }
            }
        },
    }
)
@blueprint.response(200, AnswerSchema)
def post_events() -> Any:
    """Takes one event, or `{"events": [...]}`; a batch is answered one by one, each with its answer or its `error`."""
    services = current_app.extensions["rules_service"]
    body = read_json()
    if "events" not in body:
        event = parse_event(body)
        if isinstance(event, UserEvent):
            return _presence(services, event)
        return services.events.handle(event)
    batch = body["events"]
    if not isinstance(batch, list) or not 1 <= len(batch) <= MAX_BATCH or len(body) > 1:
        raise InvalidEvent(f'a batch is {{"events": [...]}} with 1 to {MAX_BATCH} events and nothing else')
    return current_app.json.response({"answers": _batch(services, batch)})


class UserEvent:
    """user.online or user.offline."""

    def __init__(self, user_id: str, presence: str, event_id: str) -> None:
        """Of whom, and what."""
        self.user_id = user_id
        self.presence = presence
        self.event_id = event_id


def read_json() -> dict[str, Any]:
    """The body, a JSON object; InvalidEvent for other JSON."""
    try:
        body = request.get_json()
    except RecursionError:
        raise BadRequest from None
    if not isinstance(body, dict):
        raise InvalidEvent("the body is a JSON object")
    return body


def parse_event(body: object) -> Incoming | UserEvent:
    """The event that a JSON body describes; InvalidEvent, with `errors`, says what is wrong and where."""
    services = current_app.extensions["rules_service"]
    if not isinstance(body, dict):
        raise InvalidEvent("an event is a JSON object")
    kind = body.get("type")
    if isinstance(kind, str) and kind not in PUBLIC_EVENT_TYPES:
        raise UnknownEventType(f'unknown event type "{kind[:80]}"{hint(kind, PUBLIC_EVENT_TYPES)}')
    try:
        found = _EVENT.load(body)
    except ma.ValidationError as error:
        raise _invalid(error.messages) from None
    if kind in USER_EVENT_TYPES:
        if found["user_id"] is None:
            raise _invalid({"user_id": ["is required for this type of event"]})
        if g.key.user_id not in (None, found["user_id"]):
            raise NotAllowed(f"this key sets the presence of {g.key.user_id} only")
        return UserEvent(found["user_id"], str(kind).removeprefix("user."), found["id"])
    messages = {
        name: ["is required for this type of event"]
        for name in REQUIRED.get(str(kind), ())
        if found["data"].get(name) is None
    }
    if messages:
        raise _invalid({"data": messages})
    if found["ticket_id"] is None:
        raise _invalid({"ticket_id": ["is required for this type of event"]})
    _check_names(found["data"])
    actor = Actor(**found["actor"]) if found["actor"] else None
    event = Event(
        id=found["id"],
        type=found["type"],
        at=found["at"] or services.clock(),
        ticket_id=found["ticket_id"],
        actor=acting_as(actor),
        data=found["data"],
    )
    return Incoming(event=event, body=canonical(body))


def canonical(body: dict[str, Any]) -> str:
    """The body with its keys in order and without spaces, equal for equal events."""
    return json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def _check_names(data: dict[str, Any]) -> None:
    """Groups, desks and tiers must be the ruleset's; a name that means nothing would be lost in silence."""
    ruleset = current_app.extensions["rules_service"].live.ruleset()
    for field, known in (("desk", ruleset.roster.desks), ("group", ruleset.roster.groups)):
        name = data.get(field)
        if name is not None and name not in known:
            raise _invalid({"data": {field: [f'unknown {field} "{name}"{hint(name, known)}']}})
    tier = (data.get("customer") or {}).get("tier")
    if tier is not None and tier not in ruleset.tiers:
        raise _invalid({"data": {"customer": {"tier": [f'unknown tier "{tier}"{hint(tier, ruleset.tiers)}']}}})


def _invalid(messages: Any) -> InvalidEvent:
    listed = list(flattened(messages))
    text = "; ".join(f"{found['pointer']}: {found['detail']}" for found in listed[:5])
    return InvalidEvent(f"the event is not as documented: {text}", errors=listed)


def _presence(services: Any, event: UserEvent) -> dict[str, Any]:
    user = set_presence(
        services.store, event.user_id, event.presence, services.clock(), ruleset_hash=services.live.ruleset().hash,
        event_id=event.event_id,
    )  # fmt: skip
    return {
        "ticket": None, "outcome": "done", "irregular": False, "reasons": [], "marks": [user["presence"]], "fired": [],
        "actions": [], "decision_id": event.event_id, "duplicate": user["duplicate"],
    }  # fmt: skip


def _batch(services: Any, batch: list[Any]) -> list[dict[str, Any]]:
    """Answers in order. Events are handled in chunks of one transaction each."""
    answers: list[dict[str, Any] | None] = [None] * len(batch)
    ready: list[tuple[int, Incoming]] = []

    def flush() -> None:
        for start in range(0, len(ready), 100):
            chunk = ready[start : start + 100]
            found = services.events.handle_batch([incoming for _, incoming in chunk])
            for (index, _), answer in zip(chunk, found, strict=True):
                answers[index] = {"error": service_problem(answer)} if isinstance(answer, ServiceError) else answer
        ready.clear()

    for index, body in enumerate(batch):
        try:
            event = parse_event(body)
            if isinstance(event, UserEvent):
                flush()
                answers[index] = _presence(services, event)
            else:
                ready.append((index, event))
        except ServiceError as error:
            answers[index] = {"error": service_problem(error)}
    flush()
    return [answer for answer in answers if answer is not None]
