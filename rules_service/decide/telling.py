"""Whom the parties of an alert or a ladder stand for, at the moment at which they are told. Source: R1.22, R3.11."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rules_service.ruleset import Ruleset
from rules_service.tickets import Action, Escalation, Ticket


def alert(
    ruleset: Ruleset, cause: str, to: Sequence[str], severity: str, text: str,
    *, ticket: Ticket | None = None, escalation: Escalation | None = None,
) -> Action:  # fmt: skip
    """An alert of the service's own."""
    meant = told(ruleset, to, ticket.desk if ticket is not None else None, ticket, escalation)
    return Action(type="alert", data={"to": list(to), **meant, "severity": severity, "text": text}, cause=cause)


def told(
    ruleset: Ruleset, parties: Iterable[str], desk: str | None, ticket: Ticket | None, escalation: Escalation | None
) -> Mapping[str, Any]:
    """`users`: the ids of the people meant, each once; `group` and `customer`: their ids, where one of them is meant.

    A group is named by its id, for its members may be hundreds. Endpoints are none of the three.
    """
    roster = ruleset.roster
    users: list[str | None] = []
    others: dict[str, Any] = {}
    named = roster.desks.get(desk or "")
    group = ticket.group if ticket is not None else named.group if named is not None else None
    for party in parties:
        kind, _, name = party.partition(":")
        match kind:
            case "user":
                users.append(name)
            case "assignee":
                users.append(ticket.assignee if ticket is not None else None)
            case "followers":
                users += escalation.followers if escalation is not None else ()
            case "supervisor":
                users += supervisors(ruleset, desk, group)
            case "technical" | "management":
                users += with_role(ruleset, kind)
            case "group":
                others["group"] = group
            case "customer":
                others["customer"] = ticket.customer_id if ticket is not None else None
    return {"users": list(dict.fromkeys(user for user in users if user is not None)), **others}


def supervisors(ruleset: Ruleset, desk: str | None, group: str | None) -> tuple[str, ...]:
    """The supervisor of the desk, then those of the group, each once."""
    named, own = ruleset.roster.desks.get(desk or ""), ruleset.roster.groups.get(group or "")
    found = (*((named.supervisor,) if named is not None else ()), *(own.supervisors if own is not None else ()))
    return tuple(dict.fromkeys(found))


def with_role(ruleset: Ruleset, role: str) -> tuple[str, ...]:
    """The users with this role, in file order."""
    return tuple(user.id for user in ruleset.roster.users.values() if user.role == role)
