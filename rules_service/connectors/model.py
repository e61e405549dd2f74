"""What a connector is: a helpdesk's words, its payloads, and its requests, as the ruleset describes them.

`${VAR}` stays unexpanded in here; who sends or compares passes a function that expands it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from rules_service.connectors.expressions import Expression, Values
from rules_service.connectors.texts import Text

#: Methods of a request that changes something.
METHODS = ("DELETE", "PATCH", "POST", "PUT")

_MESSAGE = ("text", "template")

#: The actions that a connector can carry to the helpdesk, with the names that their templates may use beside
#: `ticket.id`. `call` is carried by `operations:`.
ACTION_DATA: Mapping[str, tuple[str, ...]] = {
    "set_priority": ("priority", "previous"),
    "add_tags": ("tags",),
    "remove_tags": ("tags",),
    "set": ("fields",),
    "reassign": ("to", "previous"),
    "transfer": ("group", "desk", "from_desk", "previous"),
    "escalate": (
        "escalation_id", "policy", "step", "to", "targets", "parties", "reason", "summary", "context",
    ),
    "alert": (*_MESSAGE, "to", "users", "group", "customer", "severity", "digest"),
    "reply": _MESSAGE,
    "note": _MESSAGE,
    "close": (),
    "reopen": (),
    "request_feedback": _MESSAGE,
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Auth:
    """How our requests prove who we are; `secret` (for basic `user:password`) keeps its `${VAR}`."""

    kind: Literal["basic", "bearer"]
    secret: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Inbound:
    """The helpdesk's own webhook."""

    #: The last part of the webhook's address, with its `${VAR}`.
    path_secret: str
    #: payload -> list of their tickets
    tickets: Expression


@dataclass(frozen=True, slots=True, kw_only=True)
class Poll:
    """What is asked for again and again, because no webhook tells it."""

    #: Seconds from one pass to the next, at least 1.
    every_s: int
    path: Text
    #: page -> list of their tickets
    tickets: Expression
    #: page -> address of the next page, or null
    next: Expression | None
    #: One ticket by its id; asked for each open ticket that has left the list.
    one: Text | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TicketShape:
    """How one of their tickets is read. Names: ticket (theirs), id; then also entry."""

    id: Expression
    created_at: Expression | None
    #: Its history, oldest first; None where a helpdesk sends none.
    entries: Expression | None
    entry_id: Expression | None
    #: Whether an entry is what we wrote ourselves.
    echo: Expression | None
    #: What is compared with what was seen last, and carried by an import.
    fields: Mapping[str, Expression]


@dataclass(frozen=True, slots=True, kw_only=True)
class EventRow:
    """One event and when it happened. Names: ticket, id, fields, seen, entry, first, version."""

    type: str
    when: Expression
    id: Expression
    at: Expression | None
    actor_id: Expression | None
    actor_role: Expression | None
    data: Mapping[str, Expression]


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """How to see, before a request is sent again, that the first one was carried out although it seemed to fail."""

    #: What to get.
    path: Text
    #: answer -> list of what may be ours
    among: Expression
    #: Whether one of them (`entry`) is what the request's body (`sent`) made; texts are compared trimmed.
    same: Expression
    #: When it was made (name: entry); one made before the first attempt is another's.
    at: Expression | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestRow:
    """One request of an action or operation."""

    #: One of METHODS.
    method: str
    path: Text
    #: JSON data with compiled templates in it; None: no body.
    json: Any
    check: Check | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Connector:
    """A helpdesk, plugged in without code."""

    name: str
    base_url: str
    auth: Auth | None
    #: Sent with each request, with their `${VAR}`.
    headers: Mapping[str, str]
    values: Values
    inbound: Inbound | None
    poll: Poll | None
    ticket: TicketShape | None
    events: tuple[EventRow, ...]
    #: A key of ACTION_DATA -> its requests, in order.
    outbound: Mapping[str, tuple[RequestRow, ...]]
    #: Name of an operation of the action `call` -> its requests, in order.
    operations: Mapping[str, tuple[RequestRow, ...]]
    #: Seconds by which the helpdesk may tell late what happened; clocks that are due wait so long.
    lag_s: int = 0

    @property
    def texts(self) -> tuple[str, ...]:
        """What every request needs and may hold a `${VAR}`."""
        return (self.base_url, *((self.auth.secret,) if self.auth else ()), *self.headers.values())
