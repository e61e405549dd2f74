"""What can go wrong on account of the caller, each with a stable code; `api/problems.py` knows the HTTP statuses."""

from __future__ import annotations

from typing import Any, ClassVar


class ServiceError(Exception):
    """The request could not be carried out."""

    #: Stable, machine-readable name of what went wrong; part of the public interface.
    code: ClassVar[str] = "service_error"

    def __init__(self, detail: str | None = None, **data: Any) -> None:
        """`detail` says what was wrong, where, and what would be accepted; `data` holds the same in structured form."""
        self.detail = detail or (self.__doc__ or self.code).strip()
        self.data = data
        super().__init__(self.detail)


class InvalidEvent(ServiceError):
    """The event cannot be understood."""

    code = "invalid_event"


class UnknownEventType(InvalidEvent):
    """No event has this type."""

    code = "unknown_event_type"


class UnknownTicket(ServiceError):
    """No ticket has this id; send ticket.created or ticket.imported first."""

    code = "unknown_ticket"


class UnknownUser(ServiceError):
    """No user has this id; name a user of the ruleset or of the roster."""

    code = "unknown_user"


class UserOfFile(ServiceError):
    """A rule file defines this user; change the file and publish."""

    code = "user_of_file"


class InvalidUsers(ServiceError):
    """The users cannot be taken."""

    code = "invalid_users"


class UnknownName(ServiceError):
    """The ruleset in force has nothing of this name."""

    code = "unknown_name"


class EventIdReused(ServiceError):
    """This event id was used with another body; an id names one event for ever, so send the new one under a new id."""

    code = "event_id_reused"


class TransitionRefused(ServiceError):
    """The lifecycle does not allow this transition now."""

    code = "transition_refused"


class Conflict(ServiceError):
    """Another change of the same ticket came first; send the request again."""

    code = "conflict"


class NotAuthenticated(ServiceError):
    """No valid API key; send the header `Authorization: Bearer KEY`."""

    code = "not_authenticated"


class NotAllowed(ServiceError):
    """The API key does not allow this."""

    code = "not_allowed"


class InvalidRuleset(ServiceError):
    """The ruleset has problems and was not activated."""

    code = "invalid_ruleset"


class NoRuleset(ServiceError):
    """No ruleset is active; publish one with `rules-service publish DIR`."""

    code = "no_ruleset"


class UnknownConnector(ServiceError):
    """The ruleset in force has no connector of this name."""

    code = "unknown_connector"


class UnknownDelivery(ServiceError):
    """No delivery with this id was given up; `GET /v1/deliveries?state=dead` lists those that were."""

    code = "unknown_delivery"


class NotReady(ServiceError):
    """The service cannot work yet."""

    code = "not_ready"
