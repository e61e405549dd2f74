"""Tickets: what was, and why."""

from __future__ import annotations

from typing import Any

import marshmallow as ma
from flask import current_app

from rules_service.api.auth import needs
from rules_service.api.blueprint import Blueprint
from rules_service.clocks import CLOCKS
from rules_service.service import history

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


@blueprint.route("/v1/tickets/<path:ticket_id>/clocks", methods=["GET"])
@needs("tickets:read")
@blueprint.response(200, ClocksSchema)
def get_clocks(ticket_id: str) -> Any:
    """Every clock that the ticket has or had, with the sum behind it: day by day what counted, what did not and why."""
    services = current_app.extensions["rules_service"]
    return history.clocks_of(services.store, services.live.ruleset(), ticket_id, services.clock())
