"""Many strings looked for in a text at once (Aho and Corasick): one step a character, however many strings."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Mapping

T = TypeVar("T")

#: Steps that may be remembered beyond those of the strings themselves; some 100 bytes each.
_MOST_LEARNED = 200_000


class _State(dict[str, "_State"]):
    """How far into which strings the text so far reaches; a character leads to the next state."""

    __slots__ = ("fallback", "hits", "owner")

    def __init__(self, owner: _Learning) -> None:
        super().__init__()
        self.owner = owner
        #: The state of the longest shorter reach; None at the root.
        self.fallback: _State | None = None
        #: Indexes of the strings that end here.
        self.hits: tuple[int, ...] = ()

    def __missing__(self, character: str) -> _State:
        target = self if self.fallback is None else self.fallback[character]
        if self.owner.left > 0 and character in self.owner.alphabet:
            # Remembered, so that the next time is one lookup. Only characters that can matter, and not without end:
            # a text must not be able to fill the memory.
            self.owner.left -= 1
            self[character] = target
        return target


class _Learning:
    """What the states of one automaton may still remember."""

    def __init__(self) -> None:
        self.left = 0
        self.alphabet: set[str] = set()


class Substrings(Generic[T]):
    """Values found by the strings that occur in a text. Immutable to its users; safe between threads."""

    def __init__(self, values: Mapping[str, T]) -> None:
        """`values` by the strings to look for, none of them empty."""
        self._values = list(values.values())
        learning = _Learning()
        self._root = _State(learning)
        for index, string in enumerate(values):
            state = self._root
            for character in string:
                if character not in state:
                    state[character] = _State(learning)
                state = state[character]
            state.hits = (index,)
        self._connect()
        learning.alphabet = {character for string in values for character in string} | set(map(chr, range(32, 127)))
        learning.left = _MOST_LEARNED

    def find(self, text: str) -> list[T]:
        """The values of the strings that occur in `text`, each once, in no order."""
        found: set[int] = set()
        state = self._root
        for character in text:
            state = state[character]
            if state.hits:
                found.update(state.hits)
        return [self._values[index] for index in found]

    def _connect(self) -> None:
        """Gives every state its fallback and the strings that end with it, by length of reach."""
        waiting: deque[_State] = deque()
        for state in self._root.values():
            state.fallback = self._root
            waiting.append(state)
        while waiting:
            state = waiting.popleft()
            for character, longer in state.items():
                fallback = state.fallback
                while fallback is not None and character not in fallback:
                    fallback = fallback.fallback
                longer.fallback = self._root if fallback is None else fallback[character]
                longer.hits += longer.fallback.hits
                waiting.append(longer)
