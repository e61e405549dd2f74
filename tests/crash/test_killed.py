"""A process that is killed at any point loses no acknowledged event, applies none twice, and delivers every action."""

import random
import threading
import time
from collections import Counter

import pytest

from rules_service.clock import micros, utc_now
from rules_service.service.keys import create_key
from rules_service.service.publish import publish
from rules_service.store import Store, codec, outbox
from rules_service.tickets import Snapshot
from tests.crash.running import Client, Process, Receiver, environment, free_port
from tests.scene import variant

pytestmark = pytest.mark.slow

#: The travel company, where a first response is due within two seconds, so that deadlines come due all the time.
FILES = {
    name: text if isinstance(text, bytes) else text.encode()
    for name, text in variant((r"assigned_to_responded: 300s", "assigned_to_responded: 2s")).items()
}

CLIENTS = 4

_BODIES = ("Halo", "sistem macet", "tolong segera", "terima kasih", "kapan?")


def _events(chance, count):
    """Events of several tickets, each ticket's in the order in which they happened: [[event, ...] by ticket]."""
    tickets = []
    made = 0
    while made < count:
        name = f"t{len(tickets)}"
        group = chance.choice(["hotel", "flight", "train", "booking"])
        kinds = [
            (
                "ticket.created",
                {"subject": "Room", "channel": "whatsapp", "group": group, "body": chance.choice(_BODIES)},
            )
        ]
        kinds += [
            chance.choice(
                [
                    ("message.received", {"text": chance.choice(_BODIES)}),
                    ("message.received", {"text": chance.choice(_BODIES)}),
                    ("message.sent", {"text": "Baik"}),
                    ("ticket.opened", {}),
                    ("ticket.closed", {}),
                    ("ticket.updated", {"priority": chance.choice(["low", "high"])}),
                    ("ticket.transferred", {"group": chance.choice(["hotel", "train"])}),
                    ("note.added", {"text": "hm"}),
                ]
            )
            for _ in range(chance.randint(2, 12))
        ]
        kinds = kinds[: count - made]
        tickets.append(
            [
                {"id": f"{name}-{number}", "type": kind, "ticket_id": name, "data": data}
                for number, (kind, data) in enumerate(kinds)
            ]
        )
        made += len(kinds)
    return tickets


def _parcels(chance, tickets):
    """The events of some tickets, mixed, alone and in batches; each ticket's stay in order."""
    waiting = [list(events) for events in tickets]
    while waiting:
        parcel = []
        for _ in range(chance.choice([1, 1, 1, 5, 20])):
            if not waiting:
                break
            events = waiting[min(len(waiting) - 1, chance.randrange(10))]
            parcel.append(events.pop(0))
            waiting = [found for found in waiting if found]
        yield parcel


@pytest.mark.req("R1.7", "R3.28", "R3.36")
@pytest.mark.parametrize(
    ("databases", "count", "kills"),
    [("sqlite", 300, 4), ("sqlite", 5_000, 50), ("postgres", 1_500, 15)],
    indirect=["databases"],
    ids=["sqlite, a few", "sqlite, many", "postgres"],
)
def test_what_was_acknowledged_stays_and_what_was_decided_is_delivered(databases, tmp_path, count, kills):
    chance = random.Random(f"{count} {kills}")
    store = Store(databases.emptied())
    publish(store, FILES, utc_now(), by="test")
    with store.connection(), store.database.atomic():
        store.sql("UPDATE member SET presence = 'online' WHERE id <> 'hx2'")
    key = create_key(store, utc_now(), name="test", scopes=["events:write"])
    tickets = _events(chance, count)
    sent = {event["id"] for events in tickets for event in events}
    assert len(sent) == count
    port = free_port()
    with Receiver() as receiver:
        settings = environment(store.url, receiver, port)
        processes = [Process(name, settings, tmp_path / f"{name}.log") for name in ("serve", "worker")]
        for process in processes:
            process.start()
        try:
            clients = [Client(port, key) for _ in range(CLIENTS)]
            _send_and_kill(chance, clients, tickets, processes, kills, store, real_time=count > 1_000)
            _wait_until_nothing_is_left(store)
        finally:
            statuses = [process.stop() for process in processes]
    assert statuses == [0, 0], "both end in order when they are asked to"
    assert sum(process.kills for process in processes) == kills
    if processes[0].kills:
        assert sum(client.retries for client in clients) > 0, "somebody met an API that was gone"
    _check(store, sent, receiver)
    store.close()


def _send_and_kill(chance, clients, tickets, processes, kills, store, *, real_time):
    """Sends everything, while at so many points one of the processes is killed and started again."""
    total = sum(map(len, tickets))
    points = sorted(chance.sample(range(1, total - total // 10), kills))
    acknowledged = [0] * len(clients)
    failures = []

    def run(number):
        own = random.Random(number)
        try:
            for parcel in _parcels(own, tickets[number :: len(clients)]):
                clients[number].send(parcel)
                acknowledged[number] += len(parcel)
        except BaseException as error:  # noqa: BLE001  raised again below
            failures.append(error)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(len(clients))]
    for thread in threads:
        thread.start()
    for point in points:
        while sum(acknowledged) < point and any(thread.is_alive() for thread in threads) and not failures:
            time.sleep(0.002)
        time.sleep(chance.uniform(0, 0.02))
        process = chance.choice(processes)
        process.kill()
        if process.name == "worker" and not real_time:
            # A lease lasts a minute; with its holder dead nothing is lost by ending it now.
            store.transact(
                lambda: store.sql(
                    "UPDATE delivery SET next_attempt_at = ? WHERE state = 'pending' AND attempts > 0",
                    micros(utc_now()),
                )
            )
        process.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]


def _wait_until_nothing_is_left(store, within_s=240):
    """Deadlines worked off, queues drained, deliveries settled."""
    give_up_at = time.monotonic() + within_s
    quiet = 0
    while quiet < 5:
        assert time.monotonic() < give_up_at, "deliveries are still on their way"
        with store.connection():
            pending = store.row("SELECT COUNT(*) FROM delivery WHERE state <> 'delivered'")
            due = store.row("SELECT COUNT(*) FROM ticket WHERE next_due_at <= ?", micros(utc_now()) + 3_000_000)
        quiet = quiet + 1 if pending == (0,) and due == (0,) else 0
        time.sleep(0.2)


def _check(store, sent, receiver):
    with store.connection():
        logged = Counter(row[0] for row in store.rows("SELECT event_id FROM event WHERE answer IS NOT NULL"))
        actions = {row["id"]: row for row in outbox.feed(store, after=0, limit=10**6)}
        deliveries = store.row("SELECT COUNT(*) FROM delivery")
        snapshots = [codec.load(Snapshot, row[0]) for row in store.rows("SELECT state FROM ticket")]
        counters = dict(store.rows("SELECT id, open_count FROM member"))
        over = store.rows("SELECT id FROM member WHERE open_count > slot_limit")
        stints = store.rows("SELECT ticket_id, COUNT(*) FROM stint WHERE ended_at IS NULL GROUP BY ticket_id")
        breaches = store.row("SELECT COUNT(*) FROM event WHERE type = 'clock.breached'")
    assert logged == Counter(sent), "each event that was sent is in the log, once"
    received = [webhook_id for webhook_id, _, _ in receiver.received]
    assert set(received) == set(actions), "what was delivered is what was decided"
    assert deliveries == (len(actions),)
    assert breaches[0] > 0
    bodies = {}
    seqs = {}
    for webhook_id, ticket, body in receiver.received:
        assert bodies.setdefault(webhook_id, body) == body, "the same at every attempt"
        assert actions[webhook_id]["ticket_id"] == ticket
        seqs.setdefault(ticket, []).append(actions[webhook_id]["seq"])
    for ticket, order in seqs.items():
        assert order == sorted(order), f"the actions about {ticket} came out of order"
    held = Counter(
        snapshot.stint.agent_id
        for snapshot in snapshots
        if snapshot.stint is not None and snapshot.ticket.status in ("assigned", "open", "pending")
    )
    assert {user: count for user, count in counters.items() if count} == dict(held)
    assert over == []
    assert {ticket for ticket, _ in stints} == {found.ticket.id for found in snapshots if found.stint is not None}
    assert all(count == 1 for _, count in stints)
