"""Connectors: helpdesks plugged in by the ruleset, without code. No network here: payloads in, requests out."""

from rules_service.connectors.model import ACTION_DATA, METHODS, Connector
from rules_service.connectors.outbound import (
    HttpRequest,
    already_done,
    check_request,
    one_request,
    poll_request,
    requests_for,
)
from rules_service.connectors.parse import REPORTED, parse_connector
from rules_service.connectors.reading import (
    NO_LAG,
    SENT_FIELDS,
    Overwritten,
    Remembered,
    admits,
    created_at,
    imported_event,
    next_page,
    read_ticket,
    sent,
    ticket_id,
    tickets_in,
)
from rules_service.connectors.schemas import ConnectorSchema
from rules_service.connectors.texts import UnsentAction

__all__ = [
    "ACTION_DATA",
    "METHODS",
    "NO_LAG",
    "REPORTED",
    "SENT_FIELDS",
    "Connector",
    "ConnectorSchema",
    "HttpRequest",
    "Overwritten",
    "Remembered",
    "UnsentAction",
    "admits",
    "already_done",
    "check_request",
    "created_at",
    "imported_event",
    "next_page",
    "one_request",
    "parse_connector",
    "poll_request",
    "read_ticket",
    "requests_for",
    "sent",
    "ticket_id",
    "tickets_in",
]
