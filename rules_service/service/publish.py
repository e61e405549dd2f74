"""Putting a ruleset live: stored whole, its roster brought in line, activated for every process."""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import dataclass

from rules_service.decide import load_ruleset
from rules_service.errors import InvalidRuleset, UnknownName
from rules_service.problems import Problem
from rules_service.ruleset import Files, Ruleset
from rules_service.store import Store, rulesets


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """What publishing did."""

    hash: str
    #: False when this content was active already.
    changed: bool


def check(files: Files) -> tuple[Ruleset, list[Problem]]:
    """The ruleset; InvalidRuleset with `problems`, in the order of files and lines, when there are any."""
    ruleset, problems = load_ruleset(files)
    if ruleset is None:
        count = f"{len(problems)} problem" + ("s" if len(problems) != 1 else "")
        raise InvalidRuleset(f"the ruleset has {count}", problems=[str(problem) for problem in problems])
    return ruleset, problems


def publish(store: Store, files: Files, now: dt.datetime, *, by: str) -> Published:
    """Stores the ruleset under its hash and activates it; InvalidRuleset leaves the active one as it is."""
    ruleset, _ = check(files)
    texts = {name: content.decode("utf-8-sig") for name, content in files.items()}

    def work() -> Published:
        rulesets.store_files(store, ruleset.hash, json.dumps(texts, ensure_ascii=False), now, by)
        if rulesets.active_hash(store) == ruleset.hash:
            return Published(hash=ruleset.hash, changed=False)
        _activate(store, ruleset, now, by)
        return Published(hash=ruleset.hash, changed=True)

    return store.transact(work)


def publish_if_none(store: Store, files: Files, now: dt.datetime, *, by: str) -> Published | None:
    """Publishes when nothing is active yet, so that a rollback survives a restart; None when something is."""
    with store.connection():
        if rulesets.active_hash(store) is not None:
            return None
    return publish(store, files, now, by=by)


def rollback(store: Store, ruleset_hash: str, now: dt.datetime, *, by: str) -> Published:
    """Activates a stored ruleset again; a hash may be shortened as long as it names one ruleset. UnknownName else."""
    with store.connection():
        found = rulesets.find(store, ruleset_hash)
    if found is None:
        raise UnknownName(f'no stored ruleset has a hash that begins with "{ruleset_hash}", or several have')
    full_hash, files = found
    ruleset, _ = check(files)

    def work() -> Published:
        changed = rulesets.active_hash(store) != full_hash
        if changed:
            _activate(store, ruleset, now, by)
        return Published(hash=full_hash, changed=changed)

    return store.transact(work)


def _activate(store: Store, ruleset: Ruleset, now: dt.datetime, by: str) -> None:
    rulesets.sync_roster(store, ruleset.roster)
    rulesets.activate(store, ruleset.hash, now, by)
