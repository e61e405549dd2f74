"""Tells a ticket's history to the pure core alone, as the service would, and shows the clocks that come of it.

A history is lines of text, one event each, in the order in which they arrive:

    09:00 ticket.created {priority: high}           happened and arrived at nine
    09:03 -> 09:20 message.sent by ann              happened at 09:03, arrived at 09:20
    09:04 ask ticket.opened by ann                  a request, which may be refused

A time is `HH:MM` or `HH:MM:SS` of the history's day in UTC; `+1T09:00` is of the day after, `-1T09:00` of the day before.
"""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass, field

import yaml

from rules_service.clocks import used_s
from rules_service.decide import EmptyWorld, due_event, next_due_at, run
from rules_service.ruleset import Ruleset
from rules_service.tickets import Actor, Decision, Event, ServiceClock, Snapshot

LINE = re.compile(
    r"(?P<happened>\S+)(?: -> (?P<arrived>\S+))? (?P<ask>ask )?(?P<type>[a-z]+\.[a-z]+)(?: by (?P<by>\w+))?"
    r"(?: (?P<data>\{.*\}))?"
)
INSTANT = dt.timedelta(microseconds=1)

#: What time brings to clocks, and what takes it back.
TOLD = ("clock.warned", "clock.breached", "sla.corrected")

#: More deadlines than any history has.
MANY = 100


@dataclass(frozen=True, kw_only=True)
class Arrival:
    """One event, and when it is told."""

    now: dt.datetime
    event: Event


def instant(text: str, day: dt.date) -> dt.datetime:
    """The instant that a history writes as `text`."""
    shift, _, time = text.rpartition("T")
    on = day + dt.timedelta(days=int(shift or 0))
    return dt.datetime.combine(on, dt.time.fromisoformat(time), tzinfo=dt.UTC)


def written(at: dt.datetime, day: dt.date) -> str:
    """The other way round."""
    days = (at.date() - day).days
    time = at.time().isoformat("seconds" if at.microsecond == 0 else "microseconds")
    return f"{f'{days:+}T' if days else ''}{time.removesuffix(':00')}"


def arrivals(story: str, day: dt.date) -> list[Arrival]:
    """The events of a history."""
    found = []
    for number, line in enumerate(story.strip().splitlines(), start=1):
        match = LINE.fullmatch(line.strip())
        assert match is not None, f"not an event: {line}"
        happened = instant(match["happened"], day)
        by = match["by"]
        event = Event(
            id=f"e{number}",
            type=match["type"],
            at=happened,
            ticket_id="t1",
            actor=None if by is None else Actor(role=by) if by in ("customer", "system") else Actor(id=by, role=""),
            data=yaml.safe_load(match["data"] or "{}"),
            request=match["ask"] is not None,
        )
        found.append(Arrival(now=happened if match["arrived"] is None else instant(match["arrived"], day), event=event))
    return found


@dataclass(kw_only=True)
class Telling:
    """One ticket under one ruleset. `punctual`: the worker looks at every deadline; else events alone bring them."""

    ruleset: Ruleset = field(repr=False)
    punctual: bool = True
    snapshot: Snapshot = field(default_factory=Snapshot)
    decisions: list[Decision] = field(default_factory=list, repr=False)

    def tell(self, events: list[Arrival], until: dt.datetime) -> None:
        """Everything that happens by then."""
        for arrival in events:
            if self.punctual:
                self._time_passes(arrival.now - INSTANT)
            self._deadlines(min(arrival.event.at, arrival.now) - INSTANT, arrival.now)
            self._happens(arrival.event, arrival.now)
        self._time_passes(until)

    def _time_passes(self, until: dt.datetime) -> None:
        """The worker works off each deadline at its instant."""
        for _ in range(MANY):
            at = next_due_at(self.ruleset, self.snapshot, until)
            if at is None or at > until:
                return
            assert self._deadlines(at, at), "next_due_at named an instant at which nothing is due"
        raise AssertionError("deadlines come without end")

    def _deadlines(self, until: dt.datetime, now: dt.datetime) -> int:
        """What was due until then; returns how much it was."""
        for count in range(MANY):
            event = due_event(self.ruleset, self.snapshot, until)
            if event is None:
                return count
            self._happens(event, now)
        raise AssertionError("deadlines come without end")

    def _happens(self, event: Event, now: dt.datetime) -> None:
        decisions, self.snapshot = run(self.ruleset, self.snapshot, event, now, EmptyWorld())
        self.decisions += decisions

    # --- what can be seen -------------------------------------------------------------------------------------------

    def clocks(self, day: dt.date, now: dt.datetime) -> list[str]:
        """The clocks as they stand, a line each."""
        return sorted(self._shown(clock, day, now) for clock in self.snapshot.clocks)

    def ended(self, day: dt.date) -> list[str]:
        """The clocks that ended, in order."""
        return [self._shown(clock, day, None) for decision in self.decisions for clock in decision.ended_clocks]

    def brought(self, day: dt.date) -> list[str]:
        """What the clocks gave rise to, in order."""
        return [
            " ".join(filter(None, (written(event.at, day), event.type, event.data["clock"], _share(event))))
            for decision in self.decisions
            if (event := decision.event).type in TOLD
        ]

    def marks(self) -> set[str]:
        """All marks of all decisions."""
        return {mark for decision in self.decisions for mark in decision.marks}

    def _shown(self, clock: ServiceClock, day: dt.date, now: dt.datetime | None) -> str:
        used = clock.used_s if now is None else used_s(clock, self.ruleset.hours(clock.calendar), now)
        fields = {
            "used": str(used),
            "due": clock.due_at and written(clock.due_at, day),
            "breached": clock.breached_at and written(clock.breached_at, day),
            "stopped": clock.stopped_at and written(clock.stopped_at, day),
            "counted": ",".join(f"{written(start, day)}-{written(end, day)}" for start, end in clock.intervals),
            "since": clock.running_since_at and written(clock.running_since_at, day),
        }
        return " ".join([clock.name, clock.status, *(f"{name}={value}" for name, value in fields.items() if value)])


def _share(event: Event) -> str:
    return f"{event.data['pct']}%" if "pct" in event.data else ""
