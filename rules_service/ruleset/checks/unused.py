"""Definitions that nothing uses, and variables that have no value."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from rules_service.problems import Place, Problem
from rules_service.rules import atoms_of
from rules_service.ruleset.checks.study import Study, comparisons
from rules_service.ruleset.endpoints import unset_variables

#: Actions that come about without any rule: people ask for them, or the service itself has something to say.
_WITHOUT_RULES = frozenset({"reassign", "transfer", "close", "reopen", "escalate", "alert"})

#: Section -> what is said of a definition that nothing uses.
_SAID: Mapping[str, str] = {
    "keywords": 'no condition looks for the keyword list "{}"',
    "templates": 'no action sends the template "{}"',
    "calendars": 'no desk keeps the calendar "{}"',
    "endpoints": 'no action reaches the endpoint "{}"',
    "escalation_policies": 'no rule and no group names the escalation policy "{}"',
}


def unused(study: Study) -> Iterator[Problem]:
    """Warnings at definitions that no rule, desk or group names; what a rule with `mode: off` names is used."""
    for section, names in _used(study).items():
        for name, (_, place) in study.definitions[section].items():
            if name not in names:
                yield place.warning("unused", _SAID[section].format(name), key=True)


def _used(study: Study) -> dict[str, frozenset[str]]:
    ruleset = study.ruleset
    actions = [action for rule in ruleset.rules.rules for action in rule.then]
    texts = frozenset(_texts_of_rules_that_are_off(study))
    desks, groups = ruleset.roster.desks.values(), ruleset.roster.groups.values()
    types = {*_WITHOUT_RULES, *(action.type for action in actions), *texts}
    named = frozenset(text.partition(":")[2] for action in actions for text in _texts(action.data.get("to")))
    looked_for = {
        atom.value for rule in ruleset.rules.rules for atom in atoms_of(rule.when) if atom.operator == "keywords"
    } | {
        str(value)
        for data, place in study.definitions["sla_policies"].values()
        for _, operator, value, _ in comparisons(data.get("when") if isinstance(data, dict) else None, place)
        if operator == "keywords"
    }
    return {
        "keywords": texts | looked_for,
        "templates": texts | {action.data["template"] for action in actions if "template" in action.data},
        # `always` is there without being defined; to define it is to change what it means.
        "calendars": frozenset({"always", *(desk.calendar for desk in desks)}),
        "endpoints": named
        | {name for name, endpoint in ruleset.endpoints.items() if any(endpoint.wants(kind) for kind in types)},
        "escalation_policies": texts
        | {action.data["policy"] for action in actions if "policy" in action.data}
        | {group.escalation for group in groups if group.escalation is not None},
    }


def _texts_of_rules_that_are_off(study: Study) -> Iterator[str]:
    for name, (data, _) in study.definitions["rules"].items():
        if name not in study.ruleset.rules.by_id:
            yield from _texts(data)


def _texts(value: object) -> Iterator[str]:
    """Every text within a plain value, keys included."""
    match value:
        case str():
            yield value
        case list() | tuple():
            for item in value:
                yield from _texts(item)
        case dict():
            for key, item in value.items():
                yield str(key)
                yield from _texts(item)


def unset(study: Study, variables: Mapping[str, str]) -> Iterator[Problem]:
    """A warning at the first use of each variable in a definition that is unset or empty."""
    for section, fate in (("endpoints", "nothing is delivered there"), ("connectors", "the helpdesk is not reached")):
        for data, place in study.definitions[section].values():
            seen: set[str] = set()
            for text, where in _placed(data, place):
                for name in unset_variables(text, variables):
                    if name not in seen:
                        seen.add(name)
                        yield where.warning("unset-variable", f"the variable {name} is not set: {fate}")


def _placed(value: object, place: Place) -> Iterator[tuple[str, Place]]:
    steps: Iterable[tuple[str | int, object]] = ()
    if isinstance(value, str):
        yield value, place
    elif isinstance(value, list):
        steps = enumerate(value)
    elif isinstance(value, dict):
        steps = value.items()
    for step, item in steps:
        yield from _placed(item, place.at(step))
