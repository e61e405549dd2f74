"""Blueprints whose queries refuse unknown parameters, as their bodies do: a mistyped filter would filter nothing."""

from __future__ import annotations

import flask_smorest
from webargs.flaskparser import FlaskParser


class _StrictParser(FlaskParser):
    """Leaves it to each schema what an unknown name means; StrictSchema refuses it."""

    DEFAULT_UNKNOWN_BY_LOCATION: dict[str, str | None] = {}  # noqa: RUF012  the library's own type


class Blueprint(flask_smorest.Blueprint):
    """flask-smorest's, with strict parameters."""

    ARGUMENTS_PARSER = _StrictParser()
