"""What a helpdesk sent, or answered to a poll, becomes the events that happened since it was last read.

A ticket is compared with what was seen of it last, and each new entry of its history is one step. Lost and doubled
webhooks come out right, because what was read is remembered and not what was sent.
"""

from __future__ import annotations

import datetime as dt
import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from rules_service.connectors.expressions import UNMAPPED, Expression, Words, find, holds, unexpected
from rules_service.connectors.model import Connector, EventRow, TicketShape
from rules_service.errors import InvalidEvent
from rules_service.problems import describe
from rules_service.tickets import PRIORITIES, ROLES, Actor, Event

#: Data of our events that is text; a number of theirs becomes one.
_TEXTS = frozenset({"subject", "body", "text", "channel", "group", "desk", "assignee", "status", "into", "summary"})

#: Data of our events that is a mapping, and that is a list of texts.
_MAPPINGS = frozenset({"customer", "custom"})
_LISTS = frozenset({"tags", "add_tags", "remove_tags"})

#: Action of ours -> field of the connector that it changes -> the new value, from the action's data. A transfer leaves
#: nobody in charge, and its request has to say so. The other actions change no field.
SENT_FIELDS: Mapping[str, Mapping[str, Callable[[Mapping[str, Any]], Any]]] = {
    "set_priority": {"priority": lambda data: data.get("priority")},
    "reassign": {"assignee": lambda data: data.get("to")},
    "transfer": {"desk": lambda data: data.get("desk"), "assignee": lambda _: None},
    "close": {"status": lambda _: "closed"},
    "reopen": {"status": lambda _: None},
}


#: How long it is kept what an action of ours has replaced, when another one changes the same field.
_FORGOTTEN_AFTER = dt.timedelta(seconds=10)

#: A reading of which nothing can be older than the moment it is dated.
NO_LAG = dt.timedelta(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Overwritten:
    """When an action of ours last changed a field there, and what it, and those just before it, replaced."""

    at: dt.datetime
    was: tuple[Any, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Remembered:
    """What was read of one ticket."""

    #: The fields as they were last, by name.
    seen: Mapping[str, Any]
    #: Counts the times that a field was found changed; from 1.
    version: int
    #: Ids of the entries that were read, in order.
    known: tuple[str, ...]
    #: When what was read last was asked for or arrived.
    read_at: dt.datetime
    #: The fields that we changed ourselves.
    overwritten: Mapping[str, Overwritten] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """The same as JSON data."""
        return {
            "seen": dict(self.seen),
            "version": self.version,
            "known": list(self.known),
            "read_at": self.read_at.isoformat(),
            "overwritten": {
                name: {"at": found.at.isoformat(), "was": list(found.was)} for name, found in self.overwritten.items()
            },
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Remembered:
        """What `to_json` made JSON of."""
        return cls(
            seen=data["seen"],
            version=data["version"],
            known=tuple(data["known"]),
            read_at=dt.datetime.fromisoformat(data["read_at"]),
            overwritten={
                name: Overwritten(at=dt.datetime.fromisoformat(found["at"]), was=tuple(found["was"]))
                for name, found in data.get("overwritten", {}).items()
            },
        )

    def outdated(self, fields: Mapping[str, Any], read_at: dt.datetime, lag: dt.timedelta) -> frozenset[str]:
        """The names of `fields`, dated `read_at` but up to `lag` older, whose values are older than what is known.

        All of them when a later reading came first. Else those that an action of ours has changed since: for sure up
        to the moment it was taken, and within `lag` after it where the value is one that we replaced.
        """
        if read_at < self.read_at:
            return frozenset(fields)
        return frozenset(
            name
            for name, own in self.overwritten.items()
            if name in fields and (read_at <= own.at or (read_at <= own.at + lag and fields[name] in own.was))
        )


def tickets_in(connector: Connector, payload: object, source: Literal["inbound", "poll"] = "inbound") -> list[Any]:
    """Their tickets in a webhook's payload or in a page of the poll; InvalidEvent where no list of them is found.

    One that is not a mapping is for `read_ticket` to refuse, so that it does not take the others with it.
    """
    part = connector.inbound if source == "inbound" else connector.poll
    if part is None:
        raise InvalidEvent(f'the connector "{connector.name}" has no `{source}:`')
    found = find(part.tickets, payload, Words(connector.values))
    if not isinstance(found, list):
        raise unexpected(part.tickets, found, "a list of tickets")
    return found


def next_page(connector: Connector, payload: object) -> str | None:
    """The address of the poll's next page, as they write it, for `poll_request`; None after the last one."""
    expression = connector.poll.next if connector.poll else None
    if expression is None:
        return None
    found = find(expression, payload, Words(connector.values))
    if not holds(found):
        return None
    if not isinstance(found, str):
        raise unexpected(expression, found, "the next page's address, or null")
    return found


def ticket_id(connector: Connector, theirs: object) -> str:
    """The id of one of their tickets, under which it is remembered."""
    shape, names = _opened(connector, theirs)
    return _id(shape.id, names, Words(connector.values))


def created_at(connector: Connector, theirs: object) -> dt.datetime | None:
    """When one of their tickets was created; None where the connector cannot tell."""
    shape, names = _opened(connector, theirs)
    words = Words(connector.values)
    names["id"] = _id(shape.id, names, words)
    return instant(shape.created_at, names, words)


def read_ticket(
    connector: Connector,
    theirs: object,
    remembered: Remembered | None,
    read_at: dt.datetime,
    *,
    lag: dt.timedelta = NO_LAG,
    unmapped: set[tuple[str, str]] | None = None,
) -> tuple[list[Event], Remembered]:
    """The events since the last reading, in order, and what to remember.

    Each new entry that is not our own echo is one step, or one step without an entry where there is none. Only the last
    step sees the fields as they are; the ones before it see them as they were, for the payload does not say when they
    changed. Of a ticket never seen every step sees the present fields, and its first entry opens it, whoever wrote it.
    An event id that comes up again within a reading stands for the later step.

    `read_at` is when it was asked for or arrived, and the time of an event that has none; what is in it may be older by
    `lag`. Values older than what is known, as in a webhook made just before a change of ours, count as seen. Entries
    are never outdated: each new one is read, however late. The words that a table of `values:` does not hold are added
    to `unmapped` as (table, their word). InvalidEvent says which expression cannot be used on what was sent.
    """
    shape, names = _opened(connector, theirs)
    words = Words(connector.values)
    names["id"] = _id(shape.id, names, words)
    fields = _found(shape.fields, names, words)
    seen = None if remembered is None else dict(remembered.seen)
    if remembered is not None and seen is not None:
        fields |= {name: seen[name] for name in remembered.outdated(fields, read_at, lag) if name in seen}
    known = () if remembered is None else remembered.known
    read = frozenset(known)
    new = {id_: entry for id_, entry in _entries(shape, names, words) if id_ not in read}
    version = (0 if remembered is None else remembered.version) + (seen != fields)
    steps: list[Any] = [
        entry
        for place, entry in enumerate(new.values())
        if (seen is None and place == 0) or not _is_echo(shape, names, entry, words)
    ] or [None]
    events: dict[str, Event] = {}
    for place, entry in enumerate(steps):
        step = {
            **names,
            "entry": entry,
            "first": seen is None and place == 0,
            "seen": seen,
            "version": version,
            "fields": fields if place == len(steps) - 1 or seen is None else seen,
        }
        for row in connector.events:
            if holds(find(row.when, step, words)):
                event = _event(row, step, words, read_at)
                events.pop(event.id, None)
                events[event.id] = event
    if unmapped is not None:
        unmapped |= words.unmapped
    return list(events.values()), Remembered(
        seen=fields,
        version=version,
        known=tuple(dict.fromkeys((*known, *new))),
        read_at=read_at if remembered is None else max(read_at, remembered.read_at),
        overwritten={} if remembered is None else remembered.overwritten,
    )


def imported_event(
    connector: Connector, theirs: object, read_at: dt.datetime, *, unmapped: set[tuple[str, str]] | None = None
) -> tuple[Event, Remembered]:
    """`ticket.imported` of a ticket older than the connector's first pass, as it stands, its whole history known."""
    shape, names = _opened(connector, theirs)
    words = Words(connector.values)
    names["id"] = _id(shape.id, names, words)
    fields = _found(shape.fields, names, words)
    known = tuple(dict.fromkeys(id_ for id_, _ in _entries(shape, names, words)))
    event = Event(
        id=f"imported:{names['id']}",
        type="ticket.imported",
        at=instant(shape.created_at, names, words) or read_at,
        ticket_id=names["id"],
        data=_data(shape.fields, fields, words),
    )
    if unmapped is not None:
        unmapped |= words.unmapped
    return event, Remembered(seen=fields, version=1, known=known, read_at=read_at)


def sent(remembered: Remembered, action_type: str, data: Mapping[str, Any], at: dt.datetime) -> Remembered:
    """After the helpdesk took an action of ours, at `at`: its field counts as seen, so that no reading reports it."""
    changed = {name: value(data) for name, value in SENT_FIELDS.get(action_type, {}).items() if name in remembered.seen}
    if not changed:
        return remembered
    overwritten = dict(remembered.overwritten)
    for name in changed:
        own = overwritten.get(name)
        earlier = own.was if own is not None and at - own.at < _FORGOTTEN_AFTER else ()
        overwritten[name] = Overwritten(at=at, was=(*earlier, remembered.seen[name]))
    return replace(remembered, seen={**remembered.seen, **changed}, overwritten=overwritten)


def admits(connector: Connector, secret: str, expand: Callable[[str], str | None]) -> bool:
    """Whether `secret`, the last part of a webhook's address, is the connector's; never while its `${VAR}` is unset."""
    expected = expand(connector.inbound.path_secret) if connector.inbound else None
    return bool(expected) and hmac.compare_digest(secret.encode(), (expected or "").encode())


# --- one ticket ------------------------------------------------------------------------------------------------------


def _opened(connector: Connector, theirs: object) -> tuple[TicketShape, dict[str, Any]]:
    if connector.ticket is None:
        raise InvalidEvent(f'the connector "{connector.name}" has no `ticket:` and reads nothing')
    if not isinstance(theirs, Mapping):
        raise InvalidEvent(f'a ticket of "{connector.name}" is a mapping, not {describe(theirs)}')
    return connector.ticket, {"ticket": dict(theirs)}


def _found(expressions: Mapping[str, Expression], names: Mapping[str, Any], words: Words) -> dict[str, Any]:
    return {key: find(expression, names, words) for key, expression in expressions.items()}


def _entries(shape: TicketShape, names: Mapping[str, Any], words: Words) -> list[tuple[str, Any]]:
    if shape.entries is None or shape.entry_id is None:
        return []
    found = find(shape.entries, names, words)
    if not isinstance(found, list):
        raise unexpected(shape.entries, found, "a list of entries")
    return [(_id(shape.entry_id, {**names, "entry": entry}, words), entry) for entry in found]


def _is_echo(shape: TicketShape, names: Mapping[str, Any], entry: Any, words: Words) -> bool:
    return shape.echo is not None and holds(find(shape.echo, {**names, "entry": entry}, words))


def _event(row: EventRow, names: Mapping[str, Any], words: Words, now: dt.datetime) -> Event:
    return Event(
        id=_id(row.id, names, words),
        type=row.type,
        at=instant(row.at, names, words) or now,
        ticket_id=names["id"],
        actor=_actor(row, names, words),
        data=_data(row.data, _found(row.data, names, words), words),
    )


def _actor(row: EventRow, names: Mapping[str, Any], words: Words) -> Actor | None:
    actor_id = find(row.actor_id, names, words) if row.actor_id else None
    if row.actor_id is None or not holds(actor_id):
        return None
    role = find(row.actor_role, names, words) if row.actor_role else None
    if row.actor_role is not None and holds(role) and role not in ROLES:
        raise unexpected(row.actor_role, role, ", ".join(ROLES))
    return Actor(id=_as_text(row.actor_id, actor_id, "an actor's id"), role=str(role) if holds(role) else "")


def _data(expressions: Mapping[str, Expression], found: Mapping[str, Any], words: Words) -> dict[str, Any]:
    """The data of an event: without what has no value, save an assignee, for whom it means nobody."""
    data: dict[str, Any] = {}
    for key, value in found.items():
        if value is None:
            if key == "assignee":
                data[key] = None
        elif key == "priority" and value not in PRIORITIES:
            # Kept as seen, so that it is told once; nothing here can be done with it.
            if not (isinstance(value, str) and value.startswith(UNMAPPED)):
                words.unmapped.add((key, str(value)[:100]))
        elif key in _TEXTS:
            data[key] = _as_text(expressions[key], value, "text", empty=True)
        elif key in _MAPPINGS:
            data[key] = _mapping(expressions[key], value)
        elif key in _LISTS and not (isinstance(value, list) and all(isinstance(item, str) for item in value)):
            raise unexpected(expressions[key], value, "a list of texts")
        else:
            data[key] = value
    return data


def _mapping(expression: Expression, value: Any) -> dict[str, Any]:
    if not isinstance(value, dict) or any(isinstance(item, dict | list) for item in value.values()):
        raise unexpected(expression, value, "a mapping from names to single values")
    found = {key: item for key, item in value.items() if item is not None}
    if "id" in found:
        found["id"] = _as_text(expression, found["id"], "a customer whose id is text or a whole number")
    return found


def _id(expression: Expression, names: Mapping[str, Any], words: Words) -> str:
    return _as_text(expression, find(expression, names, words), "an id, which is text or a whole number")


def _as_text(expression: Expression, value: Any, accepted: str, *, empty: bool = False) -> str:
    if isinstance(value, str) and (value or empty):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    raise unexpected(expression, value, accepted)


def instant(expression: Expression | None, names: Mapping[str, Any], words: Words) -> dt.datetime | None:
    """The instant in UTC, of ISO 8601 with a zone or of seconds since 1970; None where it is absent."""
    if expression is None:
        return None
    value = find(expression, names, words)
    if value is None:
        return None
    try:
        if isinstance(value, str):
            at = dt.datetime.fromisoformat(value)
            if at.tzinfo is not None:
                return at.astimezone(dt.UTC)
        elif isinstance(value, int | float) and not isinstance(value, bool):
            return dt.datetime.fromtimestamp(value, dt.UTC)
    except (ValueError, OverflowError, OSError):
        pass
    raise unexpected(
        expression, value, "an instant with its time zone, such as 2026-03-02T09:00:00+07:00, or seconds since 1970"
    )
