"""Which event is which trigger."""

from __future__ import annotations

from collections.abc import Mapping

#: Events that are the trigger of their name.
TRIGGER_OF: Mapping[str, str] = {
    "ticket.opened": "open",
    "ticket.transferred": "transfer",
    "ticket.reassigned": "reassign",
    "ticket.escalated": "escalate",
    "ticket.closed": "close",
    "ticket.reopened": "reopen",
    "ticket.released": "release",
}

#: The other way round, for requests: trigger -> type of the event that records it.
EVENT_OF: Mapping[str, str] = {trigger: kind for kind, trigger in TRIGGER_OF.items()} | {
    "assign": "ticket.assigned",
    "respond": "message.sent",
}
