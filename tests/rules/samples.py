"""A vocabulary with every kind of attribute, and random conditions and rows over it."""

from __future__ import annotations

from rules_service.problems import Marks, Place
from rules_service.rules.conditions import All, AnyOf, Atom, Attribute, Not, Vocabulary, parse_condition

_ATTRIBUTES = [
    Attribute(name="ticket.subject", kind="text", about="What it is about."),
    Attribute(name="message.text", kind="text", about="The message."),
    Attribute(name="ticket.assignee", kind="text", about="Who holds it."),
    Attribute(name="ticket.custom.order_value", kind="number", about="Rupiah."),
    Attribute(name="ticket.transfers", kind="number", about="How often it was transferred."),
    Attribute(name="sla.resolution.used_pct", kind="number", unit="pct", about="How much of the time is used."),
    Attribute(name="event.automated", kind="bool", about="By a machine."),
    Attribute(name="ticket.custom.refundable", kind="bool", about="May be refunded."),
    Attribute(name="ticket.tags", kind="set", about="Its tags."),
    Attribute(name="ticket.skills", kind="set", about="What it needs."),
    Attribute(name="time.idle", kind="duration", unit="s", about="Since the last act of a person."),
    Attribute(name="service_time.idle", kind="duration", unit="s", about="The same in service hours."),
    Attribute(name="sla.resolution.remaining", kind="duration", unit="s", about="Until it is due."),
    Attribute(
        name="ticket.priority",
        kind="choice",
        values=("low", "medium", "high", "urgent"),
        ordered=True,
        about="How urgent.",
    ),
    Attribute(name="customer.tier", kind="choice", values=("standard", "gold", "vip"), ordered=True, about="Worth."),
    Attribute(
        name="ticket.status",
        kind="choice",
        values=("unassigned", "assigned", "open", "pending", "closed"),
        about="Its state.",
    ),
    Attribute(name="ticket.language", kind="choice", about="Any language."),
    Attribute(name="recent.messages_received", kind="number", about="Messages in the window."),
    Attribute(name="desk.queue_length", kind="number", needs_on=True, about="Waiting tickets."),
]
VOCABULARY = Vocabulary(
    attributes={attribute.name: attribute for attribute in _ATTRIBUTES},
    keyword_lists=frozenset({"system_down", "refund", "greeting"}),
)
WINDOW = "recent.messages_received[600]"

_TEXTS = [
    "",
    "macet",
    "sistem macet",
    "Sistem macet",
    '"',
    "\\",
    "it's",
    "$forward",
    "a\nb",
    "\ud800",
    "😀",
    "é",
    "e\u0301",
    "%s {0}",
    "id",
]
_PATTERNS = ["macet", "^sistem", "[0-9]+", "(?i)SISTEM", "a|b", "\\$forward", "^$"]
_NUMBERS = [0, 1, -1, 5, 0.1, 0.10000000001, 1e-7, 1e308, 2**53, 2**53 + 1, 2**63, 2**70, -(2**70), 1e16, 80, 80.5]
_SECONDS = [0, 60, 599, 600, 601, 1_800, 86_400]
_TAGS = ["vip", "waiting", "$s", "a b", "", "😀"]
_HOSTILE = [
    None, float("nan"), float("inf"), float("-inf"), 1e308, 2**70, -(2**70), True, False, 0, 1, "0", "1", "true",
    "x" * 70_000, "abc" + "x" * 65_536, "$forward", "$s", "sid", '"', "\ud800", "😀", [], {}, ["vip"], {"vip": 1}, (),
    object, b"vip", frozenset(), frozenset({"vip", "waiting"}), frozenset({"$s"}), "low", "purple", "open", 600, 0.1,
]  # fmt: skip


def place(data=None):
    """The place of a whole file, whose problems are collected in `.problems`; no line is known."""
    return Place("rules.yaml", Marks(), [])


def condition(data):
    where = place()
    parsed = parse_condition(data, where, VOCABULARY)
    assert not where.problems, where.problems
    return parsed


def random_condition(chance, depth=3):
    if depth == 0 or chance.random() < 0.35:
        return random_atom(chance)
    parts = tuple(random_condition(chance, depth - 1) for _ in range(chance.choice([0, 1, 2, 2, 3, 3, 5])))
    match chance.randrange(3):
        case 0:
            return All(parts)
        case 1:
            return AnyOf(parts)
    return Not(AnyOf(parts)) if chance.random() < 0.5 else Not(random_condition(chance, depth - 1))


def random_atom(chance):
    attribute = chance.choice(_ATTRIBUTES)
    name = WINDOW if attribute.name.startswith("recent.") else attribute.name
    if chance.random() < 0.1:
        return Atom(name, "exists", chance.random() < 0.5)
    match attribute.kind:
        case "bool":
            return Atom(name, chance.choice(["is", "is_not"]), chance.random() < 0.5)
        case "set":
            operator = chance.choice(["contains_any", "contains_all", "contains_none"])
            return Atom(name, operator, frozenset(chance.sample(_TAGS, chance.choice([1, 1, 2, 5]))))
        case "text":
            special = chance.choice(["is", "is_not", "in", "not_in", "keywords", "matches", "starts_with"])
            if special == "keywords":
                return Atom(name, special, chance.choice(sorted(VOCABULARY.keyword_lists)))
            if special == "matches":
                return Atom(name, special, chance.choice(_PATTERNS))
            if special == "starts_with":
                return Atom(name, special, chance.choice(_TEXTS[1:]))
            return _compared(chance, name, special, _TEXTS)
    order = ["at_least", "at_most", "more_than", "less_than"] if attribute.ordered or attribute.kind != "choice" else []
    values = attribute.values or ("id", "en", "\ud800")
    values = {"number": _NUMBERS, "duration": _SECONDS}.get(attribute.kind, values)
    return _compared(chance, name, chance.choice(["is", "is_not", "in", "not_in", *order]), values)


def _compared(chance, name, operator, values):
    if operator in ("in", "not_in"):
        return Atom(name, operator, frozenset(chance.sample(values, chance.randint(1, min(3, len(values))))))
    return Atom(name, operator, chance.choice(values))


def random_row(chance, *, hostility=0.25):
    row = {"$forward": 1, "sid": "5", "id": "7", "$s": 1}
    for attribute in _ATTRIBUTES:
        name = WINDOW if attribute.name.startswith("recent.") else attribute.name
        if chance.random() < 0.15:
            continue
        if chance.random() < hostility:
            row[name] = chance.choice(_HOSTILE)
        else:
            row[name] = _plain(chance, attribute)
        if attribute.kind == "text" and chance.random() < 0.5:
            lists = sorted(VOCABULARY.keyword_lists)
            row[f"{name}#keywords"] = frozenset(chance.sample(lists, chance.randint(0, len(lists))))
    return row


def _plain(chance, attribute):
    match attribute.kind:
        case "text":
            return chance.choice(_TEXTS)
        case "number":
            return chance.choice(_NUMBERS)
        case "duration":
            return chance.choice(_SECONDS) + chance.choice([0, 0, 0.5])
        case "bool":
            return chance.random() < 0.5
        case "set":
            return frozenset(chance.sample(_TAGS, chance.randint(0, 3)))
    return chance.choice(attribute.values or ("id", "en"))
