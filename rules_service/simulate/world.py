"""The world of a story, in memory: who is online, who holds how many tickets, and what waits in which queue.

It chooses as the store does (`store.slots.claim_slot`, `store.people.next_queued`); a test compares the two.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from rules_service.decide import described
from rules_service.decide.slots import slot_changes
from rules_service.ruleset import Ruleset
from rules_service.teams import Wanted, queue_key
from rules_service.tickets import Event, Person, Snapshot, Ticket

_LONG_AGO = dt.datetime.min.replace(tzinfo=dt.UTC)


@dataclass(slots=True, kw_only=True)
class _Seat:
    """What changes about a user."""

    person: Person
    last_assigned_at: dt.datetime | None = None


@dataclass(slots=True)
class MemoryWorld:
    """People with their slots, and tickets; `now` is set by whoever tells the story."""

    ruleset: Ruleset
    now: dt.datetime
    tickets: dict[str, Snapshot] = field(default_factory=dict)
    #: Desk ("": every customer) -> values that stand in for what the world would count, such as `desk.queue_length`.
    stated: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    #: Users whose slots were claimed since `settle`, in order.
    claimed: list[str] = field(default_factory=list)
    _seats: dict[str, _Seat] = field(init=False)

    def __post_init__(self) -> None:
        seats = ((name, described(self.ruleset, name)) for name in self.ruleset.roster.users)
        self._seats = {name: _Seat(person=person) for name, person in seats if person is not None}

    # --- people -----------------------------------------------------------------------------------------------------

    def claim(self, wanted: Wanted) -> Person | None:
        """Takes one slot of the best user who fits; None when nobody has a free one.

        Least loaded: fewest tickets, then longest since the last assignment, then the first id. Round robin: the same
        without the first.
        """
        fitting = [seat for seat in self._seats.values() if _fits(seat.person, wanted)]
        best = min(fitting, key=lambda seat: _rank(seat, by_load=wanted.strategy == "least_loaded"), default=None)
        if best is None:
            return None
        best.person = replace(best.person, open_count=best.person.open_count + 1)
        best.last_assigned_at = self.now
        self.claimed.append(best.person.id)
        return best.person

    def person(self, user_id: str) -> Person | None:
        """The user with the present load; None for an unknown one."""
        seat = self._seats.get(user_id)
        return None if seat is None else seat.person

    def set_online(self, user_id: str, online: bool) -> None:
        """Lets a user come or go."""
        seat = self._seats[user_id]
        seat.person = replace(seat.person, online=online)

    def set_load(self, user_id: str, count: int) -> None:
        """Says how many tickets a user holds, those of the story included."""
        seat = self._seats[user_id]
        seat.person = replace(seat.person, open_count=count)

    def loads(self) -> dict[str, int]:
        """How many tickets each user holds."""
        return {name: seat.person.open_count for name, seat in self._seats.items()}

    # --- tickets ----------------------------------------------------------------------------------------------------

    def settle(self, ticket_id: str, after: Snapshot) -> list[str]:
        """Takes over a ticket as a chain left it; returns the users who have a slot less taken by it."""
        before = self.tickets.get(ticket_id, Snapshot())
        changes = slot_changes(self.ruleset, before, after, self.claimed)
        for user_id, delta in changes.items():
            if user_id in self._seats:
                self.set_load(user_id, self._seats[user_id].person.open_count + delta)
        self.tickets[ticket_id] = after
        self.claimed.clear()
        return sorted(user_id for user_id, delta in changes.items() if delta < 0)

    def queue(self, desk_name: str) -> list[str]:
        """The tickets that wait at a desk, in its order."""
        desk = self.ruleset.roster.desks[desk_name]
        keyed = [
            (queue_key(desk.queue, ticket, self.ruleset.tier_of(ticket)) or "", ticket.id)
            for ticket in self._waiting(desk_name)
        ]
        return [ticket_id for _, ticket_id in sorted(keyed)]

    # --- what an event may look at ------------------------------------------------------------------------------------

    def gather(self, snapshot: Snapshot, event: Event) -> Snapshot:
        """The snapshot with what guards and rules of this event may look at beyond the ticket."""
        ids = {event.data.get("assignee"), event.data.get("wanted", {}).get("to")} - {None}
        people = {str(name): person for name in sorted(ids) if (person := self.person(str(name))) is not None}
        needs = self.ruleset.gathered_needs
        return replace(snapshot, people=people, gathered=self._counted(snapshot, event) if needs else {})

    def figures(self, desk: str) -> dict[str, Any]:
        """What the service would count about a desk over all tickets and people, by attribute."""
        oldest = self.oldest_waiting(desk)
        online = [seat.person for seat in self._seats.values() if seat.person.online and desk in seat.person.desks]
        found: dict[str, Any] = {
            "desk.queue_length": len(self._waiting(desk)),
            "desk.online": len(online),
            "desk.free_slots": sum(max(0, (one.slot_limit or 0) - one.open_count) for one in online),
        }
        if oldest is not None:
            found["desk.oldest_waiting"] = max(0, (self.now - oldest) // dt.timedelta(seconds=1))
        return {**found, **self.stated.get(desk, {})}

    def oldest_waiting(self, desk: str) -> dt.datetime | None:
        """When the ticket that waits longest at a desk entered its queue; None while nobody waits."""
        return min((ticket.queued_at for ticket in self._waiting(desk) if ticket.queued_at), default=None)

    def _waiting(self, desk: str) -> list[Ticket]:
        return [
            ticket
            for snapshot in self.tickets.values()
            if (ticket := snapshot.ticket) is not None and ticket.desk == desk and ticket.queued_at is not None
        ]

    def _counted(self, snapshot: Snapshot, event: Event) -> dict[str, Any]:
        ticket = snapshot.ticket
        desk = ticket.desk if ticket else self.ruleset.roster.desk_for(
            desk=event.data.get("desk"), group=event.data.get("group"), channel=event.data.get("channel")
        )  # fmt: skip
        customer = ticket.customer_id if ticket else (event.data.get("customer") or {}).get("id")
        found = self.figures(desk)
        if customer is not None:
            tickets = [
                known.ticket for known in self.tickets.values() if known.ticket is not None and known.ticket.live
            ]
            open_ones = [known for known in tickets if known.customer_id == customer and known.closed_at is None]
            found["customer.open_tickets"] = len(open_ones) + (ticket is None)
        found |= self.stated.get("", {})
        return {name: value for name, value in found.items() if name in self.ruleset.gathered_needs}


def _fits(person: Person, wanted: Wanted) -> bool:
    return (
        person.online
        and person.has_free_slot
        and wanted.user in (None, person.id)
        and wanted.group in (None, person.group)
        and (wanted.level is None or person.level >= wanted.level)
        and (wanted.desk is None or wanted.desk in person.desks)
        and (wanted.skill is None or wanted.skill in person.skills)
        and person.id not in wanted.without
    )


def _rank(seat: _Seat, *, by_load: bool) -> tuple[object, ...]:
    last = seat.last_assigned_at
    return (seat.person.open_count if by_load else 0, last is not None, last or _LONG_AGO, seat.person.id)
