"""Texts in the form in which keywords are looked for: without case, accents and the forms of letters."""

from __future__ import annotations

import re
import unicodedata

from rules_service.rules.vocabulary import LONGEST_TEXT

#: Letters that Unicode does not decompose, as people write them without the stroke.
_STROKES = {"đ": "d", "ł": "l", "ø": "o", "ð": "d", "ħ": "h", "ŧ": "t", "\u0131": "i", "æ": "ae", "œ": "oe"}
#: Characters that are remembered; without an end, texts could fill the memory with all of Unicode.
_MOST_LETTERS = 10_000
_WORD = re.compile(r"\w+")


class _Letters(dict[int, str | None]):
    """A table for str.translate that drops combining marks and learns each character it meets."""

    def __missing__(self, code: int) -> str | None:
        letter = chr(code)
        folded = None if unicodedata.combining(letter) else _STROKES.get(letter, letter)
        if len(self) < _MOST_LETTERS:
            self[code] = folded
        return folded


_LETTERS = _Letters()


def fold(text: str) -> str:
    """`text` so that spellings that people take for the same are the same: `Café` and `CAFE`, `Łódź` and `lodz`.

    Compatibility decomposition, case folding, combining marks dropped, strokes through letters too. Positions in the
    result are not positions in `text`.
    """
    text = text[:LONGEST_TEXT]
    if text.isascii():
        return text.lower()
    decomposed = unicodedata.normalize("NFKD", text).casefold()
    # Folding case can make letters that decompose again.
    return unicodedata.normalize("NFKD", decomposed).translate(_LETTERS)


def words_of(folded: str) -> list[str]:
    """The words of a folded text: letters, digits and `_` of any script in a row."""
    return _WORD.findall(folded)
