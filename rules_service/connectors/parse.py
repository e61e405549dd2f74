"""The section `connectors:` of a ruleset, read and checked."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from rules_service.connectors.expressions import Expression, Values, compile_expression
from rules_service.connectors.model import (
    ACTION_DATA,
    METHODS,
    Auth,
    Check,
    Connector,
    EventRow,
    Inbound,
    Poll,
    RequestRow,
    TicketShape,
)
from rules_service.connectors.schemas import ConnectorSchema, RequestSchema
from rules_service.connectors.texts import Templates, templates_for
from rules_service.durations import format_duration, parse_duration, parse_wall_s
from rules_service.problems import Place, describe, hint, shaped
from rules_service.tickets import EVENT_TYPES, INTERNAL_EVENT_TYPES, PRIORITIES, ROLES, USER_EVENT_TYPES

#: Event types that a connector may report: about a ticket, from outside, and not ours to make.
REPORTED = tuple(
    kind
    for kind in EVENT_TYPES
    if kind not in {*INTERNAL_EVENT_TYPES, *USER_EVENT_TYPES, "ticket.imported", "action.applied", "action.failed"}
)

#: Name -> the members that it has, or None for any.
Scope = Mapping[str, Collection[str] | None]

_HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}")
_ON_TICKET: Scope = {"ticket": None, "id": None}
_ON_ENTRY: Scope = {**_ON_TICKET, "entry": None}
#: Longer than that a breach cannot wait for what a helpdesk may still tell.
_MOST_LAG_S = 3_600


def parse_connector(name: str, data: object, place: Place) -> Connector | None:
    """The connector, or None after reporting every problem at its place."""
    before = len(place.problems)
    section = shaped(ConnectorSchema, data, place)
    if section is None:
        return None
    base_url = section["base_url"]
    if not base_url.startswith(("https://", "http://", "${")):
        place.at("base_url").problem(
            "value", f'a base_url begins with https://, http:// or a `${{VAR}}`; not "{base_url}"'
        )
    _check_headers(section["headers"], place.at("headers"))
    values = _values(section["values"], place.at("values"))
    parser = _Parser(values, templates_for(values))
    ticket = parser.ticket(section["ticket"], place.at("ticket")) if section["ticket"] else None
    fields = section["ticket"]["compared"] if section["ticket"] else {}
    auth = _auth(section["auth"], place.at("auth"))
    inbound = parser.inbound(section["inbound"], place.at("inbound")) if section["inbound"] else None
    poll = parser.poll(section["poll"], place.at("poll")) if section["poll"] else None
    events = parser.events(section["events"], fields, place.at("events"))
    checks = {key: parser.check(row, place.at("checks", key)) for key, row in section["checks"].items()}
    outbound = parser.outbound(section["outbound"], checks, place.at("outbound"))
    operations = parser.operations(section["operations"], checks, place.at("operations"))
    lag_s = _lag(section["lag"], place.at("lag"))
    _check_whole(section, place)
    if len(place.problems) > before:
        return None
    return Connector(
        name=name, base_url=base_url, auth=auth, headers=section["headers"], values=values, inbound=inbound, poll=poll,
        ticket=ticket, events=events, outbound=outbound, operations=operations, lag_s=lag_s,
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Parser:
    """What every part of one connector needs: its tables, and what compiles templates that use them."""

    values: Values
    templates: Templates

    def expression(self, source: str | None, place: Place, names: Scope | None) -> Any:
        """An Expression; None where there is no source, or after a problem, when nothing is built any more."""
        if source is None:
            return None
        start = next((i for i, step in enumerate(place.path) if step in _SECTIONS), 0)
        return compile_expression(source, place, _spelled(place.path[start:]), values=self.values, names=names)

    def expressions(self, sources: Mapping[str, str], place: Place, names: Scope) -> dict[str, Expression]:
        return {key: self.expression(source, place.at(key), names) for key, source in sources.items()}

    def inbound(self, section: dict[str, Any], place: Place) -> Inbound:
        tickets = self.expression(section["tickets"], place.at("tickets"), None)
        return Inbound(path_secret=section["auth"]["path_secret"], tickets=tickets)

    def poll(self, section: dict[str, Any], place: Place) -> Poll:
        return Poll(
            every_s=_every(section["every"], place.at("every")),
            path=self._path(section["path"], place.at("path"), ()),
            tickets=self.expression(section["tickets"], place.at("tickets"), None),
            next=self.expression(section["next"], place.at("next"), None),
            one=self._path(section["one"], place.at("one"), ("ticket",)),
        )

    def ticket(self, section: dict[str, Any], place: Place) -> TicketShape:
        if section["entries"] is not None and section["entry_id"] is None:
            place.at("entry_id").problem("missing", '"entry_id" is required beside `entries:`')
        if section["entries"] is None:
            for key in ("entry_id", "echo"):
                if section[key] is not None:
                    place.at(key).problem("value", f'"{key}" means nothing without `entries:`', key=True)
        return TicketShape(
            id=self.expression(section["id"], place.at("id"), {"ticket": None}),
            created_at=self.expression(section["created_at"], place.at("created_at"), _ON_TICKET),
            entries=self.expression(section["entries"], place.at("entries"), _ON_TICKET),
            entry_id=self.expression(section["entry_id"], place.at("entry_id"), _ON_ENTRY),
            echo=self.expression(section["echo"], place.at("echo"), _ON_ENTRY),
            fields=self.expressions(section["compared"], place.at("fields"), _ON_TICKET),
        )

    def events(self, rows: list[dict[str, Any]], fields: Collection[str], place: Place) -> tuple[EventRow, ...]:
        names: Scope = {**_ON_ENTRY, "first": None, "version": None, "seen": fields, "fields": fields}
        return tuple(self._event(row, names, place.at(index)) for index, row in enumerate(rows))

    def _event(self, row: dict[str, Any], names: Scope, place: Place) -> EventRow:
        kind, actor = row["type"], row["actor"] or {"id": None, "role": None}
        if kind not in EVENT_TYPES:
            place.at("type").problem("unknown-name", f'unknown event type "{kind}"{hint(kind, REPORTED)}')
        elif kind not in REPORTED:
            place.at("type").problem("value", f'"{kind}" is not for connectors to report')
        if actor["role"] in ROLES:
            word = actor["role"]
            place.at("actor", "role").problem("value", f"""a role is text in quotes: "'{word}'", not {word}""")
            actor = {**actor, "role": None}
        role = self.expression(actor["role"], place.at("actor", "role"), names)
        if role is not None and role.parsed.parsed["type"] == "literal" and role.parsed.parsed["value"] not in ROLES:
            word = role.parsed.parsed["value"]
            place.at("actor", "role").problem("unknown-name", f'unknown role "{word}"{hint(word, ROLES)}')
        if actor["role"] is not None and actor["id"] is None:
            place.at("actor").problem("missing", '"id" is required beside `role:`')
        return EventRow(
            type=kind,
            when=self.expression(row["when"], place.at("when"), names),
            id=self.expression(row["id"], place.at("id"), names),
            at=self.expression(row["at"], place.at("at"), names),
            actor_id=self.expression(actor["id"], place.at("actor", "id"), names),
            actor_role=role,
            data=self.expressions(row["data"], place.at("data"), names),
        )

    def outbound(
        self, section: dict[str, Any], checks: Mapping[str, Check], place: Place
    ) -> dict[str, tuple[RequestRow, ...]]:
        found = {}
        for action, data in section.items():
            if action not in ACTION_DATA:
                extra = "; write its requests under `operations:`" if action == "call" else hint(action, ACTION_DATA)
                place.at(action).problem("unknown-action", f'unknown action "{action}"{extra}', key=True)
                continue
            found[action] = self._requests(data, place.at(action), ("ticket", *ACTION_DATA[action]), checks)
        return found

    def operations(
        self, section: dict[str, Any], checks: Mapping[str, Check], place: Place
    ) -> dict[str, tuple[RequestRow, ...]]:
        return {name: self._requests(data, place.at(name), None, checks) for name, data in section.items()}

    def _requests(
        self, data: object, place: Place, names: Collection[str] | None, checks: Mapping[str, Check]
    ) -> tuple[RequestRow, ...]:
        if isinstance(data, list):
            if not data:
                place.problem("missing", "expected at least one request")
            found = [self._request(item, place.at(index), names, checks) for index, item in enumerate(data)]
        else:
            found = [self._request(data, place, names, checks)]
        return tuple(row for row in found if row is not None)

    def _request(
        self, data: object, place: Place, names: Collection[str] | None, checks: Mapping[str, Check]
    ) -> RequestRow | None:
        row = shaped(RequestSchema, data, place)
        if row is None:
            return None
        if row["method"] not in METHODS:
            message = f'unknown method "{row["method"]}"{hint(row["method"].upper(), METHODS)}'
            place.at("method").problem("unknown-name", message)
        if row["check"] is not None and row["check"] not in checks:
            place.at("check").problem("unknown-name", f'unknown check "{row["check"]}"{hint(row["check"], checks)}')
        return RequestRow(
            method=row["method"],
            path=self._path(row["path"], place.at("path"), names),
            json=self.templates.value(row["json"], place.at("json"), names),
            check=None if row["check"] is None else checks.get(row["check"]),
        )

    def check(self, section: dict[str, Any], place: Place) -> Check:
        return Check(
            path=self._path(section["path"], place.at("path"), ("ticket",)),
            among=self.expression(section["among"], place.at("among"), None),
            same=self.expression(section["same"], place.at("same"), {"entry": None, "sent": None}),
            at=self.expression(section["at"], place.at("at"), {"entry": None}),
        )

    def _path(self, source: str | None, place: Place, names: Collection[str] | None) -> Any:
        return None if source is None else self.templates.path(source, place, names)


#: Where the name of an expression begins, in messages about payloads.
_SECTIONS = ("inbound", "poll", "ticket", "events", "checks")


def _spelled(path: tuple[str | int, ...]) -> str:
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path).removeprefix(".")


def _values(section: dict[str, dict[str, Any]], place: Place) -> dict[str, dict[str, str | None]]:
    found: dict[str, dict[str, str | None]] = {}
    for table, words in section.items():
        found[table] = {}
        for theirs, ours in words.items():
            here = place.at(table, theirs)
            if ours is not None and not isinstance(ours, str):
                here.problem("type", f"our words are text, or null for one that says nothing; not {describe(ours)}")
            elif table == "priority" and ours is not None and ours not in PRIORITIES:
                here.problem("unknown-name", f'unknown priority "{ours}"{hint(ours, PRIORITIES)}')
            else:
                found[table][theirs] = ours
    return found


def _auth(section: dict[str, str] | None, place: Place) -> Auth | None:
    if section is None:
        return None
    if len(section) != 1:
        place.problem("value" if section else "missing", "`auth:` takes exactly one of basic, bearer")
        return None
    if "basic" in section:
        if ":" not in section["basic"]:
            place.at("basic").problem("value", '"basic" is `user:password`')
        return Auth(kind="basic", secret=section["basic"])
    return Auth(kind="bearer", secret=section["bearer"])


def _check_headers(section: Mapping[str, str], place: Place) -> None:
    for name, value in section.items():
        if not _HEADER.fullmatch(name) or not value.isprintable():
            place.at(name).problem("value", f'"{name}" is not a header of HTTP', key=True)


def _every(data: object, place: Place) -> int:
    try:
        duration = parse_duration(data)
    except ValueError as error:
        place.problem("duration", str(error))
        return 0
    if duration.service or duration.seconds < 1:
        place.problem("value", "a poll runs every so many seconds of the wall clock, at least `1s`")
    return duration.seconds


def _lag(data: object, place: Place) -> int:
    try:
        seconds = parse_wall_s(data)
    except ValueError as error:
        place.problem("duration", str(error))
        return 0
    if seconds > _MOST_LAG_S:
        place.problem("value", f"a helpdesk is at most {format_duration(_MOST_LAG_S)} behind")
    return seconds


def _check_whole(section: dict[str, Any], place: Place) -> None:
    """What is read has to be understood; what is understood has to arrive."""
    reads = section["inbound"] or section["poll"]
    if reads and section["ticket"] is None:
        place.problem("missing", '"ticket" is required beside `inbound:` or `poll:`', key=True)
    if reads and not section["events"]:
        place.problem("missing", '"events" is required beside `inbound:` or `poll:`', key=True)
    if section["events"] and section["ticket"] is None and not reads:
        place.at("events").problem("missing", '"ticket" is required beside `events:`', key=True)
    if not (reads or section["outbound"] or section["operations"]):
        place.problem("missing", "a connector needs inbound, poll, outbound or operations", key=True)
