"""JMESPath in connectors: checked when loaded, evaluated on what a helpdesk sent, which may be anything.

Beside the functions of JMESPath there is `ours('table', value)`. And `to_string(null)` is null here, or a payload
without an id would become the ticket "null".
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import jmespath
from jmespath import functions

from rules_service.errors import InvalidEvent
from rules_service.problems import Place, describe, hint

#: Their word -> ours, by table; a word that maps to None says nothing.
Values = Mapping[str, Mapping[str, str | None]]

#: What a value becomes that its table does not hold: this, and the value.
UNMAPPED = "unmapped:"

#: Most levels of lists and mappings in what an expression finds.
MAX_DEPTH = 20

#: Most characters of an unknown word that are kept.
_WORD_LENGTH = 100

#: Nodes of which only the first child sees the names; the others see what it found.
_NARROWING = frozenset(
    {"subexpression", "pipe", "index_expression", "projection", "value_projection", "filter_projection"}
)

#: What JMESPath raises on values that it cannot work with.
_FAILURES = (ValueError, TypeError, ArithmeticError, LookupError, AttributeError, RecursionError)


@dataclass(frozen=True, slots=True, kw_only=True)
class Expression:
    """One JMESPath expression of a connector."""

    source: str
    #: Where it stands, for messages: `events[2].at`.
    where: str
    parsed: Any


class Words(functions.Functions):  # type: ignore[misc]  # published without types
    """The functions of expressions; one value of it serves one reading and collects the words without a counterpart."""

    def __init__(self, values: Values) -> None:
        super().__init__()
        self.values = values
        #: (table, their value) of each that the table does not hold.
        self.unmapped: set[tuple[str, str]] = set()

    @functions.signature({"types": ["string"]}, {"types": []})  # type: ignore[untyped-decorator]  # published without types
    def _func_ours(self, table: str, value: Any) -> str | None:
        """Our word for theirs, compared as text; None stays None, and an unknown one is never taken for nothing."""
        if value is None:
            return None
        key = str(value).lower() if isinstance(value, bool) else str(value)
        if key in self.values[table]:
            return self.values[table][key]
        key = plain(key)[:_WORD_LENGTH]
        self.unmapped.add((table, key))
        return f"{UNMAPPED}{key}"

    @functions.signature({"types": []})  # type: ignore[untyped-decorator]  # published without types
    def _func_to_string(self, value: Any) -> str | None:
        if value is None:
            return None
        found: str = super()._func_to_string(value)
        return found


def compile_expression(
    source: str, place: Place, where: str, *, values: Values, names: Mapping[str, Collection[str] | None] | None
) -> Expression | None:
    """The expression, or None after reporting what is wrong with it.

    `names` are those it may begin with; of a name that maps to a collection only these members exist. None: any,
    because it reads a payload.
    """
    try:
        parsed = jmespath.compile(source)
    except (ValueError, RecursionError) as error:
        place.problem("template", f"not JMESPath: {_said(error)}: {source}")
        return None
    before = len(place.problems)
    for node in _nodes(parsed.parsed):
        _check_node(node, place, values)
    if names is not None:
        for node in _roots(parsed.parsed):
            if node["type"] == "field" and node["value"] not in names:
                place.problem("unknown-name", f'unknown name "{node["value"]}"{hint(node["value"], names)}')
        for owner, member in _members(parsed.parsed):
            known = names.get(owner)
            if known is not None and member not in known:
                place.problem("unknown-name", f'"{owner}" has no "{member}"{hint(member, known)}')
    if len(place.problems) > before:
        return None
    return Expression(source=source, where=where, parsed=parsed)


def find(expression: Expression, names: Any, words: Words) -> Any:
    """What the expression finds, as plain JSON data; InvalidEvent, naming it, where it cannot be evaluated."""
    try:
        return plain(expression.parsed.search(names, jmespath.Options(custom_functions=words)))
    except _FAILURES as error:
        raise InvalidEvent(
            f"`{expression.where}` ({expression.source}) fails on what was sent: {_said(error)}"
        ) from None


def holds(value: Any) -> bool:
    """Whether JMESPath takes it for true: neither null, false, nor an empty text, list or mapping. 0 is true."""
    return not (value is None or value is False or value in ("", [], {}))


def unexpected(expression: Expression, value: Any, accepted: str) -> InvalidEvent:
    """The error that says which expression found what, and what would be accepted."""
    found = describe(value)
    return InvalidEvent(f"`{expression.where}` ({expression.source}) found {found}; accepted: {accepted}")


def plain(value: Any, depth: int = 0) -> Any:
    """A copy that any database can hold: no NUL, half character or endless number; ValueError past MAX_DEPTH."""
    if depth > MAX_DEPTH:
        raise ValueError(f"nested more than {MAX_DEPTH} deep")
    match value:
        case None | bool() | int():
            return value
        case float():
            if not math.isfinite(value):
                raise ValueError(f"the number {value} is not one of JSON")
            return value
        case str():
            return value.replace("\0", "").encode("utf-8", "replace").decode("utf-8")
        case list():
            return [plain(item, depth + 1) for item in value]
        case dict():
            return {plain(str(key)): plain(item, depth + 1) for key, item in value.items()}
    raise ValueError(f"{type(value).__name__} is not a value of JSON")


def _said(error: BaseException) -> str:
    if isinstance(error, RecursionError):
        return "nested too deeply"
    line = str(error).split("\n", 1)[0]
    return line.removesuffix(":").removesuffix(", for expression").strip()[:300]


def _check_node(node: Mapping[str, Any], place: Place, values: Values) -> None:
    children = node["children"]
    if node["type"] == "subexpression" and children[0]["type"] == "not_expression":
        place.problem("value", "`!a.b` means `(!a).b`, which never holds; write `!(a.b)`")
    if node["type"] != "function_expression":
        return
    name, known = node["value"], Words.FUNCTION_TABLE
    if name not in known:
        place.problem("unknown-name", f"unknown function {name}(){hint(name, known)}")
        return
    signature = known[name]["signature"]
    many = bool(signature) and bool(signature[-1].get("variadic"))
    if len(children) < len(signature) or (len(children) > len(signature) and not many):
        place.problem(
            "value", f"{name}() takes {len(signature)}{' or more' if many else ''} values, not {len(children)}"
        )
    elif name == "ours":
        check_table(children[0]["value"] if children[0]["type"] == "literal" else None, "ours", place, values)


def check_table(table: object, function: str, place: Place, values: Values) -> None:
    """Reports a table that `values:` does not define; None stands for one that is not written out."""
    if not isinstance(table, str):
        place.problem("value", f"{function}() takes the name of a table of `values:` as text in quotes")
    elif table not in values:
        place.problem("unknown-name", f'{function}() names an unknown table "{table}"{hint(table, values)}')


def _nodes(tree: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        yield node
        waiting += [child for child in node["children"] if isinstance(child, dict)]


def _roots(tree: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The nodes that are evaluated on the names themselves, and not on what another one found."""
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        yield node
        if node["type"] == "expref":
            continue
        children = node["children"][:1] if node["type"] in _NARROWING else node["children"]
        waiting += [child for child in children if isinstance(child, dict)]


def _members(tree: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for node in _roots(tree):
        if node["type"] == "subexpression":
            owner, member = node["children"][:2]
            if owner["type"] == member["type"] == "field":
                yield owner["value"], member["value"]
