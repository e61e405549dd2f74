"""The active ruleset of this process: loaded aside, swapped as one reference."""

from __future__ import annotations

import os
import socket
import threading
import time
from dataclasses import replace

import structlog

from rules_service.clock import utc_now
from rules_service.decide import load_ruleset
from rules_service.errors import NoRuleset
from rules_service.problems import Problem
from rules_service.rules import MatcherEvent
from rules_service.ruleset import Ruleset
from rules_service.store import Store, desks, figures, roster, rulesets

log = structlog.get_logger()

#: Seconds between two looks at which ruleset is active.
FOLLOW_EVERY_S = 0.5

#: Seconds between two signs of life of a process.
BEAT_EVERY_S = 5.0


#: Attributes that may hold what people wrote or who they are; they stay out of the log.
_PERSONAL = ("message.", "customer.", "ticket.subject", "ticket.custom.")


def log_matcher_event(event: MatcherEvent) -> None:
    """Logs what the engine did that an operator should know of, with the row but for personal data."""
    row = {name: repr(value) for name, value in (event.row or {}).items() if not name.startswith(_PERSONAL)}
    level = log.info if event.kind == "rebuilt" else log.error
    level(f"rules_{event.kind}", reason=event.reason, rules=list(map(str, event.keys)), row=row)


class Live:
    """Follows the activation in the database; `ruleset()` is a read of one reference."""

    def __init__(self, store: Store, kind: str = "api") -> None:
        """Nothing is loaded yet; `follow` does that. `kind` is what the process is, for its signs of life."""
        self._store = store
        self._kind = kind
        self._ruleset: Ruleset | None = None
        #: Version of the roster whose users are in the ruleset; None before the first look.
        self._roster_version: int | None = None
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._following = threading.Lock()
        #: Why the active ruleset could not be loaded; None while all is well.
        self.problem: str | None = None

    def ruleset(self) -> Ruleset:
        """The ruleset in force in this process; NoRuleset before the first activation."""
        found = self._ruleset
        if found is None:
            self.follow()
            found = self._ruleset
        if found is None:
            raise NoRuleset
        return found

    @property
    def hash(self) -> str | None:
        """Hash of the ruleset in force; None before the first."""
        return self._ruleset.hash if self._ruleset is not None else None

    def follow(self, loaded: Ruleset | None = None) -> bool:
        """Puts the active ruleset in force, with the users who were added by API, if any of it is another than before.

        True when the ruleset was swapped. `loaded` spares loading it again, where the caller has it.
        """
        with self._following, self._store.connection():
            active = rulesets.active_hash(self._store)
            if active is None:
                return False
            braked = desks.braked_rules(self._store, active)
            # Read before the users: what is added in between is then seen at the next look.
            version = roster.version(self._store)
            if self._ruleset is not None and active == self.hash:
                self._refresh(self._ruleset, braked, version)
                return False
            ruleset, problems = self._load(active, loaded)
            predecessors = rulesets.known_rules(self._store)
            if ruleset is None:
                # Stored rulesets were valid when they were published; a newer release may see more.
                self.problem = f"ruleset {active[:12]} cannot be loaded: {problems[0] if problems else 'not stored'}"
                log.error("ruleset_not_loaded", ruleset=active, problem=self.problem)
                return False
            ruleset.rules.report = log_matcher_event
            ruleset.rules.prepare()
            whole = roster.whole(self._store, ruleset.roster)
            ruleset = replace(ruleset, predecessors=predecessors, braked=braked, roster=whole)
            previous, self._ruleset, self._roster_version = self._ruleset, ruleset, version
            self.problem = None
            log.info("ruleset_in_force", ruleset=active)
        if previous is not None:
            previous.rules.close()
        return True

    def _refresh(self, ruleset: Ruleset, braked: frozenset[str], version: int) -> None:
        """Takes over what has changed beside the ruleset."""
        if braked != ruleset.braked:
            log.warning("rules_braked", rules=sorted(braked))
            self._ruleset = ruleset = replace(ruleset, braked=braked)
        if version != self._roster_version:
            self._ruleset = replace(ruleset, roster=roster.whole(self._store, ruleset.roster))
            self._roster_version = version

    def start(self) -> None:
        """Follows in a thread of its own until `stop`."""
        self._thread = threading.Thread(target=self._loop, name="live", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Ends the thread."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()

    def _load(self, active: str, loaded: Ruleset | None) -> tuple[Ruleset | None, list[Problem]]:
        if loaded is not None and loaded.hash == active:
            return loaded, []
        found = rulesets.find(self._store, active)
        return load_ruleset(found[1]) if found else (None, [])

    def beat(self) -> None:
        """Notes that the process is alive, and which ruleset it has in force."""
        process_id = f"{socket.gethostname()}:{os.getpid()}"
        self._store.transact(lambda: figures.beat(self._store, process_id, self._kind, self.hash, utc_now()))

    def _loop(self) -> None:
        beat_at = 0.0
        while True:
            try:
                if self.follow() or time.monotonic() >= beat_at:
                    self.beat()
                    beat_at = time.monotonic() + BEAT_EVERY_S
            except Exception:
                # The thread must outlive a database that is away.
                log.exception("follow_failed")
            if self._stop.wait(FOLLOW_EVERY_S):
                return
