"""Actions as notifications for people: mail, chat, SMS and whatever else `apprise` reaches."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from rules_service.delivery import notifier
from rules_service.delivery.sending import SendError

#: Seconds that one notification may take; shorter than the lease of a delivery.
TIME_LIMIT_S = 30

#: Most characters of a value in the text, and of the text.
MAX_VALUE = 1_000
MAX_TEXT = 4_000

#: Said of an alert in its title.
_SAID = {"info": "for your information", "warning": "warning", "critical": "critical"}

#: Parts of an action's data that mean nothing to a person who reads about it.
_UNSAID = frozenset({"text", "template", "severity", "to", "rule"})


class Unusable(Exception):
    """No attempt with this address can succeed; the text says why, without the address."""


#: Sends one notification: address, title, body, severity. SendError when it failed, Unusable when it always will.
Notify = Callable[[str, str, str, str], None]


def notification(action_type: str, data: Mapping[str, Any], ticket_id: str) -> tuple[str, str, str]:
    """Title, body and severity of what a person is told of an action.

    An alert says its text; any other action is named, with its values a line each.
    """
    severity = str(data.get("severity", "info"))
    subject = ticket_id if ticket_id.partition(":")[0] in ("desk", "rule") else f"Ticket {ticket_id}"
    if action_type == "alert":
        return f"{subject}: {_SAID.get(severity, severity)}", str(data.get("text") or "")[:MAX_TEXT], severity
    lines = [str(data["text"])] if data.get("text") else []
    hidden = _UNSAID if action_type != "reassign" else _UNSAID - {"to"}
    lines += [
        f"{name.replace('_', ' ')}: {_plain(value)[:MAX_VALUE]}"
        for name, value in data.items()
        if name not in hidden and value not in (None, "", [], {})
    ]
    what = action_type.replace("_", " ")
    return f"{subject}: {what}", "\n".join(lines)[:MAX_TEXT] or what, severity


def _plain(value: Any) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(_plain(item) for item in value)
    if isinstance(value, dict):
        return ", ".join(f"{name} {_plain(item)}" for name, item in value.items())
    return str(value)


class Notifier:
    """Sends notifications, each in a process of its own that ends with its time limit. Thread-safe."""

    def __init__(self, allow_networks: tuple[str, ...], *, time_limit_s: float = TIME_LIMIT_S) -> None:
        """`allow_networks` are private networks that may be reached."""
        self._allow_networks = allow_networks
        self._time_limit_s = time_limit_s

    def __call__(self, url: str, title: str, body: str, severity: str) -> None:
        """Returns once the service took it; SendError, Unusable."""
        job = {
            "url": url, "title": title, "body": body, "severity": severity, "allow_networks": self._allow_networks,
        }  # fmt: skip
        try:
            done = subprocess.run(  # noqa: S603  ourselves; the address is not among the arguments, which all can see
                [sys.executable, "-I", str(Path(notifier.__file__))],
                input=json.dumps(job).encode(),
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                timeout=self._time_limit_s,
                # Neither our secrets nor a proxy, behind which addresses could not be checked.
                env={"PATH": os.defpath, "PYTHONUTF8": "1"},
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise SendError(f"not sent within {self._time_limit_s:g} s") from None
        try:
            answer = json.loads(done.stdout)
        except ValueError:
            raise SendError(f"what sends notifications ended with status {done.returncode}") from None
        if answer["outcome"] == "unusable":
            raise Unusable(answer["why"])
        if answer["outcome"] != "sent":
            raise SendError(answer["why"])
