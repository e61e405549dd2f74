"""Lengths of time as people write them in rule files: `300s`, `30m`, `24h`, `7d`, `1h 30m`, `service 30m`."""

from __future__ import annotations

import re
from dataclasses import dataclass

_SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
_PART = re.compile(r"(\d{1,9})\s*([smhd])")
_WHOLE = re.compile(r"(?:\d{1,9}\s*[smhd]\s*)+")

#: Without these an event would fall upon an instant beyond the last year that calendars, or dates at all, know.
MOST_DAYS, MOST_SERVICE_DAYS = 3_650, 366

#: What a duration may look like, for error messages.
ACCEPTED = 'a whole number with a unit, such as "300s", "30m", "24h" or "7d"'


@dataclass(frozen=True, slots=True)
class Duration:
    """A length of time: whole seconds, on the wall clock or counted in the desk's service hours."""

    seconds: int
    service: bool = False

    def __str__(self) -> str:
        return f"{'service ' if self.service else ''}{format_duration(self.seconds)}"


def parse_duration(text: object) -> Duration:
    """The duration that `text` states; ValueError, with what would be accepted, for anything else."""
    if not isinstance(text, str):
        raise ValueError(f"a duration needs a unit: {ACCEPTED}; not {text!r}")  # noqa: TRY004  one error for every wrong form
    words = text.strip()
    service = words.startswith("service ")
    if service:
        words = words.removeprefix("service ").strip()
    if not _WHOLE.fullmatch(words):
        raise ValueError(f"a duration is {ACCEPTED}; not {text!r}")
    seconds = sum(int(count) * _SECONDS[unit] for count, unit in _PART.findall(words))
    most = f"service {MOST_SERVICE_DAYS}d" if service else f"{MOST_DAYS}d"
    if seconds > (MOST_SERVICE_DAYS if service else MOST_DAYS) * _SECONDS["d"]:
        raise ValueError(f"a duration is at most {most}; not {text!r}")
    return Duration(seconds, service)


def parse_wall_s(text: object) -> int:
    """As `parse_duration`, in seconds, where only the wall clock makes sense; ValueError for service hours too."""
    found = parse_duration(text)
    if found.service:
        raise ValueError(f"this time runs on the wall clock; leave out the word service in {text!r}")
    return found.seconds


def format_duration(seconds: float) -> str:
    """The shortest exact way to write whole `seconds`, largest unit first: 5400 is `1h 30m`, 0 is `0s`."""
    rest = int(seconds)
    parts = []
    for unit in ("d", "h", "m", "s"):
        count, rest = divmod(rest, _SECONDS[unit])
        if count:
            parts.append(f"{count}{unit}")
    return " ".join(parts) or "0s"
