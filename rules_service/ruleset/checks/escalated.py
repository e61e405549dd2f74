"""Service levels whose breach nobody hears of. Source: R2.19, "SLA breaches must always be escalated"."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from rules_service.problems import Place, Problem
from rules_service.rules import Atom, Conjunction, Literal, Rule, attributes_of
from rules_service.ruleset.checks.study import Study

_BREACHED = "clock.breached"


def unescalated(study: Study) -> Iterator[Problem]:
    """Warnings at targets without a rule that escalates their breach: at that event, or as soon as it holds."""
    escalating = [rule for rule in study.live_rules() if any(action.type == "escalate" for action in rule.then)]
    for policy in study.ruleset.sla_policies:
        tickets = study.holding(study.written_of_policy[policy.id])
        place = study.place("sla_policies", policy.id).at("targets")
        if tickets:
            yield from _targets(study, policy.targets_s, tickets, escalating, place)
    for desk in study.ruleset.roster.desks.values():
        of_desk = (
            Literal(Atom("ticket.desk", "is", desk.name), True), Literal(Atom("ticket.group", "is", desk.group), True),
        )  # fmt: skip
        yield from _targets(study, desk.sla_s, [of_desk], escalating, study.place("desks", desk.name).at("sla"))


def _targets(
    study: Study, targets: Iterable[str], tickets: Iterable[Conjunction], escalating: list[Rule], place: Place
) -> Iterator[Problem]:
    for clock in targets:
        if not any(_escalates(study, rule, clock, one) for one in tickets for rule in escalating):
            message = (
                f"no rule escalates a breach of {clock}; write one with "
                f"`when: {{sla.{clock}.state: breached}}` and the action escalate"
            )
            yield place.at(clock).warning("sla-unescalated", message, key=True)


def _escalates(study: Study, rule: Rule, clock: str, ticket: Conjunction) -> bool:
    """Whether the rule may fire when the clock of such a ticket breaches."""
    read = {f"sla.{clock}.state", f"sla.{clock}.used_pct", f"sla.{clock}.remaining"}
    breached: Conjunction = (
        Literal(Atom(f"sla.{clock}.state", "is", "breached"), True),
        Literal(Atom(f"sla.{clock}.used_pct", "at_least", 100), True),
        Literal(Atom(f"sla.{clock}.remaining", "at_most", 0), True),
    )
    if rule.on:
        if _BREACHED not in rule.on:
            return False
        breached += (
            Literal(Atom("event.type", "is", _BREACHED), True), Literal(Atom("event.clock", "is", clock), True),
        )  # fmt: skip
    return any(
        (rule.on or not read.isdisjoint(_read(alternative)))
        and study.possible.contradiction((*alternative, *ticket, *breached)) is None
        for alternative in study.alternatives[rule.id]
    )


def _read(alternative: Conjunction) -> Iterator[str]:
    """The attributes of a conjunction; those of a group that it holds as one truth too."""
    for literal in alternative:
        yield from attributes_of(literal.part)
