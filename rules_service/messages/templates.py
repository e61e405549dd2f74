"""Texts with variables, in a small part of Jinja: variables, filters of a list, `if` and `for`.

Rule authors are trusted, mistakes are not: what could run long or reach beyond its variables is a problem at load.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import jinja2
from jinja2 import meta, nodes

from rules_service.problems import Place, describe, hint
from rules_service.sandbox import FORBIDDEN, Sandbox

#: Filters that a template may use.
FILTERS = ("default", "first", "int", "join", "last", "length", "lower", "replace", "round", "title", "trim", "upper")

#: Longest text that a template may make, in characters; the rest is cut.
MAX_LENGTH = 20_000

#: How deep expressions and blocks of a template may stand in each other; Python's own compiler knows a limit too.
MAX_NESTING = 30


_ENVIRONMENT = Sandbox(undefined=jinja2.StrictUndefined, autoescape=False)
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


class Text:
    """A checked text and the names that it reads; made into code when it is first rendered.

    Most texts are checked often and rendered seldom, and the code takes longer than the checks.
    """

    __slots__ = ("_template", "_tree", "names", "roots")

    def __init__(self, tree: nodes.Template, roots: frozenset[str], names: frozenset[str]) -> None:
        self._tree = tree
        self._template: jinja2.Template | None = None
        #: The first parts of `names`.
        self.roots = roots
        self.names = names

    @property
    def template(self) -> jinja2.Template:
        """The code. Two threads may both make it; either's is as good."""
        found = self._template
        if found is None:
            found = self._template = _ENVIRONMENT.from_string(self._tree)
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """A named message in one or more languages, in the order of the file."""

    name: str
    #: language -> compiled text.
    texts: Mapping[str, Text]


def compile_template(text: str, known: Container[str] | None = None) -> Text:
    """The text, ready to render; TemplateError where it uses what templates may not, or a name that is not `known`."""
    try:
        return _checked(text, known)
    except jinja2.TemplateSyntaxError as error:
        raise TemplateError(error.message or "unreadable template", error.lineno) from None
    except RecursionError:
        raise TemplateError(f"nested more than {MAX_NESTING} deep") from None
    except TemplateError:
        raise
    except ValueError as error:
        # Such as a number of 5,000 digits.
        raise TemplateError(str(error)) from None


def _checked(text: str, known: Container[str] | None) -> Text:
    tree = _ENVIRONMENT.parse(text)
    inside = _nodes_of(tree)
    for node in inside:
        if isinstance(node, FORBIDDEN):
            kind = type(node).__name__
            raise TemplateError(f"templates know variables, filters, if and for; not {kind}", node.lineno)
        if isinstance(node, nodes.Filter) and node.name not in FILTERS:
            raise TemplateError(f'unknown filter "{node.name}"; accepted: {", ".join(FILTERS)}', node.lineno)
        if isinstance(node, nodes.For) and any(True for _ in node.find_all(nodes.For)):
            raise LoopLimit("a `for` inside a `for` is not allowed", node.lineno)
    roots = frozenset(meta.find_undeclared_variables(tree))
    names = _dotted_names(inside, roots)
    for name, line in names:
        if known is not None and name not in known:
            listed = known if isinstance(known, Iterable) else ()
            raise TemplateError(f'unknown variable "{name}"{hint(name, listed)}', line)
    return Text(tree, roots, frozenset(name for name, _ in names))


def render(template: Text | Template, values: Mapping[str, Any], language: str | None = None) -> str:
    """The text with its variables filled in, at most MAX_LENGTH characters.

    Of a named template the text in `language`, else the first. A variable without a value leaves its place empty, so
    that a message is sent rather than lost.
    """
    if isinstance(template, Template):
        template = template.texts.get(language or "") or next(iter(template.texts.values()))
    return template.template.render({name: values[name] for name in template.roots})[:MAX_LENGTH]


def render_within(value: Any, texts: Mapping[str, Text], values: Mapping[str, Any]) -> Any:
    """A plain value with each text within it rendered that is among the compiled `texts`; the rest as it is."""
    match value:
        case str():
            return render(texts[value], values) if value in texts else value
        case dict():
            return {key: render_within(item, texts, values) for key, item in value.items()}
        case list():
            return [render_within(item, texts, values) for item in value]
        case _:
            return value


def _nodes_of(tree: nodes.Template) -> list[nodes.Node]:
    """Every part of a template; TemplateError where they stand in each other too deeply."""
    found: list[nodes.Node] = []
    level: list[nodes.Node] = list(tree.iter_child_nodes())
    for _ in range(MAX_NESTING):
        found += level
        level = [inner for node in level for inner in node.iter_child_nodes()]
        if not level:
            return found
    raise TemplateError(f"nested more than {MAX_NESTING} deep", level[0].lineno)


def _dotted_names(inside: Iterable[nodes.Node], roots: Container[str]) -> list[tuple[str, int]]:
    """The full names that a template reads, with their lines; those of a loop's own variable are left out."""
    inner: set[int] = set()
    found = []
    for node in inside:
        if not isinstance(node, nodes.Getattr | nodes.Name):
            continue
        parts: list[str] = []
        here: nodes.Node = node
        while isinstance(here, nodes.Getattr):
            parts.append(here.attr)
            inner.add(id(here.node))
            here = here.node
        if isinstance(here, nodes.Name) and here.name in roots and here.ctx == "load":
            found.append((id(node), ".".join([here.name, *reversed(parts)]), node.lineno))
    return [(name, line) for identity, name, line in found if identity not in inner]


class Dotted(Mapping[str, Any]):
    """Values asked for by dotted names, one step at a time: `customer` gives what `customer.name` is asked of.

    A name without a value is itself such a step, and says nothing when it is written out.
    """

    def __init__(self, value: Callable[[str], Any], prefix: str = "") -> None:
        """`value` gives what a full name stands for, or None."""
        self._value = value
        self._prefix = prefix

    def __getitem__(self, key: str) -> Any:
        name = f"{self._prefix}{key}"
        found = self._value(name)
        return Dotted(self._value, f"{name}.") if found is None else found

    def __contains__(self, key: object) -> bool:
        return True

    def __iter__(self) -> Iterator[str]:
        return iter(())

    def __len__(self) -> int:
        return 0

    def __str__(self) -> str:
        return ""


def _default(value: Any, default_value: Any = "", boolean: bool = False) -> Any:
    """As Jinja's own, which does not know that a step without a value is a missing one."""
    missing = isinstance(value, Dotted | jinja2.Undefined) or (boolean and not value)
    return default_value if missing else value


_ENVIRONMENT.filters["default"] = _default


def parse_templates(entries: Mapping[str, tuple[object, Place]], known: Container[str]) -> dict[str, Template]:
    """The section `templates:`; every mistake becomes a problem at its place. `known` names may be read."""
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
            for key in body if isinstance(body, dict) else ():
                if key != "text":
                    inner.at(key).problem("unknown-key", f'unknown key "{key}"{hint(key, ["text"])}', key=True)
            if not isinstance(text, str):
                inner.problem("missing", "a template needs `text:`")
                continue
            try:
                texts[language] = compile_template(text, known)
            except TemplateError as error:
                (inner.at("text") if isinstance(body, dict) else inner).problem("template", str(error))
        if texts:
            found[name] = Template(name=name, texts=texts)
    return found
