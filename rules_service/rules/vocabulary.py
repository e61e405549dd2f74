"""What conditions may speak of: the attributes of a row with their types, and the names of keyword lists."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

#: text; number; bool; set (of text); duration (seconds); choice (text out of `values`, ordered where `ordered`).
Kind = Literal["text", "number", "bool", "set", "duration", "choice"]

#: All attributes of one ticket at one instant. A value that is missing is None or absent.
#: text and choice: str; number: int or float; bool: bool; set: frozenset of str; duration: seconds, int or float.
#: Beside a text attribute stands `<name>#keywords`: the frozenset of names of the keyword lists that hit it.
Row = Mapping[str, Any]

#: Attributes whose names begin so count in a window: the row holds them as `recent.messages_received[600]`.
WINDOWED = "recent."
#: Characters of a text that patterns and keywords look at; the rest is ignored.
LONGEST_TEXT = 100_000
#: What stands after a text attribute's name in the row, for the names of the keyword lists that hit it.
KEYWORDS = "#keywords"


@dataclass(frozen=True, slots=True, kw_only=True)
class Attribute:
    """A named, typed value that a condition may read."""

    name: str
    kind: Kind
    #: One sentence: what the value means.
    about: str
    #: `s` for durations, `pct` for 0-100 and beyond; None otherwise.
    unit: Literal["s", "pct"] | None = None
    #: The values a choice may have, lowest first where `ordered`; empty where any text may stand.
    values: tuple[str, ...] = ()
    #: Whether `at_least`, `more_than` and their opposites compare the choice's `values` by rank.
    ordered: bool = False
    #: Whether it changes without an event of the ticket, so that only rules with `on:` may read it.
    needs_on: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Vocabulary:
    """Every name a condition may use."""

    #: By name; windowed ones without their window.
    attributes: Mapping[str, Attribute]
    #: The names that the operator `keywords` accepts.
    keyword_lists: frozenset[str] = field(default_factory=frozenset)

    def find(self, name: str) -> Attribute | None:
        """The attribute called `name`, with or without a window (`recent.messages_received[600]`); None if unknown."""
        return self.attributes.get(name.partition("[")[0] if name.startswith(WINDOWED) else name)

    def attribute(self, name: str) -> Attribute:
        """As `find`, for a name out of a condition parsed with this vocabulary; KeyError for any other."""
        found = self.find(name)
        if found is None:
            raise KeyError(name)
        return found
