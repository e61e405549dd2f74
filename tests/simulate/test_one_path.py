"""A story's decisions are those of the service on a database, for the same events."""

import contextlib
import dataclasses
import datetime as dt
import json
import random

import pytest

from rules_service.clock import instant
from rules_service.errors import TransitionRefused
from rules_service.service.roster import set_presence
from rules_service.simulate import Happens, Presence, Story, Waits, play
from rules_service.store import Store, next_deadline, people, presence
from rules_service.store.codec import plain
from rules_service.tickets import Actor, Escalation
from tests.scene import NINE, FakeClock, Scene, variant

AGENTS = ("ha1", "ha2", "hs1", "fa1", "fs1", "ba1", "hx1")
MORE = """version: 1
presence: {away: {release_after: 25m}}
escalation_policies:
  ask:
    approval: supervisor
    close_within: service 5h
    repeat: 1
    steps:
      - {to: supervisor, ack_within: service 40m}
      - {to: {group: booking}, hand_over: true, ack_within: 20m}
      - {to: management}
attributes: {order_value: {type: number, about: Value of the order}}
rules:
  - {id: bombarded, when: {recent.messages_received: {within: 10m, at_least: 3}}, then: [{set_priority: {at_least: high}}]}
  - {id: crowded, on: ticket.created, when: {desk.queue_length: {at_least: 2}}, then: [{reply: {text: "{{ desk.queue_length }} wait"}}]}
  - {id: busy, on: note.added, when: {desk.free_slots: {at_most: 8}}, then: [{note: "{{ desk.free_slots }} free, {{ desk.online }} here"}]}
  - {id: many, on: message.received, when: {customer.open_tickets: {at_least: 3}}, then: [{add_tags: [many]}]}
  - {id: large, when: {ticket.custom.order_value: {at_least: 100}}, then: [{reassign: {level: 1}}], limit: 1 per stint}
  - {id: to-flight, when: {ticket.tags: flight, ticket.group: hotel}, then: [{transfer: flight}]}
  - {id: silent, when: {time.customer_silent: {at_least: 50m}}, then: [close]}
  - {id: in-service, when: {service_time.queued: {at_least: 40m}}, then: [{note: waits}], repeat: {every: 20m, at_most: 2}}
  - {id: told, on: message.received, then: [{alert: {to: [supervisor], text: "{{ ticket.id }} was written to", digest: 30m}}]}
  - {id: answered, on: escalation.approved, then: [{reply: {text: Help is coming, defer: service_hours}}]}
  - id: calm
    on: note.added
    then: [{alert: {to: [management, group], severity: critical, text: noted, digest: service 1h, defer: service_hours}}]
  - id: nudged
    when: {time.idle: {at_least: 20m}}
    then: [{alert: {to: [assignee], text: "{{ ticket.id }} is idle", digest: 1h}}]
    repeat: {every: service 30m, at_most: 4}
    limit: 2 per service 2h
"""


def script(seed):
    """Steps by chance; each at a second of its own."""
    chance = random.Random(seed)
    steps, tickets = [], []
    for number in range(40):
        steps.append(Waits(seconds=chance.choice([7, 61, 307, 911, 1_811, 7_001]) + number))
        roll = chance.random()
        if roll < 0.2:
            steps.append(Presence(users=(chance.choice(AGENTS),), online=chance.random() < 0.7))
        elif roll < 0.4 or not tickets:
            tickets.append(f"t{len(tickets) + 1}")
            data = {
                "subject": chance.choice(["Room", "Sistem macet", "segera"]),
                "body": chance.choice([None, "Hello", "system down", "darurat"]),
                "channel": chance.choice(["whatsapp", "twitter", None]),
                "group": chance.choice(["hotel", "flight", "booking"]),
                "priority": chance.choice([None, "low", "urgent"]),
                "customer": {"id": chance.choice(["c1", "c2"]), "tier": chance.choice([None, "gold", "vip"])},
                "custom": chance.choice([{}, {"order_value": 150}]),
                "tags": chance.choice([[], ["flight"], ["waiting-partner"]]),
            }
            steps.append(Happens(type="ticket.created", ticket_id=tickets[-1], data=data))
        else:
            steps.append(happens(chance, chance.choice(tickets)))
    return steps


def happens(chance, ticket_id):
    actor = chance.choice([Actor(id=name, role="") for name in AGENTS] + [None, None])
    kind, data = chance.choice(
        [
            ("message.received", {"text": chance.choice(["Hello?", "sistem error", "urgent"])}),
            ("message.received", {"text": "again"}),
            ("message.sent", {"text": "Hi"}),
            ("message.sent", {"text": "Soon", "automated": True}),
            ("note.added", {"text": "hm"}),
            ("ticket.opened", {}),
            ("ticket.closed", {}),
            ("ticket.reopened", {}),
            ("ticket.assigned", {"assignee": chance.choice(AGENTS)}),
            ("ticket.assigned", {"assignee": None}),
            ("ticket.reassigned", {"assignee": chance.choice(AGENTS), "override": True}),
            ("ticket.transferred", {"group": chance.choice(["hotel", "flight", "booking"])}),
            ("ticket.escalated", {"summary": "Help"}),
            ("ticket.updated", {"priority": "high", "add_tags": ["flight"]}),
            ("ticket.escalated", {"summary": "Help", "policy": "ask"}),
            ("escalation.approved", {}),
            ("escalation.refused", {"reason": "Not yet"}),
            ("escalation.acknowledged", {}),
            ("action.failed", {"action": "reassign"}),
            ("ticket.deleted", {}),
        ]
    )
    asked = chance.random() < 0.3 and kind in ("ticket.closed", "ticket.assigned", "ticket.transferred")
    late_by_s = chance.choice([0, 0, 0, 45, 400])
    actor = Actor(role="customer") if kind == "message.received" else actor
    return Happens(
        type=kind, ticket_id=ticket_id, actor=actor, data=data, request=asked, late_by_s=0 if asked else late_by_s
    )


class Told:
    """The same story, told to the service: the worker looks at each instant at which something is due."""

    def __init__(self, store, files):
        self.scene = Scene(store, FakeClock(NINE), files)

    def tell(self, steps):
        for step in steps:
            match step:
                case Waits(seconds=seconds):
                    self._advance(self.scene.clock() + dt.timedelta(seconds=seconds))
                case Presence(users=users, online=online):
                    for user_id in users:
                        wanted = "online" if online else "offline"
                        set_presence(
                            self.scene.store,
                            user_id,
                            wanted,
                            self.scene.clock(),
                            ruleset_hash=self.scene.ruleset.hash,
                        )
                case Happens():
                    self._send(step)
            self.scene.run_timers()

    def _send(self, step):
        at = self.scene.clock() - dt.timedelta(seconds=step.late_by_s)
        send = self.scene.ask if step.request else self.scene.send
        with contextlib.suppress(TransitionRefused):
            send(step.type, step.ticket_id, by=step.actor, at=at, **step.data)

    def _advance(self, until):
        store, clock = self.scene.store, self.scene.clock
        while True:
            with store.connection():
                found = [next_deadline(store), people.next_timer(store), *self._waiting()]
            first = min((at for at in found if at is not None), default=None)
            if first is None or first > until:
                break
            clock.now = max(clock.now, first)
            self.scene.run_due()
            self.scene.run_timers()
            self.scene.service.release_left()
            self.scene.run_timers()
            self.scene.worker.run_notices()
        clock.now = until

    def _waiting(self):
        """When a held action is told, and when an absent agent's ticket goes back to its queue."""
        store, clock = self.scene.store, self.scene.clock
        for (due_at,) in store.rows("SELECT due_at FROM notice"):
            yield instant(due_at)
        release_after = dt.timedelta(seconds=self.scene.ruleset.presence.release_after_s or 0)
        for _, _, since in presence.left_tickets(store, clock.now, 1_000) if release_after else ():
            yield max(clock.now, since + release_after)


def unnamed(part):
    """An escalation without its id, which is that of the event that opened it."""
    return dataclasses.replace(part, id="") if isinstance(part, Escalation) else part


def said(decisions):
    return [
        {
            "type": decision.event.type,
            "outcome": decision.outcome,
            "marks": list(decision.marks),
            "fired": [(firing.rule_id, firing.outcome, list(firing.notes)) for firing in decision.firings],
        }
        for decision in decisions
    ]


def written(at, action_type, cause, data):
    """An action for comparing: what is told together in one order, and without the ids of events."""
    data = {key: value for key, value in json.loads(json.dumps(plain(data))).items() if key != "escalation_id"}
    if "digest" in data:
        data["digest"].sort(key=json.dumps)
        data["text"] = sorted(data["text"].splitlines())
    return json.dumps([at.isoformat(), action_type, cause, data], sort_keys=True)


def fed(scene):
    """Every action of the feed."""
    rows = scene.rows("SELECT created_at, type, cause, data FROM action")
    return sorted(written(instant(at), kind, cause, json.loads(data)) for at, kind, cause, data in rows)


def logged(scene, ticket_id):
    rows = scene.rows("SELECT decisions FROM event WHERE ticket_id = ? ORDER BY seq", ticket_id)
    return [
        {
            "type": one["type"],
            "outcome": one["outcome"],
            "marks": one.get("marks", []),
            "fired": [
                (firing["rule_id"], firing["outcome"], firing.get("notes") or []) for firing in one.get("firings", [])
            ],
        }
        for (text,) in rows
        for one in json.loads(text)
    ]


@pytest.mark.parametrize("seed", [0, 1, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(2, 8))])
def test_a_story_decides_as_the_service_does(sqlite, seed):
    files = variant(add={"more.yaml": MORE})
    steps = script(seed)
    store = Store(sqlite.emptied())
    try:
        told = Told(store, files)
        told.tell(steps)
        played = play(told.scene.ruleset, Story(at=NINE, steps=tuple(steps)))
        assert played.faults == ()
        assert len(played.chains) > 30
        last = played.moments[-1]
        done = [chain for chain in played.chains if not chain.refused]
        for ticket_id, snapshot in last.tickets.items():
            chains = [c for c in done if c.event.ticket_id == ticket_id and not c.event.id.startswith("notice:")]
            assert [one for c in chains for one in said(c.decisions)] == logged(told.scene, ticket_id)
            stored = told.scene.snapshot(ticket_id)
            for name in ("ticket", "stint", "clocks", "escalation", "recent", "firings_at"):
                assert unnamed(getattr(snapshot, name)) == unnamed(getattr(stored, name)), (ticket_id, name)
        actions = [(chain.now, action) for chain in done for one in chain.decisions for action in one.actions]
        assert sorted(written(at, one.type, one.cause, one.data) for at, one in actions) == fed(told.scene)
        kept = {row[0]: row[1] for row in told.scene.rows("SELECT id, open_count FROM member")}
        assert last.loads == kept
        told.scene.loads_hold()
    finally:
        told.scene.worker.relay.stop()
        store.close()


CLOSED = """version: 1
calendars: {office: {timezone: UTC, hours: {mon-fri: ["08:00-17:00"]}}}
desks:
  letters: {group: hotel, channels: [letter], supervisor: hs1, members: [ha1], max_assignment: 2, calendar: office}
"""


def test_who_comes_before_the_desk_opens_gets_its_tickets_when_it_opens(sqlite):
    steps = (
        Happens(type="ticket.created", ticket_id="t1", data={"desk": "letters"}),
        Waits(seconds=3_600),
        Presence(users=("ha1",), online=True),
        Waits(seconds=5 * 3_600),
    )
    store = Store(sqlite.emptied())
    try:
        told = Told(store, variant(add={"closed.yaml": CLOSED}))
        told.tell(steps)
        played = play(told.scene.ruleset, Story(at=NINE, steps=steps))
        expected = played.moments[-1].tickets["t1"].stint
        assert (expected.agent_id, expected.assigned_at) == ("ha1", NINE.replace(hour=8))
        assert told.scene.snapshot("t1").stint == expected
    finally:
        told.scene.worker.relay.stop()
        store.close()
