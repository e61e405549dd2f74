"""Actions that the lifecycle can never carry out, because no row lets the service itself do so."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from rules_service.machines import Transition
from rules_service.problems import Problem
from rules_service.rules import ActionSpec, Atom, Literal, Rule
from rules_service.ruleset.checks.study import Study

#: Action -> the triggers that it may become, and what it hands to them beside its own parameters.
_TRIGGERS: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "close": (("close",), ()),
    "reopen": (("reopen",), ()),
    "transfer": (("transfer",), ()),
    "reassign": (("assign", "reassign"), ("assignee",)),
    "escalate": (("escalate",), ("reason",)),
}


def never_allowed(study: Study) -> Iterator[Problem]:
    """Warnings at actions that are refused in every state, or in every one that the rule's conditions leave."""
    for rule in study.ruleset.rules.rules:
        moves = [(index, action) for index, action in enumerate(rule.then) if action.type in _TRIGGERS]
        statuses = _statuses(study, rule) if moves else frozenset()
        for index, action in moves:
            rows = rows_for(study, action)
            place = study.place("rules", rule.id).at("then", index, action.type)
            if not rows:
                message = f'"{action.type}" is never carried out: no row of the lifecycle lets the system do it'
                yield place.warning("never-allowed", message, key=True)
            elif statuses and statuses.isdisjoint(row.source for row in rows) and not _moved(study, action, rows):
                only = ", ".join(sorted(statuses))
                message = f'"{action.type}" is never carried out: no row lets the system do it in the status {only}'
                yield place.warning("never-allowed", message, key=True)


def rows_for(study: Study, action: ActionSpec) -> list[Transition]:
    """The rows by which the lifecycle can carry an action out; empty for one that is no matter of the lifecycle."""
    triggers, given = _TRIGGERS.get(action.type, ((), ()))
    known = {*given, *action.data}
    return [
        row
        for row in study.ruleset.lifecycle.rows
        if row.trigger in triggers and "system" in row.roles and "is_assignee" not in row.guards
        and known.issuperset(row.requires)
    ]  # fmt: skip


def _statuses(study: Study, rule: Rule) -> frozenset[str]:
    """The statuses in which the rule's conditions can hold."""
    about = {
        tuple(one for one in alternative if isinstance(one.part, Atom) and one.part.attribute == "ticket.status")
        for alternative in study.alternatives[rule.id]
    }
    return frozenset(
        status
        for status in study.ruleset.lifecycle.states
        if study.holding((*one, Literal(Atom("ticket.status", "is", status), True)) for one in about)
    )


def _moved(study: Study, action: ActionSpec, rows: Collection[Transition]) -> bool:
    """Whether any other action may bring the ticket to where one of `rows` starts, before this one's turn comes."""
    sources = {row.source for row in rows}
    others = (other for rule in study.live_rules() for other in rule.then if other is not action)
    return any(row.target in sources for other in others for row in rows_for(study, other))
