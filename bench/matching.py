"""Matching of one row against many rules: ours, and other engines on the same rules and rows, as ratios of one run.

    python bench/matching.py [RULES ...]

Needs the extra `bench`. Every engine's answers are checked against ours on all rows before anything is timed. The
others are given rows already in the shape they like best, each rule compiled beforehand; zen is given all rules as one
list expression, which is its best use, the rest are called rule by rule. CEL is measured twice: the implementation in
Python, and the binding to one in Rust. What is not installed is left out.
"""

from __future__ import annotations

import random
import sys
import time

from rules_service.problems import Marks, Place
from rules_service.rules.conditions import All, AnyOf, Atom, Attribute, Not, Vocabulary, parse_condition
from rules_service.rules.match import compile_match
from rules_service.rules.matcher import Matcher

ROWS = 300
REPEATS = 7
#: Seconds that one engine may take for one repeat; with more rules it is then given fewer rows.
BUDGET_S = 0.3

STATUSES = ("unassigned", "assigned", "open", "pending", "closed")
CHANNELS = ("whatsapp", "email", "phone", "twitter", "webchat", "instagram")
GROUPS = ("hotel", "flight", "train", "booking", "payment", "technical")
TIERS = ("standard", "gold", "vip")
TAGS = ("refund", "waiting", "vip", "duplicate", "partner", "complaint", "system-down", "follow-up")
LISTS = ("outage", "refund", "thanks", "angry", "payment")
NUMBERS = {
    "ticket.custom.order_value": 5_000_000,
    "ticket.transfers": 6,
    "ticket.reopens": 4,
    "customer.lifetime_value": 90_000_000,
    "sla.resolution.used_pct": 150,
}
DURATIONS = {"time.idle": 7_200, "time.age": 172_800, "sla.resolution.remaining": 86_400}


def _vocabulary():
    choices = {"ticket.status": STATUSES, "ticket.channel": CHANNELS, "ticket.group": GROUPS, "customer.tier": TIERS}
    attributes = [Attribute(name=name, kind="choice", values=found, about=name) for name, found in choices.items()]
    attributes += [Attribute(name=name, kind="number", about=name) for name in NUMBERS]
    attributes += [Attribute(name=name, kind="duration", unit="s", about=name) for name in DURATIONS]
    attributes.append(Attribute(name="event.automated", kind="bool", about="by a machine"))
    attributes.append(Attribute(name="ticket.tags", kind="set", about="tags"))
    attributes.append(Attribute(name="message.text", kind="text", about="the message"))
    return Vocabulary(attributes={one.name: one for one in attributes}, keyword_lists=frozenset(LISTS))


VOCABULARY = _vocabulary()


def random_rule(chance):
    """A `when:` of 4 to 6 comparisons, as a desk would write it."""
    when = {
        "ticket.status": chance.choice(STATUSES) if chance.random() < 0.5 else chance.sample(STATUSES, 2),
        "ticket.group": chance.choice(GROUPS) if chance.random() < 0.6 else chance.sample(GROUPS, 2),
    }
    number = chance.choice(list(NUMBERS))
    operator = chance.choice(["at_least", "more_than", "at_most", "less_than"])
    when[number] = {operator: round(NUMBERS[number] * chance.choice([0.1, 0.2, 0.5, 0.8]))}
    duration = chance.choice(list(DURATIONS))
    when[duration] = {"at_least": f"{round(DURATIONS[duration] * chance.choice([0.05, 0.1, 0.25, 0.5, 0.75]))}s"}
    extra = chance.randrange(6)
    if extra == 0:
        when["any"] = {"customer.tier": "vip", "ticket.tags": chance.choice(TAGS)}
    elif extra == 1:
        when["none"] = {"ticket.tags": chance.choice(TAGS), "event.automated": True}
    elif extra == 2:
        when["message.text"] = {"keywords": chance.choice(LISTS)}
    elif extra == 3:
        when["ticket.channel"] = {"not_in": chance.sample(CHANNELS, 2)}
    elif extra == 4:
        when["ticket.tags"] = chance.choice(TAGS)
        when["customer.tier"] = {"is_not": chance.choice(TIERS)}
    else:
        when["ticket.channel"] = chance.sample(CHANNELS, 3)
    place = Place("bench.yaml", Marks(), [])
    condition = parse_condition(when, place, VOCABULARY)
    assert condition is not None, place.problems
    return condition


def random_row(chance):
    return {
        "ticket.status": chance.choice(STATUSES),
        "ticket.channel": chance.choice(CHANNELS),
        "ticket.group": chance.choice(GROUPS),
        "customer.tier": chance.choice(TIERS),
        "event.automated": chance.random() < 0.1,
        "ticket.tags": frozenset(chance.sample(TAGS, chance.choice([0, 0, 1, 2]))),
        "message.text": "Sistem macet, tidak bisa bayar",
        "message.text#keywords": frozenset(chance.sample(LISTS, chance.choice([0, 0, 0, 1]))),
        **{name: round(most * chance.random()) for name, most in (NUMBERS | DURATIONS).items()},
    }


def flat(row):
    """The row as the others like it: plain names, lists for sets."""
    return {_name(key): sorted(value) if isinstance(value, frozenset) else value for key, value in row.items()}


def _name(attribute):
    return attribute.replace(".", "_").replace("#", "_")


# --- the same condition in other languages ---------------------------------------------------------------------------

_SIGNS = {"is": "==", "is_not": "!=", "at_least": ">=", "more_than": ">", "at_most": "<=", "less_than": "<"}


def expression(condition, words):
    """An infix expression; `words` says how the language writes and, or, not and lists."""
    match condition:
        case All(parts):
            return "(" + f" {words['and']} ".join(expression(part, words) for part in parts) + ")"
        case AnyOf(parts):
            return "(" + f" {words['or']} ".join(expression(part, words) for part in parts) + ")"
        case Not(part):
            return f"{words['not']}({expression(part, words)})"
        case Atom(attribute, operator, value):
            name = _name(attribute)
            if operator in ("in", "not_in"):
                found = f"({name} in [{', '.join(_quoted(one) for one in sorted(value))}])"
                return found if operator == "in" else f"{words['not']}{found}"
            if operator == "keywords":
                return f"({_quoted(value)} in {name}_keywords)"
            if operator == "contains_any":
                return f"({_quoted(next(iter(value)))} in {name})"
            return f"({name} {_SIGNS[operator]} {_quoted(value)})"
    raise AssertionError(condition)


def _quoted(value):
    return f'"{value}"' if isinstance(value, str) else str(value).lower()


def json_logic(condition):
    match condition:
        case All(parts):
            return {"and": [json_logic(part) for part in parts]}
        case AnyOf(parts):
            return {"or": [json_logic(part) for part in parts]}
        case Not(part):
            return {"!": [json_logic(part)]}
        case Atom(attribute, operator, value):
            variable = {"var": _name(attribute)}
            if operator in ("in", "not_in"):
                found = {"in": [variable, sorted(value)]}
                return found if operator == "in" else {"!": [found]}
            if operator == "keywords":
                return {"in": [value, {"var": f"{_name(attribute)}_keywords"}]}
            if operator == "contains_any":
                return {"in": [next(iter(value)), variable]}
            return {_SIGNS[operator]: [variable, value]}
    raise AssertionError(condition)


# --- engines: each gives (rows in its shape, a function from one such row to the indexes that match) -----------------


def ours(conditions, rows):
    return rows, Matcher(list(enumerate(conditions)), VOCABULARY).matching


def match_alone(conditions, rows):
    holds = [compile_match(condition, VOCABULARY) for condition in conditions]
    return rows, lambda row: tuple([index for index, one in enumerate(holds) if one(row)])


def zen_list(conditions, rows):
    import zen

    words = {"and": "and", "or": "or", "not": "not "}
    compiled = zen.compile_expression(f"[{', '.join(expression(condition, words) for condition in conditions)}]")
    return [flat(row) for row in rows], lambda row: _indexes(compiled.evaluate(row))


def rule_engine_each(conditions, rows):
    import rule_engine

    words = {"and": "and", "or": "or", "not": "not "}
    compiled = [rule_engine.Rule(expression(condition, words)) for condition in conditions]
    return [flat(row) for row in rows], lambda row: _indexes([rule.matches(row) for rule in compiled])


def json_logic_each(conditions, rows):
    from json_logic import jsonLogic

    compiled = [json_logic(condition) for condition in conditions]
    return [flat(row) for row in rows], lambda row: _indexes([jsonLogic(rule, row) for rule in compiled])


_CEL = {"and": "&&", "or": "||", "not": "!"}


def cel_python_each(conditions, rows):
    import celpy

    environment = celpy.Environment(runner_class=celpy.CompiledRunner)
    compiled = [environment.program(environment.compile(expression(one, _CEL))) for one in conditions]
    shaped = [{name: celpy.json_to_cel(value) for name, value in flat(row).items()} for row in rows]
    return shaped, lambda row: _indexes([bool(rule.evaluate(row)) for rule in compiled])


def cel_rust_each(conditions, rows):
    import cel

    compiled = [cel.compile(expression(condition, _CEL)) for condition in conditions]

    def matching(row):
        context = cel.Context(variables=row)
        return _indexes([rule.execute(context) for rule in compiled])

    return [flat(row) for row in rows], matching


def _indexes(truths):
    return tuple([index for index, truth in enumerate(truths) if truth])


ENGINES = {
    "ours": ours,
    "match alone": match_alone,
    "zen, one list": zen_list,
    "CEL (Rust)": cel_rust_each,
    "rule-engine": rule_engine_each,
    "JSON-Logic": json_logic_each,
    "CEL (Python)": cel_python_each,
}


def measured(engines):
    """Seconds a row by engine: the best of some rounds, in each of which every engine has its turn."""
    best = {}
    few = {}
    for name, (rows, matching) in engines.items():
        started = time.perf_counter()
        matching(rows[0])
        once = time.perf_counter() - started
        few[name] = rows[: max(3, min(len(rows), int(BUDGET_S / max(once, 1e-9))))]
    for _ in range(REPEATS):
        for name, (_, matching) in engines.items():
            rows = few[name]
            started = time.perf_counter()
            for row in rows:
                matching(row)
            best[name] = min(best.get(name, float("inf")), (time.perf_counter() - started) / len(rows))
    return best


def compare(count):
    chance = random.Random(count)
    conditions = [random_rule(chance) for _ in range(count)]
    rows = [random_row(chance) for _ in range(ROWS)]
    _, reference = match_alone(conditions, rows)
    expected = [reference(row) for row in rows]
    print(f"\n{count} rules, {sum(map(len, expected)) / ROWS:.1f} matching a row")
    engines = {}
    for name, engine in ENGINES.items():
        try:
            shaped, matching = engine(conditions, rows)
        except ImportError as error:
            print(f"  {name:14} not installed: {error}")
            continue
        checked = max(3, min(ROWS, 5_000 // count)) if name == "CEL (Python)" else ROWS
        assert [matching(row) for row in shaped[:checked]] == expected[:checked], name
        engines[name] = (shaped, matching)
    times = measured(engines)
    for name, seconds in times.items():
        print(f"  {name:14} {seconds * 1e6:10.1f} us a row   {seconds / times['ours']:8.2f}x the time of ours")
    return times


if __name__ == "__main__":
    for count in [int(argument) for argument in sys.argv[1:]] or [10, 50, 200, 1_000]:
        compare(count)
