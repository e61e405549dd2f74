"""A command on a real pseudo-terminal, as a person runs it; and the processes that it leaves behind."""

import contextlib
import os
import pty
import re
import select
import signal
import socket
import subprocess
import sys
import time
import uuid
from pathlib import Path
from typing import Self

ROOT = Path(__file__).parents[2]
WITHIN_S = 60

#: Makes its standard input the controlling terminal, so that Ctrl-C sends SIGINT to the command, then becomes it.
_LAUNCHER = """
import fcntl, os, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execvp(sys.argv[1], sys.argv[1:])
"""


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def environment(**more: str) -> dict[str, str]:
    """This environment without settings of the service, with the product importable from any folder."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("RULES_SERVICE_", "HELPDESK_", "PYTEST_", "MAKE"))}
    return {**kept, "PYTHONPATH": str(ROOT), **more}


class Terminal:
    """One command running on a pseudo-terminal of its own."""

    def __init__(self, *command: str, cwd: Path, **variables: str) -> None:
        self.mark = uuid.uuid4().hex
        self.output = ""
        self._screen, line = pty.openpty()
        self._process = subprocess.Popen(
            [sys.executable, "-c", _LAUNCHER, *command],
            cwd=cwd,
            env=environment(TERMINAL_MARK=self.mark, **variables),
            stdin=line,
            stdout=line,
            stderr=line,
            start_new_session=True,
        )
        os.close(line)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for process_id in self.left_behind():
            with contextlib.suppress(ProcessLookupError):
                os.kill(process_id, signal.SIGKILL)
        self._process.wait(WITHIN_S)
        os.close(self._screen)

    def read_until(self, pattern: str) -> re.Match[str]:
        """Waits until the output holds `pattern`."""
        deadline = time.monotonic() + WITHIN_S
        while (found := re.search(pattern, self.output)) is None:
            assert self._read(deadline), f"no {pattern!r} in:\n{self.output}"
        return found

    def press_ctrl_c(self) -> None:
        """Types Ctrl-C; the terminal makes a SIGINT of it, for the command and its group."""
        os.write(self._screen, b"\x03")

    def close(self) -> None:
        """Sends what the command gets when its window is closed."""
        os.killpg(self._process.pid, signal.SIGHUP)

    def ends(self) -> int:
        """Waits until the command is over; returns its exit status, negative for a signal."""
        deadline = time.monotonic() + WITHIN_S
        while self._read(deadline):
            pass
        return self._process.wait(WITHIN_S)

    def left_behind(self) -> list[int]:
        """The processes that the command started, itself included, that are still alive."""
        found = []
        for folder in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                if self.mark.encode() in (folder / "environ").read_bytes():
                    found.append(int(folder.name))
        return found

    def _read(self, deadline: float) -> bool:
        """Takes in what was printed; False once there is nothing more."""
        while time.monotonic() < deadline:
            if select.select([self._screen], [], [], 0.1)[0]:
                try:
                    printed = os.read(self._screen, 65_536)
                except OSError:  # the last process that had the terminal open is gone
                    return False
                self.output += printed.decode(errors="replace").replace("\r\n", "\n")
                return bool(printed)
        raise AssertionError(f"still running after {WITHIN_S} s:\n{self.output}")
