"""The texts of rules: what alerts, notes, summaries and calls say, compiled once."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping

from rules_service.messages import Template, TemplateError, Text, compile_template
from rules_service.problems import Place
from rules_service.rules import ActionSpec, Rule

#: What every variable of a desk begins with.
_OF_A_DESK = "desk."


def compile_texts(
    rules: Iterable[tuple[Rule, Place]], templates: Mapping[str, Template], known: Container[str]
) -> dict[str, Text]:
    """Text -> compiled, of all actions of the rules, each with its place.

    A problem where a text uses what texts may not, a variable that is not `known`, or, in a rule for desks, one of
    which a desk has none.
    """
    compiled: dict[str, Text] = {}
    for rule, place in rules:
        for index, action in enumerate(rule.then):
            for text, here in _texts_of(action, place.at("then", index, action.type)):
                if text not in compiled:
                    try:
                        compiled[text] = compile_template(text, known)
                    except TemplateError as error:
                        here.problem("template", str(error))
                        continue
                if rule.subject == "desk":
                    _check_names(compiled[text].names, here)
            template = templates.get(action.data.get("template", ""))
            if rule.subject == "desk" and template is not None:
                used = frozenset[str]().union(*(text.names for text in template.texts.values()))
                _check_names(used, place.at("then", index, action.type, "template"))
    return compiled


def _check_names(names: Iterable[str], place: Place) -> None:
    for name in sorted(names):
        if not name.startswith(_OF_A_DESK):
            place.problem("template", f"a desk has no {name}; a rule `for: desk` tells desk.* only")


def _texts_of(action: ActionSpec, place: Place) -> Iterable[tuple[str, Place]]:
    for key in ("text", "summary"):
        if isinstance(action.data.get(key), str):
            yield action.data[key], place.at(key)
    if action.type == "call":
        yield from _within(action.data["data"], place.at("data"))


def _within(value: object, place: Place) -> Iterable[tuple[str, Place]]:
    """Each text within a plain value."""
    if isinstance(value, dict | list):
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _within(item, place.at(key))
    elif isinstance(value, str):
        yield value, place
