"""Putting a ruleset live: checked and tested aside, stored whole, activated for every process at once."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace

from rules_service.decide import check_ruleset, load_ruleset, prime
from rules_service.errors import InvalidRuleset, NoRuleset, UnknownName
from rules_service.problems import Problem
from rules_service.ruleset import Files, Ruleset, content_hash, hours_told
from rules_service.simulate import run_tests
from rules_service.store import Store, roster, rulesets
from rules_service.tickets import SYSTEM, Event

#: Open tickets that publishing looks at to say how many meet a new rule already.
SAMPLE = 2_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """What publishing did."""

    ruleset: Ruleset
    #: False when this content was active already.
    changed: bool
    #: rule id -> open tickets that meet its new conditions already, out of `looked_at`; the rule does not fire on them.
    primed: Mapping[str, int]
    looked_at: int
    #: What checking warns of, in the order of files and lines; empty where nobody asked.
    warnings: tuple[str, ...] = ()

    @property
    def hash(self) -> str:
        """The ruleset's hash."""
        return self.ruleset.hash


def check(files: Files, variables: Mapping[str, str] | None = None) -> tuple[Ruleset, list[Problem]]:
    """The ruleset, its tests run, and its warnings; InvalidRuleset with `problems` if there are any.

    Both in the order of files and lines. `variables` are what `${VAR}` stands for; None: nobody asks for warnings.
    """
    warnings: list[Problem] = []
    if variables is None:
        ruleset, problems = load_ruleset(files)
    else:
        ruleset, problems, warnings = check_ruleset(files, variables)
    if ruleset is None:
        raise _invalid(problems)
    failed = run_tests(ruleset, files).problems
    if failed:
        raise _invalid(list(failed))
    return ruleset, warnings


def publish(
    store: Store, files: Files, now: dt.datetime, *, by: str, variables: Mapping[str, str] | None = None
) -> Published:
    """Stores the ruleset under its hash and activates it; InvalidRuleset leaves the active one as it is."""
    ruleset, warnings = check(files, variables)
    return replace(put_live(store, ruleset, files, now, by), warnings=tuple(map(str, warnings)))


def publish_if_none(store: Store, files: Files, now: dt.datetime, *, by: str) -> Published | None:
    """Publishes when nothing is active yet, so that a rollback survives a restart; None when something is."""
    with store.connection():
        if rulesets.active_hash(store) is not None:
            return None
    return publish(store, files, now, by=by)


def publish_group(
    store: Store, group: str, files: Files, now: dt.datetime, *, by: str, variables: Mapping[str, str] | None = None
) -> Published:
    """Puts one group's folder live, the rest of the active ruleset as it is. Source: R5.11, R5.12.

    `files` are named within `groups/GROUP/`, as in the whole ruleset. InvalidRuleset also for a file outside of it.
    """
    folder = f"groups/{group}/"
    outside = sorted(name for name in files if not name.startswith(folder) or ".." in name)
    if outside:
        text = f"the folder of {group} holds files under {folder} only"
        raise _invalid([Problem(name, 1, 1, text, "ownership") for name in outside])
    return publish(store, {**without_group(store, group), **files}, now, by=by, variables=variables)


def without_group(store: Store, group: str) -> dict[str, bytes]:
    """The files of the active ruleset outside `groups/GROUP/`; NoRuleset when none is active."""
    with store.connection():
        active = rulesets.active_hash(store)
        found = rulesets.find(store, active) if active else None
    if found is None:
        raise NoRuleset
    return {name: content for name, content in found[1].items() if not name.startswith(f"groups/{group}/")}


def rollback(store: Store, ruleset_hash: str, now: dt.datetime, *, by: str) -> Published:
    """Activates a stored ruleset again; a hash may be shortened as long as it names one ruleset. UnknownName else."""
    with store.connection():
        found = rulesets.find(store, ruleset_hash)
    if found is None:
        raise UnknownName(f'no stored ruleset has a hash that begins with "{ruleset_hash[:80]}", or several have')
    ruleset, problems = load_ruleset(found[1])
    if ruleset is None:
        raise _invalid(problems)
    return put_live(store, ruleset, found[1], now, by)


def watch(store: Store, files: Files, now: dt.datetime) -> Published | None:
    """Puts a watched folder's content live when it is another than was looked at last; None when it is the same.

    A content with problems leaves the active ruleset as it is; the problems are kept, for `/readyz` and `/v1/ruleset`.
    A rollback stays, since the folder did not change by it.
    """
    found_hash = content_hash(files)
    with store.connection():
        last = rulesets.watched(store)
        active = rulesets.active_hash(store)
        stored = rulesets.find(store, found_hash) is not None
    if last is not None and last[0] == found_hash:
        return None
    # At the very first look a content that was live before stays as it was left: it may have been rolled back from.
    known = active == found_hash or (last is None and stored)
    try:
        done = None if known else publish(store, files, now, by="watched folder")
    except InvalidRuleset as error:
        problems: list[str] = error.data["problems"]
        store.transact(lambda: rulesets.set_watched(store, found_hash, json.dumps(problems), now))
        raise
    store.transact(lambda: rulesets.set_watched(store, found_hash, "[]", now))
    return done


def put_live(store: Store, ruleset: Ruleset, files: Files, now: dt.datetime, by: str) -> Published:
    """Stores `ruleset`, which `check` made of `files`, and activates it.

    InvalidRuleset, and nothing done, when open tickets stand in a state that its lifecycle neither has nor maps.
    """
    texts = json.dumps({name: content.decode("utf-8-sig") for name, content in files.items()}, ensure_ascii=False)
    rules = json.dumps({rule.id: rule.when_hash for rule in ruleset.rules.edge_rules} | hours_told(ruleset))
    primed, looked_at = _count_primed(store, ruleset, now)

    def work() -> bool:
        _check_statuses(store, ruleset)
        rulesets.store_files(ruleset.hash, texts, rules, now, by)
        if rulesets.active_hash(store) == ruleset.hash:
            return False
        roster.sync(store, ruleset.roster, now)
        rulesets.activate(ruleset.hash, now, by)
        return True

    return Published(ruleset=ruleset, changed=store.transact(work), primed=primed, looked_at=looked_at)


def _check_statuses(store: Store, ruleset: Ruleset) -> None:
    """A lifecycle has to say where tickets go that stand in a state it no longer has."""
    lifecycle = ruleset.lifecycle
    lost = [
        name for name in rulesets.open_statuses(store) if name not in lifecycle.states and name not in lifecycle.maps
    ]
    if lost:
        text = (
            f"open tickets stand in {', '.join(lost)}, which the lifecycle lacks; say where they go: maps: {{OLD: NEW}}"
        )
        raise _invalid([Problem("lifecycle", 1, 1, text, "lifecycle")])


def _count_primed(store: Store, ruleset: Ruleset, now: dt.datetime) -> tuple[dict[str, int], int]:
    """How many of the first open tickets meet each new rule already."""
    counts: dict[str, int] = {}
    with store.connection():
        known = replace(ruleset, predecessors=rulesets.known_rules(store))
        snapshots = rulesets.open_snapshots(store, SAMPLE)
    for snapshot in snapshots:
        ticket = snapshot.ticket
        if ticket is None or ticket.status not in ruleset.lifecycle.states:
            continue
        event = Event(id="", type="timer.due", at=now, ticket_id=ticket.id, actor=SYSTEM)
        for rule_id, memory in prime(known, snapshot, event, now).items():
            if memory.spent:
                counts[rule_id] = counts.get(rule_id, 0) + 1
    return counts, len(snapshots)


def _invalid(problems: list[Problem]) -> InvalidRuleset:
    count = f"{len(problems)} problem" + ("s" if len(problems) != 1 else "")
    return InvalidRuleset(f"the ruleset has {count}", problems=[str(problem) for problem in problems])
