"""Which rules of a ruleset match a row, by durable-rules: one network a process and ruleset.

The engine sees only conjunctions of comparisons of small whole numbers (`columns.py` says how), which is the part of it
that was measured to be right. Its limits, and what happens beyond them: 65 conjunctions matching at once is an error,
more than 252 attributes in a fact too; 512 comparisons at one level hang it; an `$or` is enumerated in exponential
time; deleting a ruleset whose state never fired an action crashes the process. A chunk stays inside all of them.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from rules_service.rules.chunks import Chunk, layout
from rules_service.rules.columns import classes_of, test_of
from rules_service.rules.conditions import atoms_of
from rules_service.rules.conjunctions import conjunctions_of
from rules_service.rules.match import compile_match
from rules_service.rules.probes import probe_rows
from rules_service.rules.rendering import HEAD, renderer_of

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence

    from rules_service.rules.chunks import Alias, Step
    from rules_service.rules.columns import Column, Test
    from rules_service.rules.conditions import Condition
    from rules_service.rules.vocabulary import Row, Vocabulary

try:
    import durable_rules_engine as _engine
except ImportError as _error:  # on Python 3.13 without its build flag, or not installed
    _engine = None
    _missing = str(_error)

#: The rule that primes a chunk, and its attribute; conjunctions are called 00, 01 and so on, columns a0, a1.
_PRIME = "pp"
_PRIMING = f'{HEAD},"{_PRIME}":1}}'
_RETRACT = f"{HEAD}}}"
_OPERATORS = {"!=": "$neq", "<": "$lt", "<=": "$lte", ">": "$gt", ">=": "$gte"}


class NetworkError(Exception):
    """The network cannot answer; `match` can."""


class NetworkUnavailable(NetworkError):
    """durable-rules cannot be imported in this process."""


class NetworkMismatch(NetworkError):
    """A network just built does not agree with `match`, and must not be used."""


class NetworkPoisoned(NetworkError):
    """The engine failed; this network is never asked again, because what it would say or do is not known."""


#: A ruleset of the engine: its handle, and the rules behind its names of conjunctions.
_Loaded = tuple[int, dict[str, int]]


class Network:
    """Selects the rules that match a row. Thread-safe; build one in each process, after the fork."""

    def __init__(
        self,
        rules: Sequence[tuple[Hashable, Condition]],
        vocabulary: Vocabulary,
        matches: Sequence[Callable[[Row], bool]] | None = None,
    ) -> None:
        """Compiles `rules`, pairs of a key and a condition, and verifies the engine by `match` on boundary rows.

        `matches` are the conditions compiled by `compile_match`, for callers who have them already.
        NetworkUnavailable if there is no engine, NetworkPoisoned if it fails, NetworkMismatch, naming the rule's key.
        """
        if _engine is None:
            raise NetworkUnavailable(f"durable-rules cannot be imported: {_missing}")
        self._lock = threading.Lock()
        self._poisoned = ""
        self._loaded: list[_Loaded] = []
        alternatives = [conjunctions_of(condition) for _, condition in rules]
        self._always = frozenset(index for index, found in enumerate(alternatives) if () in found)
        literals = [literal for found in alternatives for one in found for literal in one]
        classes = classes_of(literals, vocabulary)
        tests = {literal: test_of(literal, classes, vocabulary) for literal in dict.fromkeys(literals)}
        conjunctions = [
            (tuple(dict.fromkeys(tests[literal] for literal in one)), index)
            for index, found in enumerate(alternatives)
            if index not in self._always
            for one in found
        ]
        steps = layout(conjunctions, classes)
        loaded = {chunk: self._load(chunk) for chunk in _chunks_of(steps)}
        self._render = renderer_of(steps, loaded, classes, vocabulary)
        if matches is None:
            matches = [compile_match(condition, vocabulary) for _, condition in rules]
        atoms = dict.fromkeys(atom for _, condition in rules for atom in atoms_of(condition))
        for row in probe_rows([one for found in alternatives for one in found], atoms, vocabulary):
            self._verify(row, matches, rules)

    def select(self, row: Row) -> set[int]:
        """The indexes of the rules that match `row`; NetworkPoisoned if the engine failed, now or before."""
        texts = self._render(row)
        found = set(self._always)
        with self._lock:
            if self._poisoned:
                raise NetworkPoisoned(self._poisoned)
            try:
                for (handle, owners), text in texts:
                    for name in _fired(handle, text):
                        found.add(owners[name])
            except BaseException as error:
                # Whatever it was (an interrupt too), the engine may hold a half-finished action, and would answer the
                # next row with this one's rules, or with none.
                self._poisoned = f"{type(error).__name__}: {error}"
                if isinstance(error, Exception):
                    raise NetworkPoisoned(self._poisoned) from error
                raise
        return found

    def close(self) -> None:
        """Frees the engine's memory; afterwards `select` raises NetworkPoisoned. A poisoned network is left alone."""
        with self._lock:
            if not self._poisoned:
                self._poisoned = "the network is closed"
                for handle, _ in self._loaded:
                    _engine.delete_state(handle, "0")
                    _engine.delete_ruleset(handle)

    def _load(self, chunk: Chunk) -> _Loaded:
        names = [f"{number:02}" for number in range(len(chunk.conjunctions))]
        rules = [_rule(name, tests, chunk.aliases) for name, (tests, _) in zip(names, chunk.conjunctions, strict=True)]
        prime = f'"{_PRIME}":{{"all":[{{"m":{{"$and":[{{"{_PRIME}":1}}]}}}}]}}'
        try:
            handle = _engine.create_ruleset("rules", f"{{{','.join(rules)},{prime}}}")
            # Priming: the engine initialises what `delete_state` frees only when an action completes.
            primed = _fired(handle, _PRIMING)
        except Exception as error:
            self.close()
            raise NetworkPoisoned(f"the engine refuses a ruleset: {error}") from error
        if primed != [_PRIME]:
            self.close()
            raise NetworkPoisoned(f"the engine answers {primed} where only the prime rule holds")
        owners = {name: owner for name, (_, owner) in zip(names, chunk.conjunctions, strict=True)}
        self._loaded.append((handle, owners))
        return handle, owners

    def _verify(
        self, row: Row, matches: Sequence[Callable[[Row], bool]], rules: Sequence[tuple[Hashable, Condition]]
    ) -> None:
        wrong = {index for index, holds in enumerate(matches) if holds(row)} ^ self.select(row)
        if wrong:
            self.close()
            keys = ", ".join(str(rules[index][0]) for index in sorted(wrong)[:5])
            raise NetworkMismatch(f"the engine and match disagree about {keys}")


def _fired(handle: int, text: str) -> list[str]:
    """The names of the conjunctions that hold on the fact `text`, which is gone again afterwards.

    No code but the engine's runs between the first call and the last: an action left open makes it answer nothing.
    """
    code, state = _engine.assert_fact(handle, text)
    names = []
    if code == 0:
        message = _engine.start_action_for_state(handle, state)[1]
        while message is not None:
            names.append(message[2:4])
            message = _engine.complete_and_start_action(handle, state)
    elif code != 1:
        raise RuntimeError(f"the engine answers {code} to a fact")
    _engine.retract_fact(handle, _RETRACT)
    return names


def _rule(name: str, tests: tuple[Test, ...], aliases: Mapping[Column, Alias]) -> str:
    parts = []
    for test in tests:
        equal = f'{{"{aliases[test.column].name}":{test.number}}}'
        parts.append(equal if test.comparison == "==" else f'{{"{_OPERATORS[test.comparison]}":{equal}}}')
    return f'"{name}":{{"all":[{{"m":{{"$and":[{",".join(parts)}]}}}}]}}'


def _chunks_of(steps: Iterable[Step]) -> Iterator[Chunk]:
    for step in steps:
        if isinstance(step, Chunk):
            yield step
        else:
            for inner in step.branches.values():
                yield from _chunks_of(inner)
