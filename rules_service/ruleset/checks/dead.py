"""Rules and SLA policies that never come to anything: by their own conditions, or by what stands before them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence

from rules_service.problems import Problem, hint
from rules_service.rules import Conjunction, Rule
from rules_service.ruleset.checks.study import Study, comparisons, heard

#: Pairs of definitions that are reasoned about; of those beyond, only comparisons that are the same word by word count.
MOST_PAIRS = 20_000

_EQUAL = ("is", "is_not", "in", "not_in")


def never_matching(study: Study) -> Iterator[Problem]:
    """Values that an attribute never has, and conditions that nothing can meet."""
    for rule in study.ruleset.rules.rules:
        impossible = list(_impossible(study, "rules", rule.id))
        yield from impossible
        if not impossible and not study.alternatives[rule.id]:
            message = f'the rule "{rule.id}" can never fire: {_reason(study, study.written[rule.id])}'
            yield study.place("rules", rule.id).at("when").warning("never-matches", message)
    for policy in study.ruleset.sla_policies:
        impossible = list(_impossible(study, "sla_policies", policy.id))
        yield from impossible
        written = study.written_of_policy[policy.id]
        if not impossible and not study.holding(written):
            message = f'the SLA policy "{policy.id}" can never apply: {_reason(study, written)}'
            yield study.place("sla_policies", policy.id).at("when").warning("never-matches", message)


def _impossible(study: Study, section: str, name: str) -> Iterator[Problem]:
    data, place = study.definitions[section][name]
    when = data.get("when") if isinstance(data, dict) else None
    for attribute, operator, value, where in comparisons(when, place.at("when")):
        values = study.domain(attribute).values
        if operator in _EQUAL and values is not None and isinstance(value, str) and value not in values:
            yield where.warning("never-matches", f'{attribute} is never "{value[:60]}"{hint(value, values)}')


def _reason(study: Study, written: Sequence[Conjunction]) -> str:
    names = dict.fromkeys(name for one in written if (name := study.possible.contradiction(one)) is not None)
    missing = next((name for name in names if study.domain(name).never), None)
    if missing is not None:
        clock = missing.split(".")[1]
        return f"{missing} has no value, because nothing sets a target for the clock {clock}"
    known = " and of ".join(name for name in names if name != "this")
    return f"no value of {known} meets its conditions" if known else "its conditions exclude each other"


def shadowed(study: Study) -> Iterator[Problem]:
    """Rules that an earlier `stop` always keeps from acting, and SLA policies whose tickets an earlier one takes.

    Only a rule with `on:` and without a limit stops every time; one without `on:` stops once, until it is armed again.
    """
    budget = [MOST_PAIRS]
    stops: list[Rule] = []
    for rule in study.ruleset.rules.rules:
        for stop in stops if rule.on else ():
            if not stop.on >= rule.on or (rule.automated and not stop.automated):
                continue
            if _covered(study, study.alternatives[rule.id], study.written[stop.id], budget, len(heard(stop))):
                where = study.place("rules", stop.id)
                message = f'the rule "{rule.id}" can never fire: "{stop.id}" at {where} stops before it each time'
                yield study.place("rules", rule.id).at("id").warning("shadowed", message)
                break
        if rule.stop and rule.on and rule.limit is None and rule.mode == "live":
            stops.append(rule)
    earlier: list[str] = []
    for policy in study.ruleset.sla_policies:
        alternatives = study.holding(study.written_of_policy[policy.id])
        for before in earlier:
            if _covered(study, alternatives, study.written_of_policy[before], budget):
                where = study.place("sla_policies", before)
                message = f'the SLA policy "{policy.id}" can never apply: "{before}" at {where} comes first'
                yield study.place("sla_policies", policy.id).at("id").warning("shadowed", message)
                break
        earlier.append(policy.id)


def _covered(
    study: Study,
    alternatives: Collection[Conjunction],
    by: Iterable[Conjunction],
    budget: list[int],
    last: int = 0,
) -> bool:
    """Whether wherever one of `alternatives` holds, one of `by` does too; nothing that never holds is covered.

    The `last` literals of each of `by` say what its rule listens to, which is compared already.
    """
    if not alternatives:
        return False
    takes = [one[: len(one) - last] for one in by]
    for alternative in alternatives:
        written = frozenset(alternative)
        if any(written.issuperset(one) for one in takes):
            continue
        names = {getattr(literal.part, "attribute", None) for literal in alternative}
        for one in takes:
            if budget[0] <= 0 or not names.issuperset(getattr(literal.part, "attribute", None) for literal in one):
                continue
            budget[0] -= 1
            if study.possible.implies(alternative, one):
                break
        else:
            return False
    return True
