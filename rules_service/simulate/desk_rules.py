"""Rules for desks in a story: judged whenever something happens, and at the instants at which time alone matters."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from rules_service.decide import decide_desk
from rules_service.decide.firing import limit_ends_at, next_repeat_at
from rules_service.rules import Rule, atoms_of
from rules_service.ruleset import Ruleset
from rules_service.simulate.world import MemoryWorld
from rules_service.tickets import SYSTEM, Decision, Event, RuleMemory


@dataclass(slots=True)
class DeskRules:
    """What the rules for desks remember of each desk."""

    ruleset: Ruleset
    _memory: dict[str, Mapping[str, RuleMemory]] = field(default_factory=dict)

    def judge(self, world: MemoryWorld) -> Iterator[Decision]:
        """The decisions of the desks for which a rule fired, desks in file order."""
        for desk in self.ruleset.roster.desks if self.ruleset.rules.desk_rules else ():
            decided = decide_desk(self.ruleset, desk, world.figures(desk), self._memory.get(desk, {}), world.now)
            self._memory[desk] = decided.memory
            if decided.firings:
                subject = f"desk:{desk}"
                yield Decision(
                    event=Event(
                        id=f"{subject}:{world.now.isoformat()}",
                        type="timer.due",
                        at=world.now,
                        ticket_id=subject,
                        actor=SYSTEM,
                        cause="deadline",
                    ),
                    now=world.now,
                    ruleset_hash=self.ruleset.hash,
                    row=decided.row,
                    firings=decided.firings,
                    actions=decided.actions,
                )

    def next_at(self, world: MemoryWorld) -> dt.datetime | None:
        """The next instant, after now, at which time alone may make a rule for desks fire."""
        found = (
            at
            for rule in self.ruleset.rules.desk_rules
            for desk in self.ruleset.roster.desks
            for at in self._instants(rule, desk, world)
        )
        return min((at for at in found if at > world.now), default=None)

    def _instants(self, rule: Rule, desk: str, world: MemoryWorld) -> Iterator[dt.datetime]:
        memory = self._memory.get(desk, {}).get(rule.id)
        if memory is not None:
            if (at := next_repeat_at(self.ruleset, desk, rule, memory)) is not None:
                yield at
            if rule.limit is not None:
                ends_at = limit_ends_at(self.ruleset, desk, rule.limit, memory, 0, world.now)
                if ends_at is not None and ends_at.year < dt.MAXYEAR:
                    yield ends_at
        oldest = world.oldest_waiting(desk)
        for atom in atoms_of(rule.when):
            if atom.attribute == "desk.oldest_waiting" and oldest is not None and isinstance(atom.value, int):
                # Whole seconds: `at_least` turns at the second itself, `more_than` with the next one.
                yield oldest + dt.timedelta(seconds=atom.value)
                yield oldest + dt.timedelta(seconds=atom.value + 1)
            elif atom.attribute == "desk.open":
                calendar = self.ruleset.calendar_of_desk(desk)
                if not calendar.is_open(world.now):
                    yield calendar.next_open(world.now)
                elif (closes_at := calendar.next_close(world.now)) is not None:
                    yield closes_at
