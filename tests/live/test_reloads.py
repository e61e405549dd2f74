"""Rulesets swapped again and again while others match: nothing is lost, nothing grows."""

import gc
import threading

import psutil
import pytest

from rules_service.decide import load_ruleset
from tests.scene import travel_files

ROW = {
    "ticket.status": "pending",
    "ticket.tags": frozenset(),
    "ticket.priority": "medium",
    "time.idle": 1_900,
    "sla.assigned_to_responded.state": "breached",
    "sla.resolution.state": "running",
    "sla.created_to_responded.state": "met",
}
EXPECTED = ["first-response-breached", "idle"]


def reload_under_load(reloads):
    """Swaps rulesets while two threads match; returns (evaluations, wrong ones, growth of memory in MB)."""
    files = {name: content for name, content in travel_files().items() if not name.endswith("_test.yaml")}
    current, _ = load_ruleset(files)
    current.rules.prepare()
    holder = [current]
    stop = threading.Event()
    counts = {"right": 0, "wrong": 0}

    def match():
        while not stop.is_set():
            found = [rule.id for rule in holder[0].rules.matching("timer.due", ROW)]
            counts["right" if found == EXPECTED else "wrong"] += 1

    threads = [threading.Thread(target=match) for _ in range(2)]
    for thread in threads:
        thread.start()
    start = 0
    for number in range(reloads):
        changed = {**files, "more.yaml": f"version: 1\nkeywords: {{k{number}: {{any: [word{number}]}}}}\n".encode()}
        ruleset, problems = load_ruleset(changed)
        assert ruleset is not None, problems
        ruleset.rules.prepare()
        previous, holder[0] = holder[0], ruleset
        previous.rules.close()
        if number == min(50, reloads // 4):
            gc.collect()
            start = psutil.Process().memory_info().rss
    stop.set()
    for thread in threads:
        thread.join()
    gc.collect()
    return counts, (psutil.Process().memory_info().rss - start) / 1e6


@pytest.mark.slow
def test_a_hundred_reloads_under_load_lose_no_evaluation():
    counts, growth_mb = reload_under_load(100)
    assert counts["wrong"] == 0
    assert counts["right"] > 1_000
    assert growth_mb < 10


@pytest.mark.nightly
def test_a_thousand_reloads_under_load_grow_by_less_than_ten_megabytes():
    counts, growth_mb = reload_under_load(1_000)
    assert counts["wrong"] == 0
    assert growth_mb < 10
