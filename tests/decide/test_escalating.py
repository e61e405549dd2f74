"""The ladder of an escalation: what opens it, what it waits for, and what moves it."""

import datetime as dt

import pytest

from rules_service.simulate import Happens, Story, Waits, play
from rules_service.tickets import Actor
from tests.scene import NINE
from tests.simulate.examples import small

LADDER = """
escalation_policies:
  ask:
    approval: supervisor
    steps: [{to: supervisor, ack_within: 10m}, {to: {user: eli}, ack_within: 10m}, {to: {user: max}, ack_within: 10m}]
rules: [{id: a, on: note.added, then: [{note: a}]}]
"""
ANN, SAM = Actor(id="ann", role="agent"), Actor(id="sam", role="supervisor")
CREATED = Happens(type="ticket.created", ticket_id="t1", data={"body": "Hello"})


def escalate(by, **data):
    return Happens(type="ticket.escalated", ticket_id="t1", actor=by, data={"summary": "Help", "policy": "ask", **data})


def judged(word, by, **rest):
    return Happens(type=f"escalation.{word}", ticket_id="t1", actor=by, **rest)


def after(*steps):
    """The escalation after these steps."""
    played = play(small(LADDER), Story(at=NINE, online=("ann",), steps=(CREATED, *steps)))
    assert played.faults == ()
    return played.moments[-1].tickets["t1"].escalation


@pytest.mark.parametrize("word", ["approved", "refused"])
def test_who_may_not_decide_does_not_by_saying_so_with_an_earlier_time(word):
    said = (judged(word, SAM), escalate(ANN), judged(word, ANN, late_by_s=30))
    found = after(escalate(ANN), Waits(seconds=60), *said)
    assert found is not None
    assert found.approved_by != "ann"


def test_a_no_that_is_told_late_does_not_close_what_has_its_yes():
    found = after(
        escalate(ANN), Waits(seconds=60), judged("refused", SAM), escalate(SAM), judged("refused", SAM, late_by_s=30)
    )
    assert found.targets == ("sam",)


def test_a_yes_by_a_second_call_starts_at_the_higher_step_of_the_two():
    assert after(escalate(ANN), escalate(SAM, start_at=3)).step == 2
    assert after(escalate(ANN, start_at=3), escalate(SAM)).step == 2
    assert after(escalate(ANN), escalate(ANN, start_at=2), judged("approved", SAM)).step == 1


def test_a_call_for_a_step_above_the_ladder_is_one_for_its_last_step():
    found = after(escalate(SAM), escalate(SAM, start_at=9))
    assert (found.step, found.targets, found.step_due_at) == (2, ("sam", "max"), NINE + dt.timedelta(minutes=10))
