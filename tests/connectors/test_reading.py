"""The example connector against payloads that a real helpdesk sent."""

import copy
import datetime as dt
import json
from dataclasses import replace

import pytest

from rules_service.connectors import (
    Remembered,
    admits,
    created_at,
    imported_event,
    next_page,
    read_ticket,
    sent,
    ticket_id,
    tickets_in,
)
from rules_service.errors import InvalidEvent
from rules_service.tickets import Actor
from tests.connectors.example import CONNECTOR, NOW, expand, parsed, payload


class Reader:
    """What is remembered of each ticket, kept as JSON, as the store keeps it."""

    def __init__(self):
        self.remembered = {}

    def read(self, theirs):
        key = ticket_id(CONNECTOR, theirs)
        kept = self.remembered.get(key)
        before = Remembered.from_json(json.loads(kept)) if kept else None
        events, after = read_ticket(CONNECTOR, theirs, before, NOW)
        self.remembered[key] = json.dumps(after.to_json())
        return events


def short(made):
    return f"{made.type} {made.actor.id if made.actor else '-'} " + " ".join(
        f"{key}={value}" for key, value in made.data.items() if key in {"assignee", "priority"}
    )


def shorts(events):
    return [short(one).strip() for one in events]


def tickets_of(name):
    return tickets_in(CONNECTOR, payload(name), "poll" if name.startswith("poll-page") else "inbound")


STORY = [
    ("created-by-customer", ["ticket.created budi@example.com priority=medium"]),
    ("reply-by-agent", ["message.sent ha1"]),
    ("note-by-agent", ["note.added ha1"]),
    ("reply-by-service", []),
    ("reassigned", ["ticket.assigned ha1 assignee=ha2"]),
    ("priority-changed", ["ticket.updated hs1 priority=urgent"]),
    ("reply-and-handover", ["message.sent ha2", "ticket.assigned ha2 assignee=hx1"]),
    ("reply-by-customer", ["message.received budi@example.com"]),
    ("mail-by-staff", ["message.received budi@example.com"]),  # the payload names its sender only in a translated title
    ("reply-and-resolve", ["message.sent hx1", "ticket.closed hx1"]),
    ("closed-by-customer", []),  # resolved is closed already
    ("reopened-by-customer", ["ticket.reopened budi@example.com", "message.received budi@example.com"]),
    ("unassigned", ["ticket.assigned hs1 assignee=None"]),
    ("closed", ["ticket.closed hs1"]),
    ("created-by-mail", ["ticket.created sari@example.com priority=medium"]),
    ("taken", ["ticket.assigned ha1 assignee=ha1"]),
    ("created-by-staff", ["ticket.created ha1 priority=medium", "ticket.assigned ha1 assignee=ha2"]),
    ("reply-and-take", ["ticket.assigned hx1 assignee=hx1", "message.sent hx1"]),
    ("created-by-service", ["ticket.created rules-service priority=low"]),
    ("poll-page-1", []),  # on hold since: a flag that this connector does not carry
    ("poll-page-2", ["ticket.updated ha1 priority=high", "ticket.assigned ha1 assignee=ha2"]),
]


def test_each_payload_becomes_exactly_the_events_that_happened():
    reader = Reader()
    for name, expected in STORY:
        made = [made for theirs in tickets_of(name) for made in reader.read(theirs)]
        assert shorts(made) == expected, name


def test_a_ticket_closed_without_a_webhook_is_found_by_asking_for_it():
    reader = Reader()
    for name in ("created-by-mail", "taken"):
        reader.read(payload(name)["ticket"])
    assert shorts(reader.read(payload("poll-closed-ticket"))) == ["ticket.closed hs1"]


def test_lost_webhooks_are_made_up_for_by_the_next_reading():
    reader = Reader()
    reader.read(payload("created-by-customer")["ticket"])
    assert shorts(reader.read(payload("reply-and-handover")["ticket"])) == [
        "message.sent ha1",
        "note.added ha1",
        "ticket.updated ha2 priority=urgent",
        "message.sent ha2",
        "ticket.assigned ha2 assignee=hx1",
    ]


def test_a_ticket_first_seen_with_a_history_is_told_in_order_and_nothing_twice():
    assert shorts(Reader().read(payload("reply-and-resolve")["ticket"])) == [
        "ticket.created budi@example.com priority=urgent",
        "message.sent ha1",
        "note.added ha1",
        "message.sent ha2",
        "message.received budi@example.com",
        "message.received budi@example.com",
        "ticket.assigned hx1 assignee=hx1",
        "message.sent hx1",
        "ticket.closed hx1",
    ]


@pytest.mark.parametrize("name", [name for name, _ in STORY])
def test_reading_a_payload_twice_makes_nothing_new(name):
    reader = Reader()
    for theirs in tickets_of(name):
        reader.read(theirs)
        assert reader.read(theirs) == []


def test_no_two_events_share_an_id():
    reader = Reader()
    ids = [made.id for name, _ in STORY for theirs in tickets_of(name) for made in reader.read(theirs)]
    assert len(ids) == len(set(ids))


def test_every_event_type_of_the_connector_but_the_merge_is_in_the_recorded_story():
    seen = {line.split()[0] for _, lines in STORY for line in lines}
    assert {row.type for row in CONNECTOR.events} - seen == {"ticket.merged"}


def test_an_event_carries_what_the_service_expects_of_its_type():
    (created,) = Reader().read(payload("created-by-mail")["ticket"])
    assert created.id == "created:2"
    assert created.ticket_id == "2"
    assert created.at == dt.datetime(2026, 11, 21, 22, 6, 57, 395075, tzinfo=dt.UTC)
    assert created.actor == Actor(id="sari@example.com", role="customer")
    assert created.data == {
        "subject": "Invoice",
        "body": "Please send the invoice.",
        "channel": "email",
        "customer": {"id": "sari@example.com"},
        "priority": "medium",
        "desk": "hotel-chat",
    }


def test_a_message_carries_its_text_and_an_actor_without_a_role_is_left_to_the_roster():
    reader = Reader()
    for name, _ in STORY[:5]:
        made = reader.read(payload(name)["ticket"])
        if name == "reply-by-agent":
            assert made[0].data == {"text": "We are looking into it."}
    assert made[0].actor == Actor(id="ha1", role="")


def test_an_event_of_nobody_in_particular_has_no_actor():
    reader = Reader()
    reader.read(payload("created-by-customer")["ticket"])
    theirs = {**payload("created-by-customer")["ticket"], "assigned_to": 1}
    (made,) = reader.read(theirs)
    assert (made.type, made.actor, made.at) == ("ticket.assigned", None, NOW)


def test_a_merge_names_the_ticket_that_goes_on():
    reader = Reader()
    reader.read(payload("created-by-customer")["ticket"])
    (made,) = reader.read({**payload("created-by-customer")["ticket"], "merged_to": 7})
    assert (made.type, made.data) == ("ticket.merged", {"into": "7"})


# --- import ----------------------------------------------------------------------------------------------------------


def test_an_old_ticket_is_imported_as_it_stands_and_its_history_makes_no_events():
    theirs = payload("taken")["ticket"]
    event, remembered = imported_event(CONNECTOR, theirs, NOW)
    assert (event.type, event.id, event.ticket_id) == ("ticket.imported", "imported:2", "2")
    assert event.at == created_at(CONNECTOR, theirs) == dt.datetime(2026, 11, 21, 22, 6, 57, 395075, tzinfo=dt.UTC)
    assert event.data == {
        "subject": "Invoice",
        "priority": "medium",
        "desk": "hotel-chat",
        "assignee": "ha1",
        "customer": {"id": "sari@example.com"},
        "channel": "email",
    }
    assert read_ticket(CONNECTOR, theirs, remembered, NOW)[0] == []
    assert shorts(read_ticket(CONNECTOR, payload("poll-closed-ticket"), remembered, NOW)[0]) == ["ticket.closed hs1"]


def test_an_imported_ticket_that_nobody_holds_says_so():
    event, _ = imported_event(CONNECTOR, payload("created-by-customer")["ticket"], NOW)
    assert event.data["assignee"] is None


# --- our own actions -------------------------------------------------------------------------------------------------

#: When the helpdesk took an action of ours, long before NOW.
SENT = NOW - dt.timedelta(minutes=1)
LAG = dt.timedelta(seconds=2)


def remembered_after(*names):
    remembered = None
    for name in names:
        _, remembered = read_ticket(CONNECTOR, payload(name)["ticket"], remembered, NOW)
    return remembered


def test_our_own_reassignment_comes_back_as_no_event():
    before = remembered_after("created-by-customer")
    theirs = {**payload("created-by-customer")["ticket"], "assigned_to": 4}
    assert shorts(read_ticket(CONNECTOR, theirs, before, NOW)[0]) == ["ticket.assigned - assignee=hx1"]
    told = sent(before, "reassign", {"to": "hx1", "previous": None}, SENT)
    assert read_ticket(CONNECTOR, theirs, told, NOW)[0] == []


@pytest.mark.parametrize(
    ("action", "data", "change"),
    [
        ("set_priority", {"priority": "urgent", "previous": "medium"}, {"priority": 1}),
        ("reassign", {"to": "ha2"}, {"assigned_to": 2}),
        ("reassign", {"to": None}, {"assigned_to": None}),
        ("transfer", {"desk": "hotel-chat"}, {"queue": 1, "assigned_to": None}),
        ("close", {}, {"status": 4}),
        ("reopen", {}, {"status": 2}),
        ("reply", {"text": "x"}, {}),
        ("add_tags", {"tags": ["x"]}, {}),
    ],
)
def test_what_we_changed_ourselves_is_not_reported_to_us(action, data, change):
    told = sent(remembered_after("created-by-customer"), action, data, SENT)
    events, _ = read_ticket(CONNECTOR, {**payload("created-by-customer")["ticket"], **change}, told, NOW)
    assert events == []


def test_a_person_who_changes_our_change_back_is_reported():
    told = sent(remembered_after("created-by-customer"), "set_priority", {"priority": "urgent"}, SENT)
    events, _ = read_ticket(CONNECTOR, payload("created-by-customer")["ticket"], told, NOW)
    assert shorts(events) == ["ticket.updated - priority=medium"]


def test_a_field_that_the_connector_does_not_compare_is_not_remembered():
    before = replace(remembered_after("created-by-customer"), seen={"subject": "x"})
    assert sent(before, "reassign", {"to": "hx1"}, SENT) == before


def after_ours(theirs, *, arrived_s, lag=LAG):
    """What is read of `theirs`, arrived so many seconds after the helpdesk took our reassignment to hx1; what is next."""
    told = sent(remembered_after("created-by-customer"), "reassign", {"to": "hx1"}, NOW)
    told = replace(told, read_at=NOW - dt.timedelta(minutes=1))
    events, remembered = read_ticket(CONNECTOR, theirs, told, NOW + dt.timedelta(seconds=arrived_s), lag=lag)
    taken = {**theirs, "assigned_to": 4}
    later, _ = read_ticket(CONNECTOR, taken, remembered, NOW + dt.timedelta(minutes=1))
    return shorts(events), shorts(later)


ANSWERED = payload("reply-by-agent")["ticket"]
HIGH = {**payload("reply-by-agent")["ticket"], "priority": 2}
TO_HA2 = {**payload("reply-by-agent")["ticket"], "assigned_to": 2}


@pytest.mark.parametrize(
    ("theirs", "arrived_s", "expected"),
    [
        (ANSWERED, -1, ["message.sent ha1"]),  # made before our change: the answer is news, the old assignee is not
        (ANSWERED, 0, ["message.sent ha1"]),
        (ANSWERED, 1, ["message.sent ha1"]),  # on its way while we changed it
        (ANSWERED, 3, ["message.sent ha1", "ticket.assigned ha1 assignee=None"]),  # somebody undid it
        (TO_HA2, -1, ["message.sent ha1"]),  # our change came after, and stands
        (TO_HA2, 1, ["message.sent ha1", "ticket.assigned ha1 assignee=ha2"]),  # never so before: after ours
        (HIGH, -1, ["ticket.updated ha1 priority=high", "message.sent ha1"]),  # what we did not change is news
    ],
)
def test_of_a_reading_older_than_our_own_change_only_what_we_changed_is_ignored(theirs, arrived_s, expected):
    events, _ = after_ours(theirs, arrived_s=arrived_s)
    assert events == expected


def test_a_poll_is_dated_by_its_question_and_believed_right_after_our_change():
    assert after_ours(ANSWERED, arrived_s=1, lag=dt.timedelta(0))[0][-1] == "ticket.assigned ha1 assignee=None"


def test_after_an_outdated_reading_nothing_is_told_twice():
    assert after_ours(ANSWERED, arrived_s=-1) == (["message.sent ha1"], [])


def test_two_changes_of_ours_in_a_row_are_both_remembered_as_ours():
    told = sent(remembered_after("created-by-customer"), "reassign", {"to": "ha2"}, NOW)
    told = sent(told, "reassign", {"to": "hx1"}, NOW + dt.timedelta(seconds=1))
    told = Remembered.from_json(json.loads(json.dumps(told.to_json())))
    for theirs in (None, 2):  # nobody, then ha2
        ticket = {**payload("created-by-customer")["ticket"], "assigned_to": theirs}
        assert read_ticket(CONNECTOR, ticket, told, NOW + dt.timedelta(seconds=2), lag=LAG)[0] == []


def test_of_a_reading_older_than_the_last_one_the_fields_are_outdated_but_no_entry_is_lost():
    _, latest = read_ticket(CONNECTOR, payload("created-by-customer")["ticket"], None, NOW)
    earlier = NOW - dt.timedelta(seconds=1)
    events, remembered = read_ticket(CONNECTOR, {**TO_HA2, "priority": 1}, latest, earlier)
    assert shorts(events) == ["message.sent ha1"]
    assert (remembered.seen, remembered.version, remembered.read_at) == (latest.seen, latest.version, NOW)


def test_what_an_earlier_release_remembered_can_still_be_read():
    kept = remembered_after("created-by-customer").to_json()
    del kept["overwritten"]
    assert Remembered.from_json(kept | {"sent_at": NOW.isoformat()}) == remembered_after("created-by-customer")


# --- words and shapes that are not known -----------------------------------------------------------------------------


def test_a_word_without_a_counterpart_is_never_taken_for_nothing_and_is_named():
    theirs = {**payload("created-by-customer")["ticket"], "assigned_to": 99, "queue": 7, "priority": 9}
    unmapped = set()
    created, assigned = read_ticket(CONNECTOR, theirs, None, NOW, unmapped=unmapped)[0]
    assert assigned.data == {"assignee": "unmapped:99"}
    assert created.data["desk"] == "unmapped:7"
    assert "priority" not in created.data
    assert unmapped == {("user", "99"), ("desk", "7"), ("priority", "9")}


def changed(change):
    theirs = copy.deepcopy(payload("reply-by-agent")["ticket"])
    change(theirs)
    return theirs


@pytest.mark.parametrize(
    ("theirs", "message"),
    [
        (None, 'a ticket of "django-helpdesk" is a mapping, not nothing'),
        ([1], 'a ticket of "django-helpdesk" is a mapping, not a list'),
        ({}, "`ticket.id` (to_string(ticket.id)) found nothing; accepted: an id, which is text or a whole number"),
        (changed(lambda t: t.pop("followup_set")), "`ticket.entries` (ticket.followup_set) found nothing"),
        (changed(lambda t: t.update(followup_set={"a": 1})), "found a mapping; accepted: a list of entries"),
        (changed(lambda t: t.update(followup_set=[5])), "`ticket.entry_id` (to_string(entry.id)) found nothing"),
        (
            changed(lambda t: t["followup_set"][1].update(date="yesterday")),
            '`events[5].at` (entry.date) found "yesterday"; accepted: an instant with its time zone',
        ),
        (changed(lambda t: t["followup_set"][1].update(date="2026-11-21T22:06:53")), "an instant with its time zone"),
        (changed(lambda t: t["followup_set"][0].update(date=1e300)), "`events[0].at`"),
        (
            changed(lambda t: t.update(title=["a"])),
            "`events[0].data.subject` (ticket.title) found a list; accepted: text",
        ),
        (changed(lambda t: t.update(submitter_email={"a": 1})), "found a mapping; accepted: an actor's id"),
        (changed(lambda t: t["followup_set"][1].update(date=float("nan"))), "the number nan is not one of JSON"),
        (changed(lambda t: t["followup_set"][1].update(message_id=[1])), "`events[4].id` (join("),
    ],
)
def test_a_payload_that_cannot_be_read_says_which_expression_found_what(theirs, message):
    with pytest.raises(InvalidEvent) as caught:
        read_ticket(CONNECTOR, theirs, None, NOW)
    assert message in caught.value.detail


def test_text_is_made_such_that_every_database_can_hold_it():
    theirs = {**payload("created-by-customer")["ticket"], "title": "a\0b\ud800c"}
    assert read_ticket(CONNECTOR, theirs, None, NOW)[0][0].data["subject"] == "ab?c"


def test_a_page_without_tickets_is_refused_and_the_last_page_has_no_next():
    with pytest.raises(InvalidEvent, match=r"`poll.tickets` \(results\) found nothing; accepted: a list of tickets"):
        tickets_in(CONNECTOR, {"detail": "Invalid page."}, "poll")
    assert next_page(CONNECTOR, {"next": None}) is None
    assert next_page(CONNECTOR, payload("poll-page-1")).startswith("https://helpdesk.example.com/api/tickets/?page=2")
    with pytest.raises(InvalidEvent, match=r"`poll.next` \(next\) found the number 2"):
        next_page(CONNECTOR, {"next": 2})


def test_only_the_secret_admits_and_never_an_unset_one():
    assert admits(CONNECTOR, "s3cret", expand)
    assert not admits(CONNECTOR, "s3cre", expand)
    assert not admits(CONNECTOR, "sécret", expand)
    assert not admits(CONNECTOR, "", lambda _: None)
    assert not admits(CONNECTOR, "", lambda _: "")


PLAIN = """
connectors:
  django-helpdesk:
    base_url: https://desk.example.com
    inbound: {auth: {path_secret: "${SECRET}"}, tickets: "@"}
    ticket:
      id: ticket.number
      fields: {assignee: ticket.owner, tags: ticket.labels}
    events:
      - {type: ticket.created, when: first, id: "join('-', ['new', id])", at: ticket.at, data: {tags: fields.tags}}
      - type: ticket.assigned
        when: fields.assignee != seen.assignee
        id: join('-', ['owner', id, to_string(version)])
        data: {assignee: fields.assignee}
"""


def test_a_helpdesk_without_a_history_is_read_by_its_fields_alone():
    connector, problems = parsed(PLAIN)
    assert problems == []
    (theirs,) = tickets_in(connector, [{"number": 12, "owner": 3, "labels": ["vip"], "at": 1_800_000_000}])
    events, remembered = read_ticket(connector, theirs, None, NOW)
    assert [(made.id, made.data) for made in events] == [
        ("new-12", {"tags": ["vip"]}),
        ("owner-12-1", {"assignee": "3"}),
    ]
    assert events[0].at == dt.datetime.fromtimestamp(1_800_000_000, dt.UTC)
    events, _ = read_ticket(connector, {**theirs, "owner": None}, remembered, NOW)
    assert [(made.id, made.data, made.at) for made in events] == [("owner-12-2", {"assignee": None}, NOW)]
    with pytest.raises(InvalidEvent, match="found a list; accepted: a list of texts"):
        read_ticket(connector, {**theirs, "labels": [1]}, None, NOW)
    with pytest.raises(InvalidEvent, match="has no `poll:`"):
        tickets_in(connector, [], "poll")
