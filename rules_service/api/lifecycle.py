"""The lifecycle, without a ticket."""

from __future__ import annotations

from typing import Any

from flask import current_app

from rules_service.api.auth import needs
from rules_service.api.blueprint import Blueprint
from rules_service.api.schemas import LifecycleOptionsSchema, LifecycleQuerySchema
from rules_service.errors import UnknownName
from rules_service.problems import hint

blueprint = Blueprint("lifecycle", __name__, description="The lifecycle in force")


@blueprint.route("/v1/lifecycle/transitions", methods=["GET"])
@needs("rules:read")
@blueprint.arguments(LifecycleQuerySchema, location="query")
@blueprint.response(200, LifecycleOptionsSchema)
def get_transitions(query: dict[str, Any]) -> Any:
    """What a role may try in a status; the guards named are judged when a ticket is at hand."""
    lifecycle = current_app.extensions["rules_service"].live.ruleset().lifecycle
    status, role = query["status"], query["role"]
    if status not in lifecycle.states:
        raise UnknownName(f'unknown status "{status[:80]}"{hint(status, lifecycle.states)}')
    return {
        "status": status,
        "role": role,
        "allowed": [
            {
                "trigger": row.trigger,
                "to": row.target or status,
                "requires": list(row.requires),
                "guards": list(row.guards),
            }
            for row in lifecycle.allowed(status, role)
        ],
    }
