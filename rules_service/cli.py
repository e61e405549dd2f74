"""The command line. Every command takes `--json`; exit 0 fine, 1 findings, 2 usage."""

from __future__ import annotations

import contextlib
import fnmatch
import json
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import click

from rules_service import __version__
from rules_service.clock import utc_now
from rules_service.errors import InvalidRuleset, InvalidUsers, ServiceError
from rules_service.settings import SettingError, Settings, read_settings

# Rooms that take time to import are imported by the commands that need them.

F = TypeVar("F", bound=Callable[..., Any])

_FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)


def _json_option(command: F) -> F:
    return click.option("--json", "as_json", is_flag=True, help="Print JSON.")(command)


def _say(as_json: bool, data: dict[str, Any], *lines: str) -> None:
    if as_json:
        click.echo(json.dumps(data, ensure_ascii=False))
    else:
        for line in lines:
            click.echo(line)


def _fail(as_json: bool, code: str, detail: str, **more: Any) -> NoReturn:
    if as_json:
        click.echo(json.dumps({"ok": False, "code": code, "detail": detail, **more}, ensure_ascii=False))
    else:
        for problem in (*more.get("problems", ()), *more.get("warnings", ())):
            click.echo(problem)
        click.echo(f"rules-service: {detail}", err=True)
    sys.exit(1)


def _counted(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"


def _settings() -> Settings:
    try:
        return read_settings()
    except SettingError as error:
        raise click.UsageError(str(error)) from None


@contextlib.contextmanager
def _store(as_json: bool = False, *, upgraded: bool = True) -> Iterator[Any]:
    """The store of the settings for the block, its tables up to date if `upgraded`; a ServiceError ends the command."""
    from rules_service.store import Store  # noqa: PLC0415

    store = Store(_settings().database)
    try:
        if upgraded:
            store.check_ready()
        yield store
    except ServiceError as error:
        _fail(as_json, error.code, error.detail, **error.data)
    finally:
        store.close()


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="rules-service")
def main() -> None:
    """Ticket lifecycle, service-level clocks and escalation rules beside the helpdesk you already have."""


@main.command()
def serve() -> None:
    """Runs the API (settings: RULES_SERVICE_*)."""
    from rules_service import logs, server  # noqa: PLC0415

    settings = _settings()
    logs.configure(settings.log)
    with _store():
        pass
    server.Server(settings).run()


@main.command()
def worker() -> None:
    """Runs a worker: deadlines, queues, deliveries. Start as many as you like."""
    from rules_service import logs  # noqa: PLC0415
    from rules_service.worker import Worker  # noqa: PLC0415

    settings = _settings()
    logs.configure(settings.log)
    with _store():
        pass
    Worker(settings).run()


@main.command()
def up() -> None:
    """Sets up what is missing, then runs API and worker until Ctrl-C."""
    from rules_service import logs, supervise  # noqa: PLC0415

    settings = _settings()
    logs.configure(settings.log)
    try:
        prepared = supervise.prepare(settings)
    except InvalidRuleset as error:
        detail = f"{settings.rules}: {error.detail}; nothing was started"
        _fail(False, error.code, detail, problems=error.data["problems"])
    except (ServiceError, OSError) as error:
        _fail(False, "not_started", str(error))
    sys.exit(supervise.run(settings, ready=lambda: click.echo("\n".join(prepared.lines))))


@main.command()
@click.argument("folder", type=_FOLDER)
@click.option("--strict", is_flag=True, help="Let warnings fail too.")
@_json_option
def check(folder: Path, strict: bool, as_json: bool) -> None:
    """Checks a ruleset's folder: prints every problem and warning as file:line:col: message (kind).

    Exit 1 where there are problems, or with --strict warnings. `${VAR}` stands for what the environment says.
    """
    from rules_service.decide import check_ruleset  # noqa: PLC0415
    from rules_service.ruleset import read_folder  # noqa: PLC0415

    ruleset, problems, warnings = check_ruleset(read_folder(folder), os.environ)
    found = {"problems": [str(problem) for problem in problems], "warnings": [str(warning) for warning in warnings]}
    counts = [_counted(len(listed), name.removesuffix("s")) for name, listed in found.items() if listed]
    if ruleset is None or (strict and warnings):
        _fail(as_json, "invalid_ruleset" if ruleset is None else "warnings", ", ".join(counts), **found)
    count = len(ruleset.rules.rules)
    _say(
        as_json,
        {"ok": True, "hash": ruleset.hash, "rules": count, **found},
        *found["warnings"],
        ", ".join([f"{folder}: {_counted(count, 'rule')}", "no problem", *counts]),
        ruleset.hash,
    )


@main.command()
@_json_option
def schema(as_json: bool) -> None:  # noqa: ARG001  it is JSON in any case
    """Prints the JSON Schema of rule files, for editors."""
    from rules_service.decide import DECLARED  # noqa: PLC0415
    from rules_service.ruleset.schema import rule_file_schema  # noqa: PLC0415
    from rules_service.simulate.rule_tests import TestSchema  # noqa: PLC0415
    from rules_service.simulate.steps import GivenSchema  # noqa: PLC0415

    beside = {"given": GivenSchema, "tests": TestSchema}
    click.echo(json.dumps(rule_file_schema(DECLARED, beside), indent=2, ensure_ascii=False))


@main.command("test")
@click.argument("paths", nargs=-1, required=True, metavar="DIR...", type=click.Path(exists=True, path_type=Path))
@click.option("--match", "pattern", default="*", help="Run the tests whose file or name holds this; * and ? stand in.")
@_json_option
def test_rules(paths: tuple[Path, ...], pattern: str, as_json: bool) -> None:
    """Runs the tests beside the rules (*_test.yaml): a line each, and every problem as file:line:col.

    Several folders and files add up to one ruleset.
    """
    from rules_service.decide import load_ruleset  # noqa: PLC0415
    from rules_service.ruleset import read_folder  # noqa: PLC0415
    from rules_service.simulate import run_tests  # noqa: PLC0415

    files: dict[str, bytes] = {}
    for path in paths:
        files |= read_folder(path) if path.is_dir() else {path.name: path.read_bytes()}
    ruleset, problems = load_ruleset(files)
    if ruleset is None:
        listed = [str(problem) for problem in problems]
        _fail(as_json, "invalid_ruleset", f"{len(listed)} problem{'s' if len(listed) != 1 else ''}", problems=listed)

    def wanted(file: str, name: str) -> bool:
        return any(fnmatch.fnmatch(text.casefold(), f"*{pattern.casefold()}*") for text in (file, name))

    report = run_tests(ruleset, files, wanted=wanted)
    if pattern != "*" and not report.results:
        raise click.UsageError(f'no test matches "{pattern}"')
    failed = sum(1 for result in report.results if not result.passed)
    count = len(report.results)
    data: dict[str, Any] = {
        "ok": not report.problems,
        "tests": [
            {
                "name": result.name,
                "file": result.file,
                "line": result.line,
                "ok": result.passed,
                "problems": [str(problem) for problem in result.problems],
            }
            for result in report.results
        ],
        "problems": [str(problem) for problem in report.problems],
    }
    _say(
        as_json,
        data,
        *(f"{'ok   ' if result.passed else 'FAIL '} {result.file}: {result.name}" for result in report.results),
        *data["problems"],
        f"{count} tests, {failed} failed" if count else "no tests; write one in a file *_test.yaml",
    )
    sys.exit(1 if report.problems else 0)


@main.command()
@click.argument("folder", type=_FOLDER)
@_json_option
def publish(folder: Path, as_json: bool) -> None:
    """Puts a ruleset live in every process; a broken one leaves the active one as it is. Warnings: standard error."""
    from rules_service.ruleset import read_folder  # noqa: PLC0415
    from rules_service.service.publish import publish as publish_files  # noqa: PLC0415

    with _store(as_json) as store:
        done = publish_files(store, read_folder(folder), utc_now(), by="command line", variables=os.environ)
    words = "is live" if done.changed else "was live already"
    data = {"ok": True, "hash": done.hash, "changed": done.changed, "warnings": list(done.warnings)}
    for warning in () if as_json else done.warnings:
        click.echo(warning, err=True)
    _say(as_json, data, f"{done.hash} {words}")


@main.command()
@click.argument("ruleset_hash", metavar="HASH")
@_json_option
def rollback(ruleset_hash: str, as_json: bool) -> None:
    """Puts a stored ruleset live again; the hash may be shortened."""
    from rules_service.service.publish import rollback as roll_back  # noqa: PLC0415

    with _store(as_json) as store:
        done = roll_back(store, ruleset_hash, utc_now(), by="command line")
    _say(as_json, {"ok": True, "hash": done.hash, "changed": done.changed}, f"{done.hash} is live")


@main.group()
def db() -> None:
    """The database."""


@db.command()
@_json_option
def upgrade(as_json: bool) -> None:
    """Creates or updates the tables."""
    with _store(as_json, upgraded=False) as store:
        applied = store.upgrade()
    _say(as_json, {"ok": True, "applied": applied}, *(applied or ["nothing to do"]))


@main.group()
def keys() -> None:
    """API keys."""


@keys.command("create")
@click.argument("name")
@click.option("--scope", "scopes", multiple=True, help="May be given several times; all scopes, if left out.")
@click.option("--user", "user_id", default=None, help="The key acts as this user only.")
@click.option("--role", default=None, help="The user's role; needed with --user.")
@_json_option
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
    with _store(as_json) as store:
        key = make(
            store, utc_now(), name=name, scopes=list(scopes or SCOPES), role=role or "integration", user_id=user_id
        )
    _say(as_json, {"ok": True, "key": key}, key)


@keys.command("list")
@_json_option
def list_keys(as_json: bool) -> None:
    """Lists the keys in use; never their secrets."""
    from rules_service.store import api_keys  # noqa: PLC0415

    with _store(as_json) as store, store.connection():
        rows = api_keys.listed(store)
    found = [
        {"id": row[0], "name": row[1], "role": row[2], "scopes": json.loads(row[3]), "user": row[4]} for row in rows
    ]
    _say(
        as_json,
        {"ok": True, "keys": found},
        *(f"{key['id']}  {key['name']}  {', '.join(key['scopes'])}" for key in found),
    )


@keys.command("disable")
@click.argument("key_id")
@_json_option
def disable_key(key_id: str, as_json: bool) -> None:
    """Ends a key, by its id."""
    from rules_service.store import api_keys  # noqa: PLC0415

    with _store(as_json) as store:
        done = store.transact(lambda: api_keys.disable(store, key_id, utc_now()))
    if not done:
        _fail(as_json, "unknown_key", f'no key in use has the id "{key_id}"')
    _say(as_json, {"ok": True}, f"{key_id} is disabled")


@main.command("explain")
@click.argument("ticket_id", metavar="TICKET")
@click.option("--clocks", is_flag=True, help="The sum behind each service-level clock, day by day.")
@click.option("--rule", "rule_id", help="Why this rule fires on the ticket or does not, condition by condition.")
@_json_option
def explain_ticket(ticket_id: str, clocks: bool, rule_id: str | None, as_json: bool) -> None:
    """Says why a ticket stands as it does: why its clocks are due when they are, or why a rule fires or does not."""
    from rules_service import explaining  # noqa: PLC0415
    from rules_service.service import history, reasons  # noqa: PLC0415

    if clocks == (rule_id is not None):
        raise click.UsageError("say what to explain: --clocks, or --rule RULE")
    with _store(as_json) as store, store.connection():
        ruleset = history.ruleset_in_force(store)
        if rule_id is None:
            found = history.clocks_of(store, ruleset, ticket_id, utc_now())
            lines = explaining.clock_lines(found)
        else:
            found = reasons.why_rule(store, ruleset, ticket_id, rule_id, utc_now())
            lines = explaining.rule_lines(found)
    _say(as_json, {"ok": True, **found}, *lines)


@main.group()
def users() -> None:
    """Users who are not in rule files, and those who are."""


@users.command("list")
@click.option("--group", default=None, help="Of this group.")
@click.option("--role", default=None, help="With this role.")
@click.option("--presence", default=None, help="online, offline or away.")
@click.option("--skill", default=None, help="With this skill.")
@click.option("--desk", default=None, help="Who serve this desk.")
@_json_option
def list_users(as_json: bool, **wanted: str | None) -> None:
    """Lists the active users by id; every option narrows."""
    from rules_service.store import people  # noqa: PLC0415

    with _store(as_json) as store, store.connection():
        found: list[dict[str, Any]] = []
        while page := people.list_users(store, after=found[-1]["id"] if found else "", limit=500, **wanted):
            found += page
    _say(as_json, {"ok": True, "users": found}, *(_user_line(user) for user in found))


def _user_line(user: dict[str, Any]) -> str:
    most = "-" if user["slot_limit"] is None else user["slot_limit"]
    held = f"{user['open_count']} of {most}"
    return f"{user['id']}  {user['group'] or '-'}  {user['role']}  {user['presence']}  {held}  ({user['source']})"


@users.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@_json_option
def import_file(file: Path, as_json: bool) -> None:
    """Adds or replaces the users of a CSV or JSON file, or none of them: prints every row that is wrong.

    Columns: id, name, group, role, level, skills, max_assignment, desks; only id is required.
    """
    from rules_service.service.user_rows import read_csv, read_json_text  # noqa: PLC0415
    from rules_service.service.users import import_users  # noqa: PLC0415

    content = file.read_bytes()
    with _store(as_json) as store:
        try:
            rows = read_json_text(content) if file.suffix.casefold() == ".json" else read_csv(content)
            done = import_users(store, _following(store), rows, utc_now())
        except InvalidUsers as error:
            errors = error.data.get("errors", [])
            problems = [f"{file}:{found['row']}: {found['column']}: {found['detail']}" for found in errors]
            _fail(as_json, error.code, error.detail, problems=problems)
    counts = {"created": done.created, "updated": done.updated, "unchanged": done.unchanged}
    _say(as_json, {"ok": True, **counts}, ", ".join(f"{count} {name}" for name, count in counts.items()))


@users.command("set")
@click.argument("user_id", metavar="ID")
@click.option("--name", default=None, help="The id, if never given.")
@click.option("--group", default=None, help="A group of the ruleset.")
@click.option("--role", default=None, help="agent (the default), supervisor, technical or management.")
@click.option("--level", type=int, default=None, help="0 to 3.")
@click.option("--skill", "skills", multiple=True, help="May be given several times; replaces those before.")
@click.option("--max-assignment", type=int, default=None, help="Their own maximum; without one their desks' add up.")
@click.option("--desk", "desks", multiple=True, help="May be given several times; replaces those before.")
@_json_option
def set_user(user_id: str, as_json: bool, **given: Any) -> None:
    """Adds a user, or changes what is given of one who is in no rule file."""
    from rules_service.service.user_rows import Row, checked, refused_one  # noqa: PLC0415
    from rules_service.service.users import patched, put_user  # noqa: PLC0415

    changes = {name: list(value) if isinstance(value, tuple) else value for name, value in given.items()}
    changes = {name: value for name, value in changes.items() if value not in (None, [])}
    with _store(as_json) as store:
        with store.connection():
            fields = patched(store, user_id, changes)
        found, errors = checked([Row(number=1, fields=fields)])
        if errors:
            error = refused_one(errors)
            _fail(as_json, error.code, error.detail, **error.data)
        user = put_user(store, _following(store), found[0][1], utc_now())
    _say(as_json, {"ok": True, "user": user}, _user_line(user))


@users.command("deactivate")
@click.argument("user_id", metavar="ID")
@_json_option
def deactivate_user(user_id: str, as_json: bool) -> None:
    """Takes a user out: offline, on no desk, their keys ended; tickets they hold stay theirs until reassigned."""
    from rules_service.service.users import deactivate_user as take_out  # noqa: PLC0415

    with _store(as_json) as store:
        user = take_out(store, _following(store), user_id, utc_now())
    held = f"; {_counted(user['open_count'], 'ticket')} to reassign" if user["open_count"] else ""
    _say(as_json, {"ok": True, "user": user}, f"{user_id} is out{held}")


def _following(store: Any) -> Callable[[], Any]:
    """Gives the active ruleset, as the database now says."""
    from rules_service.live import Live  # noqa: PLC0415

    live = Live(store, "cli")

    def current() -> Any:
        live.follow()
        return live.ruleset()

    return current


@main.command()
@_json_option
def doctor(as_json: bool) -> None:
    """Checks everything that the service needs, and says what to do about what is missing."""
    from rules_service import diagnosis  # noqa: PLC0415

    findings = diagnosis.examine(_settings())
    ok = all(finding.ok for finding in findings if finding.needed)
    _say(
        as_json,
        {"ok": ok, "checks": [{"name": f.name, "ok": f.ok, "needed": f.needed, "detail": f.detail} for f in findings]},
        *(f"{'ok  ' if f.ok else 'FAIL' if f.needed else 'warn'}  {f.name}: {f.detail}" for f in findings),
    )
    sys.exit(0 if ok else 1)


if __name__ == "__main__":
    main()
