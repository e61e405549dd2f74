"""The rules of a ruleset that hold on a row: the network selects, `match` confirms, and `match` alone when it must."""

from __future__ import annotations

import itertools
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from rules_service.rules.match import compile_match
from rules_service.rules.network import Network, NetworkMismatch, NetworkPoisoned, NetworkUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Sequence

    from rules_service.rules.conditions import Condition
    from rules_service.rules.vocabulary import Row, Vocabulary

#: Seconds between two attempts to build a network anew after the engine failed.
REBUILD_EVERY_S = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class MatcherEvent:
    """Something an operator should know of.

    disagreement: the network selected `keys`, `match` did not confirm them; they did not fire. missed: the full check
    found `keys`, the network did not; they fired. poisoned: the engine failed. rebuilt: the network is in use again.
    unavailable: there is no network, for `reason`.
    """

    kind: Literal["disagreement", "missed", "poisoned", "rebuilt", "unavailable"]
    reason: str
    keys: tuple[Hashable, ...] = ()
    #: The row of a disagreement or a miss.
    row: Row | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MatcherState:
    """What answers now: the network confirmed by match, or match alone, and then why."""

    answers: Literal["network", "match"]
    reason: str


@dataclass(slots=True, kw_only=True)
class MatcherCounters:
    """Since the matcher was made; each only grows."""

    #: Rows answered by `match` alone.
    by_match: int = 0
    #: Rows on which all rules were also asked of `match`.
    full_checks: int = 0
    #: Rules that the network selected and `match` did not confirm.
    disagreements: int = 0
    #: Rules that a full check found and the network did not.
    missed: int = 0
    #: Failures of the engine.
    poisoned: int = 0
    #: Networks built after the first.
    rebuilt: int = 0


class Matcher:
    """Answers for one list of rules, in one process. Thread-safe; make it after the fork, close it when replaced."""

    def __init__(
        self,
        rules: Sequence[tuple[Hashable, Condition]],
        vocabulary: Vocabulary,
        *,
        matches: Sequence[Callable[[Row], bool]] | None = None,
        full_check_every: int = 1_000,
        on_event: Callable[[MatcherEvent], None] | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """`rules` are pairs of a key, for reports, and a condition; `matches` their compiled conditions, where at hand.

        Every `full_check_every`th row is also asked of `match` for all rules; 0 never. `on_event` is called in the
        thread that asks, and must not raise. `monotonic` counts seconds.
        """
        self._rules = tuple(rules)
        self._vocabulary = vocabulary
        compiled = matches or [compile_match(condition, vocabulary) for _, condition in self._rules]
        self._matches = tuple(compiled)
        self._full_check_every = full_check_every
        self._report = on_event or (lambda _event: None)
        self._monotonic = monotonic
        self._rows = itertools.count(1)
        self._counting = threading.Lock()
        self._building = threading.Lock()
        self._network: Network | None = None
        self._reason = ""
        #: When the next attempt to build is due; None: never by itself.
        self._rebuild_at: float | None = None
        self._closed = False
        self.counters = MatcherCounters()
        self._build(first=True)

    @property
    def state(self) -> MatcherState:
        """What answers now, and why."""
        if self._network is not None:
            return MatcherState(answers="network", reason="the network agrees with match")
        return MatcherState(answers="match", reason=self._reason)

    def matching(self, row: Row) -> tuple[int, ...]:
        """The indexes, ascending, of the rules that hold on `row`; always an answer, whatever the engine does."""
        network = self._network
        if network is None:
            network = self._rebuilt_if_due()
        if network is not None:
            try:
                selected = network.select(row)
            except NetworkPoisoned as error:
                self._drop(network, str(error))
            else:
                return self._confirmed(selected, row)
        self._count("by_match", 1)
        return self._by_match(row)

    def rebuild(self) -> bool:
        """Builds a new network now and puts it into use; False, with the reason in `state`, if that fails."""
        with self._building:
            return not self._closed and self._build(first=False)

    def close(self) -> None:
        """Frees the network's memory; from then on `match` alone answers those who still ask."""
        with self._building:
            network, self._network = self._network, None
            self._closed, self._rebuild_at, self._reason = True, None, "the matcher is closed"
        if network is not None:
            network.close()

    def _by_match(self, row: Row) -> tuple[int, ...]:
        return tuple([index for index, holds in enumerate(self._matches) if holds(row)])

    def _confirmed(self, selected: set[int], row: Row) -> tuple[int, ...]:
        confirmed: tuple[int, ...] = ()
        if selected:
            matches = self._matches
            confirmed = tuple([index for index in sorted(selected) if matches[index](row)])
        if len(confirmed) != len(selected):
            self._differs("disagreement", selected.difference(confirmed), row)
        if self._full_check_every and next(self._rows) % self._full_check_every == 0:
            self._count("full_checks", 1)
            everything = self._by_match(row)
            if everything != confirmed:
                self._differs("missed", set(everything).difference(confirmed), row)
                return everything
        return confirmed

    def _differs(self, kind: Literal["disagreement", "missed"], indexes: set[int], row: Row) -> None:
        self._count("disagreements" if kind == "disagreement" else "missed", len(indexes))
        keys = tuple(self._rules[index][0] for index in sorted(indexes))
        reason = "match does not confirm" if kind == "disagreement" else "the network did not select"
        self._report(MatcherEvent(kind=kind, reason=reason, keys=keys, row=row))

    def _count(self, counter: str, by: int) -> None:
        with self._counting:
            setattr(self.counters, counter, getattr(self.counters, counter) + by)

    def _drop(self, network: Network, reason: str) -> None:
        """Takes a failed network out of use; once, however many threads meet the failure. It is never touched again."""
        with self._counting:
            if self._network is not network:
                return
            self._network, self._reason = None, reason
            self.counters.poisoned += 1
            if self._rebuild_at is None:
                self._rebuild_at = self._monotonic()
        self._report(MatcherEvent(kind="poisoned", reason=reason))

    def _rebuilt_if_due(self) -> Network | None:
        due = self._rebuild_at
        if due is None or self._monotonic() < due or not self._building.acquire(blocking=False):
            return None
        try:
            if self._network is None and not self._closed:
                self._build(first=False)
            return self._network
        finally:
            self._building.release()

    def _build(self, *, first: bool) -> bool:
        self._rebuild_at = self._monotonic() + REBUILD_EVERY_S
        try:
            network = Network(self._rules, self._vocabulary, self._matches)
        except (NetworkUnavailable, NetworkMismatch) as error:
            # Neither changes by itself while the process lives.
            self._rebuild_at, self._reason = None, str(error)
            self._report(MatcherEvent(kind="unavailable", reason=self._reason))
            return False
        except NetworkPoisoned as error:
            self._reason = str(error)
            self._count("poisoned", 1)
            self._report(MatcherEvent(kind="unavailable", reason=self._reason))
            return False
        old, self._network = self._network, network
        if old is not None:
            old.close()
        if not first:
            self._count("rebuilt", 1)
            self._report(MatcherEvent(kind="rebuilt", reason="the network agrees with match"))
        return True
