"""Ticket lifecycle, service-level clocks and escalation rules beside a helpdesk."""

__version__ = "0.1.0"
