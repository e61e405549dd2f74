"""The network: its limits, its failures, and the matcher that answers in spite of them."""

from __future__ import annotations

import gc
import random
import threading

import psutil
import pytest

from rules_service.rules import network as network_module
from rules_service.rules.conditions import All, AnyOf, Atom, Not
from rules_service.rules.match import compile_match
from rules_service.rules.matcher import REBUILD_EVERY_S, Matcher, MatcherState
from rules_service.rules.network import Network, NetworkMismatch, NetworkPoisoned, NetworkUnavailable
from tests.rules.samples import VOCABULARY, random_condition, random_row

OPEN = Atom("ticket.status", "is", "open")
VIP = Atom("ticket.tags", "contains_any", frozenset({"vip"}))
BUSY = Atom("ticket.transfers", "at_least", 3)
RULES = [("open", OPEN), ("vip", VIP), ("not-busy", Not(BUSY)), ("always", All(())), ("never", AnyOf(()))]
ROW = {"ticket.status": "open", "ticket.transfers": 5}


class Clock:
    """Seconds that pass when told to."""

    def __init__(self):
        self.now = 1_000.0

    def __call__(self):
        return self.now


def counted(chance, count):
    return [(number, random_condition(chance)) for number in range(count)]


def test_always_and_never_need_no_engine():
    network = Network([("always", All(())), ("never", AnyOf(())), ("not never", Not(AnyOf(())))], VOCABULARY)
    assert network.select({}) == {0, 2}
    network.close()


def test_no_rules_match_nothing():
    assert Matcher([], VOCABULARY).matching(ROW) == ()


@pytest.mark.parametrize(
    "condition",
    [
        pytest.param(All((OPEN,) * 199), id="the same comparison 199 times"),
        pytest.param(All(tuple(Atom("ticket.transfers", "is_not", n) for n in range(199))), id="199 in a row"),
        pytest.param(AnyOf(tuple(Atom("ticket.transfers", "is", n) for n in range(199))), id="one of 199"),
        pytest.param(
            All(tuple(AnyOf((Atom("ticket.transfers", "at_least", n), VIP, OPEN)) for n in range(20))),
            id="20 times one of 3, which an engine could take 3,486,784,401 steps for",
        ),
        pytest.param(Atom("ticket.tags", "contains_all", frozenset(map(str, range(900)))), id="all of 900 tags"),
        pytest.param(Atom("ticket.assignee", "in", frozenset(map(str, range(1_000)))), id="one of 1,000 people"),
    ],
)
def test_a_large_condition_stays_inside_the_engines_limits(condition):
    network = Network([("large", condition)], VOCABULARY)
    holds = compile_match(condition, VOCABULARY)
    tags = frozenset(map(str, range(900)))
    rows = [ROW, {**ROW, "ticket.tags": tags}, {"ticket.transfers": 198, "ticket.assignee": "7"}, {}]
    assert [bool(network.select(row)) for row in rows] == [holds(row) for row in rows]
    network.close()


def test_a_thousand_rules_that_all_match_are_all_selected():
    rules = [(number, Atom("ticket.transfers", "at_least", number % 7)) for number in range(1_000)]
    network = Network(rules, VOCABULARY)
    assert network.select({"ticket.transfers": 7}) == set(range(1_000))
    assert network.select({"ticket.transfers": -1}) == set()
    network.close()


def test_a_network_that_disagrees_with_match_is_refused(monkeypatch):
    real = network_module._engine.assert_fact
    monkeypatch.setattr(
        network_module._engine, "assert_fact", lambda handle, text: real(handle, text.replace(":3", ":2"))
    )
    with pytest.raises(NetworkMismatch, match="open"):
        Network(RULES, VOCABULARY)
    events = []
    matcher = Matcher(RULES, VOCABULARY, on_event=events.append)
    assert matcher.matching(ROW) == (0, 3)
    assert [event.kind for event in events] == ["unavailable"]
    assert matcher.state.answers == "match"


def test_without_the_engine_match_answers(monkeypatch):
    monkeypatch.setattr(network_module, "_engine", None)
    monkeypatch.setattr(network_module, "_missing", "no module", raising=False)
    with pytest.raises(NetworkUnavailable):
        Network(RULES, VOCABULARY)
    matcher = Matcher(RULES, VOCABULARY)
    assert matcher.matching(ROW) == (0, 3)
    assert matcher.state == MatcherState(answers="match", reason="durable-rules cannot be imported: no module")
    assert matcher.counters.by_match == 1


FAILURES = {
    "assert_fact": lambda *_: (_ for _ in ()).throw(RuntimeError("error code: 303")),
    "start_action_for_state": lambda *_: None,
    "complete_and_start_action": lambda *_: (_ for _ in ()).throw(RuntimeError("error code: 111")),
    "retract_fact": lambda *_: (_ for _ in ()).throw(RuntimeError("error code: 205")),
}


@pytest.mark.parametrize("function", FAILURES)
def test_a_failing_engine_is_never_asked_again_and_match_answers_until_a_new_network_does(function, monkeypatch):
    clock, events = Clock(), []
    matcher = Matcher(RULES, VOCABULARY, on_event=events.append, monotonic=clock)
    broken = matcher._network
    assert matcher.matching(ROW) == (0, 3)
    with monkeypatch.context() as patch:
        patch.setattr(network_module._engine, function, FAILURES[function])
        assert matcher.matching(ROW) == (0, 3)
        assert matcher.state.answers == "match"
        assert [event.kind for event in events] == ["poisoned"]
        clock.now += REBUILD_EVERY_S
        assert matcher.matching(ROW) == (0, 3)
        assert [event.kind for event in events] == ["poisoned", "unavailable"]
    assert matcher.matching(ROW) == (0, 3)
    assert matcher.state.answers == "match", "at most one attempt a minute"
    clock.now += REBUILD_EVERY_S
    assert matcher.matching(ROW) == (0, 3)
    assert matcher.state.answers == "network"
    assert events[-1].kind == "rebuilt"
    assert (matcher.counters.poisoned, matcher.counters.rebuilt, matcher.counters.by_match) == (2, 1, 3)
    with pytest.raises(NetworkPoisoned):
        broken.select(ROW)
    broken.close()
    matcher.close()


def test_an_interrupt_between_two_calls_of_the_engine_poisons_too(monkeypatch):
    network = Network(RULES, VOCABULARY)
    with monkeypatch.context() as patch:

        def interrupted(*_arguments):
            raise KeyboardInterrupt

        patch.setattr(network_module._engine, "retract_fact", interrupted)
        with pytest.raises(KeyboardInterrupt):
            network.select(ROW)
    with pytest.raises(NetworkPoisoned):
        network.select(ROW)


def test_what_match_does_not_confirm_does_not_fire_and_is_reported(monkeypatch):
    events = []
    matcher = Matcher(RULES, VOCABULARY, on_event=events.append)
    monkeypatch.setattr(matcher._network, "select", lambda _row: {0, 1, 3})
    assert matcher.matching(ROW) == (0, 3)
    assert matcher.counters.disagreements == 1
    assert [(event.kind, event.keys, event.row) for event in events] == [("disagreement", ("vip",), ROW)]


def test_every_so_often_all_rules_are_checked_and_what_was_missed_fires(monkeypatch):
    events = []
    matcher = Matcher(RULES, VOCABULARY, full_check_every=3, on_event=events.append)
    monkeypatch.setattr(matcher._network, "select", lambda _row: {3})
    assert [matcher.matching(ROW) for _ in range(4)] == [(3,), (3,), (0, 3), (3,)]
    assert (matcher.counters.missed, matcher.counters.full_checks) == (1, 1)
    assert [(event.kind, event.keys) for event in events] == [("missed", ("open",))]


def test_a_closed_matcher_still_answers():
    matcher = Matcher(RULES, VOCABULARY)
    matcher.close()
    matcher.close()
    assert matcher.matching(ROW) == (0, 3)
    assert matcher.state == MatcherState(answers="match", reason="the matcher is closed")
    assert matcher.rebuild() is False


def test_a_rebuild_on_demand_swaps_the_network():
    matcher = Matcher(RULES, VOCABULARY)
    old = matcher._network
    assert matcher.rebuild()
    assert matcher._network is not old
    with pytest.raises(NetworkPoisoned, match="closed"):
        old.select(ROW)
    assert matcher.matching(ROW) == (0, 3)


def test_threads_share_one_matcher_while_it_is_rebuilt():
    chance = random.Random(3)
    rules = counted(chance, 20)
    matcher = Matcher(rules, VOCABULARY, full_check_every=10)
    rows = [random_row(chance, hostility=0.1) for _ in range(50)]
    matches = [compile_match(condition, VOCABULARY) for _, condition in rules]
    expected = [tuple(index for index, holds in enumerate(matches) if holds(row)) for row in rows]
    wrong = []

    def ask():
        for _ in range(20):
            found = [matcher.matching(row) for row in rows]
            if found != expected:
                wrong.append(found)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for _ in range(5):
        assert matcher.rebuild()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert (matcher.counters.disagreements, matcher.counters.missed, matcher.counters.poisoned) == (0, 0, 0)


@pytest.mark.slow
def test_rebuilding_two_hundred_times_takes_no_memory():
    chance = random.Random(4)
    process = psutil.Process()
    before = 0
    for cycle in range(220):
        matcher = Matcher(counted(chance, 30), VOCABULARY)
        for _ in range(5):
            matcher.matching(random_row(chance))
        matcher.close()
        if cycle == 20:
            gc.collect()
            before = process.memory_info().rss
    gc.collect()
    assert process.memory_info().rss - before < 30_000_000
