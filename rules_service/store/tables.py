"""The tables. Instants are whole microseconds since 1970 UTC, so that both databases store and order them alike."""

from __future__ import annotations

import datetime as dt
from typing import Any

import peewee as pw

from rules_service.clock import instant, micros

#: The process's database; `Store` sets it when it opens one.
database = pw.DatabaseProxy()


class Instant(pw.BigIntegerField):
    """An instant, exact to the microsecond; aware on both sides."""

    def db_value(self, value: Any) -> Any:
        """Microseconds, from an aware datetime."""
        return micros(value) if isinstance(value, dt.datetime) else value

    def python_value(self, value: Any) -> Any:
        """An aware UTC datetime."""
        return instant(value) if isinstance(value, int) else value


class Table(pw.Model):
    """Common to all tables."""

    class Meta:
        """Settings of peewee."""

        database = database
        legacy_table_names = False


class Ticket(Table):
    """A ticket as it stands: `state` holds all of it, the other columns what queries look for."""

    id = pw.TextField(primary_key=True)
    #: Compare-and-set: a write names the version it read.
    version = pw.IntegerField()
    status = pw.TextField()
    #: Index into tickets.PRIORITIES; higher is more urgent.
    priority = pw.SmallIntegerField()
    #: Index into the ruleset's customer_tiers; higher is more important, -1 without one.
    tier = pw.SmallIntegerField()
    channel = pw.TextField(null=True)
    team = pw.TextField(null=True)
    desk = pw.TextField()
    assignee = pw.TextField(null=True)
    customer_id = pw.TextField(null=True)
    created_at = Instant()
    #: Since when it stands in its desk's queue; null while it does not.
    queued_at = Instant(null=True)
    #: What its desk's queue is sorted by, digits only (teams.queue_key); null while it stands in none.
    queue_key = pw.TextField(null=True)
    waiting_since_at = Instant(null=True)
    closed_at = Instant(null=True)
    #: When time alone next changes it; null when it never does.
    next_due_at = Instant(null=True)
    breached = pw.BooleanField()
    escalated = pw.BooleanField()
    #: False once the helpdesk deleted or merged it.
    live = pw.BooleanField(constraints=[pw.SQL("DEFAULT TRUE")])
    #: First 12 digits of the hash of the ruleset under which it was last judged.
    judged_under = pw.TextField()
    #: The snapshot, as store.codec writes it.
    state = pw.TextField()

    class Meta:
        """Indexes: each for one question, the partial ones as small as their answer."""

        table_name = "ticket"


# With the id, so that a claim reads the index alone: the rows that it names lie anywhere in the table.
Ticket.add_index(
    Ticket.index(Ticket.next_due_at, Ticket.id, name="ticket_due", where=Ticket.next_due_at.is_null(False))
)
Ticket.add_index(
    Ticket.index(
        Ticket.desk, Ticket.queue_key, Ticket.id, Ticket.queued_at, name="ticket_queue",
        where=Ticket.queued_at.is_null(False),
    )
)  # fmt: skip
Ticket.add_index(Ticket.index(Ticket.assignee, name="ticket_held", where=pw.SQL("live AND closed_at IS NULL")))
# Folders: open tickets apart from closed ones, each newest first, with all that a folder may be narrowed by.
_FOLDED = (
    Ticket.created_at, Ticket.id, Ticket.channel, Ticket.team, Ticket.desk, Ticket.assignee, Ticket.status,
    Ticket.priority, Ticket.tier, Ticket.breached, Ticket.escalated, Ticket.live, Ticket.closed_at,
)  # fmt: skip
Ticket.add_index(
    Ticket.index(*_FOLDED, name="ticket_open", where=pw.SQL("live AND closed_at IS NULL"))
)  # fmt: skip
Ticket.add_index(
    Ticket.index(*_FOLDED, name="ticket_closed", where=pw.SQL("live AND closed_at IS NOT NULL"))
)  # fmt: skip
Ticket.add_index(Ticket.index(Ticket.customer_id, Ticket.closed_at, name="ticket_customer"))
Ticket.add_index(
    Ticket.index(Ticket.judged_under, Ticket.id, name="ticket_judged", where=pw.SQL("live AND closed_at IS NULL"))
)


class Stint(Table):
    """One agent's time with a ticket."""

    id = pw.BigAutoField()
    ticket_id = pw.TextField()
    number = pw.IntegerField()
    agent_id = pw.TextField()
    desk = pw.TextField()
    #: Since when the ticket had waited in the desk's queue; null where it had not.
    queued_at = Instant(null=True)
    assigned_at = Instant()
    opened_at = Instant(null=True)
    responded_at = Instant(null=True)
    ended_at = Instant(null=True)
    ended_by = pw.TextField(null=True)
    over_maximum = pw.BooleanField()

    class Meta:
        """A ticket has at most one open stint."""

        table_name = "stint"
        indexes = ((("ticket_id", "number"), True),)


Stint.add_index(Stint.index(Stint.ticket_id, name="stint_open", unique=True, where=Stint.ended_at.is_null(True)))
Stint.add_index(Stint.index(Stint.agent_id, Stint.assigned_at, name="stint_agent"))
Stint.add_index(
    Stint.index(Stint.desk, Stint.assigned_at, name="stint_served", where=Stint.queued_at.is_null(False))
)  # fmt: skip


class Clock(Table):
    """A service-level clock that is over; the running ones are in their ticket."""

    id = pw.BigAutoField()
    ticket_id = pw.TextField()
    name = pw.TextField()
    stint_number = pw.IntegerField()
    status = pw.TextField()
    calendar = pw.TextField()
    target_s = pw.IntegerField()
    used_s = pw.IntegerField()
    started_at = Instant()
    stopped_at = Instant(null=True)
    breached_at = Instant(null=True)
    #: [[start, end], ...] in microseconds.
    intervals = pw.TextField()
    #: What else its history needs, as JSON: pauses, calendars, warnings, when it was due, and the ruleset's short hash.
    history = pw.TextField(null=True)

    class Meta:
        """By ticket."""

        table_name = "clock"
        indexes = ((("ticket_id", "id"), False),)


class Event(Table):
    """An event with its decisions: the log."""

    seq = pw.BigAutoField()
    event_id = pw.TextField(unique=True)
    ticket_id = pw.TextField()
    type = pw.TextField()
    at = Instant()
    received_at = Instant()
    #: SHA-256 of the canonical body, to tell the same event from another under its id.
    digest = pw.TextField()
    body = pw.TextField()
    #: What the sender was answered; null for events of the service itself.
    answer = pw.TextField(null=True)
    decisions = pw.TextField()
    ruleset_hash = pw.TextField()

    class Meta:
        """By ticket, in order."""

        table_name = "event"
        indexes = ((("ticket_id", "seq"), False),)


class Action(Table):
    """Something the helpdesk was told to do, or people to know: the feed."""

    seq = pw.BigAutoField()
    id = pw.TextField(unique=True)
    ticket_id = pw.TextField()
    event_id = pw.TextField()
    type = pw.TextField()
    cause = pw.TextField()
    data = pw.TextField()
    created_at = Instant()

    class Meta:
        """By ticket, in order."""

        table_name = "action"
        indexes = ((("ticket_id", "seq"), False),)


#: States of a delivery: on its way; done; given up, kept to be sent again by hand.
DELIVERY_STATES = ("pending", "delivered", "dead")


class Delivery(Table):
    """One action on its way to one endpoint: the outbox."""

    id = pw.BigAutoField()
    action_seq = pw.BigIntegerField()
    ticket_id = pw.TextField()
    #: An endpoint's name, or `connector:NAME`.
    endpoint = pw.TextField()
    state = pw.TextField(constraints=[pw.Check(f"state IN {DELIVERY_STATES!r}")])
    #: Attempts begun.
    attempts = pw.IntegerField()
    #: When the next attempt is due; while one is under way, when it counts as lost.
    next_attempt_at = Instant()
    delivered_at = Instant(null=True)
    last_error = pw.TextField(null=True)

    class Meta:
        """In order for each ticket and endpoint."""

        table_name = "delivery"


Delivery.add_index(
    Delivery.index(
        Delivery.next_attempt_at, Delivery.id, name="delivery_due", where=Delivery.state == pw.SQL("'pending'")
    )
)
Delivery.add_index(
    Delivery.index(
        Delivery.endpoint,
        Delivery.ticket_id,
        Delivery.id,
        name="delivery_order",
        where=Delivery.state == pw.SQL("'pending'"),
    )
)


class DisabledEndpoint(Table):
    """An endpoint that answered 410 Gone: what is for it is held until it is enabled again, or its address changes."""

    endpoint = pw.TextField(primary_key=True)
    #: SHA-256 of the address that answered so.
    address_sha256 = pw.TextField()
    disabled_at = Instant()

    class Meta:
        """One row an endpoint."""

        table_name = "disabled_endpoint"


class User(Table):
    """A person of the roster, with their present load. Table `member`, since `user` is a reserved word."""

    id = pw.TextField(primary_key=True)
    name = pw.TextField()
    team = pw.TextField(null=True)
    role = pw.TextField()
    level = pw.SmallIntegerField()
    #: `ruleset`: from a rule file; `api`: added by API or import.
    source = pw.TextField()
    #: Names of the desks to serve, as JSON, as whoever added the user said; null: those of the group.
    desks = pw.TextField(null=True)
    #: False once no rule file defines the user any more.
    active = pw.BooleanField()
    presence = pw.TextField(constraints=[pw.Check("presence IN ('online', 'offline', 'away')")])
    #: Since when they are online, or not online.
    presence_at = Instant(null=True)
    #: The last sign of life, while online or away.
    heard_at = Instant(null=True)
    #: Tickets that hold a slot; changed only together with the assignment.
    open_count = pw.IntegerField(constraints=[pw.Check("open_count >= 0")])
    #: Their own maximum, as the roster says; null for a user without one.
    max_assignment = pw.IntegerField(null=True)
    #: The maximum in force; null: none.
    slot_limit = pw.IntegerField(null=True)
    last_assigned_at = Instant(null=True)

    class Meta:
        """One row a person."""

        table_name = "member"


User.add_index(User.index(User.presence, User.heard_at, name="member_heard", where=User.heard_at.is_null(False)))


class Membership(Table):
    """Who serves which desk."""

    desk = pw.TextField()
    user_id = pw.TextField()

    class Meta:
        """By desk, and by user."""

        table_name = "membership"
        primary_key = pw.CompositeKey("desk", "user_id")
        indexes = ((("user_id",), False),)


class Skill(Table):
    """Who has which skill."""

    skill = pw.TextField()
    user_id = pw.TextField()

    class Meta:
        """By skill, and by user."""

        table_name = "skill"
        primary_key = pw.CompositeKey("skill", "user_id")
        indexes = ((("user_id",), False),)


class RosterVersion(Table):
    """Counts the changes of the roster, so that every process sees them; its lock lets one change happen at a time."""

    id = pw.IntegerField(primary_key=True)
    version = pw.IntegerField()

    class Meta:
        """One row."""

        table_name = "roster_version"


class Timer(Table):
    """Something that waits on another subject than a ticket: a desk with a freed slot or about to open."""

    subject = pw.TextField()
    kind = pw.TextField()
    due_at = Instant(index=True)

    class Meta:
        """One of a kind for each subject."""

        table_name = "timer"
        primary_key = pw.CompositeKey("subject", "kind")


class Notice(Table):
    """An action that is held: until its desk opens, or to be told together with others."""

    #: The id that the action will carry.
    id = pw.TextField(primary_key=True)
    #: What is told together shares a key; a deferred action has its own id here.
    key = pw.TextField()
    ticket_id = pw.TextField()
    event_id = pw.TextField()
    type = pw.TextField()
    cause = pw.TextField()
    data = pw.TextField()
    #: The connector of the ticket; null for none.
    source = pw.TextField(null=True)
    decided_at = Instant()
    due_at = Instant()

    class Meta:
        """By key, and by when it is due."""

        table_name = "notice"
        indexes = ((("key", "due_at"), False), (("due_at",), False))


class DeskMemory(Table):
    """What the rules for desks remember of a desk."""

    desk = pw.TextField(primary_key=True)
    #: {rule id: memory}, as store.codec writes it.
    memory = pw.TextField()

    class Meta:
        """One row a desk."""

        table_name = "desk_memory"


class Braked(Table):
    """A rule that fired so often that it only shadows until the next ruleset."""

    ruleset_hash = pw.TextField()
    rule_id = pw.TextField()
    braked_at = Instant()

    class Meta:
        """By ruleset."""

        table_name = "braked"
        primary_key = pw.CompositeKey("ruleset_hash", "rule_id")


class Ruleset(Table):
    """A published ruleset, whole."""

    hash = pw.TextField(primary_key=True)
    #: {file name: content}.
    files = pw.TextField()
    #: {rule id: hash of its conditions}, to tell which rules are new to a ticket; with the hashes of its calendars.
    rules = pw.TextField()
    published_at = Instant()
    published_by = pw.TextField()

    class Meta:
        """By hash."""

        table_name = "ruleset"


class Activation(Table):
    """Which ruleset was put live when; the last one is active."""

    id = pw.BigAutoField()
    ruleset_hash = pw.TextField()
    activated_at = Instant()
    activated_by = pw.TextField()

    class Meta:
        """A history."""

        table_name = "activation"


class Watched(Table):
    """What the watched folder held last: one row."""

    id = pw.IntegerField(primary_key=True)
    #: Hash of the content that was looked at last, good or not.
    content_hash = pw.TextField()
    #: Its problems, as JSON list; empty when it was put live.
    problems = pw.TextField()
    seen_at = Instant()

    class Meta:
        """One row."""

        table_name = "watched"


class ApiKey(Table):
    """A key to the API; only its SHA-256 is kept."""

    id = pw.TextField(primary_key=True)
    name = pw.TextField()
    secret_sha256 = pw.TextField()
    #: JSON list.
    scopes = pw.TextField()
    role = pw.TextField()
    #: The user as whom the key acts, and only as whom; null for integrations.
    user_id = pw.TextField(null=True)
    created_at = Instant()
    disabled_at = Instant(null=True)

    class Meta:
        """By id."""

        table_name = "api_key"


class Process(Table):
    """A process of the service and when it was last alive."""

    id = pw.TextField(primary_key=True)
    kind = pw.TextField()
    ruleset_hash = pw.TextField(null=True)
    seen_at = Instant()

    class Meta:
        """One row a process."""

        table_name = "process"


class Plugged(Table):
    """What a connector remembers: of one of the helpdesk's tickets, or (`ticket_id` empty) of itself."""

    connector = pw.TextField()
    ticket_id = pw.TextField()
    memory = pw.TextField()
    changed_at = Instant()

    class Meta:
        """By connector and ticket."""

        table_name = "plugged"
        primary_key = pw.CompositeKey("connector", "ticket_id")


class Inbound(Table):
    """A helpdesk's own webhook, stored before it is answered and worked off after."""

    id = pw.BigAutoField()
    connector = pw.TextField()
    source = pw.TextField()
    payload = pw.TextField()
    received_at = Instant()
    #: Why it could not be read; null until then. Such rows stay for whoever looks.
    error = pw.TextField(null=True)

    class Meta:
        """In order of arrival."""

        table_name = "inbound"


#: All tables, in the order in which they are made.
TABLES: tuple[type[Table], ...] = (
    Ticket, Stint, Clock, Event, Action, Delivery, DisabledEndpoint, User, Membership, Skill, RosterVersion, Timer,
    Notice, DeskMemory, Braked, Ruleset, Activation, Watched, ApiKey, Process, Plugged, Inbound,
)  # fmt: skip
