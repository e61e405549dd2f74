"""Frozen dataclasses of the vocabulary to and from compact JSON; fields that have their default are left out."""

from __future__ import annotations

import dataclasses
import datetime as dt
import functools
import json
import types
import typing
from collections.abc import Callable, Mapping
from typing import Any

from rules_service.clock import instant, micros


def dump(value: Any) -> str:
    """JSON without spaces; instants become microseconds, sets sorted lists."""
    return json.dumps(plain(value), separators=(",", ":"), ensure_ascii=False)


def plain(value: Any) -> Any:
    """The value in JSON's types."""
    if value is None or isinstance(value, str | int | float):
        return value
    if isinstance(value, dt.datetime):
        return micros(value)
    if isinstance(value, tuple | list):
        return [plain(item) for item in value]
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, frozenset):
        return sorted(value)
    return {
        name: plain(found)
        for name, default in _defaults(type(value))  # type: ignore[arg-type]  # a class is hashable
        if (found := getattr(value, name)) != default
    }


def load(kind: type, text: str) -> Any:
    """The dataclass `kind` out of what `dump` made of it."""
    return _decoder(kind)(json.loads(text))


def revive(kind: type, data: Any) -> Any:
    """The dataclass `kind` out of JSON data."""
    return _decoder(kind)(data)


_REQUIRED = object()


@functools.cache
def _defaults(kind: type) -> tuple[tuple[str, Any], ...]:
    found = []
    for field in dataclasses.fields(kind):
        if field.default is not dataclasses.MISSING:
            default = field.default
        elif field.default_factory is not dataclasses.MISSING:
            default = field.default_factory()
        else:
            default = _REQUIRED
        found.append((field.name, default))
    return tuple(found)


@functools.cache
def _decoder(kind: Any) -> Callable[[Any], Any]:
    origin, args = typing.get_origin(kind), typing.get_args(kind)
    if kind is dt.datetime:
        return instant
    if dataclasses.is_dataclass(kind):
        hints = typing.get_type_hints(kind)
        make: Any = kind
        decoders = {field.name: _decoder(hints[field.name]) for field in dataclasses.fields(kind)}
        return lambda data: make(**{name: decoders[name](item) for name, item in data.items() if name in decoders})
    if origin in (types.UnionType, typing.Union) and type(None) in args:
        inner = _decoder(next(arg for arg in args if arg is not type(None)))
        return lambda data: None if data is None else inner(data)
    if origin is tuple and len(args) == 2 and args[1] is Ellipsis:  # noqa: PLR2004  tuple[X, ...]
        inner = _decoder(args[0])
        return lambda data: tuple(map(inner, data))
    if origin is tuple:
        inners = tuple(map(_decoder, args))
        return lambda data: tuple(inner(item) for inner, item in zip(inners, data, strict=True))
    if origin is frozenset:
        return frozenset
    if isinstance(origin, type) and issubclass(origin, Mapping):
        inner = _decoder(args[1])
        return lambda data: {key: inner(item) for key, item in data.items()}
    return _same


def _same(value: Any) -> Any:
    return value
