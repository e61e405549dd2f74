"""Errors as problem documents (RFC 9457) with a stable `code`; the only place that knows HTTP statuses of errors."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import structlog
from flask import Flask, Response, json, request
from werkzeug.exceptions import HTTPException

from rules_service import errors

log = structlog.get_logger()

#: Error -> HTTP status. A test checks that every error has one.
STATUS: Mapping[type[errors.ServiceError], int] = {
    errors.InvalidEvent: 422,
    errors.UnknownEventType: 422,
    errors.UnknownTicket: 404,
    errors.UnknownUser: 404,
    errors.UserOfFile: 409,
    errors.InvalidUsers: 422,
    errors.UnknownName: 404,
    errors.UnknownConnector: 404,
    errors.UnknownDelivery: 404,
    errors.EventIdReused: 409,
    errors.TransitionRefused: 409,
    errors.Conflict: 409,
    errors.NotAuthenticated: 401,
    errors.NotAllowed: 403,
    errors.InvalidRuleset: 422,
    errors.NoRuleset: 503,
    errors.NotReady: 503,
}

#: HTTP status of the framework's own errors -> (code, what would be accepted).
_FRAMEWORK: Mapping[int, tuple[str, str]] = {
    400: ("bad_request", "the request cannot be read"),
    404: ("not_found", "nothing is at this address; /docs lists what is"),
    405: ("method_not_allowed", "this address does not take this method"),
    413: ("body_too_large", "the body is larger than 1 MiB, or 8 MiB for a roster; send it in parts"),
    415: ("unsupported_media_type", "send JSON, with the header `Content-Type: application/json`"),
    422: ("invalid_request", "the request is not as documented"),
    500: ("internal_error", "the service failed; send it again, an event under the same id, which is processed once"),
}

#: Codes beside those -> (HTTP status, what would be accepted).
_MORE: Mapping[str, tuple[int, str]] = {
    "invalid_json": (400, "the body is not JSON"),
    "http_error": (400, "the request failed for another reason, which `status` names"),
}


def listed() -> list[tuple[str, int, str]]:
    """(code, HTTP status, meaning) of every error that a caller can be told."""
    return [
        *((kind.code, status, " ".join((kind.__doc__ or "").split())) for kind, status in STATUS.items()),
        *((code, status, meaning) for status, (code, meaning) in _FRAMEWORK.items()),
        *((code, status, meaning) for code, (status, meaning) in _MORE.items()),
    ]


def problem(status: int, code: str, detail: str, **more: Any) -> Response:
    """A problem document."""
    body = {"type": f"/docs/errors#{code}", "title": code.replace("_", " "), "status": status, "code": code}
    body |= {"detail": detail} | more
    response = Response(json.dumps(body), status=status, content_type="application/problem+json")
    if status == 401:  # noqa: PLR2004  the one status that asks for a header
        response.headers["WWW-Authenticate"] = 'Bearer realm="rules-service"'
    return response


def service_problem(error: errors.ServiceError) -> dict[str, Any]:
    """What a caller is told of an error, as plain data."""
    status = STATUS.get(type(error), 400)
    return {"status": status, "code": error.code, "detail": error.detail, **error.data}


def register(app: Flask) -> None:
    """Turns every error of the app into a problem document."""

    @app.errorhandler(errors.ServiceError)
    def from_service(error: errors.ServiceError) -> Response:
        found = service_problem(error)
        return problem(found.pop("status"), found.pop("code"), found.pop("detail"), **found)

    @app.errorhandler(HTTPException)
    def from_framework(error: HTTPException) -> Response:
        status = error.code or 500
        messages = getattr(error, "data", None) or {}
        code, detail = _FRAMEWORK.get(status, ("http_error", error.description or "the request failed"))
        more: dict[str, Any] = {}
        if messages.get("messages"):
            more["errors"] = list(flattened(messages["messages"]))
            detail = "; ".join(f"{found['pointer']}: {found['detail']}" for found in more["errors"][:5])
        elif status == 400 and request.is_json:  # noqa: PLR2004  the framework's word for JSON it cannot parse
            code, detail = "invalid_json", _MORE["invalid_json"][1]
        response = problem(status, code, detail, **more)
        for name, value in error.get_headers():
            if name in ("Allow", "Retry-After"):
                response.headers[name] = value
        return response

    @app.errorhandler(Exception)
    def from_anything(error: Exception) -> Response:
        log.error("request_failed", path=request.path, error=type(error).__name__, exc_info=error)
        return problem(500, *_FRAMEWORK[500])


def flattened(messages: Any, pointer: str = "") -> Iterator[dict[str, str]]:
    """Marshmallow's nested messages as [{pointer, detail}], pointers as in RFC 6901."""
    if isinstance(messages, Mapping):
        for key, inner in messages.items():
            outer = pointer == "" and key in ("json", "query", "path", "headers")
            yield from flattened(inner, pointer if outer or key == "_schema" else f"{pointer}/{key}")
        return
    for message in messages if isinstance(messages, list) else [messages]:
        yield {"pointer": pointer or "/", "detail": str(message)}
