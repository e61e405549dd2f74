"""Texts and values of requests to a helpdesk, in a small part of Jinja, checked when loaded.

`"Escalated: {{ summary }}"` makes a text; a value that is one `{{ }}` alone keeps the type of what it names. Beside
filters of Jinja there are `theirs('table')`, their word for ours, and `inert`. A name without a value is an error, for
half a request is worse than none.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import jinja2
from jinja2 import meta, nodes
from jinja2.environment import TemplateExpression

from rules_service.connectors.expressions import Values, check_table
from rules_service.problems import Place, hint
from rules_service.sandbox import FORBIDDEN, Sandbox

#: Filters that a template may use.
FILTERS = ("default", "inert", "int", "join", "lower", "string", "theirs", "upper")

#: Longest text that a template may make, in characters; a longer one is an error.
MAX_LENGTH = 100_000

_WHOLE_NUMBER = re.compile(r"0|-?[1-9][0-9]{0,17}")


class UnsentAction(ValueError):
    """The action cannot become a request; the message says why, and sending it again would not help."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """A template that makes a text."""

    source: str
    template: jinja2.Template


@dataclass(frozen=True, slots=True, kw_only=True)
class Typed:
    """A template that is one `{{ }}` alone and keeps the type."""

    source: str
    expression: TemplateExpression


class _Environment(Sandbox):
    def getitem(self, obj: Any, argument: Any) -> Any:
        if isinstance(obj, Mapping | list | tuple | str):
            try:
                return obj[argument]
            except (LookupError, TypeError):
                pass
        return self.undefined(obj=obj, name=str(argument))


@dataclass(frozen=True, slots=True, kw_only=True)
class Templates:
    """Compiles the templates of one connector, whose words they may use."""

    values: Values
    _texts: _Environment
    _paths: _Environment

    def value(self, data: Any, place: Place, names: Collection[str] | None) -> Any:
        """JSON data with each text in it compiled; mistakes become problems at their places."""
        match data:
            case str():
                return self.text(data, place, names, typed=True)
            case list():
                return [self.value(item, place.at(index), names) for index, item in enumerate(data)]
            case dict():
                return {key: self.value(item, place.at(key), names) for key, item in data.items()}
        return data

    def path(self, source: str, place: Place, names: Collection[str] | None) -> Text | None:
        """A path below `base_url`; what is filled in is percent-encoded, so that it stays one segment or value."""
        if not source.startswith("/"):
            place.problem("value", f"a path begins with /, and base_url is put before it; not {source}")
            return None
        found = self.text(source, place, names, environment=self._paths)
        return found if isinstance(found, Text) else None

    def text(
        self,
        source: str,
        place: Place,
        names: Collection[str] | None,
        *,
        typed: bool = False,
        environment: _Environment | None = None,
    ) -> Text | Typed | None:
        """One template, or None after reporting what is wrong; `names` are those it may use, None: any."""
        environment = environment or self._texts
        if "${" in source:
            place.problem(
                "value", "`${VAR}` is replaced in base_url, auth and headers only, so that no text can name a secret"
            )
            return None
        before = len(place.problems)
        try:
            tree = environment.parse(source)
            self._check(tree, place)
            if len(place.problems) > before:
                return None
            if names is not None:
                for name in sorted(meta.find_undeclared_variables(tree) - {*names}):
                    place.problem("unknown-name", f'unknown name "{name}"{hint(name, names)}')
            if len(place.problems) > before:
                return None
            if typed and _alone(tree, source.strip()):
                return Typed(
                    source=source, expression=environment.compile_expression(_inside(source), undefined_to_none=False)
                )
            return Text(source=source, template=environment.from_string(tree))
        except jinja2.TemplateSyntaxError as error:
            place.problem("template", error.message or "unreadable template")
        except RecursionError:
            place.problem("template", "nested too deeply")
        return None

    def _check(self, tree: nodes.Template, place: Place) -> None:
        for node in tree.find_all(FORBIDDEN):
            place.problem("template", f"templates know variables, filters, if and for; not {type(node).__name__}")
        for found in tree.find_all(nodes.Filter):
            if found.name not in FILTERS:
                place.problem("template", f'unknown filter "{found.name}"; accepted: {", ".join(FILTERS)}')
            elif found.name == "theirs":
                given = found.args[0] if len(found.args) == 1 else None
                check_table(given.value if isinstance(given, nodes.Const) else None, "theirs", place, self.values)
        for loop in tree.find_all(nodes.For):
            if any(True for _ in loop.find_all(nodes.For)):
                place.problem("template", "a `for` inside a `for` is not allowed")
        for member in tree.find_all(nodes.Getattr):
            if isinstance(member.node, nodes.Name) and member.node.name == "ticket" and member.attr != "id":
                place.problem("unknown-name", f'"ticket" has no "{member.attr}"; accepted: id')


def templates_for(values: Values) -> Templates:
    """What compiles the templates of a connector with these tables."""

    def theirs(ours: Any, table: str) -> Any:
        """Their word for ours, the first of several, as a number if it looks like one; nobody is nobody in both."""
        if ours is None:
            return None
        found = next((word for word, of in values[table].items() if of is not None and of == ours), None)
        if found is None:
            raise UnsentAction(
                f'the table "{table}" has no word for {ours!r}; add one under `values:` of the connector'
            )
        return int(found) if _WHOLE_NUMBER.fullmatch(found) else found

    def environment(finalize: Any) -> _Environment:
        made = _Environment(undefined=jinja2.StrictUndefined, autoescape=False, finalize=finalize)
        made.filters = {name: made.filters[name] for name in FILTERS if name in made.filters}
        made.filters |= {"theirs": theirs, "inert": inert}
        made.globals = {}
        return made

    return Templates(values=values, _texts=environment(_written), _paths=environment(_segment))


def inert(text: Any) -> Any:
    """Text without what a helpdesk's own template language (Django, Jinja, Liquid) would run, or choke on."""
    return None if text is None else re.sub(r"\{(?=[{#%])|%(?=\})", r"\g<0> ", str(text))


def render(template: Any, names: Mapping[str, Any]) -> Any:
    """What a compiled value becomes with these names; UnsentAction where a name has no value or a filter fails."""
    found: Any
    try:
        match template:
            case Text():
                found = template.template.render(names)
            case Typed():
                found = template.expression(names)
                if isinstance(found, jinja2.Undefined):
                    str(found)  # raises, with the name
            case list():
                return [render(item, names) for item in template]
            case dict():
                return {key: render(item, names) for key, item in template.items()}
            case _:
                return template
    except UnsentAction:
        raise
    except (jinja2.TemplateError, ValueError, TypeError, ArithmeticError, LookupError, RecursionError) as error:
        raise UnsentAction(f"the template {template.source} fails: {error}") from None
    if isinstance(found, str) and len(found) > MAX_LENGTH:
        raise UnsentAction(f"the template {template.source} makes more than {MAX_LENGTH:,} characters")
    return found


def _written(value: Any) -> Any:
    return "" if value is None else value


def _segment(value: Any) -> str:
    if isinstance(value, jinja2.Undefined):
        return str(value)  # raises, with the name
    text = "" if value is None else str(value)
    if text in ("", ".", ".."):
        raise UnsentAction(f"{text!r} cannot stand in a path")
    return quote(text, safe="")


def _alone(tree: nodes.Template, source: str) -> bool:
    if not (source.startswith("{{") and source.endswith("}}")):
        return False
    match tree.body:
        case [nodes.Output(nodes=[node])]:
            return not isinstance(node, nodes.TemplateData)
    return False


def _inside(source: str) -> str:
    inner = source.strip()[2:-2]
    return inner.removeprefix("-").removeprefix("+").removesuffix("-").removesuffix("+")
