"""Desks judged by the rules for desks."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence

from rules_service.decide import GATHERED, decide_desk
from rules_service.ruleset import Ruleset
from rules_service.store import Outgoing, Store, action_id, desks, gather, write_actions, write_desk_event
from rules_service.store.codec import dump

_FIGURES = frozenset(name for name in GATHERED if name.startswith("desk."))


def judge_desk(
    store: Store, ruleset: Ruleset, desk: str, now: dt.datetime, *, receivers: Mapping[str, Sequence[str]]
) -> list[str]:
    """Judges one desk; returns the ids of the rules that fired. What fired is logged as an event of `desk:NAME`."""

    def work() -> list[str]:
        memory = desks.read_memory(store, desk)
        figures = gather(store, _FIGURES, desk=desk, customer_id=None, now=now)
        decision = decide_desk(ruleset, desk, figures, memory, now)
        if dict(decision.memory) != memory:
            desks.write_memory(store, desk, decision.memory)
        if decision.firings:
            event_id, subject = f"desk:{desk}:{now.isoformat()}", f"desk:{desk}"
            record = {"type": "timer.due", "outcome": "done", "firings": decision.firings, "row": decision.row}
            write_desk_event(store, event_id, subject, now, dump([record]), ruleset.hash)
            actions = [
                Outgoing(id=action_id(event_id, number), subject=subject, event_id=event_id, action=action)
                for number, action in enumerate(decision.actions, 1)
            ]
            write_actions(store, actions, receivers, now)
        return [firing.rule_id for firing in decision.firings]

    return store.transact(work)
