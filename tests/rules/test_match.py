"""What conditions mean: the table of cases in every reading, and the readings against each other."""

from __future__ import annotations

import math
import os
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules_service.rules.conditions import All, AnyOf, Atom, Not, parse_condition
from rules_service.rules.match import compile_match, explain
from rules_service.rules.network import Network
from tests.rules import oracle, tables
from tests.rules.samples import VOCABULARY, WINDOW, random_condition, random_row

TRUTHS = list(tables.truths())
#: Rows that the slow comparison of the readings looks at, each with a whole network of rules.
SLOW_ROWS = int(os.environ.get("RULES_FUZZ_ROWS", "200000"))


@pytest.mark.parametrize(("line", "data", "place", "row", "expected"), TRUTHS, ids=[str(one[0]) for one in TRUTHS])
def test_a_condition_means_the_same_in_every_reading(line, data, place, row, expected):
    parsed = parse_condition(data, place, VOCABULARY)
    assert parsed is not None, place.problems
    assert compile_match(parsed, VOCABULARY)(row) is expected
    assert oracle.holds(parsed, row, VOCABULARY) is expected
    assert explain(parsed, row, VOCABULARY).holds is expected
    network = Network([("rule", parsed)], VOCABULARY)
    assert network.select(row) == ({0} if expected else set())
    network.close()


def test_the_network_of_all_cases_together_says_the_same():
    conditions = [parse_condition(data, place, VOCABULARY) for _, data, place, _, _ in TRUTHS]
    network = Network(list(enumerate(conditions)), VOCABULARY)
    for _, _, _, row, _ in TRUTHS:
        expected = {index for index, one in enumerate(conditions) if oracle.holds(one, row, VOCABULARY)}
        assert network.select(row) == expected
    network.close()


def compare_readings(seed, networks, rows):
    """Random rules, hostile rows: network, match and oracle say the same; so does explain for one rule a row."""
    chance = random.Random(seed)
    fired = 0
    for _ in range(networks):
        rules = [(number, random_condition(chance)) for number in range(chance.choice([1, 2, 5, 10, 20, 80]))]
        matches = [compile_match(condition, VOCABULARY) for _, condition in rules]
        network = Network(rules, VOCABULARY)
        for _ in range(rows):
            row = random_row(chance)
            expected = {number for number, condition in rules if oracle.holds(condition, row, VOCABULARY)}
            assert {number for number, holds in enumerate(matches) if holds(row)} == expected
            assert network.select(row) == expected
            number = chance.randrange(len(rules))
            assert explain(rules[number][1], row, VOCABULARY).holds is (number in expected)
            fired += len(expected)
        network.close()
    assert fired > networks


def test_network_match_and_oracle_agree_on_random_rules_and_hostile_rows():
    compare_readings(seed=1, networks=25, rows=200)


@pytest.mark.slow
def test_network_match_and_oracle_agree_at_length():
    compare_readings(seed=2, networks=SLOW_ROWS // 400, rows=400)


VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(),
    st.text().map(lambda text: text + "\ud800"),
    st.lists(st.integers()),
    st.frozensets(st.one_of(st.text(), st.integers())),
    st.sampled_from(["low", "urgent", "open", "vip", 5, 2**70, "x" * 70_000]),
)
COLUMNS = [*VOCABULARY.attributes, WINDOW, "message.text#keywords", "ticket.subject#keywords"]


# The first texts of a run take seconds: hypothesis then makes its table of Unicode.
@given(st.dictionaries(st.sampled_from(COLUMNS), VALUES), st.integers(0, 10_000))
def test_match_never_raises_whatever_the_row_holds(row, seed):
    parsed = random_condition(random.Random(seed))
    assert compile_match(parsed, VOCABULARY)(row) is explain(parsed, row, VOCABULARY).holds


@given(st.integers(0, 10_000), st.integers(0, 10_000))
def test_a_negation_is_exact(seed, row_seed):
    parsed = random_condition(random.Random(seed))
    row = random_row(random.Random(row_seed))
    assert compile_match(Not(parsed), VOCABULARY)(row) is not compile_match(parsed, VOCABULARY)(row)


@pytest.mark.parametrize(("plain", "negated"), [("is", "is_not"), ("in", "not_in"), ("contains_any", "contains_none")])
def test_each_negating_operator_is_the_negation_of_its_opposite(plain, negated):
    attribute, value = ("ticket.tags", frozenset({"vip"})) if plain == "contains_any" else ("ticket.assignee", "ha1")
    value = frozenset({"ha1"}) if plain == "in" else value
    for found in (None, "ha1", "ha2", 5, math.nan, frozenset({"vip"}), frozenset()):
        row = {attribute: found}
        holds = compile_match(Atom(attribute, plain, value), VOCABULARY)(row)
        assert compile_match(Atom(attribute, negated, value), VOCABULARY)(row) is not holds


def test_an_explanation_shows_each_comparison_with_what_it_found():
    found = Atom("ticket.status", "is", "open")
    missing = Atom("time.idle", "at_least", 1_800)
    hit = Atom("message.text", "keywords", "refund")
    condition = All((found, Not(AnyOf((missing, hit)))))
    row = {"ticket.status": "open", "message.text": "refund", "message.text#keywords": frozenset({"refund"})}
    explanation = explain(condition, row, VOCABULARY)
    assert explanation.holds is False
    first, negation = explanation.parts
    assert (first.condition, first.actual, first.holds) == (found, "open", True)
    either = negation.parts[0]
    assert [(part.condition, part.actual, part.holds) for part in either.parts] == [
        (missing, None, False),
        (hit, frozenset({"refund"}), True),
    ]


def test_only_the_beginning_of_a_very_long_text_is_searched():
    holds = compile_match(Atom("message.text", "matches", "needle"), VOCABULARY)
    assert holds({"message.text": "x" * 99_994 + "needle"})
    assert not holds({"message.text": "x" * 100_000 + "needle"})
