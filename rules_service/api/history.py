"""Tickets: what was, and why."""

from __future__ import annotations

from typing import Any

import marshmallow as ma
from flask import current_app

from rules_service.api.auth import needs
from rules_service.api.blueprint import Blueprint
from rules_service.api.schemas import ReasonSchema, StrictSchema, Text
from rules_service.clocks import CLOCKS
from rules_service.service import history, reasons

blueprint = Blueprint("history", __name__, description="Tickets: what was, and why")


def _at(about: str, **more: Any) -> Any:
    return ma.fields.String(metadata={"description": about, "format": "date-time"}, **more)


def _whole(about: str) -> Any:
    return ma.fields.Integer(metadata={"description": about})


class CountedSchema(ma.Schema):
    """A stretch that counted."""

    start = _at("with the offset of the calendar's zone", data_key="from", attribute="from")
    end = _at("with the offset of the calendar's zone", data_key="to", attribute="to")
    seconds = ma.fields.Integer()


class NotCountedSchema(ma.Schema):
    """A stretch that did not count, and why."""

    start = _at("with the offset of the calendar's zone", data_key="from", attribute="from")
    end = _at("with the offset of the calendar's zone", data_key="to", attribute="to")
    reason = ma.fields.String(
        metadata={
            "description": "outside the service hours of the weekday; on a holiday; on a date for which the calendar"
            " has an exception; or paused by the state of the ticket",
            "enum": ["closed", "holiday", "exception", "paused"],
        }
    )
    holiday = ma.fields.String(allow_none=True, metadata={"description": "its name"})
    state = ma.fields.String(
        allow_none=True, metadata={"description": "what paused the clock; null where that was not kept"}
    )


class ClockDaySchema(ma.Schema):
    """One local date on one calendar: what counted and what did not, together without a gap."""

    date = ma.fields.String(metadata={"format": "date"})
    calendar = ma.fields.String()
    timezone = ma.fields.String(metadata={"description": "of the calendar; IANA name"})
    total_s = _whole("what of this day counted, in seconds")
    counted = ma.fields.List(ma.fields.Nested(CountedSchema))
    not_counted = ma.fields.List(ma.fields.Nested(NotCountedSchema))


class ClockSchema(ma.Schema):
    """A service-level clock with the sum behind it."""

    name = ma.fields.String(metadata={"enum": list(CLOCKS)})
    stint_number = _whole("the stint that it measures; 0 for a clock of the whole ticket")
    status = ma.fields.String(metadata={"enum": ["running", "paused", "met", "breached", "missed", "void"]})
    paused_in = ma.fields.String(allow_none=True, metadata={"description": "the state that pauses it now"})
    target_s = ma.fields.Integer()
    used_s = _whole("service time used, until now or its end: the sum of `total_s` of all days")
    remaining_s = _whole("target_s - used_s; below 0 where more was used")
    due_at = _at("when it breaches, or had to end; null while paused", allow_none=True)
    calendar = ma.fields.String(metadata={"description": "on which it counts, or counted last"})
    timezone = ma.fields.String()
    started_at = _at("since when it measures")
    stopped_at = _at("null while it is not over", allow_none=True)
    breached_at = _at("null unless it breached", allow_none=True)
    warn_at_pct = ma.fields.List(ma.fields.Integer())
    warned_pct = _whole("the last share of the target at which it warned; 0 for none")
    days = ma.fields.List(ma.fields.Nested(ClockDaySchema))


class ClocksSchema(ma.Schema):
    """The clocks of a ticket, in the order of their starts."""

    ticket_id = ma.fields.String()
    at = _at("until when running clocks are counted")
    clocks = ma.fields.List(ma.fields.Nested(ClockSchema))


class TimelineQuerySchema(StrictSchema):
    """A page of the timeline."""

    after = ma.fields.Integer(load_default=0, validate=ma.validate.Range(min=0, max=2**63 - 1))
    limit = ma.fields.Integer(load_default=100, validate=ma.validate.Range(min=1, max=500))


class RuleOutcomeSchema(ma.Schema):
    """What became of a rule whose conditions held."""

    rule = ma.fields.String()
    outcome = ma.fields.String(metadata={"enum": ["fired", "shadow", "held_back"]})
    reason = ma.fields.String()
    because = ma.fields.Dict(metadata={"description": "the values that its conditions read"})
    notes = ma.fields.List(ma.fields.String(), metadata={"description": "actions that were not carried out, and why"})


class DecidedTicketSchema(ma.Schema):
    """The ticket after a decision that changed it."""

    status = ma.fields.String()
    assignee = ma.fields.String(allow_none=True)
    desk = ma.fields.String()
    priority = ma.fields.String()


class LoggedActorSchema(ma.Schema):
    """Who did it."""

    id = ma.fields.String(allow_none=True)
    role = ma.fields.String()


class DecisionSchema(ma.Schema):
    """What was decided about an event, or about one that it caused."""

    type = ma.fields.String(metadata={"description": "of the event; one that follows from it has its own"})
    cause = ma.fields.String(allow_none=True, metadata={"description": "what made the service produce the event"})
    data = ma.fields.Dict(metadata={"description": "of an event that follows"})
    outcome = ma.fields.String()
    reasons = ma.fields.List(ma.fields.Nested(ReasonSchema))
    marks = ma.fields.List(ma.fields.String())
    ticket = ma.fields.Nested(DecidedTicketSchema, allow_none=True)
    rules = ma.fields.List(ma.fields.Nested(RuleOutcomeSchema))
    actions = ma.fields.List(ma.fields.String(), metadata={"description": "types of the actions, in order"})


class LoggedEventSchema(ma.Schema):
    """One event of a ticket."""

    seq = _whole("its place in the log; never used twice")
    id = ma.fields.String()
    type = ma.fields.String()
    at = _at("when it happened; of a deadline, when it was due")
    handled_at = _at("when it was handled")
    actor = ma.fields.Nested(LoggedActorSchema, allow_none=True)
    data = ma.fields.Dict()
    cause = ma.fields.String(allow_none=True, metadata={"description": "`deadline` where time alone caused it"})
    ruleset = ma.fields.String(metadata={"description": "hash of the ruleset that decided"})
    decisions = ma.fields.List(ma.fields.Nested(DecisionSchema))


class TimelineSchema(ma.Schema):
    """A page: events in the order in which they were handled, and what to ask for next."""

    ticket_id = ma.fields.String()
    items = ma.fields.List(ma.fields.Nested(LoggedEventSchema))
    next_after = ma.fields.Integer()


@blueprint.route("/v1/tickets/<path:ticket_id>/clocks", methods=["GET"])
@needs("tickets:read")
@blueprint.response(200, ClocksSchema)
def get_clocks(ticket_id: str) -> Any:
    """Every clock that the ticket has or had, with the sum behind it: day by day what counted, what did not and why."""
    services = current_app.extensions["rules_service"]
    return history.clocks_of(services.store, services.live.ruleset(), ticket_id, services.clock())


@blueprint.route("/v1/tickets/<path:ticket_id>/timeline", methods=["GET"])
@needs("tickets:read")
@blueprint.arguments(TimelineQuerySchema, location="query")
@blueprint.response(200, TimelineSchema)
def get_timeline(query: dict[str, Any], ticket_id: str) -> Any:
    """What happened to the ticket and what was decided, oldest first; keep asking with `next_after`."""
    return history.timeline(current_app.extensions["rules_service"].store, ticket_id, **query)


class ReasonedSchema(ma.Schema):
    """A condition: a comparison, or `all`, `any` or `none` of its parts."""

    kind = ma.fields.String(metadata={"enum": ["comparison", "all", "any", "none"]})
    holds = ma.fields.Boolean()
    attribute = ma.fields.String(allow_none=True)
    operator = ma.fields.String(allow_none=True)
    wanted = ma.fields.Raw(allow_none=True, metadata={"description": "the value of the rule"})
    found = ma.fields.Raw(allow_none=True, metadata={"description": "the value of the ticket; null for none"})
    text = ma.fields.String(metadata={"description": "the same, in words"})
    parts = ma.fields.List(ma.fields.Nested(lambda: ReasonedSchema()))  # noqa: PLW0108  its name comes later


class LastFiringSchema(RuleOutcomeSchema):
    """The last time that a rule fired on the ticket, shadowed, or was held back."""

    class Meta:
        """Settings of marshmallow."""

        exclude = ("rule",)

    event_id = ma.fields.String()
    at = _at("when the event happened")


class ExplanationSchema(ma.Schema):
    """Why a rule fires on a ticket or does not."""

    ticket_id = ma.fields.String()
    rule = ma.fields.String()
    about = ma.fields.String(allow_none=True)
    mode = ma.fields.String(metadata={"enum": ["live", "shadow"]})
    on = ma.fields.List(ma.fields.String())
    holds = ma.fields.Boolean(allow_none=True, metadata={"description": "null where there was nothing to judge"})
    why = ma.fields.String()
    judged_at = _at("the instant for which the conditions are shown", allow_none=True)
    event_id = ma.fields.String(allow_none=True, metadata={"description": "the event on which they were judged"})
    conditions = ma.fields.Nested(ReasonedSchema, allow_none=True)
    last = ma.fields.Nested(LastFiringSchema, allow_none=True)


class ExplainQuerySchema(StrictSchema):
    """Which rule."""

    rule = Text(required=True, validate=ma.validate.Length(min=1, max=200))


@blueprint.route("/v1/tickets/<path:ticket_id>/explain", methods=["GET"])
@needs("tickets:read")
@blueprint.arguments(ExplainQuerySchema, location="query")
@blueprint.response(200, ExplanationSchema)
def get_explanation(query: dict[str, Any], ticket_id: str) -> Any:
    """Why a rule fires on the ticket or does not, condition by condition, and when it last fired."""
    services = current_app.extensions["rules_service"]
    return reasons.why_rule(services.store, services.live.ruleset(), ticket_id, query["rule"], services.clock())
