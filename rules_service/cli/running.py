"""Commands that run the service, and those that see to what it needs."""

from __future__ import annotations

import sys

import click

from rules_service.cli.terminal import fail, json_option, open_store, say, the_settings
from rules_service.errors import InvalidRuleset, ServiceError


@click.command()
def serve() -> None:
    """Runs the API (settings: RULES_SERVICE_*)."""
    from rules_service import logs, server  # noqa: PLC0415

    settings = the_settings()
    logs.configure(settings.log)
    with open_store():
        pass
    server.Server(settings).run()


@click.command()
def worker() -> None:
    """Runs a worker: deadlines, queues, deliveries. Start as many as you like."""
    from rules_service import logs  # noqa: PLC0415
    from rules_service.worker import Worker  # noqa: PLC0415

    settings = the_settings()
    logs.configure(settings.log)
    with open_store():
        pass
    Worker(settings).run()


@click.command()
def up() -> None:
    """Sets up what is missing, then runs API and worker until Ctrl-C."""
    from rules_service import logs, supervise  # noqa: PLC0415

    settings = the_settings()
    logs.configure(settings.log)
    try:
        prepared = supervise.prepare(settings)
    except InvalidRuleset as error:
        detail = f"{settings.rules}: {error.detail}; nothing was started"
        fail(False, error.code, detail, problems=error.data["problems"])
    except (ServiceError, OSError) as error:
        fail(False, "not_started", str(error))
    sys.exit(supervise.run(settings, ready=lambda: click.echo("\n".join(prepared.lines))))


@click.group()
def db() -> None:
    """The database."""


@db.command()
@json_option
def upgrade(as_json: bool) -> None:
    """Creates or updates the tables."""
    with open_store(as_json, upgraded=False) as store:
        applied = store.upgrade()
    say(as_json, {"ok": True, "applied": applied}, *(applied or ["nothing to do"]))


@click.command()
@json_option
def doctor(as_json: bool) -> None:
    """Checks everything that the service needs, and says what to do about what is missing."""
    from rules_service.cli import diagnosis  # noqa: PLC0415

    findings = diagnosis.examine(the_settings())
    ok = all(finding.ok for finding in findings if finding.needed)
    say(
        as_json,
        {"ok": ok, "checks": [{"name": f.name, "ok": f.ok, "needed": f.needed, "detail": f.detail} for f in findings]},
        *(f"{'ok  ' if f.ok else 'FAIL' if f.needed else 'warn'}  {f.name}: {f.detail}" for f in findings),
    )
    sys.exit(0 if ok else 1)
