"""Parties: the words by which rules and ladders name whom to tell. Source: R1.8, R1.22."""

from __future__ import annotations

from collections.abc import Container

from rules_service.problems import Place, hint

#: Who these are is looked up at the moment at which something is told.
PARTIES = ("assignee", "supervisor", "group", "technical", "management", "customer", "followers")

#: Those of a ticket; a desk has none of them.
TICKET_PARTIES = ("assignee", "customer", "followers")


def check_party(party: str, place: Place, users: Container[str], endpoints: Container[str] | None) -> None:
    """Notes a problem unless `party` is one of PARTIES, `user:ID` or `endpoint:ID`; None: no endpoint can be named."""
    kind, _, name = party.partition(":")
    if kind == "user" and name:
        ok = name in users
    elif kind == "endpoint" and name and endpoints is not None:
        ok = name in endpoints
    else:
        ok = party in PARTIES
    if ok:
        return
    near = f'; did you mean "user:{party}"?' if party in users else hint(party, PARTIES)
    last = "user:ID" if endpoints is None else "user:ID or endpoint:ID"
    accepted = f"; accepted: {', '.join(PARTIES)}{' or' if endpoints is None else ','} {last}"
    place.problem("unknown-name", f'unknown party "{party}"{near if "mean" in near else accepted}')
