"""Checking 1,000 rules: as a command, as an administrator waits for it, and against reading the same YAML alone."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import yaml

from bench.servers import rules_of
from rules_service.decide import check_ruleset
from rules_service.ruleset import read_folder

RULES = 1_000


def main() -> None:
    """Prints the figures."""
    with tempfile.TemporaryDirectory() as made:
        folder = rules_of(RULES, Path(made))
        files = read_folder(folder)
        command = best(
            lambda: subprocess.run(
                [sys.executable, "-m", "rules_service.cli", "check", str(folder)], check=True, stdout=subprocess.DEVNULL
            )
        )
    check = best(lambda: check_ruleset(files, {}))
    reading = best(lambda: [yaml.load(content, Loader=yaml.CSafeLoader) for content in files.values()])
    print(
        f"rules-service check of {RULES} rules: {command:.2f} s (bar 2 s), of it {check:.2f} s checking;"
        f" PyYAML reads the same in {reading:.2f} s: {check / reading:.1f}x"
    )


def best(work: Callable[[], object], times: int = 3) -> float:
    """Seconds of the fastest of several runs."""
    found = []
    for _ in range(times):
        began = time.perf_counter()
        work()
        found.append(time.perf_counter() - began)
    return min(found)


if __name__ == "__main__":
    main()
