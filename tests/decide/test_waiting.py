"""Rules about time: who waits, what lies idle, what takes long, and what is done about it, each at its second."""

import pytest

from rules_service.tickets import Snapshot
from tests.clocks.telling import Telling, arrivals, instant, written
from tests.clocks.test_histories import MONDAY, TABLE
from tests.scene import ruleset_of

#: What it means for a ticket to be in each case, as an administrator would write it.
RULES = """
version: 1
sla_policies: [{id: all, targets: {next_response: 10m, resolution: 1h}, warn_at: [80%]}]
rules:
  - {id: idle, when: {ticket.status: [assigned, pending], time.idle: {at_least: 30m}}, then: [{note: idle}]}
  - {id: waiting, when: {time.waiting: {at_least: 5m}}, then: [{note: waiting}]}
  - {id: reminded, when: {time.customer_silent: {at_least: 20m}}, then: [{reply: {text: Anything else?}}]}
  - {id: silent, when: {time.customer_silent: {at_least: 40m}}, then: [close]}
  - {id: warned, on: clock.warned, when: {event.clock: resolution}, then: [{note: "80%"}]}
  - {id: overdue, when: {sla.resolution.state: breached}, then: [{note: overdue}]}
  - {id: cannot-wait, when: {ticket.priority: urgent, time.waiting: {at_least: 1m}}, then: [{note: at once}]}
  - {id: important, when: {customer.tier: vip, time.waiting: {at_least: 2m}}, then: [{note: direct}]}
"""
#: Rules that tell the customer how it goes.
TOLD = """
version: 1
sla_policies: [{id: all, targets: {resolution: 1h}}]
rules:
  - id: longer-than-usual
    when: {sla.resolution.state: [breached, missed], ticket.status: {is_not: closed}}
    then: [{reply: {text: "It takes longer than the usual {{ sla.resolution.target }}"}}]
  - id: still-looking
    when: {ticket.status: {is_not: closed}, time.in_status: {at_least: 25m}}
    then: [{reply: {text: We are still looking into it}}]
    repeat: {every: 25m, at_most: 3}
"""


def fired(story, until, rules=RULES):
    """`rule time` of every firing of a history, in order."""
    telling = Telling(ruleset=ruleset_of({"company.yaml": TABLE["company"], "rules.yaml": rules}))
    telling.tell(arrivals(story, MONDAY), instant(until, MONDAY))
    assert telling.snapshot != Snapshot()
    return [
        f"{firing.rule_id} {written(decision.now, MONDAY)}"
        for decision in telling.decisions
        for firing in decision.firings
        if firing.outcome == "fired"
    ]


@pytest.mark.req("R3.31", "R3.33")
def test_a_ticket_is_idle_half_an_hour_after_a_person_last_acted_on_it_whatever_machines_did():
    story = """
        09:00 ticket.created
        09:05 ticket.assigned by sam {assignee: ann}
        09:20 message.sent by ann {automated: true}
        09:25 action.applied
        09:30 ticket.updated by system {priority: high}
    """
    assert fired(story, "09:34:59") == []
    assert fired(story, "09:47") == ["idle 09:35"]
    # A note by a person begins it anew.
    assert fired(story + "09:50 note.added by ann", "10:19:59") == ["idle 09:35", "warned 09:48", "overdue 10:00"]
    assert fired(story + "09:50 note.added by ann", "10:20")[-1] == "idle 10:20"


@pytest.mark.req("R3.30", "R3.33")
def test_a_customer_waits_from_the_first_message_that_nobody_answered():
    story = """
        09:00 ticket.created
        09:02 message.received
        09:04 message.received
        09:05 message.sent by ann {automated: true}
    """
    assert fired(story, "09:06:59") == []
    assert fired(story, "09:10") == ["waiting 09:07"]
    assert fired(story + "09:06 message.sent by sam", "09:20") == []
    # Told late, a question counts from when it was asked.
    assert fired("09:00 ticket.created\n09:01 -> 09:04 message.received", "09:10") == ["waiting 09:06"]
    assert fired("09:00 ticket.created\n09:01 -> 09:08 message.received", "09:10") == ["waiting 09:08"]


@pytest.mark.req("R3.29", "R3.30", "R3.33")
def test_who_cannot_wait_is_seen_to_earlier():
    story = "09:00 ticket.created {body: Help, priority: urgent, customer: {tier: vip}}"
    assert fired(story, "09:05") == ["cannot-wait 09:01", "important 09:02", "waiting 09:05"]


@pytest.mark.req("R3.33")
def test_a_customer_who_does_not_write_again_is_reminded_and_then_the_ticket_is_closed():
    story = """
        09:00 ticket.created {body: Hello}
        09:01 ticket.assigned {assignee: ann}
        09:03 message.sent by ann
    """
    assert fired(story, "12:00") == ["reminded 09:23", "idle 09:33", "silent 09:43"]
    # A message in between begins it anew, and a ticket that nobody answered is never closed by it.
    again = story + "09:30 message.received\n09:32 message.sent by ann\n"
    assert [one for one in fired(again, "12:00") if one.startswith(("reminded", "silent"))] == [
        "reminded 09:23",
        "reminded 09:52",
        "silent 10:12",
    ]
    unanswered = fired("09:00 ticket.created {body: Hello}", "23:00")
    assert unanswered == ["waiting 09:05", "warned 09:48", "overdue 10:00"]


@pytest.mark.req("R3.32", "R3.33", "R5.25")
def test_a_ticket_is_overdue_when_its_resolution_breaches_and_somebody_is_warned_before():
    story = "09:00 ticket.created"
    assert fired(story, "09:59:59") == ["warned 09:48"]
    assert fired(story, "15:00") == ["warned 09:48", "overdue 10:00"]
    assert fired(story + "\n09:50 ticket.closed by ann", "15:00") == ["warned 09:48"]


@pytest.mark.req("R3.39", "R3.40")
def test_the_customer_hears_when_it_takes_longer_than_usual_and_that_it_is_still_looked_into():
    story = "09:00 ticket.created\n09:00 ticket.assigned {assignee: ann}"
    assert fired(story, "15:00", TOLD) == [
        "still-looking 09:25",
        "still-looking 09:50",
        "longer-than-usual 10:00",
        "still-looking 10:15",
    ]
    assert fired(story + "\n09:30 ticket.closed by ann", "15:00", TOLD) == ["still-looking 09:25"]


@pytest.mark.req("R5.29")
def test_a_desk_that_says_nothing_of_its_hours_counts_around_the_clock():
    ruleset = ruleset_of({"company.yaml": TABLE["company"], "rules.yaml": RULES})
    assert "calendar" not in TABLE["company"]
    assert ruleset.calendar_of_desk("front").is_always_open
    sunday_night = "+6T23:40 ticket.created"
    assert fired(sunday_night, "+7T00:40") == ["warned +7T00:28", "overdue +7T00:40"]


@pytest.mark.req("R5.28", "R5.31")
@pytest.mark.parametrize(
    ("on_holidays", "due"),
    [("closed", "+1T09:30"), ("as usual", "10:30"), ('["14:00-16:00"]', "14:30")],
)
def test_holidays_are_closed_have_hours_of_their_own_or_are_days_like_others(on_holidays, due):
    hours = f"""
        version: 1
        calendars:
          office:
            timezone: UTC
            hours: {{mon-fri: ["09:00-17:00"]}}
            holidays: {{add: [2026-03-02]}}
            on_holidays: {on_holidays}
        desks:
          office: {{group: care, channels: [], supervisor: sam, max_assignment: 9, calendar: office}}
        sla_policies: [{{id: all, targets: {{resolution: 30m}}}}]
    """
    telling = Telling(ruleset=ruleset_of({"company.yaml": TABLE["company"], "hours.yaml": hours}))
    telling.tell(arrivals("10:00 ticket.created {desk: office}", MONDAY), instant("10:00", MONDAY))
    (clock,) = telling.snapshot.clocks
    assert written(clock.due_at, MONDAY) == due
