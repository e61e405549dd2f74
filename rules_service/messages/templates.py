"""Texts with variables, in a small part of Jinja: variables, filters of a list, `if` and `for`.

Rule authors are trusted, mistakes are not: what could run long or reach beyond its variables is a problem at load.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jinja2
from jinja2 import nodes
from jinja2.sandbox import ImmutableSandboxedEnvironment

from rules_service.problems import Place, describe

#: Filters that a template may use.
FILTERS = ("default", "first", "int", "join", "last", "length", "lower", "replace", "round", "title", "trim", "upper")

#: Longest text that a template may make, in characters; the rest is cut.
MAX_LENGTH = 20_000

_FORBIDDEN = (
    nodes.Call,
    nodes.CallBlock,
    nodes.Macro,
    nodes.Import,
    nodes.FromImport,
    nodes.Include,
    nodes.Extends,
    nodes.Block,
    nodes.Assign,
    nodes.AssignBlock,
    nodes.Mul,
    nodes.Pow,
    nodes.Mod,
)


class _Environment(ImmutableSandboxedEnvironment):
    def getattr(self, obj: Any, attribute: str) -> Any:
        # `sla.resolution.target` reads a mapping's key; nothing else has attributes here.
        return self.getitem(obj, attribute)


_ENVIRONMENT = _Environment(undefined=jinja2.StrictUndefined, autoescape=False)
_ENVIRONMENT.filters = {name: _ENVIRONMENT.filters[name] for name in FILTERS}
_ENVIRONMENT.globals = {}


class TemplateError(ValueError):
    """The template cannot be used; the message says why, `line` where."""

    def __init__(self, message: str, line: int = 1) -> None:
        """`line` counts from 1 within the template."""
        super().__init__(message)
        self.line = line


class LoopLimit(TemplateError):
    """A template's loops nest too deeply."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """A named message in one or more languages, in the order of the file."""

    name: str
    #: language -> compiled text.
    texts: Mapping[str, jinja2.Template]


def compile_template(text: str) -> jinja2.Template:
    """The text, ready to render; TemplateError where it uses what templates may not."""
    try:
        tree = _ENVIRONMENT.parse(text)
        for node in tree.find_all(_FORBIDDEN):
            raise TemplateError(
                f"templates know variables, filters, if and for; not {type(node).__name__}", node.lineno
            )
        for found in tree.find_all(nodes.Filter):
            if found.name not in FILTERS:
                raise TemplateError(f'unknown filter "{found.name}"; accepted: {", ".join(FILTERS)}', found.lineno)
        for loop in tree.find_all(nodes.For):
            if any(True for _ in loop.find_all(nodes.For)):
                raise LoopLimit("a `for` inside a `for` is not allowed", loop.lineno)
        return _ENVIRONMENT.from_string(tree)
    except jinja2.TemplateSyntaxError as error:
        raise TemplateError(error.message or "unreadable template", error.lineno) from None


def render(template: jinja2.Template | Template, values: Mapping[str, Any], language: str | None = None) -> str:
    """The text with its variables filled in, at most MAX_LENGTH characters.

    Of a named template the text in `language`, else the first. A variable without a value leaves its place empty, so
    that a message is sent rather than lost.
    """
    if isinstance(template, Template):
        template = template.texts.get(language or "") or next(iter(template.texts.values()))
    return template.render(_Blank(values))[:MAX_LENGTH]


class _Blank(dict[str, Any]):
    """Values by name, nested mappings too; what is absent is an empty one."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        super().__init__(
            {k: _Blank(v) if isinstance(v, Mapping) else ("" if v is None else v) for k, v in values.items()}
        )

    def __missing__(self, key: str) -> Any:
        return _Blank({})

    def __str__(self) -> str:
        return ""


def parse_templates(entries: Mapping[str, tuple[object, Place]]) -> dict[str, Template]:
    """The section `templates:`; every mistake becomes a problem at its place."""
    found = {}
    for name, (data, place) in entries.items():
        if not isinstance(data, dict) or not data:
            message = f"a template maps languages to texts, such as {{en: {{text: ...}}}}; not {describe(data)}"
            place.problem("type", message)
            continue
        texts = {}
        for language, body in data.items():
            inner = place.at(language)
            text = body.get("text") if isinstance(body, dict) else body
            if not isinstance(text, str):
                inner.problem("missing", "a template needs `text:`")
                continue
            try:
                texts[language] = compile_template(text)
            except TemplateError as error:
                (inner.at("text") if isinstance(body, dict) else inner).problem("template", str(error))
        if texts:
            found[name] = Template(name=name, texts=texts)
    return found
