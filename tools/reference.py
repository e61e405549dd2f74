"""Writes docs/reference/ from the tables of the code: `python -m tools.reference`. A test fails where they differ."""

# Prose stands in the order in which it is read.
# ruff: noqa: E501

from __future__ import annotations

import datetime as dt
import inspect
import re
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import click
import marshmallow as ma

from rules_service import errors
from rules_service.api import problems as http_problems
from rules_service.api import schemas
from rules_service.api.app import compose, create_app
from rules_service.cli import main as command_line
from rules_service.clocks import CLOCKS
from rules_service.decide import ATTRIBUTES, EVENT_OF
from rules_service.errors import NoRuleset
from rules_service.machines import TRIGGERS
from rules_service.machines.guards import GUARDS
from rules_service.parties import PARTIES
from rules_service.problems import KINDS, WARNINGS
from rules_service.rules import ACTIONS, IRREGULAR, LISTENABLE, PLACEMENTS, WINDOWED
from rules_service.rules.actions import SEVERITIES, SHAPES
from rules_service.rules.operands import OPERATORS, operators_of
from rules_service.service import health
from rules_service.service.keys import SCOPES
from rules_service.settings import PREFIX, SETTINGS, read_settings
from rules_service.store import Store
from rules_service.tickets import EVENT_TYPES, INTERNAL_EVENT_TYPES, PRIORITIES, ROLES, USER_EVENT_TYPES

FOLDER = Path(__file__).parents[1] / "docs/reference"

_MADE = "<!-- Made by `python -m tools.reference`; change the code's table, not this file. -->"

#: Operator -> (what stands beside it, when the comparison holds).
_OPERATORS: Mapping[str, tuple[str, str]] = {
    "is": ("a value", "the attribute equals it; a bare value beside the attribute means this"),
    "is_not": ("a value", "the exact negation of `is`, hence true where the attribute has no value"),
    "in": ("a list", "the attribute equals one of them; a bare list beside the attribute means this"),
    "not_in": ("a list", "the exact negation of `in`, hence true where the attribute has no value"),
    "at_least": ("a number, duration or ordered choice", "the attribute is that or more"),
    "at_most": ("a number, duration or ordered choice", "the attribute is that or less"),
    "more_than": ("a number, duration or ordered choice", "the attribute is more"),
    "less_than": ("a number, duration or ordered choice", "the attribute is less"),
    "contains_any": ("a value or list", "at least one of them is in the set; a bare value or list means this"),
    "contains_all": ("a value or list", "every one of them is in the set"),
    "contains_none": ("a value or list", "the exact negation of `contains_any`, hence true where there is no set"),
    "keywords": ("a name or list of names", "one of these keyword lists hits the text"),
    "matches": ("a regular expression (RE2)", "it matches anywhere in the text"),
    "starts_with": ("text or a list", "the text starts with one of them; letter case counts"),
    "exists": ("`true` or `false`", "the attribute has a value, or has none"),
}

#: Prefix of an attribute's name -> heading.
_GROUPS: Mapping[str, str] = {
    "ticket": "The ticket",
    "customer": "The customer",
    "event": "The event",
    "message": "The message",
    "time": "Wall-clock time",
    "service_time": "Service time: counted in the desk's service hours",
    "sla": "Service-level clocks",
    "recent": "Counts within a window",
    "desk": "The desk",
}


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def code(names: Iterable[str]) -> str:
    """Names as code, with commas."""
    return ", ".join(f"`{name}`" for name in names)


def attributes() -> str:
    """attributes.md."""
    parts = [
        "# Attributes",
        (
            "What a condition may read. A comparison with an attribute that has no value is false; see"
            " [operators](operators.md). A ruleset adds its own under `ticket.custom.` with the section `attributes:`."
        ),
        (
            "**Time** says that time alone changes the attribute: a rule without `on:` that compares it with a number fires"
            " at the very second. **Needs `on:`** says that it changes without an event of the ticket, so that only rules"
            " with `on:`, or rules `for: desk`, may read it."
        ),
    ]
    for prefix, heading in _GROUPS.items():
        found = [computed for name, computed in ATTRIBUTES.items() if name.split(".")[0] == prefix]
        parts.append(f"## {heading}")
        if prefix == WINDOWED.rstrip("."):
            parts.append("They are read with a window: `recent.messages_received: {within: 10m, at_least: 3}`.")
        parts.append(
            table(
                ("attribute", "type", "meaning", "time", "needs `on:`"),
                [
                    (
                        f"`{one.attribute.name}`",
                        _type(one.attribute),
                        one.attribute.about,
                        "yes" if one.crossings or one.attribute.name.startswith(WINDOWED) else "",
                        "yes" if one.attribute.needs_on else "",
                    )
                    for one in found
                ],
            )
        )
    missing = {name.split(".")[0] for name in ATTRIBUTES} - set(_GROUPS)
    assert not missing, f"attributes without a heading: {missing}"
    return _page(parts)


def _type(attribute: Any) -> str:
    if attribute.kind == "choice":
        if attribute.name == "event.type":
            return "choice: an [event type](events.md)"
        if attribute.name == "customer.tier":
            return "choice, ordered: the ruleset's `customer_tiers`"
        joined = " < ".join(f"`{v}`" for v in attribute.values) if attribute.ordered else code(attribute.values)
        return f"choice: {joined}"
    return f"{attribute.kind}, in per cent" if attribute.unit == "pct" else str(attribute.kind)


def operators() -> str:
    """operators.md."""
    ordered_only = [op for op in OPERATORS["choice"] if op not in operators_of(_unordered())]
    rows = []
    for name in dict.fromkeys(op for names in OPERATORS.values() for op in names):
        kinds = [kind for kind, names in OPERATORS.items() if name in names]
        spelled = [f"{kind} (ordered)" if kind == "choice" and name in ordered_only else kind for kind in kinds]
        beside, holds = _OPERATORS[name]
        rows.append((f"`{name}`", ", ".join(spelled), beside, holds))
    return _page(
        [
            "# Operators",
            (
                "A condition maps an attribute to a value, or to one or more operators: `time.idle: {at_least: 30m}`. Several"
                " operators must all hold. A mapping of attributes is *all of*; `all:`, `any:` and `none:` nest, and under"
                " `any:` and `none:` each entry counts by itself."
            ),
            (
                "A comparison with an attribute that has no value is false; `is_not`, `not_in`, `contains_none` and `none:`"
                " are exact negations, hence true."
            ),
            table(("operator", "types of attribute", "beside it", "holds when"), rows),
            (
                "A duration has a unit: `300s`, `30m`, `24h`, `7d`, `1h 30m`. `service 30m` beside a `time.*` attribute"
                " counts in the desk's service hours, as `service_time.*` does."
            ),
        ]
    )


def _unordered() -> Any:
    return next(c.attribute for c in ATTRIBUTES.values() if c.attribute.kind == "choice" and not c.attribute.ordered)


def actions() -> str:
    """actions.md."""
    rows = []
    for name, about in ACTIONS.items():
        if name == "set":
            rows.append((f"`{name}`", about, "`custom.NAME`, `customer.tier`: the new value", ""))
            continue
        schema, short, one_of = SHAPES[name]
        spelled = [_parameter(key, field, one_of) for key, field in schema().fields.items()]
        rows.append((f"`{name}`", about, "; ".join(spelled) or "none", f"`{short}`" if short else ""))
    return _page(
        [
            "# Actions",
            (
                "What a rule may do under `then:`: a closed list. An action is a name (`close`) or a mapping from one name to"
                " its parameters (`reply: {template: received}`); a bare value stands for the parameter in the last column."
            ),
            table(("action", "what it does", "parameters", "a bare value is"), rows),
            (
                f"{code(sorted(PLACEMENTS))} decide who holds the ticket or whether it is closed: of the rules that fire at"
                " one event only the first with such an action is carried out, the others are recorded as superseded."
            ),
            (
                f"`alert` names parties: {code(PARTIES)}, `user:ID`, `endpoint:ID`; its severity is one of"
                f" {code(SEVERITIES)}."
            ),
            (
                "A delivery has the type `action.NAME`. Its `data` holds the parameters, with texts rendered, beside `id`,"
                " `ticket_id`, `decision_id` and `cause`. `reassign` tells `to` and `previous`; `transfer` tells `group`,"
                " `desk`, `from_desk` and `previous`; `set_priority` tells `priority` and `previous`; `alert` tells `users`, the"
                " people whom its parties stand for at that moment, and the ids of the `group` and the `customer` where"
                " it is for them."
            ),
        ]
    )


def _parameter(key: str, field: ma.fields.Field, one_of: Sequence[str]) -> str:
    kind = "list" if isinstance(field, ma.fields.List) else type(field).__name__.lower()
    said = [{"string": "text", "dict": "mapping", "integer": "whole number"}.get(kind, kind)]
    for check in field.validators:
        if isinstance(check, ma.validate.OneOf):
            said = [f"one of {code(check.choices)}"]
        elif isinstance(check, ma.validate.Range):
            said = [f"{check.min} to {check.max}"]
    if field.required:
        said.append("required")
    elif key in one_of:
        said.append(f"exactly one of {code(one_of)}")
    elif field.load_default not in (ma.missing, None, {}):
        said.append(f"`{field.load_default}` unless said")
    return f"`{key}`: {', '.join(said)}"


def events() -> str:
    """events.md."""
    triggers = {kind: trigger for trigger, kind in EVENT_OF.items()}

    def source(kind: str) -> str:
        return "the service" if kind in INTERNAL_EVENT_TYPES else "the helpdesk"

    fields = [(f"`{name}`", _shape(make())) for name, make in schemas.DATA_FIELDS.items()]
    return _page(
        [
            "# Events",
            (
                "Everything that happens is an event. Those of the helpdesk come by `POST /v1/events`, by a transition that"
                " is asked for, or by a connector; the others the service makes itself. A rule names them under `on:`."
            ),
            table(
                ("type", "meaning", "from", "trigger"),
                [
                    (f"`{kind}`", about, source(kind), f"`{triggers[kind]}`" if kind in triggers else "")
                    for kind, about in EVENT_TYPES.items()
                ],
            ),
            (
                f"`on:` may also name `{IRREGULAR}`: a fact for which the lifecycle had no edge. It may not name"
                f" {code(sorted(set(EVENT_TYPES) - set(LISTENABLE)))}, which concern no ticket."
            ),
            "## The shape of an event",
            (
                "An event has an `id` that names it for ever, a `type`, the instant `at` with an offset (now, if left out), a"
                f" `ticket_id` ({code(sorted(USER_EVENT_TYPES))} a `user_id`), an `actor` with `id` and `role`, and `data`."
                f" A role is one of {code(ROLES)}. Unknown fields are refused."
            ),
            "Fields of `data`; each event uses those that concern it:",
            table(("field", "value"), fields),
            "Required in `data`: "
            + "; ".join(f"{code(names)} for `{kind}`" for kind, names in schemas.REQUIRED.items() if names)
            + ".",
            (
                f'A batch is `{{"events": [...]}}` with at most {schemas.MAX_BATCH} events; the answer is'
                ' `{"answers": [...]}` in the same order.'
            ),
        ]
    )


def _shape(field: ma.fields.Field) -> str:
    if isinstance(field, ma.fields.Nested):
        return f"mapping of {code(field.schema.fields)}"
    if isinstance(field, ma.fields.List):
        return "list of texts"
    kind = {"Text": "text", "Float": "number", "Integer": "whole number", "Flag": "`true` or `false`"}
    said = kind.get(type(field).__name__, "mapping")
    for check in field.validators:
        if isinstance(check, ma.validate.OneOf):
            said = f"one of {code(check.choices)}"
        elif isinstance(check, ma.validate.Length) and check.max:
            said += f", at most {check.max:,} characters"
    return said


def error_codes() -> str:
    """errors.md."""
    rows = [(f"`{code}`", str(status), meaning) for code, status, meaning in http_problems.listed()]
    assert {error.code for error in _subclasses(errors.ServiceError)} == {kind.code for kind in http_problems.STATUS}
    return _page(
        [
            "# Errors",
            (
                "An error is a problem document (RFC 9457, `application/problem+json`) with `type`, `title`, `status`,"
                " `code` and `detail`. `code` is stable; `detail` says what was wrong and what would be accepted, and may"
                " change. Where fields are wrong, `errors` lists each with its `pointer` (RFC 6901)."
            ),
            table(("code", "status", "meaning"), rows),
            'In a batch the answer of an event that failed is `{"error": {...}}` with the same fields.',
        ]
    )


def _subclasses(kind: type) -> set[type]:
    found = set(kind.__subclasses__())
    return found.union(*(_subclasses(one) for one in found))


def settings() -> str:
    """settings.md."""
    rows = [(f"`{PREFIX}{one.name}`", f"`{one.default}`" if one.default else "", one.about) for one in SETTINGS]
    return _page(
        [
            "# Settings",
            (
                "All settings come from the environment. A value that cannot be used ends the command with the status 2 and"
                " says what would be accepted."
            ),
            table(("variable", "default", "meaning"), rows),
            (
                "`make run` takes the port as `make run PORT=9000`. Other variables are what `${VAR}` in rule files stands"
                " for; they are read when an action is delivered and are never stored."
            ),
        ]
    )


def metrics() -> str:
    """metrics.md."""
    rows = []
    with _empty_store() as store:
        for family in health._Figures(store, _NoRuleset(), dt.datetime.now(dt.UTC)).collect():  # noqa: SLF001
            name = f"{family.name}_total" if family.type == "counter" else family.name
            labels = code(family._labelnames)  # type: ignore[attr-defined]  # noqa: SLF001
            rows.append((f"`{name}`", family.type, labels, family.documentation))
    return _page(
        [
            "# Metrics",
            (
                "`GET /metrics` answers in the text format of Prometheus; it needs a key with the scope `metrics:read`. The"
                " figures are read from the database at scrape time, so that any one API process tells the whole."
            ),
            table(("metric", "type", "labels", "meaning"), rows),
            (
                "What to watch: `rules_service_deadline_lag_seconds` and `rules_service_delivery_lag_seconds` grow when no"
                " worker runs; `rules_service_deliveries_dead` counts actions that wait to be sent again by hand."
            ),
        ]
    )


class _NoRuleset:
    problem = None

    def ruleset(self) -> Any:
        raise NoRuleset


class _empty_store:  # noqa: N801  a context manager
    """An up-to-date database without content."""

    def __enter__(self) -> Store:
        self._folder = tempfile.TemporaryDirectory()
        self._store = Store(f"sqlite:///{self._folder.name}/empty.db")
        self._store.upgrade()
        self._connection = self._store.connection()
        self._connection.__enter__()
        return self._store

    def __exit__(self, *_: object) -> None:
        self._connection.__exit__(None, None, None)
        self._store.close()
        self._folder.cleanup()


def commands() -> str:
    """commands.md."""
    parts = [
        "# Commands",
        (
            "Exit status: 0 all is well, 1 findings, 2 wrong usage. With `--json` a command prints one JSON object."
            " [Settings](settings.md) come from the environment."
        ),
    ]
    for path, command in sorted(_commands(command_line, ())):
        arguments = [p for p in command.params if isinstance(p, click.Argument)]
        options = [p for p in command.params if isinstance(p, click.Option)]
        usage = " ".join(["rules-service", *path, *(p.make_metavar(click.Context(command)) for p in arguments)])
        parts += [f"## `{usage}`", inspect.cleandoc(command.help or "")]
        if options:
            rows = [(code(option.opts), option.help or "") for option in options]
            parts.append(table(("option", "meaning"), rows))
    return _page(parts)


def _commands(group: click.Group, path: tuple[str, ...]) -> Iterable[tuple[tuple[str, ...], click.Command]]:
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from _commands(command, (*path, name))
        else:
            yield (*path, name), command


def problem_kinds() -> str:
    """problems.md."""
    return _page(
        [
            "# Problems in rule files",
            (
                "All problems of a ruleset are reported together, as `file:line:col: message (kind)`, the file named within"
                " the ruleset's folder, lines and columns from 1. A ruleset with a problem does not go live, and the one in"
                " force stays."
            ),
            table(("kind", "meaning"), [(f"`{kind}`", about) for kind, about in KINDS.items()]),
            "## Warnings",
            (
                "A warning is reported the same way, with `warning:` before the message. A ruleset that has warnings works,"
                " though hardly as meant."
            ),
            table(("kind", "meaning"), [(f"`{kind}`", about) for kind, about in WARNINGS.items()]),
        ]
    )


def clocks() -> str:
    """clocks.md."""
    return _page(
        [
            "# Service-level clocks",
            (
                "A clock measures one ticket, or one stint, in the service hours of the desk's calendar. Its target comes from"
                " `sla:` of the desk, else from the first of `sla_policies:` that applies."
            ),
            table(
                ("clock", "measures", "of"),
                [(f"`{name}`", measure.about, f"a {measure.scope}") for name, measure in CLOCKS.items()],
            ),
            (
                "A clock is `running`, `paused`, `met` (stopped in time), `breached` (past its target and still unmet),"
                " `missed` (stopped after the breach) or `void` (no verdict: the stint or the ticket ended first). Whether"
                " clocks run in a state of the lifecycle is a property of the state: `clock: running`, `paused` or `stopped`."
            ),
        ]
    )


def lifecycle() -> str:
    """lifecycle.md."""
    return _page(
        [
            "# Triggers, roles and guards",
            (
                "The section `lifecycle:` of a ruleset names states, and transitions between them. A transition has a"
                " `trigger`, one or more states `from` which it leads, a state `to` which it leads (left out, the state"
                " stays), the roles `by` whom, `guards` that must pass, and fields of `data` that it `requires`. The first"
                " row whose role and guards pass wins."
            ),
            "## Triggers",
            table(
                ("trigger", "recorded as the event"),
                [(f"`{name}`", f"`{EVENT_OF[name]}`" if name in EVENT_OF else "") for name in TRIGGERS],
            ),
            "## Roles",
            f"{code(ROLES)}. Under `roles:` a lifecycle gives a name to a list of them.",
            "## Guards",
            table(
                ("guard", "passes"),
                [(f"`{name}`", _first_sentence(guard)) for name, guard in GUARDS.items()],
            ),
            f"Priorities, lowest first: {code(PRIORITIES)}.",
        ]
    )


def _first_sentence(documented: object) -> str:
    return (documented.__doc__ or "").split(" Source:")[0].strip().rstrip(".")


def scopes() -> str:
    """scopes.md."""
    return _page(
        [
            "# Scopes of API keys",
            (
                "`rules-service keys create NAME --scope SCOPE` makes a key; without `--scope` it has all of them. A key made"
                " with `--user` and `--role` acts as that user only."
            ),
            table(("scope", "allows"), [(f"`{scope}`", about) for scope, about in SCOPES.items()]),
        ]
    )


def http() -> str:
    """http.md."""
    with _empty_store() as store:
        app = create_app(compose(read_settings({}), store=store))
        rows = []
        for rule in sorted(app.url_map.iter_rules(), key=lambda found: found.rule):
            methods = sorted((rule.methods or set()) - {"HEAD", "OPTIONS"})
            if rule.rule.startswith(("/docs", "/openapi", "/swagger")):
                continue
            view: Any = app.view_functions[rule.endpoint]
            if hasattr(view, "view_class"):
                view = getattr(view.view_class, methods[0].lower())
            scope = getattr(view, "_scope", None)
            path = re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule)
            rows.append((f"`{', '.join(methods)} {path}`", f"`{scope}`" if scope else "none", _about(view)))
    return _page(
        [
            "# HTTP",
            (
                "JSON in and out. A key goes into the header `Authorization: Bearer KEY`. The full description, with every"
                " field, is at `/openapi.json` (OpenAPI 3.1) of a running service, and as a page at `/docs`. Errors are"
                " [problem documents](errors.md)."
            ),
            table(("method and path", "scope", "what"), rows),
        ]
    )


def _about(view: Any) -> str:
    return (view.__doc__ or "").strip().split("\n\n")[0].replace("\n", " ")


def _page(parts: Iterable[str]) -> str:
    head, *rest = parts
    return "\n\n".join([head, _MADE, *rest]) + "\n"


PAGES: Mapping[str, Callable[[], str]] = {
    "actions.md": actions,
    "attributes.md": attributes,
    "clocks.md": clocks,
    "commands.md": commands,
    "errors.md": error_codes,
    "events.md": events,
    "http.md": http,
    "lifecycle.md": lifecycle,
    "metrics.md": metrics,
    "operators.md": operators,
    "problems.md": problem_kinds,
    "scopes.md": scopes,
    "settings.md": settings,
}


def main() -> None:
    """Writes every page."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, make in PAGES.items():
        (FOLDER / name).write_text(make())


if __name__ == "__main__":
    main()
