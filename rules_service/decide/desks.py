"""Rules for desks: judged on a desk's own figures, fired once for the desk. Source: R3.45, R3.46."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from rules_service.decide.attributes import ATTRIBUTES
from rules_service.decide.firing import limit_ends_at, repeat_is_due, spoken
from rules_service.decide.holding import hold
from rules_service.decide.telling import told
from rules_service.messages import Dotted, render, render_within
from rules_service.rules import ActionSpec, Rule
from rules_service.ruleset import Ruleset
from rules_service.tickets import Action, Firing, RuleMemory


@dataclass(frozen=True, slots=True, kw_only=True)
class DeskDecision:
    """What the rules for desks did about one desk."""

    desk: str
    row: Mapping[str, Any]
    memory: Mapping[str, RuleMemory]
    firings: tuple[Firing, ...]
    actions: tuple[Action, ...]


def decide_desk(
    ruleset: Ruleset, desk: str, figures: Mapping[str, Any], memory: Mapping[str, RuleMemory], now: dt.datetime
) -> DeskDecision:
    """Judges every rule for desks on the desk's `figures` (attributes that only the database knows) at `now`."""
    row = {
        "desk.name": desk,
        "desk.group": ruleset.roster.desks[desk].group,
        "desk.open": ruleset.calendar_of_desk(desk).is_open(now),
        **figures,
    }
    kept: dict[str, RuleMemory] = {}
    firings: list[Firing] = []
    actions: list[Action] = []
    for rule in ruleset.rules.desk_rules:
        remembered = memory.get(rule.id)
        if remembered is None or remembered.when_hash != rule.when_hash:
            remembered = RuleMemory(when_hash=rule.when_hash)
        if not ruleset.rules.holds[rule.id](row):
            if remembered.spent or remembered.fired_at:
                kept[rule.id] = replace(remembered, spent=False, fired_count=0)
            continue
        kept[rule.id] = remembered
        if remembered.spent and not repeat_is_due(ruleset, desk, rule, remembered, now):
            continue
        because = {name: row.get(name) for name in sorted(ruleset.rules.reads[rule.id])}
        if rule.limit is not None and limit_ends_at(ruleset, desk, rule.limit, remembered, 0, now) is not None:
            continue
        kept[rule.id] = _fired(rule, remembered, now)
        shadow = rule.mode == "shadow" or rule.id in ruleset.braked
        outcome: Literal["shadow", "fired"] = "shadow" if shadow else "fired"
        reason = "its conditions became true"
        firings.append(Firing(rule_id=rule.id, outcome=outcome, reason=reason, because=because))
        if not shadow:
            actions += [_action(ruleset, rule.id, spec, row, now) for spec in rule.then]
    return DeskDecision(desk=desk, row=row, memory=kept, firings=tuple(firings), actions=tuple(actions))


def _fired(rule: Rule, remembered: RuleMemory, now: dt.datetime) -> RuleMemory:
    keep = rule.limit.count if rule.limit else 1
    return replace(
        remembered,
        spent=True,
        fired_count=remembered.fired_count + 1,
        fired_at=(*remembered.fired_at, now)[-keep:],
        total_count=remembered.total_count + 1,
    )


def _action(ruleset: Ruleset, rule_id: str, spec: ActionSpec, row: Mapping[str, Any], now: dt.datetime) -> Action:
    desk = row["desk.name"]
    said = {key: value for key, value in spec.data.items() if key not in ("digest", "defer")}

    def value(name: str) -> Any:
        unit = ATTRIBUTES[name].attribute.unit if name in ATTRIBUTES else None
        return spoken(row[name], unit) if name in row else None

    if "template" in said:
        said["text"] = render(ruleset.templates[said["template"]], Dotted(value))
    elif "text" in said and said["text"] in ruleset.texts:
        said["text"] = render(ruleset.texts[said["text"]], Dotted(value))
    elif "data" in said:
        said["data"] = render_within(said["data"], ruleset.texts, Dotted(value))
    if spec.type == "alert":
        said |= told(ruleset, said["to"], desk, None, None)
    action = Action(type=spec.type, data={"desk": desk, **said}, cause=f"rule:{rule_id}")
    return hold(ruleset, action, spec.data, desk, now)
