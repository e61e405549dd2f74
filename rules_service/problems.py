"""Mistakes in rule files, each at its line: how every room reports what it cannot accept."""

from __future__ import annotations

import difflib
import functools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import marshmallow as ma

#: In a field's metadata: it holds a length of time, of which a number without a unit is the commonest mistake.
DURATION = "x-duration"
#: The value of DURATION where only the wall clock makes sense; True where service hours may be counted too.
WALL = "wall"

#: A step into a file: a mapping's key or a list's index.
Path = tuple[str | int, ...]

#: The closed list of kinds of problem, with what each means.
KINDS: Mapping[str, str] = {
    "encoding": "the file is not UTF-8 text",
    "syntax": "the file is not YAML, or uses a part of YAML that rule files do not allow",
    "limit": "a stated limit of size, depth or count is passed",
    "duplicate": "a name or key is defined twice",
    "missing": "something required is absent",
    "unknown-key": "a key that means nothing here",
    "unknown-name": "a name that is defined nowhere",
    "unknown-attribute": "a condition reads an attribute that does not exist",
    "unknown-operator": "a condition uses an operator that does not exist, or not for this type",
    "unknown-action": "an action outside the closed list",
    "type": "a value of another type than required",
    "value": "a value of the right type that is not acceptable here",
    "duration": "a length of time without a unit, or unreadable",
    "pattern": "a regular expression that RE2 cannot run",
    "template": "a message template that cannot be rendered",
    "lifecycle": "the lifecycle contradicts itself",
    "needs-on": "the condition reads what changes without an event of the ticket, so the rule needs `on:`",
    "ownership": "a group's file defines what is not the group's",
    "calendar": "service hours or holidays that cannot be",
    "test": "a test beside the rules failed",
}

#: The closed list of kinds of warning: a ruleset that has them works, though hardly as meant.
WARNINGS: Mapping[str, str] = {
    "never-matches": "conditions that no ticket can ever meet, or a value that an attribute can never have",
    "shadowed": "it never comes to this definition, because an earlier one always takes what it would",
    "endless": "rules that can trigger each other without end",
    "unused": "a definition that nothing uses",
    "never-allowed": "an action that the lifecycle allows a rule in no state",
    "sla-unescalated": "a service level whose breach no rule escalates",
    "unset-variable": "a `${VAR}` that has no value here",
}


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One mistake: where it stands (line and column count from 1), what is wrong, and its kind.

    The kind is a key of KINDS, or of WARNINGS: a warning keeps no ruleset from going live.
    """

    file: str
    line: int
    col: int
    message: str
    kind: str

    def __str__(self) -> str:
        warning = "warning: " if self.kind in WARNINGS else ""
        return f"{self.file}:{self.line}:{self.col}: {warning}{self.message} ({self.kind})"


@dataclass(frozen=True, slots=True)
class Marks:
    """Line and column, from 1, of every key and value of one file, by path."""

    keys: dict[Path, tuple[int, int]] = field(default_factory=dict)
    values: dict[Path, tuple[int, int]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a value of a rule file stands, and the way to report a problem there."""

    file: str
    marks: Marks
    problems: list[Problem]
    path: Path = ()

    def at(self, *steps: str | int) -> Place:
        """The place further inside, by key or index."""
        return Place(self.file, self.marks, self.problems, self.path + steps)

    def position(self, *, key: bool = False) -> tuple[int, int]:
        """Line and column of the value, or of its key; of the nearest enclosing value where it is absent."""
        wanted = self.marks.keys if key else self.marks.values
        if self.path in wanted:
            return wanted[self.path]
        path = self.path
        while path and path not in self.marks.values:
            path = path[:-1]
        return self.marks.values.get(path, (1, 1))

    def problem(self, kind: str, message: str, *, key: bool = False) -> None:
        """Reports a problem of `kind` (of KINDS) here; with `key`, at the key instead of the value."""
        if kind not in KINDS:
            raise AssertionError(f"no such kind of problem: {kind}")
        line, col = self.position(key=key)
        self.problems.append(Problem(self.file, line, col, message, kind))

    def warning(self, kind: str, message: str, *, key: bool = False) -> Problem:
        """A warning of `kind` (of WARNINGS) about what stands here; it is handed back, not collected."""
        if kind not in WARNINGS:
            raise AssertionError(f"no such kind of warning: {kind}")
        line, col = self.position(key=key)
        return Problem(self.file, line, col, message, kind)

    def __str__(self) -> str:
        line, col = self.position(key=True)
        return f"{self.file}:{line}:{col}"


def hint(name: object, names: Iterable[str]) -> str:
    """`; did you mean "X"?` for the nearest of `names`, or the accepted ones if they are few, or nothing."""
    known = sorted(set(names))
    near = difflib.get_close_matches(str(name), known, n=1, cutoff=0.6)
    if near:
        return f'; did you mean "{near[0]}"?'
    if 0 < len(known) <= 12:  # noqa: PLR2004  more would hide the message
        return f"; accepted: {', '.join(known)}"
    return ""


def check_names(names: Iterable[str], defined: Iterable[str], what: str, place: Place) -> None:
    """Reports each of `names` that is not `defined`, at its place in the list."""
    for index, name in enumerate(names):
        if name not in defined:
            place.at(index).problem("unknown-name", f'unknown {what} "{name}"{hint(name, defined)}')


@functools.cache
def _instance(schema: type[ma.Schema]) -> ma.Schema:
    # Making one costs ten times what loading with it does.
    return schema()


def shaped(schema: type[ma.Schema], data: object, place: Place) -> dict[str, Any] | None:
    """`data` loaded by a marshmallow schema; each of its errors becomes a problem at its place, and None comes back."""
    if not isinstance(data, dict):
        place.problem("type", f"expected a mapping, not {describe(data)}")
        return None
    try:
        loaded: dict[str, Any] = _instance(schema).load(data)
    except ma.ValidationError as error:
        _report(error.messages, place, data, _instance(schema))
        return None
    return loaded


def describe(value: object) -> str:
    """`value` in a person's words, for error messages: `the number 5`, `a list`."""
    match value:
        case None:
            return "nothing"
        case bool():
            return str(value).lower()
        case int() | float():
            return f"the number {value}"
        case str():
            return f'"{value[:60]}"'
        case list():
            return "a list"
        case dict():
            return "a mapping"
    return f"a {type(value).__name__}"


def _report(
    messages: object, place: Place, data: object, schema: ma.Schema | None, field: ma.fields.Field[Any] | None = None
) -> None:
    """Reports what marshmallow found at `place`, where `data` stands, in words that say what would be accepted."""
    if isinstance(messages, dict):
        for step, inner in messages.items():
            if step == "_schema":
                _report(inner, place, data, schema)
            elif inner == ["Unknown field."]:
                accepted = [f.data_key or name for name, f in schema.fields.items()] if schema else []
                place.at(step).problem("unknown-key", f'unknown key "{step}"{hint(step, accepted)}', key=True)
            else:
                within, found = _inner(schema, field, step)
                _report(inner, place.at(step), _value_at(data, step), within, found)
        return
    for message in messages if isinstance(messages, list) else [messages]:
        kind, text = _worded(str(message).rstrip("."), data, field)
        place.problem(kind, f'"{place.path[-1]}" is required' if kind == "missing" else text)


#: What marshmallow says of a value of another type -> what was expected.
_EXPECTED: Mapping[str, str] = {
    "Not a valid boolean": "true or false",
    "Not a valid integer": "a whole number",
    "Not a valid number": "a number",
    "Not a valid string": "text",
    "Not a valid list": "a list",
    "Not a valid mapping type": "a mapping",
    "Invalid input type": "a mapping",
    "Invalid type": "a mapping",
    "Field may not be null": "a value",
}
_ONE_OF = "Must be one of: "


def _worded(text: str, data: object, field: ma.fields.Field[Any] | None) -> tuple[str, str]:
    """The kind and text of a problem."""
    if text == "Missing data for required field":
        return "missing", text
    if text in _EXPECTED:
        if field is not None and DURATION in field.metadata:
            return "duration", f'expected a duration such as "30m" or "24h", with its unit; not {describe(data)}'
        quotes = "; put it in quotes" if _EXPECTED[text] == "text" and isinstance(data, bool | int | float) else ""
        return "type", f"expected {_EXPECTED[text]}, not {describe(data)}{quotes}"
    if text.startswith(_ONE_OF):
        names = text.removeprefix(_ONE_OF).split(", ")
        near = hint(data, names)
        *most, last = names
        listed = f"{', '.join(most)} or {last}" if most else last
        return "value", f"expected {listed}, not {describe(data)}{near if 'mean' in near else ''}"
    if text.startswith("Must be ") and isinstance(data, int | float):
        return "value", f"must be {text.removeprefix('Must be ')}; not {data}"
    if text == "Shorter than minimum length 1":
        return "value", "an empty list; name at least one"
    return "value", text


def _value_at(data: object, step: object) -> object:
    if isinstance(data, dict) and step in data:
        return data[step]
    if isinstance(data, list) and isinstance(step, int) and step < len(data):
        return data[step]
    # Of a mapping's entry marshmallow says `value`, of which the file knows nothing.
    return data


def _inner(
    schema: ma.Schema | None, field: ma.fields.Field[Any] | None, step: object
) -> tuple[ma.Schema | None, ma.fields.Field[Any] | None]:
    """The schema and the field that `step` leads to."""
    found: ma.fields.Field[Any] | None = None
    if isinstance(field, ma.fields.List) and isinstance(step, int):
        found = field.inner
    elif isinstance(field, ma.fields.Dict):
        found = field.value_field if step == "value" else field
    elif schema is not None:
        found = next((f for name, f in schema.fields.items() if step in (name, f.data_key)), None)
    return (found.schema if isinstance(found, ma.fields.Nested) else None), found
