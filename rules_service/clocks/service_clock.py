"""One service-level clock: started, paused, stopped, breached. Pure: every function makes a new clock."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
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


def pause(clock: ServiceClock, hours: Hours, at: dt.datetime) -> ServiceClock:
    """The clock halted at `at`; one that does not run is returned as it is. A breach stays a breach."""
    if clock.running_since_at is None:
        return clock
    return replace(
        _counted(clock, hours, at),
        status="breached" if clock.status == "breached" else "paused",
        due_at=clock.due_at if clock.status == "breached" else None,
    )


def resume(clock: ServiceClock, hours: Hours, at: dt.datetime) -> ServiceClock:
    """The clock going on from `at`; one that runs or is over is returned as it is."""
    if clock.status not in LIVE or clock.running_since_at is not None:
        return clock
    if clock.status == "breached":
        return replace(clock, running_since_at=at)
    due_at = hours.add(at, max(0, clock.target_s - clock.used_s))
    return replace(clock, status="running", running_since_at=at, due_at=due_at)


def stop(clock: ServiceClock, hours: Hours, at: dt.datetime) -> ServiceClock:
    """The clock with its verdict: met when `at` is not past its due instant, else missed.

    A breach is taken back when what stops the clock happened in time and was only reported late (`met` follows
    `breached`); whoever calls reports that as `sla.corrected`.
    """
    if clock.status not in LIVE:
        return clock
    in_time = clock.due_at is None or at <= clock.due_at
    counted = _counted(clock, hours, at) if clock.running_since_at is not None else clock
    return replace(
        counted,
        status="met" if in_time else "missed",
        stopped_at=at,
        breached_at=None if in_time else clock.breached_at or clock.due_at,
    )


def void(clock: ServiceClock, hours: Hours, at: dt.datetime) -> ServiceClock:
    """The clock ended without a verdict; one that breached already counts as missed."""
    if clock.status not in LIVE:
        return clock
    counted = _counted(clock, hours, at) if clock.running_since_at is not None else clock
    breached = clock.status == "breached" or (clock.due_at is not None and at > clock.due_at)
    return replace(counted, status="missed" if breached else "void", stopped_at=at)


def breach(clock: ServiceClock) -> ServiceClock:
    """The clock past its due instant, running on until something stops it."""
    return replace(clock, status="breached", breached_at=clock.due_at)


def retarget(clock: ServiceClock, target: Target, old: Hours, new: Hours, at: dt.datetime) -> ServiceClock:
    """The clock held to another target or calendar from `at` on; what it has used stays used.

    Where the new target is already used up it is due at `at`, and its warnings are skipped. Verdicts are final: a
    clock that breached is returned as it is.
    """
    same = (clock.target_s, clock.calendar, clock.warn_at_pct) == (target.seconds, target.calendar, target.warn_at_pct)
    if same or clock.status not in ("running", "paused"):
        return clock
    counted = _counted(clock, old, at) if clock.running_since_at is not None else clock
    rest = target.seconds - counted.used_s
    running = clock.status == "running"
    return replace(
        counted,
        target_s=target.seconds,
        calendar=target.calendar,
        warn_at_pct=target.warn_at_pct,
        warned_pct=100 if rest <= 0 else clock.warned_pct,
        running_since_at=at if running else None,
        due_at=(new.add(at, rest) if rest > 0 else at) if running else None,
    )


def next_change_at(clock: ServiceClock, hours: Hours) -> dt.datetime | None:
    """When time alone next changes the clock: its next warning, or its breach. None while it does not run."""
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
