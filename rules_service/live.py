"""The active ruleset of this process: loaded aside, swapped as one reference."""

from __future__ import annotations

import threading
import time

import structlog

from rules_service.decide import load_ruleset
from rules_service.errors import NoRuleset
from rules_service.ruleset import Ruleset
from rules_service.store import Store, rulesets

log = structlog.get_logger()

#: Seconds between two looks at which ruleset is active.
FOLLOW_EVERY_S = 1.0


class Live:
    """Follows the activation in the database; `ruleset()` is a read of one reference."""

    def __init__(self, store: Store) -> None:
        """Nothing is loaded yet; `follow` does that."""
        self._store = store
        self._ruleset: Ruleset | None = None
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

    def follow(self) -> bool:
        """Loads the active ruleset if it is another than the one in force; True when it was swapped."""
        with self._following, self._store.connection():
            active = rulesets.active_hash(self._store)
            if active is None or active == self.hash:
                return False
            found = rulesets.find(self._store, active)
            ruleset, problems = load_ruleset(found[1]) if found else (None, [])
            if ruleset is None:
                # Stored rulesets were valid when they were published; a newer release may see more.
                self.problem = f"ruleset {active[:12]} cannot be loaded: {problems[0] if problems else 'not stored'}"
                log.error("ruleset_not_loaded", ruleset=active, problem=self.problem)
                return False
            previous, self._ruleset, self.problem = self._ruleset, ruleset, None
            log.info("ruleset_in_force", ruleset=active)
        if previous is not None:
            threading.Timer(30, previous.rules.close).start()
        return True

    def start(self) -> None:
        """Follows in a thread of its own until `stop`."""
        self._thread = threading.Thread(target=self._loop, name="live", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Ends the thread."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()

    def _loop(self) -> None:
        while not self._stop.wait(FOLLOW_EVERY_S):
            started = time.monotonic()
            try:
                self.follow()
            except Exception:
                log.exception("follow_failed", seconds=round(time.monotonic() - started, 3))
