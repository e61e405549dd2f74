"""A day of the travel company with a peak: queues fill when everybody is at the maximum, and drain in their order.

The numbers are printed (`pytest -s`) and checked.
"""

import datetime as dt
import heapq
import itertools
import random
import sys
from collections import Counter
from zoneinfo import ZoneInfo

import pytest

from rules_service.tickets import PRIORITIES, Actor
from tests.scene import FakeClock, Scene

WIB = ZoneInfo("Asia/Jakarta")
TIERS = ("standard", "gold", "vip")

#: Tickets of the hotel team that come in within an hour of the day; the rest of the day is quiet.
ARRIVALS = {8: 15, 9: 30, 10: 100, 11: 40, 12: 15, 15: 15, 19: 20, 20: 30, 21: 25, 22: 15}

#: What a hotel agent needs for one ticket; they work on the oldest that they hold.
WORK = dt.timedelta(minutes=12)
BOOKING_WORK = dt.timedelta(minutes=5)

#: Every so many tickets needs a booking.
BOOKING_EVERY = 6

AGENTS = [f"ha{number}" for number in range(1, 9)]
BOOKERS = ["ba1", "ba2", "ba3"]


def at(hour, minute=0, day=2):
    return dt.datetime(2026, 3, day, hour, minute, tzinfo=WIB).astimezone(dt.UTC)


class Day:
    """Customers write, agents work off what they hold, booking takes from its queue while it is open."""

    def __init__(self, store):
        self.scene = Scene(store, FakeClock(at(7)))
        self.chance = random.Random(7)
        self.numbers = itertools.count(1)
        self.agenda = []
        self.busy = set()
        self.held = {name: [] for name in AGENTS}
        self.longest = 0
        self.waited = []
        self.given = Counter()
        self.booked = []
        self.scene.online(*AGENTS)
        for hour, count in ARRIVALS.items():
            for _ in range(count):
                self.later(at(hour) + dt.timedelta(seconds=self.chance.randrange(3600)), self.write)
        for day in (2, 3):
            for name in BOOKERS:
                self.later(at(8, day=day), lambda name=name: self.scene.online(name))
                self.later(at(21, day=day), lambda name=name: self.scene.offline(name))
        self.later(at(8, day=3), self.book)

    def later(self, when, what):
        heapq.heappush(self.agenda, (when, next(self.numbers), what))

    def run(self, until):
        while self.agenda and self.agenda[0][0] <= until:
            when, _, what = heapq.heappop(self.agenda)
            self.scene.clock.now = max(self.scene.clock.now, when)
            self.scene.run_due()
            what()
            self.look()
        self.scene.clock.now = until

    def write(self):
        """A customer's first contact."""
        number = next(self.numbers)
        tier = self.chance.choices(TIERS, (8, 1, 1))[0]
        self.scene.create(f"t{number}", customer={"id": f"c{number}", "tier": tier})

    def look(self):
        """The worker drains; whoever was given a ticket begins to work; nobody has more than five."""
        before = self.queue("hotel-chat")
        self.scene.run_timers()
        after = self.queue("hotel-chat")
        # Drained from the front, never past somebody.
        assert after == [ticket for ticket in before if ticket in after]
        assert before[: len(before) - len(after)] == [ticket for ticket in before if ticket not in after]
        loads = dict(self.scene.rows("SELECT id, open_count FROM member"))
        assert all(loads[name] <= 5 for name in AGENTS)
        if after:
            assert [loads[name] for name in AGENTS] == [5] * len(AGENTS)
        self.longest = max(self.longest, len(after))
        for ticket, name, waited in self.scene.rows(
            "SELECT t.id, t.assignee, t.created_at FROM ticket t WHERE t.assignee IS NOT NULL AND t.closed_at IS NULL ORDER BY t.created_at, t.id"
        ):
            if name in self.held and ticket not in self.held[name]:
                self.held[name].append(ticket)
                self.given[name] += 1
                self.waited.append(self.scene.clock() - dt.datetime.fromtimestamp(waited / 1e6, dt.UTC))
        for name in AGENTS:
            if self.held[name] and name not in self.busy:
                self.busy.add(name)
                self.later(self.scene.clock() + WORK, lambda name=name: self.finish(name))
        self.book()

    def finish(self, name):
        """An agent answers and closes the oldest ticket, or passes it on to booking."""
        ticket = self.held[name].pop(0)
        self.busy.discard(name)
        self.scene.send("message.sent", ticket, by=name, text="Halo")
        if int(ticket[1:]) % BOOKING_EVERY == 0:
            self.scene.ask("ticket.transferred", ticket, by=name, group="booking")
        else:
            self.scene.send("ticket.closed", ticket, by=name)

    def book(self):
        """Booking serves its queue in order, one ticket at a time each, while it is open."""
        if not 8 <= self.scene.clock().astimezone(WIB).hour < 21:
            return
        for name in BOOKERS:
            queue = self.queue("booking-management")
            if not queue or name in self.busy:
                continue
            self.scene.ask("ticket.assigned", queue[0], by=name, assignee=name)
            self.booked.append((queue[0], self.scene.clock()))
            self.busy.add(name)
            self.later(
                self.scene.clock() + BOOKING_WORK, lambda name=name, ticket=queue[0]: self.booking_done(name, ticket)
            )

    def booking_done(self, name, ticket):
        self.busy.discard(name)
        self.scene.send("ticket.closed", ticket, by=Actor(id=name, role="agent"))

    def queue(self, desk):
        """The desk's queue in its declared order, from scratch."""
        snapshots = [self.scene.ticket(row[0]) for row in self.scene.rows(
            "SELECT id FROM ticket WHERE desk = ? AND queued_at IS NOT NULL", desk)]  # fmt: skip
        if desk == "booking-management":
            return [found.id for found in sorted(snapshots, key=lambda one: (one.created_at, one.queued_at, one.id))]
        return [
            found.id
            for found in sorted(
                snapshots,
                key=lambda one: (
                    -TIERS.index(one.customer_tier), -PRIORITIES.index(one.priority), one.created_at, one.queued_at, one.id,
                ),
            )
        ]  # fmt: skip


@pytest.mark.slow
@pytest.mark.req("R4.19", "R4.21", "R4.22", "R5.4", "R5.7", "R5.8", "R5.27", "R5.30")
def test_a_day_with_a_peak(store):
    day = Day(store)
    day.run(at(21, 0, day=2))
    evening = [ticket for ticket, when in day.booked]
    day.run(at(7, 59, day=3))
    held = day.queue("booking-management")
    assert [ticket for ticket, when in day.booked if when >= at(21, day=2)] == []
    assert day.queue("hotel-chat") == []
    used = {ticket: day.scene.clock_of("resolution", ticket).used_s for ticket in held}
    day.run(at(12, day=3))

    created = sum(ARRIVALS.values())
    waited = sorted(day.waited)
    queued = [one for one in waited if one > dt.timedelta(seconds=1)]
    sys.stdout.write(
        f"\n{created} tickets; {len(queued)} waited in the queue, which was {day.longest} long at its peak;"
        f" longest wait {max(waited)}, median of those who waited {queued[len(queued) // 2]}\n"
        f"each agent was given {min(day.given.values())} to {max(day.given.values())}\n"
        f"booking: {len(day.booked)} transferred, {len(held)} held over night and served from"
        f" {min(when for ticket, when in day.booked if ticket in held).astimezone(WIB):%H:%M}\n"
    )
    # Eight agents finish 40 an hour: the peak of 100 an hour fills their 40 slots and then the queue.
    assert 10 < day.longest < 40
    assert max(waited) < dt.timedelta(hours=1)
    assert max(day.given.values()) - min(day.given.values()) <= 3
    assert len(day.given) == 8
    # What came after closing was held, its clock on booking's hours, and served in order at opening.
    assert len(held) > 3
    morning = [(ticket, when) for ticket, when in day.booked if ticket in held]
    assert [ticket for ticket, _ in morning] == held
    assert morning[0][1] - at(8, day=3) < dt.timedelta(seconds=1)
    assert all(when < at(8, 30, day=3) for _, when in morning)
    for ticket in held:
        clock = day.scene.clock_of("resolution", ticket)
        assert clock.used_s - used[ticket] <= 30 * 60 + 300
    assert day.scene.rows("SELECT COUNT(*) FROM ticket WHERE closed_at IS NULL") == [(0,)]
    assert evening
    day.scene.worker.relay.stop()
