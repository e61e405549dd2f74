"""Which rules fire at an event, what holds others back, and what their actions become."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from rules_service.decide.attributes import Facts, row_of
from rules_service.decide.draft import Draft
from rules_service.decide.holding import hold
from rules_service.decide.telling import told
from rules_service.durations import format_duration
from rules_service.messages import Dotted, render, render_within
from rules_service.rules import IRREGULAR, PLACEMENTS, ActionSpec, Limit, Row, Rule
from rules_service.ruleset import Ruleset
from rules_service.tickets import SYSTEM, Action, Event, Firing, RuleMemory, Snapshot

_HOUR = dt.timedelta(hours=1)
_DAY = dt.timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Brakes:
    """Limits against loops through the world outside."""

    replies_an_hour: int = 10
    firings_a_day: int = 100
    #: A rule that fires more often than this within the window only shadows from then on.
    firings_a_rule: int = 500
    rule_window_s: int = 600


@dataclass(slots=True)
class Chain:
    """What the events of one chain share: who fired already, and whether a `stop` was met."""

    fired: set[str]
    #: (order, id) of the rule that said `stop`; rules after it are held back.
    stopped_by: Rule | None = None
    #: The instant on which they are judged; None until the first is.
    judged_at: dt.datetime | None = None


def fire_rules(draft: Draft, chain: Chain, brakes: Brakes) -> None:
    """Judges every rule that the event concerns on one row, and lets those that may act."""
    if not draft.ticket.live or draft.event.type == "ticket.imported":
        _prime(draft)
        return
    irregular = draft.outcome == "irregular"
    if chain.judged_at is None:
        chain.judged_at = _judged_at(draft)
    draft.judged_at = chain.judged_at
    rules = draft.ruleset.rules
    snapshot = _after(draft)
    facts = Facts(
        ruleset=draft.ruleset, snapshot=snapshot, ticket=draft.ticket, event=replace(draft.event, actor=draft.actor),
        now=chain.judged_at, irregular=irregular,
    )  # fmt: skip
    row = row_of(facts, rules.needs(draft.event.type, irregular=irregular))
    draft.row = row
    matching = rules.matching(draft.event.type, row, irregular=irregular)
    memory = _rearmed(draft, {rule.id for rule in matching})
    used: set[str] = set()
    for rule in matching:
        remembered = memory.get(rule.id) or RuleMemory(when_hash=rule.when_hash)
        again = rule.on or not remembered.spent
        if not again and not repeat_is_due(draft.ruleset, draft.ticket.desk, rule, remembered, draft.now):
            continue
        because = {name: _plain(row.get(name)) for name in sorted(rules.reads[rule.id])}
        held_back = _held_back(draft, rule, remembered, chain, brakes)
        if held_back is None:
            if not rule.on or rule.limit is not None:
                memory[rule.id] = _fired(remembered, rule, draft)
            _fire(draft, rule, because, facts, chain, used, brakes)
        else:
            draft.firings.append(Firing(rule_id=rule.id, outcome="held_back", reason=held_back, because=because))
            if remembered.spent:
                memory[rule.id] = replace(remembered, held_back_at=draft.now)
    draft.memory = memory


def _fire(
    draft: Draft, rule: Rule, because: Mapping[str, Any], facts: Facts, chain: Chain, used: set[str], brakes: Brakes
) -> None:
    """Carries out one rule, or only notes that it would have been, where it shadows."""
    chain.fired.add(rule.id)
    draft.firings_at = (*(at for at in draft.firings_at if draft.now - at < _DAY), draft.now)
    shadow = rule.mode == "shadow" or rule.id in draft.ruleset.braked
    draft.firings.append(
        Firing(
            rule_id=rule.id,
            outcome="shadow" if shadow else "fired",
            reason=draft.event.type if rule.on else "its conditions became true",
            because=because,
            notes=() if shadow else tuple(_act(draft, rule, facts, used, brakes)),
        )
    )
    if rule.stop and chain.stopped_by is None and not shadow:
        chain.stopped_by = rule


def _judged_at(draft: Draft) -> dt.datetime:
    """Now; or the time of a deadline, so that what it brings is judged as it was then. Never before the last time."""
    if draft.event.cause != "deadline":
        return draft.now
    return max(draft.at, draft.before.judged_at or draft.at)


def repeat_is_due(ruleset: Ruleset, desk: str, rule: Rule, memory: RuleMemory, now: dt.datetime) -> bool:
    """Whether a rule that fired already fires again, its conditions having stayed true."""
    due = next_repeat_at(ruleset, desk, rule, memory)
    return due is not None and due <= now


def next_repeat_at(ruleset: Ruleset, desk: str, rule: Rule, memory: RuleMemory) -> dt.datetime | None:
    """When a rule that fired fires again if its conditions stay true; None when it does not.

    `desk` is the one in whose service hours the rule may count.
    """
    repeat = rule.repeat
    if repeat is None or not memory.fired_at or (repeat.at_most is not None and memory.fired_count >= repeat.at_most):
        return None
    # Without the time at which one was held back it would stay due, for ever.
    since = max(memory.fired_at[-1], memory.held_back_at or memory.fired_at[-1])
    return ruleset.later(desk, since, repeat.every)


def limit_ends_at(
    ruleset: Ruleset, desk: str, limit: Limit, memory: RuleMemory, stint_number: int, now: dt.datetime
) -> dt.datetime | None:
    """None while the limit allows a firing; else when it next does, `datetime.max` where time does not help."""
    never = dt.datetime.max.replace(tzinfo=dt.UTC)
    if limit.scope == "ticket":
        return never if memory.total_count >= limit.count else None
    if limit.scope == "stint":
        count = memory.stint_count if memory.stint_number == stint_number else 0
        return never if count >= limit.count else None
    assert limit.within is not None
    ends = [ruleset.later(desk, at, limit.within) for at in memory.fired_at[-limit.count :]]
    return ends[0] if len(ends) == limit.count and ends[0] > now else None


# --- memory ----------------------------------------------------------------------------------------------------------


def _after(draft: Draft) -> Snapshot:
    return replace(
        draft.before,
        ticket=draft.ticket,
        stint=draft.stint,
        clocks=tuple(draft.clocks.values()),
        escalation=draft.escalation,
        recent=draft.recent,
    )


def _prime(draft: Draft) -> None:
    """Rules that hold already are taken as spent: what stood before it was known to us does not fire."""
    if not draft.ticket.live:
        return
    memory = prime(draft.ruleset, replace(_after(draft), memory={}), draft.event, draft.now)
    draft.memory = {**draft.memory, **memory}


def prime(ruleset: Ruleset, snapshot: Snapshot, event: Event, now: dt.datetime) -> dict[str, RuleMemory]:
    """The memory of rules that are new to this ticket: spent where they hold on the ticket as it stands.

    Rules that say `catch_up: true` stay armed.
    """
    ticket = snapshot.ticket
    assert ticket is not None
    known = ruleset.predecessors.get(snapshot.ruleset_hash or "", frozenset())
    new = [
        rule
        for rule in ruleset.rules.edge_rules
        if (rule.id, rule.when_hash) not in known
        and (rule.id not in snapshot.memory or snapshot.memory[rule.id].when_hash != rule.when_hash)
    ]
    if not new:
        return {}
    names = frozenset[str]().union(*(ruleset.rules.reads[rule.id] for rule in new))
    row = row_of(Facts(ruleset=ruleset, snapshot=snapshot, ticket=ticket, event=event, now=now), names)
    return {
        rule.id: RuleMemory(when_hash=rule.when_hash, spent=True)
        for rule in new
        if not rule.catch_up and ruleset.rules.holds[rule.id](row)
    }


def _rearmed(draft: Draft, holding: set[str]) -> dict[str, RuleMemory]:
    """The memory with every rule armed again whose conditions are no longer true, or that has other conditions now."""
    memory = {}
    for rule_id, remembered in draft.memory.items():
        rule = draft.ruleset.rules.by_id.get(rule_id)
        if rule is None or rule.when_hash != remembered.when_hash:
            continue
        if not rule.on and remembered.spent and rule_id not in holding:
            remembered = replace(remembered, spent=False, fired_count=0)  # noqa: PLW2901  the next state of the same
            if rule.limit is None and not remembered.fired_at:
                continue
        memory[rule_id] = remembered
    return memory


def _fired(remembered: RuleMemory, rule: Rule, draft: Draft) -> RuleMemory:
    keep = rule.limit.count if rule.limit else 1
    same_stint = remembered.stint_number == draft.ticket.stint_number
    return replace(
        remembered,
        spent=not rule.on,
        fired_count=remembered.fired_count + 1,
        fired_at=(*remembered.fired_at, draft.now)[-keep:] if rule.limit or rule.repeat else (),
        stint_number=draft.ticket.stint_number,
        stint_count=(remembered.stint_count if same_stint else 0) + 1,
        total_count=remembered.total_count + 1,
    )


def _held_back(draft: Draft, rule: Rule, remembered: RuleMemory, chain: Chain, brakes: Brakes) -> str | None:
    """Why the rule does not act although its conditions hold; it stays armed."""
    if chain.stopped_by is not None and chain.stopped_by is not rule:
        return f'the rule "{chain.stopped_by.id}" said stop'
    if rule.id in chain.fired:
        return "it fired already in this chain of events"
    if draft.event.data.get("automated") is True and not rule.automated:
        return "the event is by a machine"
    if rule.limit is not None:
        ticket = draft.ticket
        if limit_ends_at(draft.ruleset, ticket.desk, rule.limit, remembered, ticket.stint_number, draft.now):
            return f"its limit of {rule.limit} is reached"
    recent = sum(1 for at in draft.firings_at if draft.now - at < _DAY)
    if recent >= brakes.firings_a_day:
        return f"{recent} rules fired on this ticket within a day"
    return None


# --- actions ---------------------------------------------------------------------------------------------------------


def _act(draft: Draft, rule: Rule, facts: Facts, used: set[str], brakes: Brakes) -> list[str]:
    """Turns the rule's actions into follow-up events and messages; says which were not carried out, and why."""
    notes = []
    for spec in rule.then:
        slot = _slot(spec)
        if slot is not None and slot in used:
            notes.append(f"{spec.type}: superseded by an earlier rule")
            continue
        if slot is not None:
            used.add(slot)
        note = _carry_out(draft, rule, spec, facts, brakes)
        if note is not None:
            notes.append(f"{spec.type}: {note}")
    return notes


def _slot(spec: ActionSpec) -> str | None:
    """What only one rule of a generation may set: the place of the ticket, and each field."""
    if spec.type in PLACEMENTS:
        return "placement"
    if spec.type == "set_priority" and "to" in spec.data:
        return "priority"
    return None


def _carry_out(draft: Draft, rule: Rule, spec: ActionSpec, facts: Facts, brakes: Brakes) -> str | None:
    cause = f"rule:{rule.id}"
    data = spec.data

    def ask(kind: str, asked: Mapping[str, Any]) -> None:
        draft.follow(kind, asked, cause=cause, actor=SYSTEM, request=True)

    match spec.type:
        case "set_priority":
            ask("ticket.updated", {"priority": data["to"]} if "to" in data else {"priority_at_least": data["at_least"]})
        case "add_tags" | "remove_tags":
            ask("ticket.updated", {spec.type: list(data["tags"])})
        case "set":
            custom = {key.removeprefix("custom."): value for key, value in data.items() if key.startswith("custom.")}
            asked: dict[str, Any] = {"custom": custom} if custom else {}
            if "customer.tier" in data:
                asked["customer"] = {"tier": data["customer.tier"]}
            ask("ticket.updated", asked)
        case "reassign":
            ask("ticket.assigned", {"wanted": dict(data)})
        case "transfer":
            ask("ticket.transferred", dict(data))
        case "escalate":
            asked = {"summary": _text(draft, data["summary"], facts), "reason": _why(draft, rule)}
            ask("ticket.escalated", {**asked, **{key: data[key] for key in ("policy", "start_at") if key in data}})
        case "close" | "reopen":
            ask("ticket.closed" if spec.type == "close" else "ticket.reopened", {})
        case "call":
            filled = render_within(data["data"], draft.ruleset.texts, values(facts))
            draft.act("call", cause, **{**data, "data": filled})
        case _:
            return _say(draft, rule, spec, facts, brakes)
    return None


def _why(draft: Draft, rule: Rule) -> str:
    """The reason of an escalation: the breach, which a late report may take back; else the rule."""
    clock = draft.event.data.get("clock")
    return f"clock {clock}" if draft.event.type == "clock.breached" else f"rule {rule.id}"


def _say(draft: Draft, rule: Rule, spec: ActionSpec, facts: Facts, brakes: Brakes) -> str | None:
    """reply, note, alert, request_feedback: a text that goes out."""
    if spec.type in ("reply", "request_feedback"):
        draft.replies_at = tuple(at for at in draft.replies_at if draft.now - at < _HOUR)
        if len(draft.replies_at) >= brakes.replies_an_hour:
            return f"{len(draft.replies_at)} replies were sent within an hour"
        draft.replies_at = (*draft.replies_at, draft.now)
    said: dict[str, Any] = {key: spec.data[key] for key in ("to", "severity", "template") if key in spec.data}
    if "template" in said:
        template = draft.ruleset.templates[said["template"]]
        said["text"] = render(template, values(facts), draft.ticket.customer_language)
    else:
        said["text"] = _text(draft, spec.data["text"], facts)
    if spec.type == "alert":
        said |= told(draft.ruleset, said["to"], draft.ticket.desk, draft.ticket, draft.escalation)
    action = Action(type=spec.type, data=said, cause=f"rule:{rule.id}")
    draft.actions.append(hold(draft.ruleset, action, spec.data, draft.ticket.desk, draft.now))
    return None


def _text(draft: Draft, source: str, facts: Facts) -> str:
    template = draft.ruleset.texts.get(source)
    return source if template is None else render(template, values(facts))


def values(facts: Facts) -> Mapping[str, Any]:
    """What a template may name: the attributes, nested by their dots, durations as people write them."""
    ticket = facts.ticket
    person = facts.ruleset.roster.users.get(ticket.assignee or "")
    named = {
        "ticket.id": ticket.id,
        "customer.name": ticket.customer_name,
        "assignee.id": ticket.assignee,
        "assignee.name": person.name if person else None,
    }

    def value(name: str) -> Any:
        if name in named:
            return named[name]
        if name == "eta":
            return _eta(facts)
        attribute = facts.ruleset.rules.vocabulary.attributes.get(name)
        return None if attribute is None else spoken(row_of(facts, (name,)).get(name), attribute.unit)

    return Dotted(value)


def _eta(facts: Facts) -> str | None:
    """The estimated time to a resolution: the target of the resolution clock. Source: R3.37."""
    clock = next((clock for clock in facts.snapshot.clocks if clock.name == "resolution"), None)
    return spoken(clock.target_s, "s") if clock else None


def spoken(value: Any, unit: str | None) -> Any:
    """A value as people write it: durations with units, sets as sorted lists."""
    if unit == "s" and isinstance(value, int | float):
        return format_duration(value)
    return sorted(value) if isinstance(value, frozenset) else value


def _plain(value: Any) -> Any:
    if isinstance(value, frozenset):
        return sorted(value)
    return value if not isinstance(value, str) else value[:200]


__all__ = ["IRREGULAR", "Brakes", "Chain", "Row", "fire_rules", "limit_ends_at", "next_repeat_at", "prime", "values"]
