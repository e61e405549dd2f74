"""Commands about users."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from rules_service.cli.terminal import counted, fail, json_option, open_store, say
from rules_service.clock import utc_now
from rules_service.errors import InvalidUsers


@click.group()
def users() -> None:
    """Users who are not in rule files, and those who are."""


@users.command("list")
@click.option("--group", default=None, help="Of this group.")
@click.option("--role", default=None, help="With this role.")
@click.option("--presence", default=None, help="online, offline or away.")
@click.option("--skill", default=None, help="With this skill.")
@click.option("--desk", default=None, help="Who serve this desk.")
@json_option
def list_users(as_json: bool, **wanted: str | None) -> None:
    """Lists the active users by id; every option narrows."""
    from rules_service.store import people  # noqa: PLC0415

    with open_store(as_json) as store, store.connection():
        found: list[dict[str, Any]] = []
        while page := people.list_users(store, after=found[-1]["id"] if found else "", limit=500, **wanted):
            found += page
    say(as_json, {"ok": True, "users": found}, *(_user_line(user) for user in found))


def _user_line(user: dict[str, Any]) -> str:
    most = "-" if user["slot_limit"] is None else user["slot_limit"]
    held = f"{user['open_count']} of {most}"
    return f"{user['id']}  {user['group'] or '-'}  {user['role']}  {user['presence']}  {held}  ({user['source']})"


@users.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@json_option
def import_file(file: Path, as_json: bool) -> None:
    """Adds or replaces the users of a CSV or JSON file, or none of them: prints every row that is wrong.

    Columns: id, name, group, role, level, skills, max_assignment, desks; only id is required.
    """
    from rules_service.service.user_rows import read_csv, read_json_text  # noqa: PLC0415
    from rules_service.service.users import import_users  # noqa: PLC0415

    content = file.read_bytes()
    with open_store(as_json) as store:
        try:
            rows = read_json_text(content) if file.suffix.casefold() == ".json" else read_csv(content)
            done = import_users(store, _following(store), rows, utc_now())
        except InvalidUsers as error:
            errors = error.data.get("errors", [])
            problems = [f"{file}:{found['row']}: {found['column']}: {found['detail']}" for found in errors]
            fail(as_json, error.code, error.detail, problems=problems)
    counts = {"created": done.created, "updated": done.updated, "unchanged": done.unchanged}
    say(as_json, {"ok": True, **counts}, ", ".join(f"{count} {name}" for name, count in counts.items()))


@users.command("set")
@click.argument("user_id", metavar="ID")
@click.option("--name", default=None, help="The id, if never given.")
@click.option("--group", default=None, help="A group of the ruleset.")
@click.option("--role", default=None, help="agent (the default), supervisor, technical or management.")
@click.option("--level", type=int, default=None, help="0 to 3.")
@click.option("--skill", "skills", multiple=True, help="May be given several times; replaces those before.")
@click.option("--max-assignment", type=int, default=None, help="Their own maximum; without one their desks' add up.")
@click.option("--desk", "desks", multiple=True, help="May be given several times; replaces those before.")
@json_option
def set_user(user_id: str, as_json: bool, **given: Any) -> None:
    """Adds a user, or changes what is given of one who is in no rule file."""
    from rules_service.service.user_rows import Row, checked, refused_one  # noqa: PLC0415
    from rules_service.service.users import patched, put_user  # noqa: PLC0415

    changes = {name: list(value) if isinstance(value, tuple) else value for name, value in given.items()}
    changes = {name: value for name, value in changes.items() if value not in (None, [])}
    with open_store(as_json) as store:
        with store.connection():
            fields = patched(store, user_id, changes)
        found, errors = checked([Row(number=1, fields=fields)])
        if errors:
            error = refused_one(errors)
            fail(as_json, error.code, error.detail, **error.data)
        user = put_user(store, _following(store), found[0][1], utc_now())
    say(as_json, {"ok": True, "user": user}, _user_line(user))


@users.command("deactivate")
@click.argument("user_id", metavar="ID")
@json_option
def deactivate_user(user_id: str, as_json: bool) -> None:
    """Takes a user out: offline, on no desk, their keys ended; tickets they hold stay theirs until reassigned."""
    from rules_service.service.users import deactivate_user as take_out  # noqa: PLC0415

    with open_store(as_json) as store:
        user = take_out(store, _following(store), user_id, utc_now())
    held = f"; {counted(user['open_count'], 'ticket')} to reassign" if user["open_count"] else ""
    say(as_json, {"ok": True, "user": user}, f"{user_id} is out{held}")


def _following(store: Any) -> Callable[[], Any]:
    """Gives the active ruleset, as the database now says."""
    from rules_service.live import Live  # noqa: PLC0415

    live = Live(store, "cli")

    def current() -> Any:
        live.follow()
        return live.ruleset()

    return current
