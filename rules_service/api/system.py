"""Health, metrics and documentation."""

from __future__ import annotations

from typing import Any

from flask import Flask, Response, current_app, jsonify
from flask_swagger_ui import get_swaggerui_blueprint

from rules_service.api.auth import needs
from rules_service.api.blueprint import Blueprint
from rules_service.api.error_page import error_page
from rules_service.errors import NotReady
from rules_service.service import health

blueprint = Blueprint("system", __name__, description="Health and metrics")


@blueprint.route("/livez", methods=["GET"])
@blueprint.doc(security=[])
@blueprint.response(200)
def livez() -> Any:
    """Whether the process answers. Touches nothing else."""
    return {"status": "ok"}


@blueprint.route("/readyz", methods=["GET"])
@blueprint.doc(security=[])
@blueprint.response(200)
def readyz() -> Any:
    """Whether the service can do its work: database, migrations, ruleset, worker, and what matches the rules."""
    services = current_app.extensions["rules_service"]
    try:
        report = health.readiness(services.store, services.live, services.clock())
    except NotReady as error:
        report = {"ready": False, "checks": {"database": error.detail}}
    response = jsonify(report)
    response.status_code = 200 if report["ready"] else 503
    return response


@blueprint.route("/metrics", methods=["GET"])
@needs("metrics:read")
@blueprint.response(200)
def metrics() -> Any:
    """Prometheus metrics, read from the database at scrape time."""
    services = current_app.extensions["rules_service"]
    text = health.metrics(services.store, services.live, services.clock())
    return Response(text, content_type="text/plain; version=0.0.4; charset=utf-8")


@blueprint.route("/docs/errors", methods=["GET"])
@blueprint.doc(security=[])
@blueprint.response(200)
def errors() -> Any:
    """A page that says what each error code means; the `type` of a problem document leads to its line."""
    return Response(error_page(), content_type="text/html; charset=utf-8")


def register_docs(app: Flask) -> None:
    """The page at /docs."""
    app.register_blueprint(
        get_swaggerui_blueprint("/docs", "/openapi.json", config={"app_name": "rules-service", "validatorUrl": None}),
        url_prefix="/docs",
    )
