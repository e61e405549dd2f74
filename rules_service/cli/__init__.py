"""The command line. Every command takes `--json`; exit 0 fine, 1 findings, 2 usage.

Rooms that take time to import are imported by the commands that need them.
"""

from __future__ import annotations

import click

from rules_service import __version__
from rules_service.cli.keys import keys
from rules_service.cli.rulesets import check, publish, rollback, schema, test_rules
from rules_service.cli.running import db, doctor, serve, up, worker
from rules_service.cli.tickets import explain_ticket
from rules_service.cli.users import users


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="rules-service")
def main() -> None:
    """Ticket lifecycle, service-level clocks and escalation rules beside the helpdesk you already have."""


for _command in (
    serve, worker, up, check, schema, test_rules, publish, rollback, db, keys, explain_ticket, users, doctor,
):  # fmt: skip
    main.add_command(_command)

__all__ = ["main"]
