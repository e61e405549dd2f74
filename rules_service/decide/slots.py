"""Whose slot a ticket occupies, and who gains or loses one by a change. Source: R4.20, R4.22."""

from __future__ import annotations

from collections.abc import Sequence

from rules_service.ruleset import Ruleset
from rules_service.tickets import Snapshot


def holder(ruleset: Ruleset, snapshot: Snapshot) -> str | None:
    """The user whose slot the ticket occupies; None where no slot is held."""
    ticket = snapshot.ticket
    if ticket is None or not ticket.live or snapshot.stint is None:
        return None
    state = ruleset.lifecycle.states.get(ticket.status)
    return snapshot.stint.agent_id if state is not None and state.slot_held else None


def slot_changes(ruleset: Ruleset, before: Snapshot, after: Snapshot, claimed: Sequence[str]) -> dict[str, int]:
    """Who gains or loses a slot: the holder after, less the holder before, less what claims have taken already."""
    changes: dict[str, int] = {}
    for user_id, delta in (
        (holder(ruleset, after), 1),
        (holder(ruleset, before), -1),
        *((found, -1) for found in claimed),
    ):
        if user_id is not None:
            changes[user_id] = changes.get(user_id, 0) + delta
    return {user_id: delta for user_id, delta in changes.items() if delta}
