"""An event is processed once; a fact is never refused; a refused request changes nothing and says every reason why."""

import pytest

from rules_service.errors import EventIdReused, TransitionRefused, UnknownTicket
from rules_service.service.events import Incoming
from tests.databases import difference, dump

# --- once -------------------------------------------------------------------------------------------------------------


def test_the_same_event_again_gets_the_same_answer_and_nothing_is_written(scene):
    scene.online("ha1")
    incoming = scene.incoming("ticket.created", group="hotel", channel="whatsapp", body="segera")
    first = scene.service.handle(incoming)
    before = dump(scene.store)
    scene.clock.advance(3_600)
    assert scene.service.handle(incoming) == {**first, "duplicate": True}
    assert first["duplicate"] is False
    assert difference(before, dump(scene.store)) == []


def test_the_same_id_with_another_body_is_an_error_and_nothing_is_written(scene):
    scene.create(id="e1")
    before = dump(scene.store)
    with pytest.raises(EventIdReused) as error:
        scene.create(id="e1", subject="Another")
    assert "e1" in error.value.detail
    assert difference(before, dump(scene.store)) == []


def test_an_id_of_the_services_own_events_cannot_be_used_from_outside(scene):
    scene.given("assigned")
    scene.clock.advance(400)
    scene.run_due()
    ((own,),) = scene.rows("SELECT event_id FROM event WHERE type = 'clock.breached'")
    with pytest.raises(EventIdReused):
        scene.send("note.added", id=own, text="x")


def test_the_same_event_twice_in_a_batch_is_done_once(scene):
    incoming = scene.incoming("ticket.created", group="hotel")
    first, second = scene.service.handle_batch([incoming, incoming])
    assert (first["duplicate"], second["duplicate"]) == (False, True)
    assert scene.log() == ["ticket.created"]


def test_an_event_of_an_unknown_ticket_is_an_error_and_nothing_is_written(scene):
    before = dump(scene.store)
    with pytest.raises(UnknownTicket, match=r"ticket\.created or ticket\.imported"):
        scene.send("message.received", text="x")
    assert difference(before, dump(scene.store)) == []


def test_in_a_batch_each_event_stands_for_itself(scene):
    answers = scene.service.handle_batch(
        [
            scene.incoming("ticket.created", "t1", group="hotel"),
            scene.incoming("message.received", "unknown", text="x"),
            scene.incoming("ticket.closed", "t1", request=True, by="ta1"),
            scene.incoming("message.received", "t1", text="x"),
        ]
    )
    kinds = [answer["outcome"] if isinstance(answer, dict) else answer.code for answer in answers]
    assert kinds == ["done", "unknown_ticket", "transition_refused", "done"]
    assert scene.log() == ["ticket.created", "message.received"]


# --- facts and requests -----------------------------------------------------------------------------------------------

#: status before, event, by whom, data -> the codes of all reasons against it.
REFUSED = [
    ("unassigned", "ticket.opened", "ha1", {}, {"wrong_status"}),
    ("assigned", "ticket.opened", "ha2", {}, {"not_assignee"}),
    ("closed", "message.sent", "customer", {}, None),
    ("unassigned", "ticket.assigned", "ha1", {"assignee": "ha2"}, {"not_self"}),
    ("unassigned", "ticket.assigned", "ta1", {"assignee": "ta1"}, {"other_desk"}),
    ("unassigned", "ticket.assigned", "ts1", {"assignee": "ha2"}, {"other_team"}),
    ("unassigned", "ticket.assigned", "hs1", {"assignee": "nobody"}, {"unknown_target"}),
    ("pending", "ticket.assigned", "ha1", {"assignee": "ha2"}, {"wrong_role"}),
    ("pending", "ticket.reassigned", "ha1", {"assignee": "ha2"}, {"wrong_role"}),
    ("pending", "ticket.reassigned", "hs1", {"assignee": "ta1"}, {"other_team"}),
    ("pending", "ticket.reassigned", "ts1", {"assignee": "ha2"}, {"other_team"}),
    ("pending", "ticket.closed", "ha2", {}, {"may_not_act_for"}),
    ("pending", "ticket.closed", "ts1", {}, {"may_not_act_for"}),
    ("closed", "ticket.closed", "ha1", {}, {"wrong_status"}),
    ("pending", "ticket.escalated", "ha1", {}, {"missing_data"}),
    ("pending", "ticket.escalated", "ha2", {}, {"may_not_act_for", "missing_data"}),
    ("closed", "ticket.escalated", "ha1", {"summary": "x"}, {"wrong_status"}),
    ("pending", "ticket.transferred", "ta1", {"group": "train"}, {"may_not_act_for"}),
    ("pending", "ticket.transferred", "ha1", {}, {"unknown_target"}),
    ("pending", "ticket.released", "ha1", {}, {"wrong_role"}),
    ("unassigned", "ticket.released", "hs1", {}, {"wrong_status"}),
    ("pending", "ticket.reopened", "hs1", {}, {"wrong_status"}),
]


@pytest.mark.req("R4.15", "R2.23")
@pytest.mark.parametrize(("before", "kind", "by", "data", "codes"), REFUSED)
@pytest.mark.parametrize("databases", ["sqlite"], indirect=True)
def test_a_refused_request_changes_nothing_and_says_every_reason(scene, before, kind, by, data, codes):
    scene.given(before)
    scene.offline("ha1")
    state = dump(scene.store)
    if codes is None:
        # A customer is no member of the staff: what they write is recorded, whoever sends it.
        assert scene.ask(kind, by=by, **data)["outcome"] == "recorded"
        return
    with pytest.raises(TransitionRefused) as error:
        scene.ask(kind, by=by, **data)
    assert {reason["code"] for reason in error.value.data["reasons"]} == codes
    assert all(reason["text"] for reason in error.value.data["reasons"])
    assert difference(state, dump(scene.store)) == []


@pytest.mark.parametrize(
    ("before", "kind", "by", "data", "codes"),
    [row for row in REFUSED if row[4] and row[1] != "ticket.opened"],
)
@pytest.mark.parametrize("databases", ["sqlite"], indirect=True)
def test_the_same_as_a_fact_is_never_refused(scene, before, kind, by, data, codes):
    scene.given(before)
    scene.offline("ha1")
    answer = scene.send(kind, by=by, **data)
    assert answer["outcome"] in ("irregular", "unchanged")
    if answer["outcome"] == "irregular":
        assert {reason["code"] for reason in answer["reasons"]} == codes
    scene.loads_hold()


def test_a_refused_request_may_be_made_again_under_its_id_once_it_is_allowed(scene):
    scene.given("assigned")
    with pytest.raises(TransitionRefused):
        scene.ask("ticket.escalated", id="r1", by="ha1")
    assert scene.ask("ticket.escalated", id="r1", by="ha1", summary="Help")["outcome"] == "done"


def test_what_is_asked_for_is_told_to_the_helpdesk_and_what_it_reported_is_not(scene):
    scene.given("pending")
    scene.online("ha2")
    told = len(scene.actions())
    scene.send("ticket.reassigned", by="hs1", assignee="ha2")
    assert [kind for kind, _ in scene.actions()[told:] if kind == "reassign"] == []
    scene.ask("ticket.reassigned", by="hs1", assignee="ha1")
    assert ("reassign", {"to": "ha1", "previous": "ha2"}) in scene.actions()[told:]


def test_rules_may_react_to_what_the_lifecycle_has_no_edge_for(store, clock):
    from tests.scene import Scene, variant

    rule = """
version: 1
rules:
  - id: watch
    on: event.irregular
    then: [{note: "irregular: {{ event.type }}"}]
"""
    scene = Scene(store, clock, variant(add={"watch.yaml": rule}))
    scene.given("pending")
    answer = scene.send("ticket.closed", by="ta1")
    assert (answer["irregular"], "watch" in answer["fired"]) == (True, True)


def test_a_body_that_reads_the_same_is_the_same(scene):
    """The digest is of the body as it came, not of what it was read as."""
    incoming = scene.incoming("ticket.created", group="hotel")
    scene.service.handle(incoming)
    with pytest.raises(EventIdReused):
        scene.service.handle(Incoming(event=incoming.event, body=incoming.body + " "))
