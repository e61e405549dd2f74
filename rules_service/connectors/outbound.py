"""Our actions become requests to the helpdesk; and how to see whether one that seemed to fail was carried out."""

from __future__ import annotations

import base64
import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urljoin, urlsplit, urlunsplit

from rules_service.connectors.expressions import Words, find, holds
from rules_service.connectors.model import Connector, RequestRow
from rules_service.connectors.reading import instant
from rules_service.connectors.texts import Text, UnsentAction, render
from rules_service.errors import InvalidEvent

#: Fills in the `${VAR}` of a text; None where one is unset.
Expand = Callable[[str], str | None]

#: How far their clock may be behind ours, when what was there before our first attempt is told from what it made.
CLOCK_SKEW = dt.timedelta(minutes=5)


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpRequest:
    """A request, ready to send; `json` None: no body. Its headers hold secrets: not for a log."""

    method: str
    url: str
    json: Any = None
    headers: Mapping[str, str]


def requests_for(
    connector: Connector, action_type: str, data: Mapping[str, Any], ticket_id: str, expand: Expand
) -> list[HttpRequest]:
    """The requests that carry an action out, in order; none where the connector does not carry it.

    UnsentAction says why there cannot be any: a word that no table holds, a name without a value, an unset `${VAR}`.
    """
    rows, names = _rows(connector, action_type, data, ticket_id)
    return [_request(connector, row.method, row.path, names, expand, body=render(row.json, names)) for row in rows]


def check_request(
    connector: Connector, action_type: str, data: Mapping[str, Any], ticket_id: str, expand: Expand, *, index: int = 0
) -> HttpRequest | None:
    """What to get before request `index` of an action is sent again after a timeout or an answer of 5xx.

    None where it can just be sent again: the request sets something to a value, or a second one does no harm.
    """
    rows, names = _rows(connector, action_type, data, ticket_id)
    check = rows[index].check if index < len(rows) else None
    return None if check is None else _request(connector, "GET", check.path, names, expand)


def already_done(
    connector: Connector,
    action_type: str,
    data: Mapping[str, Any],
    ticket_id: str,
    fetched: object,
    *,
    since: dt.datetime | None = None,
    index: int = 0,
) -> bool:
    """Whether the answer to `check_request` shows that request `index` of the action was carried out.

    `since` is the first attempt: what is older, by more than CLOCK_SKEW, is an earlier action's, of the same text.
    UnsentAction where the answer cannot be read: then nobody knows, and asking again may help.
    """
    rows, names = _rows(connector, action_type, data, ticket_id)
    check = rows[index].check if index < len(rows) else None
    if check is None:
        return False
    words, ours = Words(connector.values), _trimmed(render(rows[index].json, names))
    try:
        found = find(check.among, fetched, words)
        if not isinstance(found, list):
            raise UnsentAction(f"`{check.among.where}` ({check.among.source}) found no list to look for ours in")
        for entry in found:
            made_at = instant(check.at, {"entry": entry}, words)
            if since is not None and made_at is not None and made_at < since - CLOCK_SKEW:
                continue
            if holds(find(check.same, {"entry": _trimmed(entry), "sent": ours}, words)):
                return True
    except InvalidEvent as error:
        raise UnsentAction(error.detail) from None
    return False


def poll_request(connector: Connector, expand: Expand, page: str | None = None) -> HttpRequest:
    """What asks for the poll's first page, or for the `page` that `next_page` found."""
    assert connector.poll is not None
    first = _request(connector, "GET", connector.poll.path, {}, expand)
    return first if page is None else replace(first, url=_on_the_same_host(first.url, page))


def one_request(connector: Connector, ticket_id: str, expand: Expand) -> HttpRequest | None:
    """What asks for one ticket; None where the connector cannot. An answer of 404 means that it was deleted."""
    if connector.poll is None or connector.poll.one is None:
        return None
    return _request(connector, "GET", connector.poll.one, {"ticket": {"id": ticket_id}}, expand)


# --- parts of a request ----------------------------------------------------------------------------------------------


def _rows(
    connector: Connector, action_type: str, data: Mapping[str, Any], ticket_id: str
) -> tuple[tuple[RequestRow, ...], dict[str, Any]]:
    """The rows of an action, and what their templates may name."""
    ticket = {"id": ticket_id}
    if action_type != "call":
        return connector.outbound.get(action_type, ()), {**data, "ticket": ticket}
    if data.get("connector") != connector.name:
        return (), {}
    operation = str(data.get("operation"))
    if operation not in connector.operations:
        raise UnsentAction(f'the connector "{connector.name}" has no operation "{operation}"')
    return connector.operations[operation], {**(data.get("data") or {}), "ticket": ticket}


def _request(
    connector: Connector, method: str, path: Text, names: Mapping[str, Any], expand: Expand, *, body: Any = None
) -> HttpRequest:
    url = _expanded(connector.base_url, expand).rstrip("/") + render(path, names)
    headers = {name: _expanded(value, expand) for name, value in connector.headers.items()}
    if connector.auth is not None:
        secret = _expanded(connector.auth.secret, expand)
        if connector.auth.kind == "basic":
            headers["Authorization"] = f"Basic {base64.b64encode(secret.encode()).decode()}"
        else:
            headers["Authorization"] = f"Bearer {secret}"
    return HttpRequest(method=method, url=url, json=body, headers=headers)


def _on_the_same_host(first_url: str, page: str) -> str:
    """The address of a further page, on the host of the first: it is their word, and our password goes there."""
    try:
        first, found = urlsplit(first_url), urlsplit(urljoin(first_url, page))
    except ValueError:
        raise UnsentAction(f"the address of the next page cannot be read: {page[:200]}") from None
    return urlunsplit((first.scheme, first.netloc, found.path, found.query, ""))


def _expanded(text: str, expand: Expand) -> str:
    found = expand(text)
    if found is None:
        raise UnsentAction(f"a variable of {text} is not set")
    return found


def _trimmed(value: Any) -> Any:
    """Texts as most helpdesks store them: without white space at the ends, lines ended by a newline alone."""
    if isinstance(value, str):
        return value.replace("\r\n", "\n").strip()
    if isinstance(value, dict):
        return {key: _trimmed(item) for key, item in value.items()}
    return value
