"""Who may call: API keys with scopes, checked before anything else is read."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeVar

from flask import current_app, g, request

from rules_service.errors import NotAllowed, NotAuthenticated
from rules_service.service.keys import Key, find_key
from rules_service.tickets import Actor

View = TypeVar("View", bound=Callable[..., Any])


def needs(scope: str) -> Callable[[View], View]:
    """Lets a view be called with a key that has the scope; NotAuthenticated and NotAllowed else."""

    def decorate(view: View) -> View:
        @functools.wraps(view)
        def guarded(*args: Any, **kwargs: Any) -> Any:
            key = _presented()
            if scope not in key.scopes:
                raise NotAllowed(f'the key "{key.name}" lacks the scope {scope}', scope=scope)
            g.key = key
            return view(*args, **kwargs)

        guarded._scope = scope  # type: ignore[attr-defined]  # noqa: SLF001  for the documentation
        return guarded  # type: ignore[return-value]

    return decorate


def acting_as(actor: Actor | None) -> Actor | None:
    """The actor that the request names, if the key may act so: a user's key acts as that user only."""
    key: Key = g.key
    if key.user_id is None:
        return actor
    if actor is not None and actor.id not in (None, key.user_id):
        raise NotAllowed(f'the key "{key.name}" acts as {key.user_id} only', user=key.user_id)
    return Actor(id=key.user_id, role=key.role)


def _presented() -> Key:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise NotAuthenticated
    return find_key(current_app.extensions["rules_service"].store, token.strip())
