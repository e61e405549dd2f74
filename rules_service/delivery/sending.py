"""HTTP out: bounded in time and size, to public addresses and allow-listed networks only, redirects not followed."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import requests
from requests_hardened import Config, Manager
from urllib3.exceptions import HTTPError

from rules_service import __version__

#: Seconds to connect, and to wait for each part of an answer.
TIMEOUT_S = (3, 10)

#: Most bytes of an answer that are read where it is not needed, and where it is.
MAX_BODY = 64 * 1024
MAX_JSON = 8 * 1024 * 1024

_AGENT = f"rules-service/{__version__}"


class SendError(Exception):
    """No answer came, or none may be asked for; the text says why, without addresses' secrets."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """An answer: status and the beginning of its body."""

    status: int
    body: bytes


class Sender:
    """Sends requests. Thread-safe: a session a call, since order matters more than kept connections."""

    def __init__(self, allow_networks: tuple[str, ...]) -> None:
        """`allow_networks` are private networks that may be reached, such as `10.0.0.0/8`."""
        self._allowed = [ipaddress.ip_network(name, strict=False) for name in allow_networks]
        config = Config(
            ip_filter_enable=True,
            ip_filter_allow_loopback_ips=False,
            never_redirect=True,
            default_timeout=TIMEOUT_S,
            user_agent_override=_AGENT,
        )
        self._filtered = Manager(config)

    def send(
        self, method: str, url: str, *, headers: Mapping[str, str], data: bytes | None = None, json: Any = None,
        most: int = MAX_BODY,
    ) -> Reply:  # fmt: skip
        """The answer, whatever its status; SendError when none came in time or the address is not allowed."""
        try:
            parts = urlsplit(url)
        except ValueError:
            raise SendError("the address cannot be read") from None
        host = parts.hostname
        if host is None or parts.scheme not in ("http", "https"):
            raise SendError("the address is not http:// or https://")
        session = self._session(host)
        session.trust_env = False
        try:
            with session.request(
                method, url, headers=dict(headers), data=data, json=json, timeout=TIMEOUT_S, stream=True,
                allow_redirects=False,
            ) as response:  # fmt: skip
                body = response.raw.read(most, decode_content=True)
                return Reply(status=response.status_code, body=body)
        except requests.RequestException as error:
            raise SendError(_plainly(error)) from None
        except (OSError, HTTPError) as error:
            raise SendError(f"{type(error).__name__} while reading the answer") from None
        finally:
            session.close()

    def _session(self, host: str) -> requests.Session:
        """A session that refuses private addresses, unless all addresses of the host are in an allowed network."""
        try:
            found = {info[4][0] for info in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)}
        except (OSError, UnicodeError):
            raise SendError(f"the host {host} has no address") from None
        addresses = [ipaddress.ip_address(str(address).split("%", 1)[0]) for address in found]
        if addresses and all(any(address in network for network in self._allowed) for address in addresses):
            session = requests.Session()
            session.headers["User-Agent"] = _AGENT
            return session
        if any(not address.is_global for address in addresses):
            raise SendError(f"the host {host} is in a private network that RULES_SERVICE_ALLOW_NETWORKS does not list")
        hardened: requests.Session = self._filtered.get_session()
        return hardened


def _plainly(error: requests.RequestException) -> str:
    """What went wrong, without the address: it may hold a secret."""
    match error:
        case requests.ConnectTimeout():
            return f"no connection within {TIMEOUT_S[0]} s"
        case requests.ReadTimeout():
            return f"no answer within {TIMEOUT_S[1]} s"
        case requests.exceptions.SSLError():
            return "the certificate is not trusted"
        case requests.ConnectionError():
            return "the connection was refused or broke"
    return type(error).__name__
