"""Reading `when:`: what is accepted, what it becomes, and every mistake at its place."""

from __future__ import annotations

import pytest

from rules_service.rules.conditions import (
    MOST_ATOMS,
    MOST_DEPTH,
    All,
    AnyOf,
    Atom,
    Not,
    atoms_of,
    attributes_of,
    changing_attributes,
    parse_condition,
)
from rules_service.ruleset.reading import read_yaml
from tests.rules import tables
from tests.rules.samples import VOCABULARY, condition, place

MISTAKES = list(tables.mistakes("condition_errors.txt"))


@pytest.mark.parametrize(("text", "expected"), MISTAKES, ids=[text.splitlines()[0] for text, _ in MISTAKES])
def test_a_mistake_is_reported_at_its_place(text, expected):
    problems = []
    data, where = read_yaml("rules.yaml", text.encode(), problems)
    assert parse_condition(data, where, VOCABULARY) is None
    assert [tables.as_line(problem) for problem in sorted(problems)] == expected


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ({}, All(())),
        ({"ticket.status": "open"}, Atom("ticket.status", "is", "open")),
        ({"ticket.status": ["open"]}, Atom("ticket.status", "in", frozenset({"open"}))),
        ({"ticket.tags": "vip"}, Atom("ticket.tags", "contains_any", frozenset({"vip"}))),
        ({"time.idle": {"at_least": "1h 30m"}}, Atom("time.idle", "at_least", 5_400)),
        ({"time.idle": {"at_least": "service 30m"}}, Atom("service_time.idle", "at_least", 1_800)),
        ({"service_time.idle": {"at_least": "service 30m"}}, Atom("service_time.idle", "at_least", 1_800)),
        ({"time.idle": ["1m", "60s", "2m"]}, Atom("time.idle", "in", frozenset({60, 120}))),
        ({"sla.resolution.used_pct": {"at_least": "80%"}}, Atom("sla.resolution.used_pct", "at_least", 80)),
        ({"sla.resolution.used_pct": {"at_least": 80.5}}, Atom("sla.resolution.used_pct", "at_least", 80.5)),
        (
            {"recent.messages_received": {"within": "10m", "at_least": 3}},
            Atom("recent.messages_received[600]", "at_least", 3),
        ),
        (
            {"ticket.transfers": {"at_least": 1, "less_than": 5}},
            All((Atom("ticket.transfers", "at_least", 1), Atom("ticket.transfers", "less_than", 5))),
        ),
        (
            {"message.text": {"keywords": ["refund", "greeting"]}},
            AnyOf((Atom("message.text", "keywords", "refund"), Atom("message.text", "keywords", "greeting"))),
        ),
        (
            {"any": {"ticket.status": "open", "ticket.tags": "vip"}},
            AnyOf((Atom("ticket.status", "is", "open"), Atom("ticket.tags", "contains_any", frozenset({"vip"})))),
        ),
        (
            {"none": [{"ticket.status": "open", "event.automated": True}]},
            Not(AnyOf((All((Atom("ticket.status", "is", "open"), Atom("event.automated", "is", True))),))),
        ),
    ],
)
def test_a_condition_becomes_a_tree(data, expected):
    assert condition(data) == expected


def nested(levels):
    data = {"ticket.status": "open"}
    for _ in range(levels):
        data = {"all": [data]}
    return data


def test_conditions_nest_only_so_deep():
    assert parse_condition(nested(MOST_DEPTH), place(), VOCABULARY) is not None
    for levels in (MOST_DEPTH + 1, 5_000):
        where = place()
        assert parse_condition(nested(levels), where, VOCABULARY) is None
        assert [problem.kind for problem in where.problems] == ["limit"]


def test_a_condition_holds_only_so_many_comparisons():
    within = {"all": [{"ticket.transfers": number} for number in range(MOST_ATOMS)]}
    assert parse_condition(within, place(), VOCABULARY) is not None
    where = place()
    within["all"] += [{"ticket.transfers": 1}] * 2
    assert parse_condition(within, where, VOCABULARY) is None
    many = {"ticket.subject": {"starts_with": [f"{number}" for number in range(MOST_ATOMS + 1)]}}
    assert parse_condition(many, where, VOCABULARY) is None
    assert [problem.kind for problem in where.problems] == ["limit", "limit"]


def test_a_list_and_a_pattern_are_only_so_long():
    where = place()
    assert parse_condition({"ticket.transfers": list(range(1_001))}, where, VOCABULARY) is None
    assert parse_condition({"message.text": {"matches": "a" * 1_001}}, where, VOCABULARY) is None
    assert [problem.kind for problem in where.problems] == ["limit", "pattern"]


def test_attributes_and_atoms_are_those_of_all_parts():
    found = condition({"ticket.status": "open", "none": [{"time.idle": {"at_least": "5m"}}, {"ticket.tags": "vip"}]})
    assert attributes_of(found) == {"ticket.status", "time.idle", "ticket.tags"}
    assert [atom.operator for atom in atoms_of(found)] == ["is", "at_least", "contains_any"]


def test_attributes_that_change_without_an_event_are_named():
    assert changing_attributes(condition({"ticket.status": "open"}), VOCABULARY) == frozenset()
    found = condition({"any": {"ticket.status": "open", "desk.queue_length": {"at_least": 5}}})
    assert changing_attributes(found, VOCABULARY) == {"desk.queue_length"}
    windowed = condition({"recent.messages_received": {"within": "1h", "at_least": 3}})
    assert changing_attributes(windowed, VOCABULARY) == frozenset()
