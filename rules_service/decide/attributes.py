"""The table of attributes: name, type, meaning, how each is computed, and when time alone changes it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from rules_service.clocks import CLOCKS, Hours, used_pct, used_s
from rules_service.rules import WINDOWED, Attribute
from rules_service.ruleset import Ruleset
from rules_service.tickets import EVENT_TYPES, PRIORITIES, ROLES, Escalation, Event, ServiceClock, Snapshot, Ticket

#: Prefix of the attributes that a ruleset declares itself.
CUSTOM = "ticket.custom."


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What an attribute is computed from: one ticket, one event, one instant."""

    ruleset: Ruleset
    snapshot: Snapshot
    ticket: Ticket
    event: Event
    now: dt.datetime
    irregular: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Computed:
    """One row of the table."""

    attribute: Attribute
    read: Callable[[Facts], Any]
    #: The instants at which a comparison with a number may change by time alone; None: time does not change it.
    crossings: Callable[[Facts, int], Iterable[dt.datetime]] | None = None


def row_of(facts: Facts, names: Iterable[str]) -> dict[str, Any]:
    """The values of `names`, missing ones left out; a text's keyword hits stand beside it under `NAME#keywords`."""
    row: dict[str, Any] = {}
    for name in names:
        if name.startswith(CUSTOM):
            value = facts.ticket.custom.get(name.removeprefix(CUSTOM))
            if isinstance(value, list | tuple):
                value = frozenset(item for item in value if isinstance(item, str))
        elif name.startswith(WINDOWED):
            value = len(_in_window(facts, name))
        else:
            value = ATTRIBUTES[name].read(facts)
        if value is not None:
            row[name] = value
    for name in ("message.text", "ticket.subject"):
        if name in row and facts.ruleset.keywords is not None:
            row[f"{name}#keywords"] = facts.ruleset.keywords.find(row[name], facts.ticket.channel)
    return row


def crossings(facts: Facts, name: str, value: Any) -> Iterable[dt.datetime]:
    """The instants at which a comparison of the attribute with `value` may change by time alone."""
    if name.startswith(WINDOWED):
        _, window_s = windowed(name)
        return [at + dt.timedelta(seconds=window_s) for at in _in_window(facts, name)]
    computed = ATTRIBUTES.get(name)
    if computed is None or computed.crossings is None:
        return ()
    values = value if isinstance(value, frozenset) else (value,)
    numbers = [one for one in values if isinstance(one, int | float) and not isinstance(one, bool)]
    return [at for number in numbers for at in computed.crossings(facts, int(number))]


# --- windows ---------------------------------------------------------------------------------------------------------

#: name -> (event types that it counts, meaning). A ticket's first contact counts as a message received.
RECENT: Mapping[str, tuple[tuple[str, ...], str]] = {
    "recent.messages_received": (("message.received",), "messages of the customer within a window"),
    "recent.messages_sent": (("message.sent",), "messages to the customer within a window, automatic ones included"),
    "recent.notes_added": (("note.added",), "internal notes within a window"),
    "recent.reopens": (("ticket.reopened",), "how often it was reopened within a window"),
    "recent.transfers": (("ticket.transferred",), "how often it was transferred within a window"),
}


def windowed(name: str) -> tuple[str, int]:
    """Base name and window in seconds of `recent.messages_received[600]`."""
    base, _, rest = name.partition("[")
    return base, int(rest.rstrip("]"))


def _in_window(facts: Facts, name: str) -> list[dt.datetime]:
    base, window_s = windowed(name)
    window = dt.timedelta(seconds=window_s)
    found = (at for kind in RECENT[base][0] for at in facts.snapshot.recent.get(kind, ()))
    return [at for at in found if facts.now - at < window]


# --- ticket, customer, event, message -------------------------------------------------------------------------------


def _plain() -> Iterable[Computed]:
    table: list[tuple[str, str, str, Callable[[Facts], Any]]] = [
        ("ticket.status", "text", "status of the lifecycle", lambda f: f.ticket.status),
        ("ticket.channel", "text", "channel on which the customer made contact", lambda f: f.ticket.channel),
        ("ticket.group", "text", "group that serves it", lambda f: f.ticket.group),
        ("ticket.desk", "text", "desk that serves it", lambda f: f.ticket.desk),
        ("ticket.tags", "set", "its tags", lambda f: f.ticket.tags),
        ("ticket.subject", "text", "its subject", lambda f: f.ticket.subject),
        ("ticket.assignee", "text", "user who holds it", lambda f: f.ticket.assignee),
        ("ticket.level", "number", "level of its assignee, 0 to 3", _level),
        ("ticket.transfers", "number", "how often it was transferred", lambda f: f.ticket.transfers_count),
        ("ticket.reopens", "number", "how often it was reopened", lambda f: f.ticket.reopens_count),
        ("ticket.escalated", "bool", "whether an escalation is open", lambda f: _escalated(f) is not None),
        ("customer.id", "text", "the customer's id", lambda f: f.ticket.customer_id),
        ("customer.lifetime_value", "number", "what the customer is worth", lambda f: f.ticket.customer_lifetime_value),
        ("customer.language", "text", "the customer's language", lambda f: f.ticket.customer_language),
        ("event.automated", "bool", "whether a machine did it", lambda f: f.event.data.get("automated") is True),
        ("event.irregular", "bool", "whether the lifecycle had no edge for it", lambda f: f.irregular),
        ("event.clock", "text", "the clock that a clock event is about", lambda f: f.event.data.get("clock")),
        ("message.text", "text", "what was written; of the first message subject, newline, body", message_text),
    ]
    for name, kind, about, read in table:
        yield Computed(attribute=Attribute(name=name, kind=kind, about=about), read=read)  # type: ignore[arg-type]
    choices: list[tuple[str, tuple[str, ...], bool, str, Callable[[Facts], Any]]] = [
        ("ticket.priority", PRIORITIES, True, "priority", lambda f: f.ticket.priority),
        ("event.type", tuple(EVENT_TYPES), False, "type of the event", lambda f: f.event.type),
        (
            "event.actor.role",
            ROLES,
            False,
            "role of who did it",
            lambda f: f.event.actor.role if f.event.actor else None,
        ),
    ]
    for name, values, ordered, about, read in choices:
        yield Computed(
            attribute=Attribute(name=name, kind="choice", about=about, values=values, ordered=ordered), read=read
        )


def _escalated(facts: Facts) -> Escalation | None:
    """The open escalation; one that waits for a supervisor's yes is not open yet."""
    found = facts.snapshot.escalation
    return found if found is not None and found.approval_wanted_at is None else None


def _level(facts: Facts) -> int | None:
    user = facts.ruleset.roster.users.get(facts.ticket.assignee or "")
    return user.level if user else None


def message_text(facts: Facts) -> str | None:
    """The text of a message; of a new ticket its subject and body."""
    event = facts.event
    if event.type == "ticket.created":
        return "\n".join(part for part in (event.data.get("subject"), event.data.get("body")) if part) or None
    text = event.data.get("text")
    return text if isinstance(text, str) else None


# --- time ------------------------------------------------------------------------------------------------------------

Began = Callable[[Facts], dt.datetime | None]

#: What `time.*` (wall clock) and `service_time.*` (the desk's service hours) count from.
_SINCE: Mapping[str, tuple[str, Began]] = {
    "age": ("since the ticket was created", lambda f: f.ticket.created_at),
    "idle": (
        "since a person last acted on it, while it is not closed",
        lambda f: None if f.ticket.closed_at else f.ticket.last_act_at,
    ),
    "waiting": ("since the first customer message that nobody answered", lambda f: f.ticket.waiting_since_at),
    "customer_silent": (
        "since the last answer, while the customer has not written again and it is not closed",
        lambda f: None if f.ticket.waiting_since_at or f.ticket.closed_at else f.ticket.last_sent_at,
    ),
    "in_status": ("since its present status began", lambda f: f.ticket.status_since_at),
    "queued": ("since it entered the queue that it stands in", lambda f: f.ticket.queued_at),
    "assigned": (
        "since its present assignee got it",
        lambda f: f.snapshot.stint.assigned_at if f.snapshot.stint else None,
    ),
    "escalated": (
        "since its open escalation began",
        lambda f: found.opened_at if (found := _escalated(f)) else None,
    ),
}


def _timed(prefix: Literal["time", "service_time"], name: str, about: str, began: Began) -> Computed:
    def hours(facts: Facts) -> Hours:
        return _WALL if prefix == "time" else facts.ruleset.calendar_of_desk(facts.ticket.desk)

    def read(facts: Facts) -> int | None:
        start = began(facts)
        return None if start is None else hours(facts).elapsed(start, facts.now)

    def crosses(facts: Facts, seconds: int) -> list[dt.datetime]:
        start = began(facts)
        # Whole seconds: `at_least` turns at the second itself, `more_than` with the next one.
        return [] if start is None else [hours(facts).add(start, seconds + more) for more in (0, 1)]

    kind = "wall-clock" if prefix == "time" else "service"
    attribute = Attribute(name=f"{prefix}.{name}", kind="duration", unit="s", about=f"{kind} time {about}")
    return Computed(attribute=attribute, read=read, crossings=crosses)


class _WallClock:
    def add(self, start: dt.datetime, seconds: int) -> dt.datetime:
        return start + dt.timedelta(seconds=seconds)

    def elapsed(self, start: dt.datetime, end: dt.datetime) -> int:
        return max(0, (end - start) // dt.timedelta(seconds=1))


_WALL = _WallClock()


# --- service level ---------------------------------------------------------------------------------------------------


def _clock_attributes(clock_name: str) -> Iterable[Computed]:
    def clock_of(facts: Facts) -> ServiceClock | None:
        return next((clock for clock in facts.snapshot.clocks if clock.name == clock_name), None)

    def with_clock(read: Callable[[ServiceClock, Hours, dt.datetime], Any]) -> Callable[[Facts], Any]:
        def value(facts: Facts) -> Any:
            clock = clock_of(facts)
            return None if clock is None else read(clock, facts.ruleset.hours(clock.calendar), facts.now)

        return value

    def reaches(seconds_used: Callable[[ServiceClock, int], int]) -> Callable[[Facts, int], list[dt.datetime]]:
        def instants(facts: Facts, value: int) -> list[dt.datetime]:
            clock = clock_of(facts)
            if clock is None or clock.running_since_at is None:
                return []
            rest = [seconds_used(clock, value + more) - clock.used_s for more in (-1, 0, 1)]
            hours = facts.ruleset.hours(clock.calendar)
            return [hours.add(clock.running_since_at, seconds) for seconds in rest if seconds > 0]

        return instants

    name, about = f"sla.{clock_name}", CLOCKS[clock_name].about
    statuses = ("running", "paused", "met", "breached", "missed", "void")
    yield Computed(
        attribute=Attribute(name=f"{name}.state", kind="choice", values=statuses, about=f"state of the clock {about}"),
        read=with_clock(lambda clock, _hours, _now: clock.status),
    )
    yield Computed(
        attribute=Attribute(name=f"{name}.target", kind="duration", unit="s", about=f"target of the clock {about}"),
        read=with_clock(lambda clock, _hours, _now: clock.target_s),
    )
    yield Computed(
        attribute=Attribute(name=f"{name}.used_pct", kind="number", unit="pct", about="share of the target used up"),
        read=with_clock(used_pct),
        crossings=reaches(lambda clock, pct: -(-clock.target_s * pct // 100)),
    )
    yield Computed(
        attribute=Attribute(name=f"{name}.remaining", kind="duration", unit="s", about="target less time used"),
        read=with_clock(lambda clock, hours, now: clock.target_s - used_s(clock, hours, now)),
        crossings=reaches(lambda clock, seconds: clock.target_s - seconds),
    )


# --- what only the database knows ------------------------------------------------------------------------------------

#: name -> (kind, meaning). They change without an event of the ticket, hence only rules with `on:` may read them.
GATHERED: Mapping[str, tuple[Literal["number", "bool", "duration"], str]] = {
    "customer.open_tickets": ("number", "the customer's tickets that are not closed, this one included"),
    "desk.queue_length": ("number", "tickets in the desk's queue"),
    "desk.online": ("number", "members of the desk who are online"),
    "desk.free_slots": ("number", "tickets that its online members could still take"),
    "desk.oldest_waiting": ("duration", "wall-clock time since the first ticket of the queue entered it"),
}


def _gathered(name: str, kind: Literal["number", "bool", "duration"], about: str) -> Computed:
    attribute = Attribute(name=name, kind=kind, unit="s" if kind == "duration" else None, about=about, needs_on=True)
    return Computed(attribute=attribute, read=lambda facts: facts.snapshot.gathered.get(name))


def _open_now(facts: Facts) -> bool:
    return facts.ruleset.calendar_of_desk(facts.ticket.desk).is_open(facts.now)


#: The table: every attribute by name; a ruleset adds its own under `ticket.custom.`.
ATTRIBUTES: Mapping[str, Computed] = {
    computed.attribute.name: computed
    for computed in (
        *_plain(),
        Computed(
            attribute=Attribute(name="customer.tier", kind="choice", about="the customer's tier", ordered=True),
            read=lambda f: f.ticket.customer_tier,
        ),
        *(_timed("time", name, about, began) for name, (about, began) in _SINCE.items()),
        *(_timed("service_time", name, about, began) for name, (about, began) in _SINCE.items()),
        *(computed for clock_name in CLOCKS for computed in _clock_attributes(clock_name)),
        *(_gathered(name, kind, about) for name, (kind, about) in GATHERED.items()),
        *(
            Computed(attribute=Attribute(name=name, kind="number", about=about), read=lambda _: None)
            for name, (_, about) in RECENT.items()
        ),
        Computed(
            attribute=Attribute(name="desk.name", kind="text", about="the desk's name"), read=lambda f: f.ticket.desk
        ),
        Computed(
            attribute=Attribute(name="desk.group", kind="text", about="the desk's group"), read=lambda f: f.ticket.group
        ),
        Computed(
            attribute=Attribute(name="desk.open", kind="bool", about="whether the desk serves now", needs_on=True),
            read=_open_now,
        ),
    )
}

#: The declarations alone, for whoever parses rule files.
DECLARED: Mapping[str, Attribute] = {name: computed.attribute for name, computed in ATTRIBUTES.items()}
