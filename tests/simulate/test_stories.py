"""Stories: exact times, several tickets, queues, and always the same answer."""

import datetime as dt

import pytest

from rules_service.decide import load_ruleset
from rules_service.simulate import Happens, Loads, Presence, Story, Until, Waits, play, stories
from rules_service.tickets import Actor
from tests.scene import NINE
from tests.simulate.examples import NAMES, files_of, small

CREATED = Happens(type="ticket.created", ticket_id="t1", data={"body": "Hello"})
EVERY_MINUTE = """
rules:
  - {id: minute, when: {time.age: {at_least: 1m}}, then: [{note: tick}], repeat: {every: 1m}}
"""


def told(ruleset, *steps, **given):
    return play(ruleset, Story(at=NINE, steps=steps, **given))


def fired(played):
    return [
        (chain.now - NINE, firing.rule_id)
        for chain in played.chains
        for decision in chain.decisions
        for firing in decision.firings
    ]


def test_deadlines_come_at_their_instants_however_long_the_wait_is():
    once = told(small(EVERY_MINUTE), CREATED, Waits(seconds=200))
    often = told(small(EVERY_MINUTE), CREATED, *[Waits(seconds=20)] * 10)
    assert fired(once) == [(dt.timedelta(minutes=minute), "minute") for minute in (1, 2, 3)]
    assert fired(often) == fired(once)


def test_the_end_of_a_wait_belongs_to_it():
    assert fired(told(small(EVERY_MINUTE), CREATED, Waits(seconds=59))) == []
    assert len(fired(told(small(EVERY_MINUTE), CREATED, Waits(seconds=60)))) == 1


def test_an_instant_in_another_zone_is_the_same_instant():
    zone = dt.timezone(dt.timedelta(hours=7))
    played = told(small(EVERY_MINUTE), CREATED, Until(at=(NINE + dt.timedelta(minutes=2)).astimezone(zone)))
    assert len(fired(played)) == 2
    assert played.moments[-1].now == NINE + dt.timedelta(minutes=2)


def test_an_instant_that_is_over_changes_nothing():
    played = told(small(EVERY_MINUTE), Waits(seconds=60), Until(at=NINE))
    assert played.moments[-1].now == NINE + dt.timedelta(seconds=60)


def test_there_is_a_moment_before_the_story_and_after_each_step():
    played = told(small(EVERY_MINUTE), CREATED, Waits(seconds=60))
    assert [moment.chains_count for moment in played.moments] == [0, 1, 2]
    assert [set(moment.tickets) for moment in played.moments] == [set(), {"t1"}, {"t1"}]
    assert [chain.step for chain in played.chains] == [0, 1]


def test_who_comes_online_gets_what_waits_in_the_order_of_the_queue():
    tickets = [Happens(type="ticket.created", ticket_id=name) for name in ("c", "a", "b")]
    steps = [step for ticket in tickets for step in (ticket, Waits(seconds=1))]
    played = told(small(EVERY_MINUTE), *steps, Loads(counts={"ann": 1}), Presence(users=("ann",), online=True))
    last = played.moments[-1]
    assert last.queues == {"service": ("b",)}
    assert {name: snapshot.ticket.assignee for name, snapshot in last.tickets.items()} == {
        "c": "ann",
        "a": "ann",
        "b": None,
    }
    assert last.loads["ann"] == 3


def test_who_goes_offline_keeps_what_they_have_and_gets_nothing_more():
    second = Happens(type="ticket.created", ticket_id="t2")
    played = told(small(EVERY_MINUTE), CREATED, Presence(users=("ann",), online=False), second, online=("ann",))
    tickets = played.moments[-1].tickets
    assert (tickets["t1"].ticket.assignee, tickets["t2"].ticket.assignee) == ("ann", None)


def test_a_freed_slot_is_handed_out_at_the_same_instant():
    second = Happens(type="ticket.created", ticket_id="t2")
    close = Happens(type="ticket.closed", ticket_id="t1", actor=Actor(id="ann", role="agent"))
    played = told(small(EVERY_MINUTE), CREATED, second, Waits(seconds=30), close, online=("ann",), loads={"ann": 2})
    assert played.moments[-1].tickets["t2"].stint.assigned_at == NINE + dt.timedelta(seconds=30)
    assert played.moments[-1].loads["ann"] == 3


def test_a_refused_request_changes_nothing():
    close = Happens(type="ticket.closed", ticket_id="t1", actor=Actor(id="ben", role="agent"), request=True)
    played = told(small(EVERY_MINUTE), CREATED, close, online=("ann",))
    assert played.chains[-1].refused
    assert played.moments[-1].tickets == played.moments[-2].tickets
    assert played.moments[-1].loads == played.moments[-2].loads


def test_an_event_on_a_ticket_that_does_not_exist_is_a_mistake():
    with pytest.raises(ValueError, match='no ticket "t1" is known'):
        told(small(EVERY_MINUTE), Happens(type="ticket.opened", ticket_id="t1"))


def test_rules_that_go_round_end():
    rules = """
rules:
  - {id: there, when: {ticket.desk: service}, then: [{transfer: {desk: payments}}]}
  - {id: back, when: {ticket.desk: payments}, then: [{transfer: {desk: service}}]}
"""
    played = told(small(rules), CREATED, Waits(seconds=3600), online=("ann", "dan"))
    assert played.faults == ()
    assert len(played.chains) < 50


@pytest.mark.parametrize(
    "rule",
    [
        "repeat: {every: 1m}, limit: 2 per 1h",
        "repeat: {every: 1m}, limit: 3 per ticket",
        "repeat: {every: 1m}, limit: 1 per stint",
        "repeat: {every: 5m}",
        "repeat: {every: 1m, at_most: 2}",
        "limit: 1 per 1h",
    ],
)
@pytest.mark.parametrize(
    "other",
    [
        "",
        "  - {id: stopper, order: -1, on: timer.due, then: [{note: x}], stop: true}",
        "  - {id: stopper, order: -1, when: {time.age: {at_least: 1m}}, then: [{note: x}], stop: true, repeat: {every: 7m}}",
    ],
)
def test_no_deadline_comes_again_and_again(rule, other):
    rules = f"""
rules:
  - {{id: one, when: {{time.age: {{at_least: 1m}}}}, then: [{{note: tick}}], {rule}}}
{other}
"""
    assert told(small(rules), CREATED, Waits(seconds=2 * 86_400), online=("ann",)).faults == ()


def test_a_story_without_end_ends(monkeypatch):
    monkeypatch.setattr(stories, "MOST_CHAINS", 150)
    rules = small("rules: [{id: one, when: {time.age: {at_least: 1s}}, then: [{note: tick}], repeat: {every: 1s}}]")
    assert told(rules, CREATED, Waits(seconds=86_400)).faults == ("the story takes more than 150 events and deadlines",)


@pytest.mark.parametrize("name", NAMES[::4])
def test_the_same_story_always_gives_the_same_answer(name):
    files = files_of(name)
    steps = (CREATED, Waits(seconds=86_400), Presence(users=("ann",), online=True), Waits(seconds=86_400))
    # Each under a network of its own.
    first, second = (told(load_ruleset(files)[0], *steps, online=("ben", "cat")) for _ in range(2))
    assert first == second


def test_a_desk_is_judged_when_its_oldest_ticket_has_waited_and_when_it_closes():
    calendars = "version: 1\ncalendars: {day: {timezone: UTC, hours: {mon-sun: ['00:00-03:00']}}}"
    rules = """
desks:
  letters: {group: service, channels: [letter], supervisor: sam, members: [ann], max_assignment: 1, calendar: day}
rules:
  - {id: waits, for: desk, when: {desk.oldest_waiting: {more_than: 10m}}, then: [{alert: {to: [supervisor], text: x}}]}
  - {id: closed, for: desk, when: {desk.open: false}, then: [{alert: {to: [supervisor], text: x}}]}
  - {id: opens, for: desk, when: {desk.open: true, desk.name: letters}, then: [{alert: {to: [supervisor], text: x}}]}
"""
    letter = Happens(type="ticket.created", ticket_id="t1", data={"desk": "letters"})
    played = told(small(rules, calendars=calendars), letter, Waits(seconds=86_400))
    assert fired(played) == [
        (dt.timedelta(), "opens"),
        (dt.timedelta(seconds=601), "waits"),
        (dt.timedelta(hours=1), "closed"),
        (dt.timedelta(hours=22), "opens"),
    ]
    judged = [chain for chain in played.chains if chain.decisions[0].firings]
    assert {chain.event.ticket_id for chain in judged} == {"desk:letters"}


def test_who_was_never_there_has_not_gone():
    presence = "presence: {away: {release_after: 1m}}\nrules: [{id: a, on: note.added, then: [{note: a}]}]"
    assigned = Happens(type="ticket.assigned", ticket_id="t1", data={"assignee": "ann"})
    away = Presence(users=("ann",), online=False)
    never = told(small(presence), CREATED, assigned, away, Waits(seconds=60))
    assert never.moments[-1].tickets["t1"].ticket.assignee == "ann"
    gone = told(small(presence), CREATED, assigned, away, Waits(seconds=60), online=("ann",))
    assert gone.moments[-1].tickets["t1"].ticket.assignee is None


def test_what_only_the_world_knows_can_be_told_without_being_a_condition():
    rule = '{id: a, on: ticket.created, then: [{reply: {text: "{{ desk.queue_length }} wait, {{ desk.online }} are here"}}]}'
    played = told(small(f"rules: [{rule}]"), CREATED, online=("ann",))
    actions = [action for chain in played.chains for decision in chain.decisions for action in decision.actions]
    assert [action.data["text"] for action in actions if action.type == "reply"] == ["0 wait, 1 are here"]


NIGHT = """
calendars: {office: {timezone: UTC, hours: {mon-fri: ["08:00-17:00"]}}}
desks: {letters: {group: service, channels: [letter], supervisor: sam, max_assignment: 2, calendar: office}}
rules: [{id: a, on: ticket.created, then: [{alert: {to: [management], text: came, digest: HELD}}]}]
"""


def told_at(held):
    """When what two desks tell the same people goes out: first that of a desk that is closed, then of an open one."""
    desks = ("letters", "service")
    created = [Happens(type="ticket.created", ticket_id=desk, data={"desk": desk}) for desk in desks]
    played = told(small(NIGHT.replace("HELD", held)), *created, Waits(seconds=86_400))
    told_chains = [chain for chain in played.chains if chain.event.id.startswith("notice:")]
    return [(chain.now - NINE, chain.decisions[0].actions[0].data["text"]) for chain in told_chains]


def test_what_waits_for_the_opening_of_its_desk_is_not_taken_along_by_another_desk():
    opening = dt.timedelta(hours=6)
    assert told_at("10m, defer: service_hours") == [(dt.timedelta(minutes=10), "came"), (opening, "came")]


def test_a_digest_goes_out_when_the_first_of_its_alerts_is_due():
    both = "2 alerts:\n- letters: came\n- service: came"
    assert told_at("service 1h") == [(dt.timedelta(hours=1), both)]
