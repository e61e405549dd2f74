"""YAML as rule files allow it: data with the line and column of every key and value, and nothing misread.

Only `true` and `false` are booleans, only plain decimal numbers are numbers; dates, `yes`, `010` and `1:30` stay text.
Anchors, aliases, tags, duplicate keys and several documents are problems. Reading is a loop over the parser's events,
so that no nesting, however deep, can exhaust the stack, and no alias can multiply.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from typing import Any

import yaml

from rules_service.problems import Marks, Path, Place, Problem

#: Limits of one file.
MAX_BYTES = 1_000_000
MAX_DEPTH = 50
MAX_NODES = 100_000

_INTEGER = re.compile(r"[-+]?(?:0|[1-9][0-9]{0,17})")
_FLOAT = re.compile(r"[-+]?(?:0|[1-9][0-9]{0,17})\.[0-9]{1,18}(?:[eE][-+]?[0-9]{1,3})?")


def read_yaml(name: str, content: bytes, problems: list[Problem]) -> tuple[Any, Place]:
    """The data of one file and its place; every problem is added to `problems`, and data is None after a fatal one."""
    place = Place(name, Marks(), problems)
    if len(content) > MAX_BYTES:
        place.problem("limit", f"the file has {len(content):,} bytes; the most is {MAX_BYTES:,}")
        return None, place
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        problems.append(Problem(name, line, 1, f"the file is not UTF-8 text (byte {error.start})", "encoding"))
        return None, place
    reader = _Reader(place)
    try:
        reader.read(text)
    except yaml.MarkedYAMLError as error:
        problems.append(_syntax(name, error))
        return None, place
    except yaml.YAMLError as error:
        line = text.count("\n", 0, getattr(error, "position", 0) or 0) + 1
        message = str(error).split("\n", 1)[0]
        problems.append(Problem(name, line, 1, f"not YAML: {message}", "syntax"))
        return None, place
    except _Fatal:
        return None, place
    return reader.data, place


def _syntax(name: str, error: yaml.MarkedYAMLError) -> Problem:
    """The problem; what is never closed is reported where it begins, for at the end of the file nobody looks for it."""
    mark, began = error.problem_mark or error.context_mark, error.context_mark
    message = f"not YAML: {error.problem or error.context}"
    if mark is not None and began is not None and (began.line, began.column) != (mark.line, mark.column):
        if "end of stream" in message:
            mark = began
            message = f"{message} {error.context}"
        else:
            message = f"{message} {error.context} that begins at {began.line + 1}:{began.column + 1}"
    line, col = (mark.line + 1, mark.column + 1) if mark else (1, 1)
    return Problem(name, line, col, message, "syntax")


class _Fatal(Exception):
    """Reading cannot go on; the problem is reported."""


@dataclass(slots=True)
class _Level:
    """A collection being read."""

    path: Path
    value: dict[Any, Any] | list[Any]
    key: str | None = None
    duplicate: bool = False


@dataclass(slots=True)
class _Reader:
    place: Place
    data: Any = None
    _levels: list[_Level] = field(default_factory=list)
    _nodes: int = 0
    _documents: int = 0

    def read(self, text: str) -> None:
        for event in yaml.parse(text, Loader=yaml.CSafeLoader):
            match event:
                case yaml.ScalarEvent() | yaml.MappingStartEvent() | yaml.SequenceStartEvent() | yaml.AliasEvent():
                    self._node(event)
                case yaml.MappingEndEvent() | yaml.SequenceEndEvent():
                    self._levels.pop()
                case yaml.DocumentStartEvent():
                    self._documents += 1
                    if self._documents > 1:
                        self._fatal(event, "syntax", "a rule file is one document; remove what follows `---`")

    def _fatal(self, event: yaml.Event, kind: str, message: str) -> None:
        mark: Any = event.start_mark
        self.place.problems.append(Problem(self.place.file, mark.line + 1, mark.column + 1, message, kind))
        raise _Fatal

    def _node(self, event: Any) -> None:
        self._nodes += 1
        if self._nodes > MAX_NODES:
            self._fatal(event, "limit", f"the file has more than {MAX_NODES:,} values")
        if event.anchor is not None:
            what = "alias" if isinstance(event, yaml.AliasEvent) else "anchor"
            self._fatal(event, "syntax", f'the {what} "{event.anchor}" is not allowed; write the value out')
        if event.tag is not None and not isinstance(event, yaml.ScalarEvent):
            self._fatal(event, "syntax", f"the tag {event.tag} is not allowed")
        level = self._levels[-1] if self._levels else None
        if level is not None and isinstance(level.value, dict) and level.key is None:
            self._key(event, level)
            return
        path = () if level is None else (*level.path, _step(level))
        self.place.marks.values[path] = (event.start_mark.line + 1, event.start_mark.column + 1)
        if isinstance(event, yaml.ScalarEvent):
            if event.tag is not None:
                self._fatal(event, "syntax", f"the tag {event.tag} is not allowed")
            self._put(level, _plain(event.value) if event.implicit[0] else event.value)
            return
        if len(self._levels) >= MAX_DEPTH:
            self._fatal(event, "limit", f"nested more than {MAX_DEPTH} deep")
        value: dict[Any, Any] | list[Any] = {} if isinstance(event, yaml.MappingStartEvent) else []
        self._put(level, value)
        self._levels.append(_Level(path, value))

    def _key(self, event: Any, level: _Level) -> None:
        if not isinstance(event, yaml.ScalarEvent):
            self._fatal(event, "syntax", "a key is a word, not a list or mapping")
        key = event.value
        position = (event.start_mark.line + 1, event.start_mark.column + 1)
        path = (*level.path, key)
        level.duplicate = key in level.value
        if level.duplicate:
            line, col = self.place.marks.keys[path]
            message = f'"{key}" is defined twice; previous definition at {self.place.file}:{line}:{col}'
            self.place.problems.append(Problem(self.place.file, *position, message, "duplicate"))
        else:
            self.place.marks.keys[path] = position
        level.key = key

    def _put(self, level: _Level | None, value: Any) -> None:
        if level is None:
            self.data = value
        elif isinstance(level.value, list):
            level.value.append(value)
        else:
            if not level.duplicate:
                level.value[level.key] = value
            level.key = None


def _step(level: _Level) -> str | int:
    if isinstance(level.value, list):
        return len(level.value)
    assert level.key is not None
    return level.key


def _plain(text: str) -> Any:
    if text in ("true", "false"):
        return text == "true"
    if text in ("", "null", "~"):
        return None
    if _INTEGER.fullmatch(text):
        return int(text)
    if _FLOAT.fullmatch(text) and math.isfinite(float(text)):
        return float(text)
    return text
