"""Rules that keep each other going: what one changes or causes makes another act, round and round.

Within one chain of events a rule fires once, so that such rules do not hang; they begin again with the next event.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from rules_service.problems import Problem
from rules_service.rules import ActionSpec, Atom, Attribute, Conjunction, Literal, Rule, attributes_of
from rules_service.ruleset.checks.allowed import rows_for
from rules_service.ruleset.checks.study import Study
from rules_service.tickets import PRIORITIES

#: Pairs of an action and a rule that are reasoned about in one group of rules; a larger group is not judged.
MOST_PAIRS = 20_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """An event that an action causes, and what it leaves behind."""

    event: str
    #: Attribute -> the values that it can have then.
    sets: tuple[tuple[str, frozenset[str | int | float | bool]], ...] = ()
    #: Attributes that change to nobody knows what.
    changes: frozenset[str] = frozenset()
    adds: frozenset[str] = frozenset()
    removes: frozenset[str] = frozenset()
    #: Whether the same action taken again changes nothing more.
    settles: bool = True

    def undoes(self, other: Effect) -> bool:
        """Whether after this the other's action has something to do again."""
        if self.adds & other.removes or self.removes & other.adds:
            return True
        theirs = dict(other.sets)
        return any(name in theirs and values.isdisjoint(theirs[name]) for name, values in self.sets)


@dataclass(frozen=True, slots=True)
class _Step:
    """One rule makes another act."""

    source: str
    target: str
    effect: Effect


@dataclass(slots=True)
class _Graph:
    """Who makes whom act, for one group of rules."""

    study: Study
    effects: Mapping[str, tuple[Effect, ...]]
    rules: Mapping[str, Rule]
    _known: dict[tuple[Effect, str], bool] = field(default_factory=dict)

    def steps(self, names: Iterable[str]) -> list[_Step]:
        """Every step between these rules that can be taken again and again."""
        members = list(names)
        effects = [effect for name in members for effect in self.effects[name]]
        undone = {effect for effect in set(effects) if any(other.undoes(effect) for other in set(effects))}
        return [
            _Step(source, target, effect)
            for source in members
            for effect in self.effects[source]
            for target in members
            if (effect in undone or (not effect.settles and self.rules[target].on))
            and (source != target or self.rules[target].on)
            and self._makes(effect, target)
        ]

    def _makes(self, effect: Effect, target: str) -> bool:
        key = (effect, target)
        if key not in self._known:
            self._known[key] = self._acts(effect, self.rules[target])
        return self._known[key]

    def _acts(self, effect: Effect, rule: Rule) -> bool:
        if rule.on and effect.event not in rule.on:
            return False
        left = self._left(effect)
        for alternative in self.study.alternatives[rule.id]:
            if not rule.on and not any(_turned(effect, literal) for literal in alternative):
                continue
            if self.study.possible.contradiction((*alternative, *left)) is None:
                return True
        return False

    def _left(self, effect: Effect) -> Conjunction:
        """What is so after the action."""
        vocabulary = self.study.ruleset.rules.vocabulary
        left = [
            Literal(Atom("event.type", "is", effect.event), True),
            Literal(Atom("event.actor.role", "is", "system"), True),
            Literal(Atom("event.automated", "is", False), True),
        ]
        left += [
            Literal(Atom(name, "in", values), True)
            for name, values in effect.sets
            if (attribute := vocabulary.find(name)) is not None and _comparable(attribute, values)
        ]
        if effect.adds:
            left.append(Literal(Atom("ticket.tags", "contains_all", effect.adds), True))
        if effect.removes:
            left.append(Literal(Atom("ticket.tags", "contains_any", effect.removes), False))
        return tuple(left)


def _comparable(attribute: Attribute, values: Iterable[object]) -> bool:
    kinds: Mapping[str, tuple[type, ...]] = {"text": (str,), "choice": (str,), "number": (int, float)}
    return all(type(value) in kinds.get(attribute.kind, ()) for value in values)


def _turned(effect: Effect, literal: Literal) -> bool:
    """Whether the effect may make the literal true."""
    part = literal.part
    if not isinstance(part, Atom):
        return bool(attributes_of(part) & ({name for name, _ in effect.sets} | effect.changes | {"ticket.tags"}))
    if part.attribute == "ticket.tags":
        return bool(frozenset(part.value) & (effect.adds if literal.holds else effect.removes))
    return part.attribute in effect.changes or part.attribute in dict(effect.sets)


def endless(study: Study) -> Iterator[Problem]:
    """One warning for each group of rules without a limit that can go round, at the first of them."""
    rules = {rule.id: rule for rule in study.live_rules() if rule.limit is None}
    effects = {name: tuple(_effects(study, rule)) for name, rule in rules.items()}
    graph = _Graph(study, effects, rules)
    waiting = [[name for name in rules if effects[name]]]
    while waiting:
        names = waiting.pop()
        for group in _components(_coarse(names, effects, rules)):
            members = [name for name in names if name in group]
            lasting = _lasting(members, effects)
            if len(lasting) < len(members):
                waiting.append(lasting)
            elif sum(len(effects[name]) for name in members) * len(members) <= MOST_PAIRS:
                yield from _rounds(study, graph, members)


def _lasting(names: list[str], effects: Mapping[str, tuple[Effect, ...]]) -> list[str]:
    """The rules of which some effect does not settle for good among these."""
    distinct = {effect for name in names for effect in effects[name]}
    adds = frozenset[str]().union(*(effect.adds for effect in distinct))
    removes = frozenset[str]().union(*(effect.removes for effect in distinct))
    values: dict[str, set[frozenset[str | int | float | bool]]] = {}
    for effect in distinct:
        for name, given in effect.sets:
            values.setdefault(name, set()).add(given)

    def lasts(effect: Effect) -> bool:
        if not effect.settles or effect.adds & removes or effect.removes & adds:
            return True
        return any(given.isdisjoint(other) for name, given in effect.sets for other in values[name])

    return [name for name in names if any(lasts(effect) for effect in effects[name])]


def _rounds(study: Study, graph: _Graph, names: list[str]) -> Iterator[Problem]:
    steps = graph.steps(names)
    follows: dict[str, set[str]] = {name: set() for name in names}
    for step in steps:
        follows[step.source].add(step.target)
    for group in _components(follows):
        members = [name for name in names if name in group]
        if len(members) < len(names):
            yield from _rounds(study, graph, members)
            continue
        if len(members) == 1:
            message = f'"{members[0]}" can trigger itself without end; give it a limit, or conditions that end it'
        else:
            arrows = " -> ".join(_way_round(members[0], follows))
            message = f"these rules can trigger each other without end: {arrows}; limit one, or end it by conditions"
        yield study.place("rules", members[0]).at("id").warning("endless", message)


def _way_round(start: str, follows: Mapping[str, set[str]]) -> list[str]:
    """The shortest way from a rule back to itself."""
    before: dict[str, str] = {}
    edge = [start]
    while start not in before:
        found = []
        for name in edge:
            for following in sorted(follows[name]):
                if following not in before:
                    before[following] = name
                    found.append(following)
        edge = found
    way = [start]
    while len(way) == 1 or way[-1] != start:
        way.append(before[way[-1]])
    return way[::-1]


# --- what actions do -------------------------------------------------------------------------------------------------


def _effects(study: Study, rule: Rule) -> Iterator[Effect]:
    for action in rule.then:
        data = action.data
        match action.type:
            case "set_priority":
                least = PRIORITIES.index(data["at_least"]) if "at_least" in data else None
                values = PRIORITIES[least:] if least is not None else (data["to"],)
                yield Effect(event="ticket.updated", sets=(("ticket.priority", frozenset(values)),))
            case "add_tags":
                yield Effect(event="ticket.updated", adds=frozenset(data["tags"]))
            case "remove_tags":
                yield Effect(event="ticket.updated", removes=frozenset(data["tags"]))
            case "set":
                sets = tuple((_attribute(name), frozenset({value})) for name, value in sorted(data.items()))
                yield Effect(event="ticket.updated", sets=sets)
            case "reassign" | "transfer" | "close" | "reopen" | "escalate" if rows_for(study, action):
                yield from _moves(study, action)


def _attribute(field_name: str) -> str:
    return f"ticket.{field_name}" if field_name.startswith("custom.") else field_name


def _moves(study: Study, action: ActionSpec) -> Iterator[Effect]:
    """Effects of what the lifecycle decides about."""
    data, roster = action.data, study.ruleset.roster
    targets = frozenset[str | int | float | bool](
        row.target for row in rows_for(study, action) if row.target is not None
    )
    status = (("ticket.status", targets),) if targets else ()
    times = frozenset({"time.in_status", "time.queued", "time.assigned"})
    given = Effect(event="ticket.assigned", changes=frozenset({"ticket.assignee", "ticket.level"}) | times)
    match action.type:
        case "close":
            yield Effect(event="ticket.closed", sets=status, changes=times)
        case "reopen":
            yield Effect(event="ticket.reopened", sets=status, changes=times)
        case "escalate":
            sets = (("ticket.escalated", frozenset({True})),)
            yield Effect(event="ticket.escalated", sets=sets, changes=frozenset({"time.escalated"}), settles=False)
        case "transfer":
            desk = roster.desks.get(data.get("desk", ""))
            group = desk.group if desk else data["group"]
            where = (
                ("ticket.group", frozenset({group})),
                *((("ticket.desk", frozenset({desk.name})),) if desk else ()),
            )
            yield Effect(event="ticket.transferred", sets=(*status, *where), changes=times, settles=False)
            # Distribution gives it to somebody there.
            yield Effect(event=given.event, sets=where, changes=given.changes, settles=False)
        case "reassign":
            named = {"to": "ticket.assignee", "level": "ticket.level"}
            who = tuple((name, frozenset({data[key]})) for key, name in named.items() if key in data)
            # Whoever holds it is passed over, so that without a name it is somebody else each time.
            yield Effect(event=given.event, sets=(*status, *who), changes=given.changes, settles="to" in data)


# --- graphs ----------------------------------------------------------------------------------------------------------


def _coarse(
    names: Iterable[str], effects: Mapping[str, tuple[Effect, ...]], rules: Mapping[str, Rule]
) -> dict[Hashable, set[Hashable]]:
    """Rules, and between them the events and attributes by which one may reach another: few edges for many rules."""
    follows: dict[Hashable, set[Hashable]] = {}
    for name in names:
        rule = rules[name]
        reached = follows.setdefault(name, set())
        for effect in effects[name]:
            reached.add(("event", effect.event))
            reached |= {("attribute", changed) for changed, _ in effect.sets}
            reached |= {("attribute", changed) for changed in effect.changes}
            if effect.adds or effect.removes:
                reached.add(("attribute", "ticket.tags"))
        heard = {("event", event) for event in rule.on} or {("attribute", read) for read in attributes_of(rule.when)}
        for source in heard:
            follows.setdefault(source, set()).add(name)
    return follows


def _components(follows: Mapping[Hashable, set[Hashable]] | Mapping[str, set[str]]) -> list[set[Hashable]]:
    """The groups of nodes that all reach each other and themselves (Tarjan), without recursion."""
    graph: Mapping[Hashable, set[Hashable]] = follows  # type: ignore[assignment]
    number: dict[Hashable, int] = {}
    low: dict[Hashable, int] = {}
    stack: list[Hashable] = []
    on_stack: set[Hashable] = set()
    found = []
    for root in graph:
        if root in number:
            continue
        work = [(root, iter(graph.get(root, ())))]
        number[root] = low[root] = len(number)
        stack.append(root)
        on_stack.add(root)
        while work:
            node, rest = work[-1]
            following = next(rest, None)
            if following is None:
                work.pop()
                if work:
                    low[work[-1][0]] = min(low[work[-1][0]], low[node])
                if low[node] == number[node]:
                    group: set[Hashable] = set()
                    while node not in group:
                        group.add(stack.pop())
                    on_stack -= group
                    if len(group) > 1 or node in graph.get(node, ()):
                        found.append(group)
            elif following not in number:
                number[following] = low[following] = len(number)
                stack.append(following)
                on_stack.add(following)
                work.append((following, iter(graph.get(following, ()))))
            elif following in on_stack:
                low[node] = min(low[node], number[following])
    return found
