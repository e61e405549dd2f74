"""Texts from outside that both databases can keep."""

from __future__ import annotations

import marshmallow as ma


def storable(text: str) -> None:
    """ma.ValidationError for a text with a NUL character, or with half of a surrogate pair."""
    if "\x00" in text:
        raise ma.ValidationError("must not hold a NUL character")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ma.ValidationError("must be valid Unicode; it holds half of a surrogate pair") from None
