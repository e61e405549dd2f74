"""How conjunctions are laid out for the engine: in chunks inside its limits, and split by an attribute's value.

The engine looks at each attribute of a fact at each node it reaches, and at most of the comparisons that begin there.
So the time of a row grows with the chunks it is shown to, with the attributes it is shown with, and with the number of
different comparisons that begin a chunk. All three are kept small here; none of it changes an answer.
"""

from __future__ import annotations

import itertools
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from rules_service.rules.columns import Classes, Column, Test

#: Conjunctions of one ruleset of the engine: 64 is proven never to overflow its stack, and is the fastest.
MOST_CONJUNCTIONS = 64
#: Columns of one ruleset of the engine, which takes 252 attributes in a fact.
MOST_COLUMNS = 200

#: Conjunctions that one more chunk to visit costs about as much as.
_WORTH_OF_VISIT = 8
#: Copies that a split may make of each conjunction, on average.
_MOST_COPIES = 1.6
#: Splits inside each other. Each conjunction takes the engine some 30 kB, and each split copies some.
_MOST_SPLITS = 1

#: Tests that must all hold, and the rule that then does.
Owned = tuple[tuple["Test", ...], int]


@dataclass(frozen=True, slots=True)
class Alias:
    """How a column appears in a chunk's facts."""

    name: str
    #: The numbers worth showing, because no test asks for others; None: all.
    numbers: frozenset[int] | None


@dataclass(frozen=True, slots=True, eq=False)
class Chunk:
    """The conjunctions of one ruleset of the engine."""

    conjunctions: tuple[Owned, ...]
    aliases: Mapping[Column, Alias]


@dataclass(frozen=True, slots=True, eq=False)
class Split:
    """Different steps for different classes of one attribute; none for a class that is not named."""

    source: str
    branches: Mapping[int, tuple[Step, ...]]


Step = Chunk | Split


def layout(conjunctions: Sequence[Owned], classes: Mapping[str, Classes], depth: int = 0) -> tuple[Step, ...]:
    """Steps that together hold every conjunction, each at least wherever it can be true."""
    found = _best_split(conjunctions, classes) if depth < _MOST_SPLITS else None
    if found is None:
        return tuple(_chunks(conjunctions))
    source, branches, rest = found
    split = Split(source, {number: layout(owned, classes, depth + 1) for number, owned in branches.items() if owned})
    return (split, *layout(rest, classes, depth))


def _best_split(
    conjunctions: Sequence[Owned], classes: Mapping[str, Classes]
) -> tuple[str, dict[int, list[Owned]], list[Owned]] | None:
    """The attribute by which the fewest conjunctions remain to be looked at for a row; None if none is worth it."""
    best, least = None, float(len(conjunctions) - _WORTH_OF_VISIT)
    for source, found in classes.items():
        if not found.splits:
            continue
        branches, rest = _split(conjunctions, source, found)
        copies = sum(map(len, branches.values()))
        # Class 0 is a missing value, which is rare.
        usual = [len(owned) for number, owned in branches.items() if number > 0]
        remaining = len(rest) + sum(usual) / len(usual)
        if remaining < least and copies <= _MOST_COPIES * (len(conjunctions) - len(rest)):
            best, least = (source, branches, rest), remaining
    return best


def _split(conjunctions: Sequence[Owned], source: str, classes: Classes) -> tuple[dict[int, list[Owned]], list[Owned]]:
    """The conjunctions that can be true in each class, without the tests which that decides; and those for all."""
    branches: dict[int, list[Owned]] = {number: [] for number in range(classes.count)}
    rest: list[Owned] = []
    for tests, owner in conjunctions:
        decided = [test for test in tests if test.column.source == source]
        possible = frozenset(branches).intersection(*(classes.classes_where(test) for test in decided))
        if 2 * len(possible) > classes.count:
            rest.append((tests, owner))
            continue
        left = tuple(test for test in tests if test.column.source != source)
        for number in possible:
            branches[number].append((left or tests, owner))
    return branches, rest


def _chunks(conjunctions: Sequence[Owned]) -> Iterator[Chunk]:
    chunk: list[Owned] = []
    columns: set[Column] = set()
    for tests, owner in _by_prefix(conjunctions, ()):
        more = {test.column for test in tests}
        if chunk and (len(chunk) == MOST_CONJUNCTIONS or len(columns | more) > MOST_COLUMNS):
            yield _named(chunk)
            chunk, columns = [], set()
        chunk.append((tests, owner))
        columns |= more
    if chunk:
        yield _named(chunk)


def _by_prefix(conjunctions: Sequence[Owned], prefix: tuple[Test, ...]) -> Iterator[Owned]:
    """The same, each with the tests that most of its neighbours share first, so that few begin a chunk."""
    yield from ((prefix, owner) for tests, owner in conjunctions if not tests)
    left = [owned for owned in conjunctions if owned[0]]
    while left:
        shared = Counter(test for tests, _ in left for test in tests).most_common(1)[0][0]
        those = [(tuple(test for test in tests if test != shared), owner) for tests, owner in left if shared in tests]
        yield from _by_prefix(those, (*prefix, shared))
        left = [owned for owned in left if shared not in owned[0]]


def _named(chunk: list[Owned]) -> Chunk:
    asked: dict[Column, set[Test]] = {}
    for tests, _ in chunk:
        for test in tests:
            asked.setdefault(test.column, set()).add(test)
    names = _names(Counter(test.column for test in {tests[0] for tests, _ in chunk}), list(asked))
    aliases = {}
    for column, asking in asked.items():
        equal = all(test.comparison == "==" for test in asking)
        aliases[column] = Alias(names[column], frozenset(test.number for test in asking) if equal else None)
    return Chunk(tuple(chunk), aliases)


#: Buckets in which the engine begins to look for an attribute's comparisons at a node.
_BUCKETS = 32


def _names(beginning: Mapping[Column, int], columns: Sequence[Column]) -> dict[Column, str]:
    """A name for each column, so that the engine finds the comparisons that begin a chunk with few steps.

    At a node the engine looks for an attribute's comparisons from the bucket of its name's hash on, up to the first
    empty bucket. Columns that begin a chunk get buckets in a row, as many as they have comparisons; the others get
    buckets before them, which are empty at the root.
    """
    buckets: dict[Column, int] = {}
    at = max(1, _BUCKETS - sum(beginning.values()))
    free = itertools.cycle(range(at))
    for column, count in beginning.items():
        buckets[column] = min(at, _BUCKETS - 1)
        at += count
    pools: dict[int, list[str]] = {bucket: [] for bucket in range(_BUCKETS)}
    numbers = itertools.count()
    names = {}
    for column in columns:
        bucket = buckets[column] if column in buckets else next(free)
        while not pools[bucket]:
            name = f"a{next(numbers)}"
            pools[_hash(name) % _BUCKETS].append(name)
        names[column] = pools[bucket].pop()
    return names


def _hash(name: str) -> int:
    """The engine's hash of an attribute's name (FNV-1a, 32 bits)."""
    found = 0x811C9DC5
    for byte in name.encode():
        found = (found ^ byte) * 0x01000193 & 0xFFFFFFFF
    return found
