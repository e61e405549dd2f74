"""A helpdesk's own webhooks."""

from __future__ import annotations

from typing import Any

from flask import current_app, request

from rules_service.api.blueprint import Blueprint

blueprint = Blueprint("inbound", __name__, description="A helpdesk's own webhooks")


@blueprint.route("/v1/inbound/<connector>/<secret>", methods=["POST"])
@blueprint.doc(security=[])
@blueprint.response(202)
def post_inbound(connector: str, secret: str) -> Any:
    """Stores a webhook and answers at once; it is read, mapped by the connector and handled right after."""
    services = current_app.extensions["rules_service"]
    services.connecting.accept(connector, secret, request.get_data(cache=False))
    return {"accepted": True}
