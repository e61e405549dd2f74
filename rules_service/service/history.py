"""What was, and why: the sum behind each clock of a ticket, and its events with what was decided."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from rules_service.clock import iso
from rules_service.clocks import LIVE, Calendar, Day, days_of, local, used_s
from rules_service.clocks.history import CalendarOf
from rules_service.decide import load_ruleset
from rules_service.errors import NoRuleset
from rules_service.ruleset import Ruleset, has_other_hours, short_hash
from rules_service.service.reading import snapshot_of
from rules_service.store import Store, log, read_ended, rulesets
from rules_service.tickets import ServiceClock, Snapshot

#: Calendars of earlier rulesets whose hours have changed since, by short hash; emptied when it holds so many.
_earlier: dict[str, Mapping[str, Calendar]] = {}
_MOST_EARLIER = 8


def ruleset_in_force(store: Store) -> Ruleset:
    """The active ruleset, loaded for one look at it; NoRuleset when none is active."""
    active = rulesets.active_hash(store)
    stored = rulesets.find(store, active) if active else None
    ruleset = load_ruleset(stored[1])[0] if stored else None
    if ruleset is None:
        raise NoRuleset
    return replace(ruleset, predecessors=rulesets.known_rules(store))


def clocks_of(store: Store, ruleset: Ruleset, ticket_id: str, now: dt.datetime) -> dict[str, Any]:
    """Every clock that the ticket has or had, in the order of their starts, with the sum of its time day by day.

    UnknownTicket when there is no such ticket.
    """
    snapshot, ended = _whole(store, ticket_id)
    under = short_hash(snapshot.ruleset_hash or "")
    live = [(clock, under) for clock in snapshot.clocks if clock.status in LIVE]
    calendar_of = _calendars(store, ruleset)
    # One that was corrected, or that went on after its ticket was reopened, is told once: as it is now.
    last = {(clock.name, clock.stint_number, clock.started_at): (clock, told) for clock, told in [*ended, *live]}
    found = sorted(last.values(), key=lambda one: one[0].started_at)
    clocks = [_clock(clock, calendar_of, told, now) for clock, told in found]
    return {"ticket_id": ticket_id, "at": iso(now), "clocks": clocks}


def timeline(store: Store, ticket_id: str, *, after: int, limit: int) -> dict[str, Any]:
    """A page of the ticket's events in the order in which they were handled, each with what was decided.

    UnknownTicket when there is no such ticket.
    """
    snapshot_of(store, ticket_id)
    items = [_event(logged) for logged in log.read_log(store, ticket_id, after=after, limit=limit)]
    return {"ticket_id": ticket_id, "items": items, "next_after": items[-1]["seq"] if items else after}


def _event(logged: log.Logged) -> dict[str, Any]:
    own = logged.decisions[0] if logged.decisions else {}
    return {
        "seq": logged.seq,
        "id": logged.id,
        "type": logged.type,
        "at": iso(logged.at),
        "handled_at": iso(logged.handled_at),
        "actor": own.get("actor"),
        "data": logged.body.get("data") or {},
        "cause": "deadline" if logged.id.startswith("due:") else None,
        "ruleset": logged.ruleset_hash,
        "decisions": [_decision(decision) for decision in logged.decisions],
    }


def _decision(record: Mapping[str, Any]) -> dict[str, Any]:
    """A decision without the row that its rules saw; `explain` tells what of it they read."""
    return {
        "type": record["type"],
        "cause": record.get("cause"),
        "data": record.get("data") or {},
        "outcome": record["outcome"],
        "reasons": record.get("reasons", []),
        "marks": record.get("marks", []),
        "ticket": record.get("ticket"),
        "rules": [
            {
                "rule": firing["rule_id"],
                "outcome": firing["outcome"],
                "reason": firing["reason"],
                "because": firing.get("because", {}),
                "notes": firing.get("notes", []),
            }
            for firing in record.get("firings", [])
        ],
        "actions": record.get("actions", []),
    }


def _whole(store: Store, ticket_id: str) -> tuple[Snapshot, list[tuple[ServiceClock, str]]]:
    """The ticket and its clocks that are over, both of one moment."""
    snapshot = snapshot_of(store, ticket_id)
    while True:
        ended, before = read_ended(store, ticket_id), snapshot
        snapshot = snapshot_of(store, ticket_id)
        if snapshot.clocks == before.clocks:
            # Else a clock that ended in between would come twice, or not at all.
            return snapshot, ended


def _calendars(store: Store, ruleset: Ruleset) -> CalendarOf:
    """Finds calendars as they were: in the ruleset in force where they have the same hours, else in the stored one."""

    def calendar_of(name: str, under: str) -> Calendar:
        if not under or ruleset.hash.startswith(under) or not has_other_hours(ruleset, name, under):
            return ruleset.hours(name)
        if under not in _earlier:
            if len(_earlier) >= _MOST_EARLIER:
                _earlier.clear()
            stored = rulesets.find(store, under)
            loaded = load_ruleset(stored[1])[0] if stored else None
            _earlier[under] = loaded.calendars if loaded else {}
        return _earlier[under].get(name) or ruleset.hours(name)

    return calendar_of


def _clock(clock: ServiceClock, calendar_of: CalendarOf, under: str, now: dt.datetime) -> dict[str, Any]:
    days = days_of(clock, calendar_of, now, under=under)
    halted = clock.status in LIVE and clock.running_since_at is None
    used = used_s(clock, calendar_of(clock.calendar, ""), now)
    return {
        "name": clock.name,
        "stint_number": clock.stint_number,
        "status": clock.status,
        "paused_in": clock.pauses[-1][1] if halted and clock.pauses else None,
        "target_s": clock.target_s,
        "used_s": used,
        "remaining_s": clock.target_s - used,
        "due_at": iso(clock.due_at),
        "calendar": clock.calendar,
        "timezone": calendar_of(clock.calendar, under).timezone,
        "started_at": iso(clock.started_at),
        "stopped_at": iso(clock.stopped_at),
        "breached_at": iso(clock.breached_at),
        "warn_at_pct": list(clock.warn_at_pct),
        "warned_pct": clock.warned_pct,
        "days": [_day(day) for day in days],
    }


def _day(day: Day) -> dict[str, Any]:
    def between(start: dt.datetime, end: dt.datetime) -> dict[str, Any]:
        return {"from": local(start, day.timezone).isoformat(), "to": local(end, day.timezone).isoformat()}

    return {
        "date": day.on.isoformat(),
        "calendar": day.calendar,
        "timezone": day.timezone,
        "total_s": day.seconds,
        "counted": [{**between(part.start_at, part.end_at), "seconds": part.seconds} for part in day.counted],
        "not_counted": [
            {
                **between(part.start_at, part.end_at),
                "reason": part.why,
                "holiday": part.name if part.why == "holiday" else None,
                "state": part.name if part.why == "paused" else None,
            }
            for part in day.not_counted
        ],
    }
