"""Blueprints whose queries refuse unknown parameters, as their bodies do: a mistyped filter would filter nothing."""

from __future__ import annotations

from typing import Any

import flask_smorest
from webargs.flaskparser import FlaskParser
from werkzeug.exceptions import BadRequest


class _StrictParser(FlaskParser):
    """Leaves it to each schema what an unknown name means; StrictSchema refuses it."""

    DEFAULT_UNKNOWN_BY_LOCATION: dict[str, str | None] = {}  # noqa: RUF012  the library's own type

    def load_json(self, req: Any, schema: Any) -> Any:
        """The body; what cannot be read, nested too deeply or with an endless number, is the caller's error."""
        try:
            return super().load_json(req, schema)
        except (ValueError, RecursionError):
            raise BadRequest from None


class Blueprint(flask_smorest.Blueprint):
    """flask-smorest's, with strict parameters."""

    ARGUMENTS_PARSER = _StrictParser()
