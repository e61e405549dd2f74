"""The lifecycle of one ruleset: rows of data, a table of what is allowed, one shared `transitions` machine.

The machine is the only thing that computes a destination; it holds no ticket, so any number of threads may use it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from transitions import EventData, Machine, MachineError

from rules_service.durations import Duration
from rules_service.machines.guards import GUARDS, Move
from rules_service.tickets import Reason

#: The named moves of the lifecycle.
TRIGGERS = ("assign", "open", "respond", "close", "escalate", "transfer", "reassign", "release", "reopen")

ClockProperty = Literal["running", "paused", "stopped"]


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """A status that a ticket can have."""

    name: str
    #: Whether service-level clocks run, pause or stop in it.
    clock: ClockProperty = "running"
    #: Whether a ticket in it occupies a slot of its assignee.
    slot_held: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Transition:
    """One row: `trigger` leads from `source` to `target` (None: the state stays) for `roles`, if the guards pass."""

    trigger: str
    source: str
    target: str | None
    roles: frozenset[str]
    guards: tuple[str, ...] = ()
    requires: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Fired:
    """The outcome of a trigger: the next status, equal to the old one for an internal transition."""

    status: str
    moved: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """Why a trigger does nothing, all reasons of all its rows."""

    reasons: tuple[Reason, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Lifecycle:
    """States and rows of one ruleset; `allowed` and the machine are made from them once, at load."""

    initial: str
    states: Mapping[str, State]
    rows: tuple[Transition, ...]
    #: How long a customer may reopen a closed ticket; None: for ever.
    reopen_within: Duration | None = None
    #: A state that an earlier lifecycle had -> the state in which its tickets go on.
    maps: Mapping[str, str] = field(default_factory=dict)
    #: (status, role) -> the rows open to that role there, in order.
    table: Mapping[tuple[str, str], tuple[Transition, ...]] = field(default_factory=dict, compare=False, repr=False)
    machine: Machine | None = field(default=None, compare=False, repr=False)

    def allowed(self, status: str, role: str) -> tuple[Transition, ...]:
        """The rows that `role` may try in `status`, guards aside; a look-up. Empty for an unknown status or role."""
        return self.table.get((status, role), ())

    def target_of(self, trigger: str, status: str) -> str | None:
        """Where `trigger` leads from `status`, whoever does it; None if no row says so. For facts without an edge."""
        same = [row for row in self.rows if row.trigger == trigger and row.target is not None]
        here = next((row.target for row in same if row.source == status), None)
        return here or (same[0].target if same else None)

    def fire(self, trigger: str, move: Move) -> Fired | Refused:
        """What `trigger` does to the ticket of `move`: the first row whose role, guards and requirements pass wins."""
        status = move.ticket.status
        reasons: list[Reason] = []
        model = _Model(status)
        assert self.machine is not None
        try:
            fired = self.machine.events[trigger].trigger(model, move=move, reasons=reasons)
        except (MachineError, KeyError):
            fired = False
        if fired:
            return Fired(status=model.state, moved=model.moved)
        if not reasons:
            sources = sorted({row.source for row in self.rows if row.trigger == trigger})
            text = f'"{trigger}" starts from {", ".join(sources) or "no status"}; the ticket is {status}'
            reasons.append(Reason(code="wrong_status", text=text))
        return Refused(reasons=tuple(dict.fromkeys(reasons)))

    def options(self, role: str, move: Move) -> tuple[list[Transition], dict[str, tuple[Reason, ...]]]:
        """For the ticket of `move`: the rows that would fire for `role` now, and why each other trigger would not.

        Requirements (`requires`) do not count as a refusal here: they are what the caller still has to supply.
        """
        allowed: list[Transition] = []
        refused: dict[str, tuple[Reason, ...]] = {}
        for trigger in TRIGGERS:
            rows = [row for row in self.rows if row.trigger == trigger and row.source == move.ticket.status]
            reasons: list[Reason] = []
            for row in rows:
                why = refusals(row, move, role=role, requirements=False)
                if not why:
                    allowed.append(row)
                    break
                reasons += why
            else:
                if any(row.trigger == trigger for row in self.rows):
                    refused[trigger] = tuple(dict.fromkeys(reasons)) or self._wrong_status(trigger, move)
        return allowed, refused

    def _wrong_status(self, trigger: str, move: Move) -> tuple[Reason, ...]:
        outcome = self.fire(trigger, move)
        return outcome.reasons if isinstance(outcome, Refused) else ()


def refusals(row: Transition, move: Move, *, role: str, requirements: bool = True) -> list[Reason]:
    """Every reason why `row` is closed to `role` for this move; none means that it fires."""
    if role not in row.roles:
        who = ", ".join(sorted(row.roles))
        return [Reason(code="wrong_role", text=f'"{row.trigger}" is for {who}; not for {role}')]
    found = [reason for name in row.guards if (reason := GUARDS[name](move)) is not None]
    if requirements:
        found += [
            Reason(code="missing_data", text=f'"{row.trigger}" requires data.{name}')
            for name in row.requires
            if not move.data.get(name)
        ]
    return found


def build(
    *,
    initial: str,
    states: Mapping[str, State],
    rows: tuple[Transition, ...],
    reopen_within: Duration | None,
    maps: Mapping[str, str],
) -> Lifecycle:
    """A lifecycle with its table and machine; the rows must have been validated."""
    table: dict[tuple[str, str], list[Transition]] = {}
    machine = Machine(
        model=None, states=list(states), initial=initial, auto_transitions=False, send_event=True, queued=False
    )
    for row in rows:
        for role in sorted(row.roles):
            table.setdefault((row.source, role), []).append(row)
        machine.add_transition(
            row.trigger, row.source, row.target, conditions=[_condition(row)], after=[_moved] if row.target else []
        )
    return Lifecycle(
        initial=initial,
        states=states,
        rows=rows,
        reopen_within=reopen_within,
        maps=maps,
        table={key: tuple(found) for key, found in table.items()},
        machine=machine,
    )


class _Model:
    """What the machine moves: a status, and whether an external transition was taken. Local to one call."""

    __slots__ = ("moved", "state")

    def __init__(self, state: str) -> None:
        self.state = state
        self.moved = False


def _condition(row: Transition) -> Any:
    # transitions compares with True and False and stops at the first condition that fails, so that one condition a row
    # has to judge everything and collect every reason.
    def passes(event: EventData) -> bool:
        move: Move = event.kwargs["move"]
        found = refusals(row, move, role=move.actor.role)
        event.kwargs["reasons"].extend(found)
        return not found

    return passes


def _moved(event: EventData) -> None:
    model: Any = event.model
    model.moved = True
