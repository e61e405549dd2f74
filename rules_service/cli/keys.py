"""Commands about API keys."""

from __future__ import annotations

import json

import click

from rules_service.cli.terminal import fail, json_option, open_store, say
from rules_service.clock import utc_now


@click.group()
def keys() -> None:
    """API keys."""


@keys.command("create")
@click.argument("name")
@click.option("--scope", "scopes", multiple=True, help="May be given several times; all scopes, if left out.")
@click.option("--user", "user_id", default=None, help="The key acts as this user only.")
@click.option("--role", default=None, help="The user's role; needed with --user.")
@json_option
def create_key(name: str, scopes: tuple[str, ...], user_id: str | None, role: str | None, as_json: bool) -> None:
    """Makes a key and prints it; it cannot be shown again."""
    from rules_service.problems import hint  # noqa: PLC0415
    from rules_service.service.keys import SCOPES  # noqa: PLC0415
    from rules_service.service.keys import create_key as make  # noqa: PLC0415
    from rules_service.tickets import STAFF_ROLES  # noqa: PLC0415

    for scope in scopes:
        if scope not in SCOPES:
            raise click.UsageError(f'unknown scope "{scope}"{hint(scope, SCOPES)}')
    if (user_id is None) != (role is None) or (role is not None and role not in STAFF_ROLES):
        raise click.UsageError(f"--user and --role go together; a role is one of {', '.join(STAFF_ROLES)}")
    with open_store(as_json) as store:
        key = make(
            store, utc_now(), name=name, scopes=list(scopes or SCOPES), role=role or "integration", user_id=user_id
        )
    say(as_json, {"ok": True, "key": key}, key)


@keys.command("list")
@json_option
def list_keys(as_json: bool) -> None:
    """Lists the keys in use; never their secrets."""
    from rules_service.store import api_keys  # noqa: PLC0415

    with open_store(as_json) as store, store.connection():
        rows = api_keys.listed(store)
    found = [
        {"id": row[0], "name": row[1], "role": row[2], "scopes": json.loads(row[3]), "user": row[4]} for row in rows
    ]
    say(
        as_json,
        {"ok": True, "keys": found},
        *(f"{key['id']}  {key['name']}  {', '.join(key['scopes'])}" for key in found),
    )


@keys.command("disable")
@click.argument("key_id")
@json_option
def disable_key(key_id: str, as_json: bool) -> None:
    """Ends a key, by its id."""
    from rules_service.store import api_keys  # noqa: PLC0415

    with open_store(as_json) as store:
        done = store.transact(lambda: api_keys.disable(store, key_id, utc_now()))
    if not done:
        fail(as_json, "unknown_key", f'no key in use has the id "{key_id}"')
    say(as_json, {"ok": True}, f"{key_id} is disabled")
