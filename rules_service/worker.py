"""The worker: what time brings, what waits in queues, what has to go out. Any number may run on one database."""

from __future__ import annotations

import datetime as dt
import signal
import threading
from collections.abc import Callable

import structlog

from rules_service.clock import Clock, utc_now
from rules_service.decide import Brakes
from rules_service.delivery.notifying import Notifier
from rules_service.delivery.poller import Poller
from rules_service.delivery.relay import Relay
from rules_service.delivery.sending import Sender
from rules_service.errors import InvalidRuleset, NoRuleset
from rules_service.live import Live
from rules_service.memory import keep_one_heap
from rules_service.ruleset import content_hash, read_folder
from rules_service.service import publish
from rules_service.service.connecting import ConnectorService
from rules_service.service.desks import judge_desk
from rules_service.service.events import LEFT_BATCH, EventService
from rules_service.service.notices import send_notices
from rules_service.service.roster import end_silence
from rules_service.service.work import ClaimRefused
from rules_service.settings import Settings
from rules_service.store import AWAY, Store, due_tickets, next_deadline, people, queue_waits, rulesets

log = structlog.get_logger()

#: Seconds between two looks at SQLite's write lock: longer than the API's, which has somebody waiting.
LOCK_EVERY_S = 0.004

#: How long a worker may take over one timer before another one takes it up.
TIMER_LEASE = dt.timedelta(seconds=30)

#: So many tickets of a queue may fail before the fault is not theirs; the queue is looked at again later.
MOST_FAILED = 10

#: Tickets or timers that one look takes on.
BATCH = 100

#: How soon a desk is looked at again whose next ticket nobody may be given.
REFUSED_AGAIN = dt.timedelta(seconds=0.5)

#: How long after a ticket failed it is tried again.
FAILED_AGAIN = dt.timedelta(minutes=1)

#: Tickets that one look judges anew after a change of rules, and the pause after it, so that events go first.
JUDGE_BATCH = 50
JUDGE_PAUSE_S = 0.01

#: Seconds between two looks at the desks' figures.
DESKS_EVERY_S = 1.0

#: Seconds between two looks at who fell silent or stays away.
PRESENCE_EVERY_S = 0.5

#: Seconds between two looks at the watched folder.
WATCH_EVERY_S = 0.5

#: Shortest pause of a loop that has nothing to do: what is due may be in somebody else's hands.
MIN_PAUSE_S = 0.002

#: Longest pause of a loop whose last pass failed, as while the database is away.
MAX_PAUSE_S = 5.0

#: When the next thing is due, by a query of the database; None when nothing is.
NextAt = Callable[[Store], dt.datetime | None]


class Worker:
    """Loops over `run_once` passes, each a thread of its own."""

    def __init__(self, settings: Settings, *, store: Store | None = None, clock: Clock = utc_now) -> None:
        """Nothing runs before `run` or `start`."""
        self.settings = settings
        self.store = store or Store(settings.database, lock_every_s=LOCK_EVERY_S)
        self.clock = clock
        self.live = Live(self.store, "worker")
        brakes = Brakes(
            replies_an_hour=settings.replies_an_hour,
            firings_a_day=settings.firings_a_day,
            firings_a_rule=settings.firings_a_rule,
        )
        variables = settings.variables
        self.events = EventService(self.store, self.live.ruleset, clock, variables=variables, brakes=brakes)
        self.connecting = ConnectorService(self.store, self.live.ruleset, self.events, clock, variables=variables)
        sender = Sender(settings.allow_networks)
        notify = Notifier(settings.allow_networks)
        self.relay = Relay(
            self.store, self.live.ruleset, sender, self.connecting, clock, variables=variables, notify=notify
        )
        self.poller = Poller(self.live.ruleset, sender, self.connecting, clock, variables=variables)
        self.stopping = threading.Event()
        self._threads: list[threading.Thread] = []
        #: (hash of a ruleset, tickets that could not be judged under it).
        self._unjudged: tuple[str, set[str]] = ("", set())
        #: Tickets whose deadlines failed -> when they are tried again.
        self._failed: dict[str, dt.datetime] = {}
        #: Hash of what the watched folder held at the last look.
        self._last_look: str | None = None

    # --- passes -----------------------------------------------------------------------------------------------------

    def run_due(self) -> bool:
        """Works off the tickets whose deadline has come, oldest first; True when there may be more.

        One that fails holds up no other: it is passed over for a minute.
        """
        now = self.clock()
        self._failed = {ticket_id: again_at for ticket_id, again_at in self._failed.items() if again_at > now}
        found = due_tickets(self.store, now, BATCH + len(self._failed))
        found = [ticket_id for ticket_id in found if ticket_id not in self._failed][:BATCH]
        for ticket_id in found:
            if self.stopping.is_set():
                return False
            try:
                self.events.handle_due(ticket_id)
            except (NoRuleset, *AWAY):
                # Not for anything in the ticket: the next would fare no better.
                raise
            except Exception:
                self._failed[ticket_id] = now + FAILED_AGAIN
                log.exception("deadline_failed", ticket=ticket_id)
        return len(found) == BATCH

    def _next_deadline(self, store: Store) -> dt.datetime | None:
        """None while tickets that failed are due: the loop then looks at its usual pace."""
        return None if self._failed else next_deadline(store)

    def run_notices(self) -> bool:
        """Sends what was held until now; True when there may be more."""
        ruleset = self.live.ruleset()
        return send_notices(self.store, lambda source: self.events.shared.receivers(ruleset, source), self.clock())

    def run_timers(self) -> bool:
        """Drains the queues of desks that have a freed slot, or that open; True when there may be more."""
        found = people.due_timers(self.store, self.clock(), BATCH)
        for subject, kind, due_at in found:
            if self.stopping.is_set():
                return False
            self._run_timer(subject, kind, due_at)
        return len(found) == BATCH

    def _run_timer(self, subject: str, kind: str, due_at: dt.datetime) -> None:
        until = self.clock() + TIMER_LEASE
        if not self.store.transact(lambda: people.lease_timer(self.store, subject, kind, due_at, until)):
            return
        desk_name = subject.removeprefix("desk:")
        again_at = self.drain(desk_name)

        def settle() -> None:
            people.take_timer(self.store, subject, kind, until)
            if again_at is not None:
                queue_waits(self.store, desk_name, again_at)

        if not self.stopping.is_set():
            self.store.transact(settle)

    def drain(self, desk_name: str) -> dt.datetime | None:
        """Hands out a desk's queue in its order until no slot is free.

        Returns when to look again: when a closed desk opens, or soon where who has a slot may not be given the ticket,
        or where one failed, which holds up no other.
        """
        ruleset = self.live.ruleset()
        desk = ruleset.roster.desks.get(desk_name)
        if desk is None or not desk.proactive_assignment:
            return None
        calendar, now = ruleset.calendar_of_desk(desk_name), self.clock()
        if not calendar.is_open(now):
            # Whoever came online early has moved the timer from the desk's opening to now.
            waits = people.next_queued(self.store, desk_name) is not None
            return calendar.next_open(now) if waits else None
        failed: set[str] = set()
        while not self.stopping.is_set() and len(failed) < MOST_FAILED:
            ticket_id = people.next_queued(self.store, desk_name, failed)
            try:
                if ticket_id is None or not self.events.distribute(ticket_id):
                    break
            except (NoRuleset, *AWAY):
                raise
            except ClaimRefused:
                # A user who was added a moment ago is claimed by the database and unknown to the ruleset in force here.
                self.live.follow()
                return self.clock() + REFUSED_AGAIN
            except Exception:
                failed.add(str(ticket_id))
                log.exception("ticket_not_distributed", ticket=ticket_id, desk=desk_name)
        return self.clock() + FAILED_AGAIN if failed else None

    def run_presence(self) -> bool:
        """Takes silent agents offline, and their tickets from those who are gone; True when there may be more."""
        for user_id in end_silence(self.store, self.live.ruleset(), self.clock()):
            log.info("user_fell_silent", user=user_id)
        return self.events.release_left() == LEFT_BATCH

    def run_desks(self) -> bool:
        """Judges every desk by the rules for desks; never True."""
        ruleset = self.live.ruleset()
        if ruleset.rules.desk_rules:
            receivers = self.events.shared.receivers(ruleset, None)
            for desk in ruleset.roster.desks:
                if self.stopping.is_set():
                    return False
                judge_desk(self.store, ruleset, desk, self.clock(), receivers=receivers)
        return False

    def run_inbound(self) -> bool:
        """Reads one stored webhook; True when there may be more."""
        return self.connecting.work_one()

    def run_relay(self) -> bool:
        """Begins deliveries that are due; True when there may be more."""
        return self.relay.run_once() > 0

    def run_judging(self) -> bool:
        """Judges open tickets under a ruleset that is new to them: primes rules, sets deadlines. True while more."""
        active = self.live.ruleset().hash
        if self._unjudged[0] != active:
            self._unjudged = (active, set())
        failed = self._unjudged[1]
        found = rulesets.tickets_to_judge(self.store, active, JUDGE_BATCH + len(failed))
        found = [ticket_id for ticket_id in found if ticket_id not in failed][:JUDGE_BATCH]
        for ticket_id in found:
            if self.stopping.is_set():
                return False
            try:
                self.events.judge_anew(ticket_id)
            except (NoRuleset, *AWAY):
                # Not for anything in the ticket, which would else be left out until its next event.
                raise
            except Exception:
                # One that cannot be judged must not keep the others from it; its next event will try again.
                failed.add(ticket_id)
                log.exception("ticket_not_judged", ticket=ticket_id)
        self.stopping.wait(JUDGE_PAUSE_S if found else 0)
        return len(found) == JUDGE_BATCH

    def run_watch(self) -> bool:
        """Puts the watched folder's content live once it is the same at two looks; never True."""
        folder = self.settings.watch
        assert folder is not None
        try:
            files = read_folder(folder)
        except OSError as error:
            # In the middle of a swap; the next look sees it whole.
            log.info("watched_folder_unreadable", why=str(error))
            return False
        found = content_hash(files)
        steady, self._last_look = found == self._last_look, found
        if steady and files:
            try:
                done = publish.watch(self.store, files, self.clock())
            except InvalidRuleset as error:
                log.error("ruleset_rejected", problems=error.data["problems"][:20])  # noqa: TRY400  the problems say it all
            else:
                if done is not None:
                    self.live.follow(done.ruleset)
                    log.info("ruleset_published", ruleset=done.hash, primed=dict(done.primed))
        return False

    # --- loops ------------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Starts every loop in a thread of its own."""
        self.store.hold()
        self.live.start()
        loops: tuple[tuple[str, Callable[[], bool], NextAt | None], ...] = (
            ("due", self.run_due, self._next_deadline),
            ("timers", self.run_timers, people.next_timer),
            ("notices", self.run_notices, None),
            ("inbound", self.run_inbound, None),
            ("relay", self.run_relay, None),
        )
        for name, work, next_at in loops:
            self._start(name, work, self.settings.poll_ms / 1000, next_at)
        self._start("judging", self.run_judging, 1.0)
        self._start("presence", self.run_presence, PRESENCE_EVERY_S)
        self._start("desks", self.run_desks, DESKS_EVERY_S)
        if self.settings.watch is not None:
            self._start("watch", self.run_watch, WATCH_EVERY_S)
        self._start("poller", self._poll, 1.0)

    def stop(self) -> None:
        """Ends the loops after the pass they are in, and waits for the deliveries under way."""
        self.stopping.set()
        for thread in self._threads:
            thread.join()
        self.relay.stop()
        self.live.stop()
        self.store.close()

    def run(self) -> None:
        """Runs until SIGTERM or SIGINT."""
        keep_one_heap()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self.stopping.set())
        self.start()
        log.info("worker_started", database=self.store.kind)
        while not self.stopping.wait(1):
            pass
        self.stop()
        log.info("worker_stopped")

    def _start(self, name: str, work: Callable[[], bool], every_s: float, next_at: NextAt | None = None) -> None:
        thread = threading.Thread(target=self._loop, args=(name, work, every_s, next_at), name=name, daemon=True)
        thread.start()
        self._threads.append(thread)

    def _loop(self, name: str, work: Callable[[], bool], every_s: float, next_at: NextAt | None) -> None:
        """A pass at least every so often, since others bring deadlines forward; and at the very next deadline."""
        failures = 0
        while not self.stopping.is_set():
            pause_s = every_s
            try:
                with self.store.connection():
                    more = work()
                    at = next_at(self.store) if next_at is not None and not more else None
                if at is not None:
                    pause_s = min(every_s, max(MIN_PAUSE_S, (at - self.clock()).total_seconds()))
                failures = 0
            except NoRuleset:
                more = False
            except Exception:
                failures += 1
                more = False
                log.exception("pass_failed", loop=name, failures=failures)
            if not more:
                self.stopping.wait(pause_s if not failures else min(MAX_PAUSE_S, every_s * 2**failures))

    def _poll(self) -> bool:
        self.poller.run_once(self.stopping)
        return False
