"""The next deadline is the first instant at which stepping through time finds that anything changes."""

import datetime as dt
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rules_service.decide import load_ruleset, next_due_at
from rules_service.tickets import Actor, Event
from tests.clocks.telling import Arrival, Telling
from tests.clocks.test_histories import TABLE
from tests.decide.stepping import SINCE, STEP, Stepping

NINE = dt.datetime(2026, 3, 2, 9, tzinfo=dt.UTC)
CLOCKS = ("assigned_to_responded", "created_to_responded", "next_response", "resolution")
STATES = ("running", "paused", "met", "breached", "missed", "void")

lengths = st.integers(1, 90).map("{}s".format)
durations = st.sampled_from([f"{kind}.{name}" for kind in ("time", "service_time") for name in SINCE])
orders = st.sampled_from(["at_least", "at_most", "more_than", "less_than", "is", "is_not"])


def either(attributes, values):
    """A comparison with one value, or with several."""
    one = st.builds(lambda name, operator, value: {name: {operator: value}}, attributes, orders, values)
    several = st.builds(
        lambda name, operator, found: {name: {operator: found}},
        attributes,
        st.sampled_from(["in", "not_in"]),
        st.lists(values, min_size=1, max_size=3, unique=True),
    )
    return one | several


clock_names = st.sampled_from(CLOCKS)
atoms = st.one_of(
    either(durations, lengths),
    either(clock_names.map("sla.{}.remaining".format), lengths),
    either(clock_names.map("sla.{}.used_pct".format), st.integers(1, 150)),
    st.builds(lambda name, state: {f"sla.{name}.state": state}, clock_names, st.sampled_from(STATES)),
    st.builds(
        lambda within, count: {"recent.messages_received": {"within": within, "at_least": count}},
        lengths,
        st.integers(1, 2),
    ),
    st.sampled_from([{"ticket.status": ["assigned", "pending"]}, {"ticket.priority": "urgent"}]),
)
whens = st.recursive(
    atoms,
    lambda inner: st.builds(
        lambda group, parts: {group: parts},
        st.sampled_from(["all", "any", "none"]),
        st.lists(inner, min_size=1, max_size=3),
    ),
    max_leaves=4,
)


@st.composite
def rulesets(draw):
    """A file of rules as written, calendars as the minutes after nine at which they are open (None: always), and the ruleset."""
    open_minutes = {
        "first": draw(st.none() | st.sets(st.integers(0, 9), min_size=1, max_size=6)),
        "second": draw(st.sets(st.integers(0, 9), min_size=1, max_size=6)),
    }
    rules = []
    for number in range(draw(st.integers(1, 3))):
        rule = {"id": f"r{number}", "when": draw(whens), "then": [{"note": "x"}]}
        if draw(st.booleans()):
            rule["repeat"] = {"every": f"{draw(st.integers(10, 60))}s"}
            if draw(st.booleans()):
                rule["repeat"]["at_most"] = draw(st.integers(1, 3))
        if draw(st.integers(0, 2)) == 0:
            rule["limit"] = f"{draw(st.integers(1, 2))} per {draw(st.sampled_from(['ticket', '20s', '60s']))}"
        rules.append(rule)
    policy = {
        "id": "all",
        "targets": draw(st.dictionaries(clock_names, lengths, min_size=1)),
        "warn_at": draw(st.lists(st.sampled_from(["1%", "33%", "50%", "99%"]), unique=True)),
    }
    urgent = {
        "id": "urgent",
        "when": {"ticket.priority": "urgent"},
        "targets": draw(st.dictionaries(clock_names, lengths)),
    }
    desk = {"group": "care", "channels": [], "supervisor": "sam", "max_assignment": 9}
    more = {
        "version": 1,
        "calendars": {name: _calendar(minutes) for name, minutes in open_minutes.items()},
        "desks": {f"{name}-desk": {**desk, "calendar": name} for name in open_minutes},
        "sla_policies": [urgent, policy] if urgent["targets"] else [policy],
        "escalation_policies": {
            "up": {"steps": [{"to": "supervisor", "ack_within": draw(lengths)}] * draw(st.integers(1, 2))}
        },
        "rules": rules,
    }
    files = {"company.yaml": TABLE["company"].encode(), "more.yaml": json.dumps(more).encode()}
    ruleset, problems = load_ruleset(files)
    assert ruleset is not None, problems
    minutes = {
        name: None if found is None else {9 * 60 + minute for minute in found} for name, found in open_minutes.items()
    }
    return more, minutes, ruleset


class Situation:
    """A ticket as it stands; shown by what led there."""

    def __init__(self, *, written, open_minutes, events, telling, now):
        self.written, self.open_minutes, self.events = written, open_minutes, events
        self.telling, self.now = telling, now

    def __repr__(self):
        told = [f"{one.now - NINE} {one.event.at - NINE} {one.event.type} {one.event.data}" for one in self.events]
        return "\n".join([json.dumps(self.written, indent=1), str(self.open_minutes), *told, str(self.now - NINE)])


def _calendar(minutes):
    if minutes is None:
        return {"timezone": "UTC", "hours": "24/7"}
    return {"timezone": "UTC", "hours": {"mon-sun": [f"09:{minute:02}-09:{minute + 1:02}" for minute in minutes]}}


happenings = st.sampled_from(
    [
        ("ticket.assigned", None, {"assignee": "ann"}),
        ("ticket.reassigned", "sam", {"assignee": "ben"}),
        ("ticket.opened", "ann", {}),
        ("message.received", None, {"text": "x"}),
        ("message.received", None, {"text": "x"}),
        ("message.sent", "ann", {"text": "x"}),
        ("message.sent", "sam", {"text": "x"}),
        ("ticket.updated", "sam", {"priority": "urgent"}),
        ("ticket.updated", "sam", {"priority": "low"}),
        ("ticket.transferred", "sam", {"desk": "second-desk"}),
        ("ticket.escalated", "sam", {"policy": "up", "summary": "x"}),
        ("ticket.closed", "ann", {}),
        ("ticket.reopened", "sam", {}),
        ("note.added", "ann", {"text": "x"}),
    ]
)


@st.composite
def situations(draw):
    """A ruleset, a ticket that some things happened to, some of them told late, and the instant at which it is left."""
    written, open_minutes, ruleset = draw(rulesets())
    telling = Telling(ruleset=ruleset)
    now, events = NINE + STEP * draw(st.integers(0, 7)), []
    told = [("ticket.created", None, {"desk": "first-desk"}), *draw(st.lists(happenings, max_size=6))]
    for number, (kind, by, data) in enumerate(told):
        late = draw(st.sampled_from([0, 0, 0, 4, 50])) if number else 0
        actor = None if by is None else Actor(id=by, role="")
        event = Event(id=f"e{number}", type=kind, at=now - STEP * late, ticket_id="t1", actor=actor, data=data)
        events.append(Arrival(now=now, event=event))
        now += STEP * draw(st.integers(0, 80))
    telling.tell(events, now)
    return Situation(written=written, open_minutes=open_minutes, events=events, telling=telling, now=now)


def agrees(situation, *, horizon_s, deadlines):
    """Whether the next deadlines, one after another, are what stepping finds."""
    telling, now, rules = situation.telling, situation.now, situation.written["rules"]
    desks = {"first-desk": "first", "second-desk": "second"}
    until = now + dt.timedelta(seconds=horizon_s)
    for _ in range(deadlines):
        found = next_due_at(telling.ruleset, telling.snapshot, now)
        stepped = Stepping(rules, situation.open_minutes, desks, telling.snapshot, now).first_change(until)
        assert (found if found is not None and found <= until else None) == stepped
        if stepped is None:
            return
        telling.tell([], stepped)
        now = stepped


@settings(max_examples=40)
@given(situations())
def test_the_next_deadline_is_the_first_instant_at_which_stepping_finds_a_change(situation):
    agrees(situation, horizon_s=100, deadlines=2)


@pytest.mark.slow
@settings(max_examples=300)
@given(situations())
def test_the_next_ten_deadlines_are_those_that_stepping_through_an_hour_finds(situation):
    agrees(situation, horizon_s=3_600, deadlines=10)
