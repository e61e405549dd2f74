"""Users: who is online, and how much they hold."""

from __future__ import annotations

from typing import Any

from flask import current_app, g

from rules_service.api.auth import needs
from rules_service.api.blueprint import Blueprint
from rules_service.api.schemas import PresenceSchema, UserSchema
from rules_service.errors import NotAllowed, UnknownUser
from rules_service.service import reading
from rules_service.service.roster import set_presence

blueprint = Blueprint("users", __name__, description="Users and their presence")


@blueprint.route("/v1/users/<path:user_id>/presence", methods=["POST"])
@needs("users:write")
@blueprint.arguments(PresenceSchema, location="json")
@blueprint.response(200, UserSchema)
def post_presence(body: dict[str, Any], user_id: str) -> Any:
    """Says whether a user can receive tickets. Coming online hands them what waits in their desks' queues."""
    services = current_app.extensions["rules_service"]
    if g.key.user_id not in (None, user_id):
        raise NotAllowed(f"this key sets the presence of {g.key.user_id} only")
    return set_presence(
        services.store, user_id, body["presence"], services.clock(), ruleset_hash=services.live.ruleset().hash
    )


@blueprint.route("/v1/users/<path:user_id>", methods=["GET"])
@needs("users:read")
@blueprint.response(200, UserSchema)
def get_user(user_id: str) -> Any:
    """One user with the present load."""
    found = reading.user(current_app.extensions["rules_service"].store, user_id)
    if found is None:
        raise UnknownUser(f'no user "{user_id}" is in the roster', user_id=user_id)
    return found
