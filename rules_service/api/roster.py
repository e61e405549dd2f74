"""The roster: users added, changed and taken out, one by one or by the thousand; groups with their people."""

from __future__ import annotations

from typing import Any

import marshmallow as ma
from flask import current_app, g, request
from werkzeug.exceptions import BadRequest

from rules_service.api.auth import needs
from rules_service.api.blueprint import Blueprint
from rules_service.api.schemas import StrictSchema, Text, UserSchema
from rules_service.errors import InvalidUsers, NotAllowed
from rules_service.ruleset import Ruleset
from rules_service.service import reading
from rules_service.service.user_rows import COLUMNS, Row, UserFieldsSchema, checked, read_csv, read_json, refused_one
from rules_service.service.users import deactivate_user, import_users, put_user
from rules_service.store import people
from rules_service.tickets import STAFF_ROLES

blueprint = Blueprint("roster", __name__, description="Users by API and import, and groups")

_NAME = ma.validate.Length(min=1, max=200)


class UsersQuerySchema(StrictSchema):
    """A page of users, narrowed."""

    group = Text(load_default=None, validate=_NAME)
    role = Text(load_default=None, validate=ma.validate.OneOf(STAFF_ROLES))
    presence = Text(load_default=None, validate=ma.validate.OneOf(["online", "offline", "away"]))
    skill = Text(load_default=None, validate=_NAME)
    desk = Text(load_default=None, validate=_NAME)
    after = Text(load_default="", metadata={"description": "`next_after` of the page before"})
    limit = ma.fields.Integer(load_default=100, validate=ma.validate.Range(min=1, max=500))


class UsersSchema(ma.Schema):
    """A page of users in the order of their ids."""

    items = ma.fields.List(ma.fields.Nested(UserSchema))
    next_after = ma.fields.String(allow_none=True, metadata={"description": "null on the last page"})


class ImportedSchema(ma.Schema):
    """What an import did."""

    created = ma.fields.Integer()
    updated = ma.fields.Integer()
    unchanged = ma.fields.Integer()


class MembersSchema(ma.Schema):
    """How many people a group has."""

    total = ma.fields.Integer()
    online = ma.fields.Integer()


class GroupSchema(ma.Schema):
    """A group."""

    id = ma.fields.String()
    supervisors = ma.fields.List(ma.fields.String())
    desks = ma.fields.List(ma.fields.String())
    members = ma.fields.Nested(MembersSchema)
    transfer_limit = ma.fields.Integer(allow_none=True)
    escalation = ma.fields.String(allow_none=True)


class GroupsSchema(ma.Schema):
    """All groups, in the order of the ruleset."""

    items = ma.fields.List(ma.fields.Nested(GroupSchema))


@blueprint.route("/v1/users", methods=["GET"])
@needs("users:read")
@blueprint.arguments(UsersQuerySchema, location="query")
@blueprint.response(200, UsersSchema)
def get_users(query: dict[str, Any]) -> Any:
    """Users with their load, those of the rule files and those by API; every filter narrows."""
    items = people.list_users(current_app.extensions["rules_service"].store, **query)
    return {"items": items, "next_after": items[-1]["id"] if len(items) == query["limit"] else None}


@blueprint.route("/v1/users/import", methods=["POST"])
@needs("roster:write")
@blueprint.doc(
    requestBody={
        "required": True,
        "content": {
            "text/csv": {"schema": {"type": "string"}, "example": f"{','.join(COLUMNS)}\n"},
            "application/json": {
                "schema": {
                    "type": "object",
                    "required": ["users"],
                    "properties": {"users": {"type": "array", "items": {"type": "object", "required": ["id"]}}},
                }
            },
        },
    }
)
@blueprint.response(200, ImportedSchema)
def post_import() -> Any:
    """Adds or replaces up to 20,000 users, from CSV or JSON, or none of them: every row that is wrong is listed."""
    services = _for_the_roster()
    if request.is_json:
        body = _json()
        if not isinstance(body, dict) or set(body) != {"users"}:
            raise InvalidUsers('expected {"users": [{"id": "a1", ...}, ...]} and nothing else')
        rows = read_json(body["users"])
    else:
        rows = read_csv(request.get_data())
    done = import_users(services.store, lambda: _current(services), rows, services.clock())
    services.live.follow()
    return done


@blueprint.route("/v1/users/<user_id>", methods=["PUT"])
@needs("roster:write")
@blueprint.arguments(UserFieldsSchema, location="json")
@blueprint.response(200, UserSchema)
def put_one(body: dict[str, Any], user_id: str) -> Any:
    """Adds a user, or replaces one who was added by API; what is left out has its default."""
    services = _for_the_roster()
    found, errors = checked([Row(number=1, fields={**body, "id": user_id})])
    if errors:
        raise refused_one(errors)
    user = put_user(services.store, lambda: _current(services), found[0][1], services.clock())
    services.live.follow()
    return user


@blueprint.route("/v1/users/<user_id>", methods=["DELETE"])
@needs("roster:write")
@blueprint.response(200, UserSchema)
def delete_one(user_id: str) -> Any:
    """Takes a user out: offline, on no desk, their keys ended. The tickets they hold stay theirs until reassigned."""
    services = _for_the_roster()
    user = deactivate_user(services.store, lambda: _current(services), user_id, services.clock())
    services.live.follow()
    return user


@blueprint.route("/v1/groups", methods=["GET"])
@needs("users:read")
@blueprint.response(200, GroupsSchema)
def get_groups() -> Any:
    """The groups with their supervisors, desks and people, and how often a ticket may be transferred from them."""
    services = current_app.extensions["rules_service"]
    return {"items": reading.groups(services.store, services.live.ruleset())}


def _json() -> Any:
    try:
        return request.get_json()
    except RecursionError:
        raise BadRequest from None


def _for_the_roster() -> Any:
    """The services, for a key that is nobody's own: a person could otherwise make themselves a supervisor."""
    if g.key.user_id is not None:
        raise NotAllowed(f"this key acts as {g.key.user_id}; the roster is changed with a key that acts as nobody")
    return current_app.extensions["rules_service"]


def _current(services: Any) -> Ruleset:
    services.live.follow()
    found: Ruleset = services.live.ruleset()
    return found
