"""One service-level clock: started, paused, stopped, breached. Pure: every function makes a new clock."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Literal, Protocol

from rules_service.tickets import ServiceClock


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """What a clock measures."""

    about: str
    #: A clock of a stint is void when the stint ends; one of the ticket lives on.
    scope: Literal["stint", "ticket"]


#: The closed list of clocks. Source: R5.22-26; next_response is 3Dolphins' "for every incoming message".
CLOCKS: Mapping[str, Measure] = {
    "assigned_to_responded": Measure(about="from assignment to the assignee's first response", scope="stint"),
    "created_to_responded": Measure(about="from creation to the first response by a person", scope="ticket"),
    "next_response": Measure(about="from the first unanswered customer message to the next response", scope="ticket"),
    "resolution": Measure(about="from creation to closing", scope="ticket"),
}

#: Statuses of a clock that is not over.
LIVE = ("running", "paused", "breached")


class Hours(Protocol):
    """What a clock asks of a calendar."""

    def add(self, start: dt.datetime, seconds: int) -> dt.datetime:
        """The instant at which that much service time has passed."""

    def elapsed(self, start: dt.datetime, end: dt.datetime) -> int:
        """Service seconds between two instants."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What a clock is held to: seconds of service time on a calendar, and the shares at which it warns."""

    seconds: int
    calendar: str
    warn_at_pct: tuple[int, ...] = ()


def start(name: str, *, target: Target, hours: Hours, at: dt.datetime, stint_number: int = 0) -> ServiceClock:
    """A clock running since `at`."""
    return ServiceClock(
        name=name,
        stint_number=stint_number,
        target_s=target.seconds,
        calendar=target.calendar,
        started_at=at,
        running_since_at=at,
        due_at=hours.add(at, target.seconds),
        warn_at_pct=target.warn_at_pct,
    )


def used_s(clock: ServiceClock, hours: Hours, at: dt.datetime) -> int:
    """Service seconds counted until `at`: the intervals that are over and the one now running."""
    if clock.running_since_at is None:
        return clock.used_s
    return clock.used_s + hours.elapsed(clock.running_since_at, at)


def used_pct(clock: ServiceClock, hours: Hours, at: dt.datetime) -> int:
    """Share of the target that is used up, in whole per cent, rounded down; over 100 after the breach."""
    return used_s(clock, hours, at) * 100 // clock.target_s


def pause(clock: ServiceClock, hours: Hours, at: dt.datetime, state: str) -> ServiceClock:
    """The clock halted at `at` by `state`; one that is halted goes on so, in that state. A breach stays a breach."""
    if clock.status not in LIVE:
        return clock
    if clock.running_since_at is None:
        return _noted(clock, max(at, last_end_at(clock)), state)
    counted = _counted(clock, hours, at)
    return replace(
        _noted(counted, max(at, clock.running_since_at), state),
        status="breached" if clock.status == "breached" else "paused",
        due_at=clock.due_at if clock.status == "breached" else None,
    )


def resume(clock: ServiceClock, hours: Hours, at: dt.datetime) -> ServiceClock:
    """The clock going on from `at`, or from its last pause if that is later; one that runs or is over is left alone."""
    if clock.status not in LIVE or clock.running_since_at is not None:
        return clock
    # Without this an event that tells of an earlier time would have the same minutes counted twice.
    since = max(at, last_end_at(clock))
    if clock.status == "breached":
        return replace(clock, running_since_at=since)
    due_at = hours.add(since, max(0, clock.target_s - clock.used_s))
    return replace(clock, status="running", running_since_at=since, due_at=due_at)


def reopen(clock: ServiceClock, target: Target, hours: Hours, at: dt.datetime, state: str, under: str) -> ServiceClock:
    """A clock that is over, going on at `at` from what it had used; the time between, in `state`, does not count."""
    assert clock.stopped_at is not None
    paused = replace(
        _noted(clock, max(clock.stopped_at, last_end_at(clock)), state),
        status="paused",
        stopped_at=None,
        breached_at=None,
        due_at=None,
        warn_at_pct=target.warn_at_pct,
        warned_pct=100 if clock.used_s >= target.seconds else clock.warned_pct,
    )
    if target.calendar != clock.calendar:
        paused = _counted_on(paused, under)
    return resume(replace(paused, target_s=target.seconds, calendar=target.calendar), hours, at)


def rewind(clock: ServiceClock, hours_of: Callable[[str], Hours], at: dt.datetime) -> ServiceClock:
    """The clock without what it counted after `at`: for what happened then and is told only now."""
    if all(end <= at for _, end in clock.intervals):
        return clock
    kept = tuple((start, min(end, at)) for start, end in clock.intervals if start < at)
    used = sum(hours_of(calendar_at(clock, start)).elapsed(start, end) for start, end in clock.intervals)
    left = sum(hours_of(calendar_at(clock, start)).elapsed(start, end) for start, end in kept)
    return replace(
        clock,
        calendar=calendar_at(clock, kept[-1][0]) if kept else calendar_at(clock, clock.started_at),
        intervals=kept,
        used_s=max(0, clock.used_s - used + left),
        running_since_at=None,
        pauses=tuple(found for found in clock.pauses if found[0] < at),
        calendars=tuple(found for found in clock.calendars if found[0] < at),
    )


def calendar_at(clock: ServiceClock, at: dt.datetime) -> str:
    """Name of the calendar on which the clock counted, or counts, at that time."""
    return next((name for until, name, _ in clock.calendars if at < until), clock.calendar)


def last_end_at(clock: ServiceClock) -> dt.datetime:
    """Until when all is said of the clock: the end of its last interval, or the start of its last pause."""
    ends = (clock.started_at, *(end for _, end in clock.intervals[-1:]), *(since for since, _ in clock.pauses[-1:]))
    return max(ends)


def stop(clock: ServiceClock, hours: Hours, at: dt.datetime) -> ServiceClock:
    """The clock with its verdict: met when `at` is not past its due instant, else missed.

    A breach is taken back when what stops the clock happened in time and was only reported late (`met` follows
    `breached`); whoever calls reports that as `sla.corrected`.
    """
    if clock.status not in LIVE:
        return clock
    return _ended(clock, hours, at, "met")


def void(clock: ServiceClock, hours: Hours, at: dt.datetime) -> ServiceClock:
    """The clock ended without a verdict; one whose due instant was past at `at` counts as missed."""
    if clock.status not in LIVE:
        return clock
    return _ended(clock, hours, at, "void")


def end_earlier(clock: ServiceClock, hours_of: Callable[[str], Hours], at: dt.datetime) -> ServiceClock:
    """A clock that is over, stopped by what happened at `at`, before its end, and is told only now."""
    earlier = rewind(replace(clock, status="running"), hours_of, at)
    return stop(earlier, hours_of(earlier.calendar), at)


def breach(clock: ServiceClock) -> ServiceClock:
    """The clock past its due instant, running on until something stops it."""
    return replace(clock, status="breached", breached_at=clock.due_at)


def retarget(
    clock: ServiceClock, target: Target, old: Hours, new: Hours, at: dt.datetime, *, under: str = ""
) -> ServiceClock:
    """The clock held to another target or calendar from `at` on; what it has used stays used.

    Where the new target is already used up it is due at `at`, and its warnings are skipped. Verdicts are final: a
    clock that breached is returned as it is. `under` is the short hash of the ruleset that says what `old` is.
    """
    same = (clock.target_s, clock.calendar, clock.warn_at_pct) == (target.seconds, target.calendar, target.warn_at_pct)
    if same or clock.status not in ("running", "paused"):
        return clock
    counted = _counted(clock, old, at) if clock.running_since_at is not None else clock
    if clock.calendar != target.calendar:
        counted = _counted_on(counted, under)
    rest = target.seconds - counted.used_s
    since = None if clock.running_since_at is None else max(at, clock.running_since_at)
    return replace(
        counted,
        target_s=target.seconds,
        calendar=target.calendar,
        warn_at_pct=target.warn_at_pct,
        # Shares of the new target that lie ahead are warned of, whatever was said of the old one.
        warned_pct=100 if rest <= 0 else min(clock.warned_pct, counted.used_s * 100 // target.seconds),
        running_since_at=since,
        due_at=since or at if rest <= 0 else None if since is None else new.add(since, rest),
    )


def redefine(clock: ServiceClock, hours: Hours, at: dt.datetime, *, under: str) -> ServiceClock:
    """The clock once its calendar has other hours than in the ruleset `under` (a short hash).

    What was counted stays counted; the interval now running is counted by the new hours as a whole, and is due by
    them: at `at` at the earliest, and then without the warnings that it had not given. One that is over may go on
    later, and notes by which hours it was counted.
    """
    noted = _counted_on(clock, under)
    if clock.status != "running" or clock.running_since_at is None or clock.used_s >= clock.target_s:
        return noted
    due_at = hours.add(clock.running_since_at, clock.target_s - clock.used_s)
    if due_at == clock.due_at:
        return noted
    return replace(noted, due_at=max(due_at, at), warned_pct=100 if due_at <= at else clock.warned_pct)


def next_change_at(clock: ServiceClock, hours: Hours) -> dt.datetime | None:
    """When time alone next changes the clock: its next warning, or its breach. None while it does not run.

    A paused one breaches only where it was held to a new target that it had used up.
    """
    if clock.status == "paused":
        return clock.due_at
    if clock.status != "running" or clock.running_since_at is None:
        return None
    pct = next_warning_pct(clock)
    if pct is None:
        return clock.due_at
    return hours.add(clock.running_since_at, _seconds_of(clock, pct) - clock.used_s)


def next_warning_pct(clock: ServiceClock) -> int | None:
    """The next share of the target at which the clock warns; None when all warnings are given."""
    return min((pct for pct in clock.warn_at_pct if clock.warned_pct < pct < 100), default=None)  # noqa: PLR2004  per cent


def warn(clock: ServiceClock, pct: int) -> ServiceClock:
    """The clock with the warning at `pct` given."""
    return replace(clock, warned_pct=pct)


def _ended(clock: ServiceClock, hours: Hours, at: dt.datetime, in_time: Literal["met", "void"]) -> ServiceClock:
    counted = _counted(clock, hours, at) if clock.running_since_at is not None else clock
    # A new target that was used up already is due at the instant at which it came; that is not in time.
    late = (clock.due_at is not None and at > clock.due_at) or counted.used_s > clock.target_s
    return replace(
        counted,
        status="missed" if late else in_time,
        stopped_at=at,
        breached_at=(clock.breached_at or clock.due_at) if late else None,
    )


def _seconds_of(clock: ServiceClock, pct: int) -> int:
    return -(-clock.target_s * pct // 100)


def _counted(clock: ServiceClock, hours: Hours, at: dt.datetime) -> ServiceClock:
    """The clock with its running interval ended at `at` and added up; an empty interval leaves no trace."""
    since = clock.running_since_at
    assert since is not None
    until = max(since, at)
    return replace(
        clock,
        used_s=clock.used_s + hours.elapsed(since, until),
        running_since_at=None,
        intervals=(*clock.intervals, (since, until)) if until > since else clock.intervals,
    )


def _noted(clock: ServiceClock, at: dt.datetime, state: str) -> ServiceClock:
    """The clock paused by `state` since `at`; the same state again is no news."""
    went_on = bool(clock.pauses) and all(end <= clock.pauses[-1][0] for _, end in clock.intervals[-1:])
    if went_on and clock.pauses[-1][1] == state:
        return clock
    kept = clock.pauses[:-1] if went_on and clock.pauses[-1][0] == at else clock.pauses
    return replace(clock, pauses=(*kept, (at, state)))


def _counted_on(clock: ServiceClock, under: str) -> ServiceClock:
    """The clock with its calendar noted for the intervals so far, where it is not noted yet."""
    until = clock.intervals[-1][1] if clock.intervals else clock.started_at
    if until <= (clock.calendars[-1][0] if clock.calendars else clock.started_at):
        return clock
    return replace(clock, calendars=(*clock.calendars, (until, clock.calendar, under)))
