"""Rulesets: which one is in force, checked, put live, rolled back."""

from __future__ import annotations

from typing import Any

import marshmallow as ma
from flask import current_app, g, jsonify

from rules_service.api.auth import needs
from rules_service.api.blueprint import Blueprint
from rules_service.api.schemas import StrictSchema, Text
from rules_service.decide import check_ruleset
from rules_service.errors import NotAllowed
from rules_service.service import publish, reading
from rules_service.service.publish import Published

blueprint = Blueprint("rulesets", __name__, description="Rulesets: in force, history, check, publish, roll back")

_NAME = ma.validate.Regexp(
    r"^(?!.*\.\.)[A-Za-z0-9_][A-Za-z0-9_./-]{0,200}\.ya?ml$", error="is not the name of a rule file, such as rules.yaml"
)


class FilesSchema(StrictSchema):
    """A ruleset: the text of each file by its name."""

    files = ma.fields.Dict(keys=Text(validate=_NAME), values=Text(), required=True)
    group = Text(load_default=None, metadata={"description": "publish this group's folder alone"})


class RulesetsQuerySchema(StrictSchema):
    """A page of the history."""

    before = ma.fields.Integer(load_default=None, validate=ma.validate.Range(min=1))
    limit = ma.fields.Integer(load_default=50, validate=ma.validate.Range(min=1, max=200))


@blueprint.route("/v1/ruleset", methods=["GET"])
@needs("rules:read")
@blueprint.response(200)
def get_ruleset() -> Any:
    """The ruleset in force in this process, the one in force in each process, and what the watched folder holds."""
    services = current_app.extensions["rules_service"]
    return reading.ruleset(services.store, services.live.ruleset())


@blueprint.route("/v1/rulesets", methods=["GET"])
@needs("rules:read")
@blueprint.arguments(RulesetsQuerySchema, location="query")
@blueprint.response(200)
def get_rulesets(query: dict[str, Any]) -> Any:
    """What was put live when and by whom, newest first."""
    return reading.activations(current_app.extensions["rules_service"].store, **query)


@blueprint.route("/v1/rulesets/check", methods=["POST"])
@needs("rules:read")
@blueprint.arguments(FilesSchema, location="json")
@blueprint.response(200)
def check_files(body: dict[str, Any]) -> Any:
    """Every problem of a ruleset, or every warning, as file:line:col: message (kind); nothing is stored."""
    services = current_app.extensions["rules_service"]
    files = _files(body)
    if body["group"] is not None:
        files = publish.without_group(services.store, body["group"]) | files
    ruleset, problems, warnings = check_ruleset(files, services.settings.variables)
    return {
        "ok": ruleset is not None,
        "hash": ruleset.hash if ruleset is not None else None,
        "problems": [str(problem) for problem in problems],
        "warnings": [str(warning) for warning in warnings],
    }


@blueprint.route("/v1/rulesets", methods=["POST"])
@needs("rules:write")
@blueprint.arguments(FilesSchema, location="json")
@blueprint.response(200)
def post_ruleset(body: dict[str, Any]) -> Any:
    """Puts a ruleset live in every process; with `group`, that group's folder alone. A broken one changes nothing.

    `warnings` are what checking warns of: they keep nothing from going live.
    """
    services = current_app.extensions["rules_service"]
    now = services.clock()
    group = body["group"]
    _check_owner(services, group)
    variables = services.settings.variables
    if group is None:
        done = publish.publish(services.store, _files(body), now, by=_who(), variables=variables)
    else:
        done = publish.publish_group(services.store, group, _files(body), now, by=_who(), variables=variables)
    return _told(services, done)


@blueprint.route("/v1/rulesets/<ruleset_hash>/activate", methods=["POST"])
@needs("rules:write")
@blueprint.response(200)
def activate(ruleset_hash: str) -> Any:
    """Puts a stored ruleset live again; the hash may be shortened."""
    services = current_app.extensions["rules_service"]
    _check_owner(services, None)
    return _told(services, publish.rollback(services.store, ruleset_hash, services.clock(), by=_who()))


def _files(body: dict[str, Any]) -> dict[str, bytes]:
    return {name: text.encode() for name, text in body["files"].items()}


def _who() -> str:
    return str(g.key.user_id or g.key.name)


def _check_owner(services: Any, group: str | None) -> None:
    """A person's key may publish the folder of a group that the person supervises, and nothing else."""
    user_id = g.key.user_id
    if user_id is None:
        return
    owner = services.live.ruleset().roster.groups.get(group or "")
    if owner is None or user_id not in owner.supervisors:
        what = f"the folder of {group}" if group else "the whole ruleset"
        raise NotAllowed(f"{user_id} may publish the folder of a group that he or she supervises; not {what}")


def _told(services: Any, done: Published) -> Any:
    services.live.follow(done.ruleset)
    return jsonify(
        {
            "hash": done.hash,
            "changed": done.changed,
            "primed": dict(done.primed),
            "looked_at": done.looked_at,
            "warnings": list(done.warnings),
        }
    )
