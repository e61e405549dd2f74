"""Actions that are held: deferred to the opening of a desk, or told together with others of their kind."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from rules_service.durations import Duration
from rules_service.rules import SEVERITIES
from rules_service.ruleset import Ruleset
from rules_service.tickets import Action, Notice

#: What of an alert says who is told.
_ADDRESS = ("to", "users", "group", "customer")


def hold(ruleset: Ruleset, action: Action, asked: Mapping[str, Any], desk: str, now: dt.datetime) -> Action:
    """The action with the time until which it is held, as `digest:` and `defer:` among its parameters `asked` say.

    A digest that ends while the desk is closed waits on for its opening where it says `defer:` too. What was decided
    stands: a ticket that is closed or moved meanwhile changes nothing about a held action.
    """
    digest: Duration | None = asked.get("digest")
    until_at = now if digest is None else ruleset.later(desk, now, digest)
    if asked.get("defer") == "service_hours" and not (calendar := ruleset.calendar_of_desk(desk)).is_open(until_at):
        until_at = calendar.next_open(until_at)
    if until_at <= now:
        return action
    # Where it is held for the hours of one desk, what another desk holds does not take it along.
    key = None if digest is None else _key(action) + (f" in {desk}" if "defer" in asked else "")
    return replace(action, held_until_at=until_at, digest_key=key)


def _key(action: Action) -> str:
    """The same for alerts of one rule to the same people."""
    return " ".join([action.cause, *(f"{name}={action.data[name]}" for name in _ADDRESS if name in action.data)])


def told_together(notices: Sequence[Notice]) -> Action:
    """One alert that tells what several held ones say, oldest first; as severe as the most severe of them."""
    first = notices[0].action
    alerts = [
        {
            "ticket_id": notice.subject,
            "severity": notice.action.data["severity"],
            "text": notice.action.data["text"],
            "decided_at": notice.decided_at.isoformat(),
        }
        for notice in notices
    ]
    severity = max((str(alert["severity"]) for alert in alerts), key=SEVERITIES.index)
    lines = "\n".join(f"- {alert['ticket_id']}: {alert['text']}" for alert in alerts)
    data = {
        **{key: value for key, value in first.data.items() if key in (*_ADDRESS, "template")},
        "severity": severity,
        "text": f"{len(alerts)} alerts:\n{lines}",
        "digest": alerts,
    }
    return Action(type="alert", data=data, cause=first.cause)
