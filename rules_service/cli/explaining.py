"""What `explain` prints for people, made of what the API answers to programs."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from typing import Any
from zoneinfo import ZoneInfo

Data = Mapping[str, Any]


def clock_lines(found: Data) -> Iterator[str]:
    """The clocks of a ticket: each with its verdict, when it is due and why, and a table by day."""
    if not found["clocks"]:
        yield f"{found['ticket_id']} has no clock; the policies of the ruleset hold it to no target"
    for number, clock in enumerate(found["clocks"]):
        if number:
            yield ""
        stint = f" of stint {clock['stint_number']}" if clock["stint_number"] else ""
        yield f"{clock['name']}{stint}: {clock['status']}, {_used(clock)} on {clock['calendar']}"
        yield f"  {_verdict(clock, found['at'])}"
        yield from _table(clock) if clock["days"] else ()


def rule_lines(found: Data) -> Iterator[str]:
    """Why a rule fires or does not: a sentence, its conditions one by one, and its last firing."""
    yield f"{found['rule']}: {found['why']}"
    if found["conditions"]:
        yield from _conditions(found["conditions"], 1, outer=True)
    last = found["last"]
    if last:
        outcome = {"held_back": f"held back ({last['reason']})", "shadow": "shadowed"}.get(last["outcome"], "fired")
        yield f"  last {outcome} at {last['at']}, event {last['event_id']}"
        yield from (f"    {note}" for note in last["notes"])


def _conditions(condition: Data, depth: int, *, outer: bool = False) -> Iterator[str]:
    mark = "yes" if condition["holds"] else "no "
    text = condition["text"] if condition["kind"] == "comparison" else f"{condition['kind']}:"
    # The outermost `all` is how a rule file writes a list of conditions; it says nothing.
    outermost = outer and condition["kind"] == "all"
    if not outermost:
        yield f"{'  ' * depth}{mark} {text}"
    for part in condition["parts"]:
        yield from _conditions(part, depth if outermost else depth + 1)


def _used(clock: Data) -> str:
    used = f"{_hours(clock['used_s'])} of {_hours(clock['target_s'])} used"
    over_s = -clock["remaining_s"]
    return f"{used}, {_hours(over_s)} too much" if over_s > 0 else used


def _verdict(clock: Data, now: str) -> str:
    """When it is due, or how it ended; and because of what."""
    target, left = _hours(clock["target_s"]), _hours(max(0, clock["remaining_s"]))
    match clock["status"]:
        case "running":
            warned = f"; warned at {clock['warned_pct']}%" if clock["warned_pct"] else ""
            return (
                f"due at {_local(clock, clock['due_at'])}, because {left} of {target} are left at"
                f" {_local(clock, now)} and count on {clock['calendar']}{warned}"
            )
        case "paused" if clock["due_at"]:
            return f"due at {_local(clock, clock['due_at'])}, because {target} were used up when it was held to them"
        case "paused":
            by = f" in state {clock['paused_in']}" if clock["paused_in"] else ""
            return f"not due, because it is paused{by}; {left} of {target} are left when it goes on"
        case "breached":
            return f"breached at {_local(clock, clock['breached_at'])}, because {target} were used up then"
        case "met":
            return f"met, because it ended at {_local(clock, clock['stopped_at'])} with {left} left"
        case "missed":
            ended = _local(clock, clock["stopped_at"])
            return f"missed, because {target} were used up{_when(clock)} and it ended at {ended}"
    return f"no verdict, because it was given up at {_local(clock, clock['stopped_at'])}"


def _when(clock: Data) -> str:
    return f" at {_local(clock, clock['breached_at'])}" if clock["breached_at"] else ""


def _table(clock: Data) -> Iterator[str]:
    """A line a day: what counted, how much that is, and what did not count and why."""
    rows = [("day", "counted", "total", "not counted")]
    calendars, zones = ({day[key] for day in clock["days"]} for key in ("calendar", "timezone"))
    for day in clock["days"]:
        on = dt.date.fromisoformat(day["date"])
        where = f" on {day['calendar']}" if len(calendars) > 1 else ""
        where += f" ({day['timezone']})" if len(zones) > 1 else ""
        counted = ", ".join(_period(part) for part in day["counted"]) or "-"
        left_out = "; ".join(f"{_period(part)} {_why(part)}" for part in day["not_counted"]) or "-"
        rows.append((f"{on:%a} {on}{where}", counted, _hours(day["total_s"]), left_out))
    rows.append(("sum", "", _hours(sum(day["total_s"] for day in clock["days"])), ""))
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    for row in rows:
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=False)]
        yield f"  {'  '.join([*cells, row[3]])}".rstrip()


def _period(part: Data) -> str:
    start, end = dt.datetime.fromisoformat(part["from"]), dt.datetime.fromisoformat(part["to"])
    midnight = end.date() > start.date() and (end.hour, end.minute, end.second) == (0, 0, 0)
    return f"{_time(start)}-{'24:00' if midnight else _time(end)}"


def _why(part: Data) -> str:
    match part["reason"]:
        case "holiday":
            return f"holiday {part['holiday']}"
        case "paused":
            return f"paused in state {part['state']}" if part["state"] else "paused"
        case "exception":
            return "closed on this date"
    return "closed"


def _time(at: dt.datetime) -> str:
    return f"{at:%H:%M:%S}" if at.second else f"{at:%H:%M}"


def _local(clock: Data, at: str) -> str:
    found = dt.datetime.fromisoformat(at).astimezone(ZoneInfo(clock["timezone"]))
    return f"{found:%Y-%m-%d} {_time(found)} {clock['timezone']}"


def _hours(seconds: int) -> str:
    """Service time in hours: a day of it is not a day."""
    hours, rest = divmod(seconds, 3_600)
    minutes, rest = divmod(rest, 60)
    parts = [f"{count}{unit}" for count, unit in ((hours, "h"), (minutes, "m"), (rest, "s")) if count]
    return " ".join(parts) or "0s"
