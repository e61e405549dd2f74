"""One notification, sent by `apprise` in a process of its own; run as a file, it imports nothing of this package.

What apprise loads opens connections by itself, sleeps to throttle and logs what it likes. In a process of its own it
can be ended when its time is over, every connection that it opens is checked, and nothing that it prints gets out.

Reads one JSON object from standard input: `url`, `title`, `body`, `severity`, `allow_networks`. Writes one to standard
output: `outcome` (`sent`, `failed`, or `unusable` when no further attempt can help) and `why`, which holds no secret.
"""

from __future__ import annotations

import ipaddress
import json
import logging
import re
import socket
import sys
from typing import Any

#: Ways to tell whoever sits at this machine, which is nobody, instead of going out to a service.
LOCAL = frozenset({"blink1", "dbus", "glib", "gnome", "kde", "macosx", "qt", "syslog", "windows"})

_ANSWERED = re.compile(r"\berror[= ]+(\d{3})\b")


class Refused(OSError):
    """The address is in a private network that is not allowed."""


class Guard:
    """Refuses connections to private addresses outside of the allowed networks, by whatever library they are opened."""

    def __init__(self, allow_networks: list[str]) -> None:
        """`allow_networks` are private networks that may be reached."""
        self._allowed = [ipaddress.ip_network(name, strict=False) for name in allow_networks]
        #: What was refused last.
        self.refused: str | None = None

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        """Looks at what Python is about to do (PEP 578)."""
        if event not in ("socket.connect", "socket.sendto"):
            return
        address = arguments[1]
        host = address[0] if isinstance(address, tuple) else None
        if not isinstance(host, str) or not all(self._may_reach(found) for found in _addresses(host)):
            self.refused = str(host)
            raise Refused(f"{host} may not be reached")

    def _may_reach(self, address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
        plain = getattr(address, "ipv4_mapped", None) or address
        return plain.is_global or any(plain in network for network in self._allowed)


def _addresses(host: str) -> list[ipaddress.IPv4Address | ipaddress.IPv6Address]:
    try:
        return [ipaddress.ip_address(host.split("%", 1)[0])]
    except ValueError:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
        return [ipaddress.ip_address(str(info[4][0]).split("%", 1)[0]) for info in found]


class _Heard(logging.Handler):
    """What apprise logs; kept here, because addresses with secrets are in it."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())


def notify(job: dict[str, Any]) -> tuple[str, str]:
    """The outcome, and why where it is not `sent`."""
    import apprise  # noqa: PLC0415  takes time

    heard = _Heard()
    logger = logging.getLogger("apprise")
    logger.handlers, logger.propagate = [heard], False
    scheme = job["url"].partition(":")[0].lower()
    if scheme in LOCAL:
        return "unusable", f"{scheme}:// tells nobody but this machine; name a service of the network"
    guard = Guard(job["allow_networks"])
    sys.addaudithook(guard)
    asset = apprise.AppriseAsset(app_id="rules-service", app_desc="rules-service", app_url="", async_mode=False)
    service = apprise.Apprise.instantiate(job["url"], asset=asset, suppress_exceptions=True)
    if service is None:
        return "unusable", "apprise cannot read the address of `notify:`; see https://github.com/caronc/apprise"
    kinds = {"info": apprise.NotifyType.INFO, "critical": apprise.NotifyType.FAILURE}
    sent = service.notify(
        body=job["body"],
        title=job["title"],
        notify_type=kinds.get(job["severity"], apprise.NotifyType.WARNING),
        body_format=apprise.NotifyFormat.TEXT,
    )
    if sent:
        return "sent", ""
    if guard.refused is not None:
        return "failed", (
            f"the host {guard.refused} is in a private network that RULES_SERVICE_ALLOW_NETWORKS does not list"
        )
    answered = next((found[1] for line in heard.lines if (found := _ANSWERED.search(line))), None)
    if answered is not None:
        return "failed", f"the service answered {answered}"
    if any("onnection error" in line for line in heard.lines):
        return "failed", "the connection was refused or broke, or no answer came in time"
    return "failed", "the service did not take the notification"


def main() -> None:
    """One job from standard input, its outcome to standard output."""
    answers = sys.stdout
    sys.stdout = sys.stderr
    try:
        outcome, why = notify(json.load(sys.stdin))
    except Exception as error:  # noqa: BLE001  its text may hold the address
        outcome, why = "failed", f"{type(error).__name__} in apprise"
    json.dump({"outcome": outcome, "why": why}, answers)
    answers.flush()


if __name__ == "__main__":
    main()
