"""The Flask application: one composition of store, active ruleset and services."""

from __future__ import annotations

from dataclasses import dataclass

from flask import Flask, Response, request
from flask_smorest import Api
from werkzeug.exceptions import NotFound, UnsupportedMediaType

from rules_service import __version__
from rules_service.api import (
    actions,
    events,
    folders,
    history,
    inbound,
    lifecycle,
    problems,
    roster,
    rulesets,
    system,
    tickets,
    users,
)
from rules_service.api.schemas import EventSchema, ProblemSchema
from rules_service.clock import Clock, utc_now
from rules_service.decide import Brakes
from rules_service.live import Live
from rules_service.service.connecting import ConnectorService
from rules_service.service.events import EventService
from rules_service.settings import Settings
from rules_service.store import Store

#: Largest body of a request, in bytes.
MAX_BODY = 1024 * 1024

#: Largest roster to import, in bytes.
MAX_ROSTER = 8 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """What views work with."""

    store: Store
    live: Live
    events: EventService
    connecting: ConnectorService
    clock: Clock
    settings: Settings


def compose(settings: Settings, *, store: Store | None = None, clock: Clock = utc_now) -> Services:
    """The services on the settings' database, which must be up to date; `live.start()` follows the active ruleset."""
    store = store or Store(settings.database, max_connections=settings.threads + 4)
    store.hold()
    live = Live(store)
    brakes = Brakes(
        replies_an_hour=settings.replies_an_hour,
        firings_a_day=settings.firings_a_day,
        firings_a_rule=settings.firings_a_rule,
    )
    handler = EventService(store, live.ruleset, clock, variables=settings.variables, brakes=brakes)
    connecting = ConnectorService(store, live.ruleset, handler, clock, variables=settings.variables)
    return Services(store=store, live=live, events=handler, connecting=connecting, clock=clock, settings=settings)


def create_app(services: Services) -> Flask:
    """The application in front of these services."""
    app = Flask("rules_service", static_folder=None)
    app.config.update(
        API_TITLE="rules-service",
        API_VERSION=__version__,
        OPENAPI_VERSION="3.1.0",
        OPENAPI_URL_PREFIX="/",
        OPENAPI_JSON_PATH="openapi.json",
        MAX_CONTENT_LENGTH=MAX_BODY,
        PROPAGATE_EXCEPTIONS=False,
    )
    app.json.sort_keys = False  # type: ignore[attr-defined]
    app.extensions["rules_service"] = services
    _connect_around_requests(app)
    api = _ProblemApi(app)
    # The body of an event is one or many, which only a reference can say.
    api.spec.components.schema("Event", schema=EventSchema)
    for blueprint in (
        actions.blueprint, events.blueprint, folders.blueprint, history.blueprint, inbound.blueprint,
        lifecycle.blueprint, roster.blueprint, rulesets.blueprint, system.blueprint, tickets.blueprint,
        users.blueprint,
    ):  # fmt: skip
        api.register_blueprint(blueprint)
    _describe_auth(api)
    system.register_docs(app)
    problems.register(app)
    return app


class _ProblemApi(Api):
    """flask-smorest with errors left to `problems`, and described as they are."""

    ERROR_SCHEMA = ProblemSchema

    def _register_responses(self) -> None:
        """Errors are problem documents; all else is JSON."""
        self.DEFAULT_RESPONSE_CONTENT_TYPE = "application/problem+json"
        super()._register_responses()
        del self.DEFAULT_RESPONSE_CONTENT_TYPE

    def _register_error_handlers(self) -> None:
        """None of its own."""


def _describe_auth(api: Api) -> None:
    api.spec.components.security_scheme("key", {"type": "http", "scheme": "bearer"})
    api.spec.options["security"] = [{"key": []}]


def _connect_around_requests(app: Flask) -> None:
    def store() -> Store:
        found: Store = app.extensions["rules_service"].store
        return found

    @app.before_request
    def connect() -> None:
        if request.endpoint == "roster.post_import":
            request.max_content_length = MAX_ROSTER
        has_body = request.method in ("POST", "PUT", "PATCH") and request.content_length
        is_csv = request.endpoint == "roster.post_import" and request.mimetype == "text/csv"
        if has_body and not request.is_json and not is_csv:
            raise UnsupportedMediaType
        if "\x00" in request.path:
            # PostgreSQL keeps no such text, so nothing can have this name.
            raise NotFound
        if request.endpoint not in ("system.livez", None):
            store().database.connect(reuse_if_open=True)

    @app.teardown_request
    def disconnect(error: BaseException | None) -> None:
        del error
        if not store().database.is_closed():
            store().database.close()

    @app.after_request
    def harden(response: Response) -> Response:
        response.headers.setdefault("X-Content-Type-Options", "nosniff")
        response.headers.setdefault("Cache-Control", "no-store")
        return response
