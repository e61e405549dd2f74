"""One process of a storm: eight threads that throw events, requests and changes of the roster at the service."""

from __future__ import annotations

import dataclasses
import logging
import random
import sys
import threading
import time
import traceback
from typing import Any

import structlog

from rules_service.clock import utc_now
from rules_service.errors import ServiceError
from rules_service.live import Live
from rules_service.service.events import EventService, Incoming
from rules_service.service.roster import set_presence
from rules_service.service.users import put_user
from rules_service.store import Store
from rules_service.teams import Added, User
from rules_service.tickets import Actor, Event

DESKS = 5
AGENTS_OF_A_DESK = 40
THREADS = 8

#: Things that a process does at least, however slow the machine.
LEAST = 150

#: Every fifth agent is one to whom tickets are also given past the maximum, by facts and overrides.
OVERRIDDEN = 5

RULES = {
    "teams.yaml": "version: 1\ndefault_desk: d0\ngroups:\n"
    + "".join(f"  g{number}: {{supervisors: [s{number}]}}\n" for number in range(DESKS))
    + "users:\n"
    + "".join(f"  s{number}: {{group: g{number}, role: supervisor}}\n" for number in range(DESKS))
    + "desks:\n"
    + "".join(
        f"  d{number}: {{group: g{number}, channels: [chat], supervisor: s{number}, max_assignment: 2,"
        f" strategy: {('least_loaded', 'round_robin')[number % 2]}, queue: [priority, created]}}\n"
        for number in range(DESKS)
    )
}


def agent(number: int, chance: random.Random) -> Added:
    """An agent with some maximum; every tenth serves a second desk."""
    own = number // AGENTS_OF_A_DESK
    desks = (f"d{own}", f"d{(own + 1) % DESKS}") if number % 10 == 0 else None
    most = chance.choice([None, 1, 2, 3, 5])
    return Added(user=User(id=f"a{number}", name=f"a{number}", group=f"g{own}", max_assignment=most), desks=desks)


class Thrower:
    """One thread: what it does is drawn by a generator of its own."""

    def __init__(self, service: EventService, live: Live, process: int, thread: int) -> None:
        self.service = service
        self.live = live
        self.name = f"{process}-{thread}"
        self.process = process
        self.chance = random.Random(process * 1_000 + thread)
        self.made = 0
        self.sent = 0

    def once(self) -> None:
        """One thing, of those that happen to a helpdesk all day."""
        what = self.chance.choices(
            ("create", "close", "transfer", "reassign", "take", "presence", "maximum", "fact", "override", "reopen"),
            (28, 26, 9, 9, 7, 9, 3, 3, 2, 4),
        )[0]
        getattr(self, f"_{what}")()

    def _send(self, kind: str, ticket: str, data: dict[str, Any], actor: Actor | None, *, request: bool) -> None:
        self.sent += 1
        event = Event(
            id=f"{self.name}:{self.sent}", type=kind, at=utc_now(), ticket_id=ticket, actor=actor, data=data,
            request=request,
        )  # fmt: skip
        self.service.handle(Incoming(event=event, body=event.id))

    def _ticket(self) -> str:
        """One that some thread has made, or is about to make."""
        number = self.chance.randrange(max(1, self.made))
        return f"{self.chance.randrange(4)}-{self.chance.randrange(THREADS)}:{number}"

    def _agent(self, *, overridden: bool) -> int:
        number = self.chance.randrange(DESKS * AGENTS_OF_A_DESK)
        return number - number % OVERRIDDEN + (0 if overridden else self.chance.randrange(1, OVERRIDDEN))

    def _create(self) -> None:
        data = {"group": f"g{self.chance.randrange(DESKS)}", "channel": "chat", "subject": "x",
                "priority": self.chance.choice(["low", "medium", "high", "urgent"])}  # fmt: skip
        self.made += 1
        self._send("ticket.created", f"{self.name}:{self.made - 1}", data, None, request=False)

    def _close(self) -> None:
        self._send("ticket.closed", self._ticket(), {}, None, request=False)

    def _transfer(self) -> None:
        data = {"group": f"g{self.chance.randrange(DESKS)}"}
        self._send("ticket.transferred", self._ticket(), data, None, request=self.chance.random() < 0.5)

    def _reassign(self) -> None:
        number = self._agent(overridden=False)
        actor = Actor(id=f"s{number // AGENTS_OF_A_DESK}", role="supervisor")
        kind = self.chance.choice(["ticket.assigned", "ticket.reassigned"])
        self._send(kind, self._ticket(), {"assignee": f"a{number}"}, actor, request=True)

    def _take(self) -> None:
        user_id = f"a{self._agent(overridden=False)}"
        self._send(
            "ticket.assigned", self._ticket(), {"assignee": user_id}, Actor(id=user_id, role="agent"), request=True
        )

    def _fact(self) -> None:
        self._send(
            "ticket.assigned", self._ticket(), {"assignee": f"a{self._agent(overridden=True)}"}, None, request=False
        )

    def _override(self) -> None:
        number = self._agent(overridden=True)
        actor = Actor(id=f"s{number // AGENTS_OF_A_DESK}", role="supervisor")
        data = {"assignee": f"a{number}", "override": True}
        self._send("ticket.assigned", self._ticket(), data, actor, request=True)

    def _reopen(self) -> None:
        self._send("ticket.reopened", self._ticket(), {}, Actor(role="customer"), request=False)

    def _presence(self) -> None:
        user_id = f"a{self.chance.randrange(DESKS * AGENTS_OF_A_DESK)}"
        presence = self.chance.choice(["online", "online", "offline", "away"])
        set_presence(self.service.store, user_id, presence, utc_now(), ruleset_hash=self.live.ruleset().hash)

    def _maximum(self) -> None:
        number = self.chance.randrange(DESKS * AGENTS_OF_A_DESK)
        changed = agent(number, self.chance)
        put_user(self.service.store, self.live.ruleset, dataclasses.replace(changed), utc_now())
        self.live.follow()


def main(url: str, process: int, seconds: float) -> int:
    """Throws for so long, and at least so much; prints how much was done, and every error that is none of the service's own."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    store = Store(url)
    live = Live(store)
    live.follow()
    live.start()
    service = EventService(store, live.ruleset, utc_now)
    until = time.monotonic() + seconds
    faults: list[str] = []
    throwers = [Thrower(service, live, process, number) for number in range(THREADS)]
    done = [0] * THREADS

    def work(number: int) -> None:
        while (time.monotonic() < until or sum(done) < LEAST) and not faults:
            try:
                throwers[number].once()
            except ServiceError:
                pass
            except Exception:  # noqa: BLE001  told below
                faults.append(traceback.format_exc())
            done[number] += 1

    threads = [threading.Thread(target=work, args=(number,)) for number in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    live.stop()
    store.close()
    sys.stdout.write(" ".join(map(str, done)))
    sys.stderr.write("".join(faults))
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], int(sys.argv[2]), float(sys.argv[3])))
