"""The section `lifecycle:` of a ruleset, read and checked."""

from __future__ import annotations

from typing import Any

import marshmallow as ma

from rules_service.durations import parse_duration
from rules_service.machines.guards import GUARDS
from rules_service.machines.lifecycle import TRIGGERS, Lifecycle, State, Transition, build
from rules_service.problems import DURATION, Place, check_names, describe, hint, shaped
from rules_service.tickets import ROLES


class StateSchema(ma.Schema):
    """One state."""

    clock = ma.fields.String(load_default="running", validate=ma.validate.OneOf(["running", "paused", "stopped"]))
    slot = ma.fields.String(load_default="free", validate=ma.validate.OneOf(["held", "free"]))


class TransitionSchema(ma.Schema):
    """One row."""

    trigger = ma.fields.String(required=True, validate=ma.validate.OneOf(TRIGGERS))
    from_ = ma.fields.Raw(required=True, data_key="from")
    to = ma.fields.String(load_default=None)
    by = ma.fields.List(ma.fields.String(), required=True)
    guards = ma.fields.List(ma.fields.String(), load_default=[])
    requires = ma.fields.List(ma.fields.String(), load_default=[])


class LifecycleSchema(ma.Schema):
    """The section."""

    initial = ma.fields.String(required=True)
    reopen_within = ma.fields.String(load_default=None, metadata={DURATION: True})
    states = ma.fields.Dict(keys=ma.fields.String(), required=True)
    roles = ma.fields.Dict(keys=ma.fields.String(), values=ma.fields.List(ma.fields.String()), load_default={})
    maps = ma.fields.Dict(keys=ma.fields.String(), values=ma.fields.String(), load_default={})
    transitions = ma.fields.List(ma.fields.Raw(), required=True)


def parse_lifecycle(data: object, place: Place) -> Lifecycle | None:
    """The lifecycle, or None after reporting every problem: names, reachability, a way to finish for every state."""
    before = len(place.problems)
    section = shaped(LifecycleSchema, data, place)
    if section is None:
        return None
    states = _states(section["states"], place.at("states"))
    roles = _roles(section["roles"], place.at("roles"))
    reopen_within = None
    if section["reopen_within"] is not None:
        try:
            reopen_within = parse_duration(section["reopen_within"])
        except ValueError as error:
            place.at("reopen_within").problem("duration", str(error))
    rows: list[Transition] = []
    for index, row in enumerate(section["transitions"]):
        rows += _rows(row, place.at("transitions", index), states, roles)
    for old, new in section["maps"].items():
        if new not in states:
            place.at("maps", old).problem("unknown-name", f'unknown state "{new}"{hint(new, states)}')
        if old in states:
            place.at("maps", old).problem(
                "value", f'"{old}" is a state of this lifecycle; only lost ones are mapped', key=True
            )
    initial = section["initial"]
    if initial not in states:
        place.at("initial").problem("unknown-name", f'unknown state "{initial}"{hint(initial, states)}')
    elif len(place.problems) == before:
        _check_whole(initial, states, rows, place)
    if len(place.problems) > before:
        return None
    return build(initial=initial, states=states, rows=tuple(rows), reopen_within=reopen_within, maps=section["maps"])


def _states(data: dict[str, Any], place: Place) -> dict[str, State]:
    states = {}
    for name, value in data.items():
        found = shaped(StateSchema, {} if value is None else value, place.at(name))
        # A state with a mistake is a state all the same, so that its name is not reported wherever it is used.
        states[name] = State(
            name=name,
            clock=found["clock"] if found else "running",
            slot_held=found is not None and found["slot"] == "held",
        )
    if not data:
        place.problem("missing", "a lifecycle needs at least one state")
    return states


def _roles(data: dict[str, list[str]], place: Place) -> dict[str, frozenset[str]]:
    roles = {role: frozenset({role}) for role in ROLES}
    for name, members in data.items():
        check_names(members, ROLES, "role", place.at(name))
        roles[name] = frozenset(members)
    return roles


def _rows(data: object, place: Place, states: dict[str, State], roles: dict[str, frozenset[str]]) -> list[Transition]:
    row = shaped(TransitionSchema, data, place)
    if row is None:
        return []
    sources = [row["from_"]] if isinstance(row["from_"], str) else row["from_"]
    if not isinstance(sources, list) or not all(isinstance(name, str) for name in sources):
        place.at("from").problem("type", f"expected a state or a list of states, not {describe(row['from_'])}")
        return []
    check_names(sources, states, "state", place.at("from"))
    if row["to"] is not None:
        check_names([row["to"]], states, "state", place.at("to"))
    check_names(row["by"], roles, "role", place.at("by"))
    check_names(row["guards"], GUARDS, "guard", place.at("guards"))
    who = frozenset[str]().union(*(roles.get(name, frozenset()) for name in row["by"]))
    return [
        Transition(
            trigger=row["trigger"],
            source=source,
            target=row["to"],
            roles=who,
            guards=tuple(row["guards"]),
            requires=tuple(row["requires"]),
        )
        for source in sources
    ]


def _check_whole(initial: str, states: dict[str, State], rows: list[Transition], place: Place) -> None:
    """Every state can be reached, and from every one a state that stops the clocks can be reached."""
    edges = [(row.source, row.target) for row in rows if row.target is not None]
    ends = {name for name, state in states.items() if state.clock == "stopped"}
    if not ends:
        place.at("states").problem(
            "lifecycle", "no state has `clock: stopped`, so that no ticket could ever be finished"
        )
        return
    reached = _closure({initial}, edges)
    finishing = _closure(ends, [(target, source) for source, target in edges])
    for name in states:
        if name not in reached:
            place.at("states", name).problem("lifecycle", f'no transition leads to the state "{name}"', key=True)
        if name not in finishing:
            message = f'from the state "{name}" no ticket can ever be finished'
            place.at("states", name).problem("lifecycle", message, key=True)


def _closure(start: set[str], edges: list[tuple[str, str]]) -> set[str]:
    reached, added = set(start), True
    while added:
        new = {target for source, target in edges if source in reached} - reached
        reached |= new
        added = bool(new)
    return reached
