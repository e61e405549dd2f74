"""Checking is fast enough to be done at every change: 1,000 rules, with all warnings, are a small multiple of their YAML.

How long that is in seconds depends on the machine and on what else it does; `make bench` prints it.
"""

import gc
import time

import yaml

from rules_service.decide import check_ruleset
from tests.ruleset.corpus import VARIABLES, base

#: Times what the C loader of PyYAML takes to read the same text.
MOST = 6

RULE = """
  - id: rule-{n}
    about: Rule {n}.
    on: [message.received, ticket.created]
    order: {order}
    stop: {stop}
    when:
      all:
        - ticket.priority: {{at_least: high}}
        - ticket.tags: [topic-{n}, theme-{n}]
      none:
        - customer.tier: vip
        - message.text: {{keywords: outage}}
    then:
      - add_tags: [seen-{n}]
      - alert: {{to: [supervisor], text: "Rule {n} says {{{{ ticket.subject }}}}"}}
"""

#: Each changes what others wait for: the worst for those who look for circles, and for who stops whom.
CHAINED = """
  - id: rule-{n}
    on: [ticket.updated, message.received]
    stop: true
    when: {{ticket.tags: {{contains_any: [topic-{n}], contains_none: [topic-{after}]}}}}
    then: [{{add_tags: [topic-{after}]}}, {{remove_tags: [topic-{n}]}}]
"""


def took(work):
    """Seconds of the processor, and what came of it."""
    gc.collect()
    began = time.process_time()
    result = work()
    return time.process_time() - began, result


def checked(rules):
    """How many times longer checking takes than reading, each at its best of two in turn; and the warnings."""
    text = "version: 1\nrules:" + "".join(rules)
    files = {**base(), "many.yaml": text.encode()}
    reading, checking = [], []
    for _ in range(2):
        reading.append(took(lambda: yaml.load(text, Loader=yaml.CSafeLoader))[0])
        seconds, (ruleset, problems, warnings) = took(lambda: check_ruleset(files, VARIABLES))
        checking.append(seconds)
        assert problems == []
        assert len(ruleset.rules.rules) >= 1_000
    return min(checking) / min(reading), warnings


def test_a_thousand_rules_are_checked_in_a_few_times_what_reading_them_takes():
    times, warnings = checked([RULE.format(n=n, order=n % 7, stop=str(n % 5 == 0).lower()) for n in range(1_000)])
    assert times < MOST
    assert warnings == []


def test_a_thousand_rules_that_lead_to_each_other_take_no_longer():
    times, _ = checked([CHAINED.format(n=n, after=(n + 1) % 1_000) for n in range(1_000)])
    assert times < MOST
