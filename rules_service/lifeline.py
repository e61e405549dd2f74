"""`python -m rules_service.lifeline COMMAND`: a command of the service that ends when the process that started it does.

Whoever starts it keeps the other end of its standard input open. However that process ends, killed or not, the system
closes the end, and the command stops as it does on SIGTERM. Without it a killed `up` left the port taken.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
import time

from rules_service.cli import main

#: Seconds to stop in order; after that the command and what it started are killed.
GRACE_S = 25


def _watch() -> None:
    with contextlib.suppress(OSError):
        while os.read(0, 1_024):
            pass
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(GRACE_S)
    os.killpg(os.getpgrp(), signal.SIGKILL)


if __name__ == "__main__":
    if os.getpgrp() != os.getpid():
        sys.exit("rules_service.lifeline is started by `rules-service up`, in a session of its own")
    threading.Thread(target=_watch, name="lifeline", daemon=True).start()
    main()
