"""Regular expressions of rule files: RE2 only, so that no pattern and no text can take more than linear time."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

import re2

from rules_service.rules.vocabulary import LONGEST_TEXT

if TYPE_CHECKING:
    from collections.abc import Callable

#: Characters a pattern may have.
LONGEST_PATTERN = 1_000
#: Bytes that one compiled pattern may use.
_MEMORY = 8 << 20


@functools.lru_cache(maxsize=2_048)
def compile_pattern(pattern: str) -> Callable[[str], bool]:
    r"""A function that says whether `pattern` occurs in a text; ValueError, in RE2's words, if RE2 cannot run it.

    `.` does not match a newline; `\w` and `\b` know ASCII only; upper and lower case differ unless `(?i)` is said.
    """
    if len(pattern) > LONGEST_PATTERN:
        raise ValueError(f"a pattern has at most {LONGEST_PATTERN} characters, not {len(pattern)}")
    options = re2.Options()
    options.log_errors = False
    options.max_mem = _MEMORY
    try:
        search = re2.compile(pattern, options).search
    except UnicodeEncodeError:
        raise ValueError("a character that is half of a pair cannot be searched for") from None
    except re2.error as error:
        message = error.args[0] if error.args else error
        raise ValueError(message.decode("utf-8", "replace") if isinstance(message, bytes) else str(message)) from None

    def occurs(text: str) -> bool:
        # "replace": RE2 reads UTF-8, which has no form for half a surrogate pair; without it such a message raises.
        return search(text[:LONGEST_TEXT].encode("utf-8", "replace")) is not None

    return occurs
