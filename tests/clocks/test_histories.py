"""Clocks at the end of a history are what the rules say: a new case is a new entry of histories.yaml."""

import datetime as dt
from pathlib import Path

import pytest
import yaml

from rules_service.clocks import CLOCKS
from tests.clocks.telling import Telling, arrivals, instant
from tests.scene import ruleset_of

TABLE = yaml.safe_load(Path(__file__).with_name("histories.yaml").read_text(encoding="utf-8"))
HISTORIES = TABLE["histories"]
MONDAY = dt.date(2026, 3, 2)


def lines(text):
    return text.strip().splitlines()


def told(history, *, punctual=True):
    day = history.get("day", MONDAY)
    levels = TABLE["rulesets"][history["under"]]
    files = {"company.yaml": TABLE["company"], "hours.yaml": TABLE["hours"], "levels.yaml": levels}
    telling = Telling(ruleset=ruleset_of(files), punctual=punctual)
    telling.tell(arrivals(history["story"], day), instant(history["until"], day))
    return telling, day


def in_order(history):
    return all(found.now == found.event.at for found in arrivals(history["story"], MONDAY))


@pytest.mark.req("R5.20", "R5.21", "R5.22", "R5.23", "R5.24", "R5.25", "R5.26", "R5.31")
@pytest.mark.parametrize("history", HISTORIES, ids=lambda history: history["name"])
def test_the_clocks_of_a_history_are_what_the_rules_say(history):
    telling, day = told(history)
    assert telling.clocks(day, instant(history["until"], day)) == lines(history["clocks"])
    assert telling.brought(day) == lines(history.get("brings", ""))
    if "ended" in history:
        assert telling.ended(day) == lines(history["ended"])
    if "marks" in history:
        assert telling.marks() == set(history["marks"])
    if "escalation" in history:
        assert ("none" if telling.snapshot.escalation is None else "open") == history["escalation"]


@pytest.mark.parametrize("history", [*filter(in_order, HISTORIES)], ids=lambda history: history["name"])
def test_a_worker_that_was_away_changes_nothing_where_nothing_is_told_late(history):
    away, day = told(history, punctual=False)
    at_work, _ = told(history)
    until = instant(history["until"], day)
    assert away.clocks(day, until) == at_work.clocks(day, until)
    assert away.brought(day) == at_work.brought(day)


def test_the_table_has_every_clock_in_every_state_and_no_name_twice():
    shown = {tuple(line.split()[:2]) for history in HISTORIES for line in lines(history["clocks"])}
    assert {name for name, _ in shown} == set(CLOCKS)
    assert {state for _, state in shown} == {"running", "paused", "met", "breached", "missed", "void"}
    names = [history["name"] for history in HISTORIES]
    assert len(names) == len(set(names))
    assert len(names) >= 60
