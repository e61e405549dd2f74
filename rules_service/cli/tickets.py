"""Commands about single tickets."""

from __future__ import annotations

import click

from rules_service.cli.terminal import json_option, open_store, say
from rules_service.clock import utc_now


@click.command("explain")
@click.argument("ticket_id", metavar="TICKET")
@click.option("--clocks", is_flag=True, help="The sum behind each service-level clock, day by day.")
@click.option("--rule", "rule_id", help="Why this rule fires on the ticket or does not, condition by condition.")
@json_option
def explain_ticket(ticket_id: str, clocks: bool, rule_id: str | None, as_json: bool) -> None:
    """Says why a ticket stands as it does: why its clocks are due when they are, or why a rule fires or does not."""
    from rules_service.cli import explaining  # noqa: PLC0415
    from rules_service.service import history, reasons  # noqa: PLC0415

    if clocks == (rule_id is not None):
        raise click.UsageError("say what to explain: --clocks, or --rule RULE")
    with open_store(as_json) as store, store.connection():
        ruleset = history.ruleset_in_force(store)
        if rule_id is None:
            found = history.clocks_of(store, ruleset, ticket_id, utc_now())
            lines = explaining.clock_lines(found)
        else:
            found = reasons.why_rule(store, ruleset, ticket_id, rule_id, utc_now())
            lines = explaining.rule_lines(found)
    say(as_json, {"ok": True, **found}, *lines)
