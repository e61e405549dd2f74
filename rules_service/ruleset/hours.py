"""Which calendars of a ruleset have other hours than under an earlier one: for clocks that live through a change."""

from __future__ import annotations

from rules_service.ruleset.model import Ruleset

#: Digits of a ruleset's hash by which clocks name it.
_SHORT = 12


def short_hash(ruleset_hash: str) -> str:
    """The first digits of a ruleset's hash."""
    return ruleset_hash[:_SHORT]


def hours_told(ruleset: Ruleset) -> dict[str, str]:
    """What an earlier ruleset leaves behind to compare hours with: the hash of each calendar, by a key of its name."""
    return {_key(name): calendar.content_hash for name, calendar in ruleset.calendars.items()}


def has_other_hours(ruleset: Ruleset, calendar: str, predecessor: str) -> bool:
    """Whether the calendar may have other hours in `ruleset` than in the predecessor of that hash, which may be short.

    True where it is not known what hours the predecessor had.
    """
    known = ruleset.predecessors
    names = [predecessor] if predecessor in known else [name for name in known if name.startswith(predecessor)]
    told = (_key(calendar), ruleset.hours(calendar).content_hash)
    return len(names) != 1 or told not in known[names[0]]


def _key(calendar: str) -> str:
    # No id of a rule has a colon.
    return f"calendar:{calendar}"
