"""Whether a story went as expected; where not, a sentence that says what happened instead, and why."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from rules_service.clocks import used_s
from rules_service.decide import EVENT_OF
from rules_service.durations import format_duration, parse_duration
from rules_service.problems import Place
from rules_service.ruleset import Ruleset
from rules_service.simulate.expecting import Expectation, Wanted
from rules_service.simulate.steps import FIRST_TICKET, parse_instant
from rules_service.simulate.stories import Chained, Moment, Played
from rules_service.simulate.why import spoken, why_not
from rules_service.tickets import Action, Decision, Firing, ServiceClock, Snapshot

#: Type of the event that records a transition -> the transition.
TRIGGER_OF = {kind: trigger for trigger, kind in EVENT_OF.items()}


class Judge:
    """Compares one expectation with a story that was told; each difference becomes a problem of kind `test`."""

    def __init__(self, ruleset: Ruleset, played: Played, wanted: Expectation, zone: dt.tzinfo | None) -> None:
        """`zone` is how instants are written: that of the test's `at`."""
        self.ruleset = ruleset
        self.wanted = wanted
        self.zone = zone
        self.moment: Moment = played.moments[wanted.until]
        chains = played.chains[played.moments[wanted.since].chains_count : self.moment.chains_count]
        self.chains: Sequence[Chained] = [
            chain for chain in chains if wanted.of is None or chain.event.ticket_id == wanted.of
        ]
        self.ticket_id = wanted.of or (FIRST_TICKET if FIRST_TICKET in self.moment.tickets else None) or next(
            iter(self.moment.tickets), FIRST_TICKET
        )  # fmt: skip

    def judge(self) -> None:
        """Reports every difference at its place."""
        checks: dict[str, Callable[[Any, Place], None]] = {
            "fires": self._fires, "fires_at_least": self._fires_at_least, "not_fires": self._not_fires,
            "times": self._times, "held_back": self._held_back, "shadow": self._shadow, "ticket": self._ticket,
            "tickets": self._tickets, "clocks": self._clocks, "escalation": self._escalation,
            "refused": self._refused, "irregular": self._irregular, "marks": self._marks, "queue": self._queue,
            "loads": self._loads,
        }  # fmt: skip
        for key, value in self.wanted.data.items():
            if key in checks:
                checks[key](value, self.wanted.place.at(key))
        self._actions()

    # --- rules ------------------------------------------------------------------------------------------------------

    def _decisions(self) -> Iterable[tuple[Chained, Decision]]:
        return ((chain, decision) for chain in self.chains if not chain.refused for decision in chain.decisions)

    def _firings(self, outcome: str) -> list[tuple[Firing, Chained, Decision]]:
        return [
            (firing, chain, decision)
            for chain, decision in self._decisions()
            for firing in decision.firings
            if firing.outcome == outcome
        ]

    def _fired(self) -> list[str]:
        return list(dict.fromkeys(firing.rule_id for firing, _, _ in self._firings("fired")))

    def _fires(self, wanted: list[str], place: Place) -> None:
        fired = self._fired()
        self._fires_at_least(wanted, place)
        for rule_id in fired:
            if rule_id not in wanted:
                firing, chain, decision = next(one for one in self._firings("fired") if one[0].rule_id == rule_id)
                because = ", ".join(f"{name} {spoken(value)}" for name, value in firing.because.items())
                why = f" because {because}" if because else ""
                when = f"at {self._when(chain.now)} ({decision.event.type})"
                _fail(place, f'the rule "{rule_id}" fired too, {when}{why}')
        common = [rule_id for rule_id in fired if rule_id in wanted]
        if common != [rule_id for rule_id in wanted if rule_id in fired]:
            _fail(place, f"the rules fired in another order: {', '.join(common)}")

    def _fires_at_least(self, wanted: list[str], place: Place) -> None:
        fired = self._fired()
        for index, rule_id in enumerate(wanted):
            if rule_id not in fired:
                _fail(place.at(index), f'the rule "{rule_id}" did not fire: {self._why(rule_id)}; {_listed(fired)}')

    def _why(self, rule_id: str) -> str:
        rule = self.ruleset.rules.by_id[rule_id]
        return why_not(self.ruleset, rule, self.chains, self.moment, self.ticket_id)

    def _not_fires(self, wanted: list[str], place: Place) -> None:
        for firing, chain, decision in self._firings("fired"):
            if firing.rule_id in wanted:
                here = place.at(wanted.index(firing.rule_id))
                _fail(here, f'the rule "{firing.rule_id}" fired, at {self._when(chain.now)} ({decision.event.type})')

    def _times(self, wanted: Mapping[str, int], place: Place) -> None:
        for rule_id, count in wanted.items():
            times = [self._when(chain.now) for firing, chain, _ in self._firings("fired") if firing.rule_id == rule_id]
            if len(times) != count:
                at = f", at {', '.join(times)}" if times else f": {self._why(rule_id)}"
                _fail(place.at(rule_id), f'the rule "{rule_id}" fired {_often(len(times))}, not {_often(count)}{at}')

    def _held_back(self, wanted: list[str], place: Place) -> None:
        self._with_outcome("held_back", "was not held back", wanted, place)

    def _shadow(self, wanted: list[str], place: Place) -> None:
        self._with_outcome("shadow", "did not fire in shadow", wanted, place)

    def _with_outcome(self, outcome: str, what: str, wanted: list[str], place: Place) -> None:
        found = [firing.rule_id for firing, _, _ in self._firings(outcome)]
        for index, rule_id in enumerate(wanted):
            if rule_id in found:
                continue
            why = "it fired" if rule_id in self._fired() else self._why(rule_id)
            _fail(place.at(index), f'the rule "{rule_id}" {what}: {why}')

    # --- actions ----------------------------------------------------------------------------------------------------

    def _actions(self) -> None:
        taken = [action for _, decision in self._decisions() for action in decision.actions]
        rest = list(taken)
        for wanted in self.wanted.actions:
            at = next((index for index, action in enumerate(rest) if _matches(wanted, action)), None)
            if at is None:
                _fail(wanted.place, f"expected the action {wanted}; {_instead(wanted, taken, rest)}")
            else:
                rest = rest[at + 1 :]
        for wanted in self.wanted.no_actions:
            for action in taken:
                if _matches(wanted, action):
                    _fail(wanted.place, f"the action {_shown(action, wanted)} was taken, by {action.cause}")

    # --- how things stand -------------------------------------------------------------------------------------------

    def _snapshot(self, place: Place) -> Snapshot | None:
        found = self.moment.tickets.get(self.ticket_id)
        if found is None:
            _fail(place, f'there is no ticket "{self.ticket_id}"')
        return found

    def _ticket(self, wanted: Mapping[str, Any], place: Place) -> None:
        snapshot = self._snapshot(place)
        if snapshot is not None:
            self._compare(wanted, _fields(snapshot), place, "")

    def _tickets(self, wanted: Mapping[str, Mapping[str, Any]], place: Place) -> None:
        for ticket_id, fields in wanted.items():
            snapshot = self.moment.tickets.get(ticket_id)
            if snapshot is None:
                _fail(place.at(ticket_id), f'there is no ticket "{ticket_id}" yet')
            else:
                self._compare(fields, _fields(snapshot), place.at(ticket_id), f"{ticket_id}: ")

    def _compare(self, wanted: Mapping[str, Any], found: Mapping[str, Any], place: Place, who: str) -> None:
        for name, value in wanted.items():
            here, actual = place.at(name), found.get(name)
            if name in ("custom", "customer"):
                for key, inner in value.items():
                    if actual is None or actual.get(key) != inner:
                        now = spoken(actual.get(key) if actual else None)
                        _fail(here.at(key), f"{who}{name}.{key} is {now}, not {spoken(inner)}")
            elif name == "no_tags":
                for tag in [tag for tag in value if tag in found["tags"]]:
                    _fail(here, f'{who}the ticket has the tag "{tag}"')
            elif isinstance(value, list) and isinstance(actual, list):
                missing = [item for item in value if item not in actual]
                if missing:
                    _fail(here, f"{who}{name} is {spoken(actual)}, without {spoken(missing)}")
            elif value != actual:
                _fail(here, f"{who}{name} is {spoken(actual)}, not {spoken(value)}")

    def _clocks(self, wanted: Mapping[str, Any], place: Place) -> None:
        snapshot = self._snapshot(place)
        if snapshot is None:
            return
        clocks = {clock.name: clock for clock in snapshot.clocks}
        for name, value in wanted.items():
            here, clock = place.at(name), clocks.get(name)
            asked = {"state": value} if isinstance(value, str) else dict(value)
            if clock is None:
                if asked.get("state") != "none":
                    _fail(here, f"the ticket has no clock {name}; it has {', '.join(sorted(clocks)) or 'none'}")
                continue
            if asked.get("state", clock.status) != clock.status:
                _fail(here, f"the clock {name} is {clock.status}, not {asked['state']}; {self._clock(clock)}")
            self._clock_figures(asked, clock, here)

    def _clock_figures(self, asked: Mapping[str, Any], clock: ServiceClock, place: Place) -> None:
        used = used_s(clock, self.ruleset.hours(clock.calendar), self.moment.now)
        for key, actual in (("target", clock.target_s), ("used", used)):
            if key in asked and parse_duration(asked[key]).seconds != actual:
                _fail(place.at(key), f"{key} of the clock {clock.name} is {format_duration(actual)}, not {asked[key]}")
        if "due_at" in asked and parse_instant(asked["due_at"], place) != clock.due_at:
            at = self._when(clock.due_at) if clock.due_at else "never"
            _fail(place.at("due_at"), f"the clock {clock.name} is due at {at}, not {asked['due_at']}")

    def _clock(self, clock: ServiceClock) -> str:
        at = clock.stopped_at or clock.breached_at
        when = f"since {self._when(at)}" if at else f"due at {self._when(clock.due_at)}" if clock.due_at else "halted"
        return f"target {format_duration(clock.target_s)}, {when}"

    def _escalation(self, wanted: Any, place: Place) -> None:
        snapshot = self._snapshot(place)
        if snapshot is None:
            return
        found = snapshot.escalation
        if found is None or wanted == "none":
            if (found is None) != (wanted == "none"):
                open_one = "no escalation is open" if found is None else f"one is open: {'; '.join(found.reasons)}"
                _fail(place, open_one)
            return
        approval = "wanted" if found.approval_wanted_at else "given" if found.approved_by else "none"
        actual = {
            "approval": approval, "policy": found.policy, "step": found.step + 1, "round": found.round,
            "summary": found.summary, "acknowledged_by": found.acknowledged_by, "targets": list(found.targets),
            "reasons": list(found.reasons), "followers": list(found.followers),
        }  # fmt: skip
        self._compare(wanted, actual, place, "escalation: ")

    def _refused(self, wanted: Mapping[str, Any], place: Place) -> None:
        refused = {TRIGGER_OF[chain.event.type]: chain.decisions[0].reasons for chain in self.chains if chain.refused}
        for trigger, codes in wanted.items():
            if trigger not in refused:
                _fail(place.at(trigger), f"no request to {trigger} was refused")
                continue
            found = {reason.code for reason in refused[trigger]}
            for code in [] if codes is True else [codes] if isinstance(codes, str) else codes or []:
                if code not in found:
                    why = "; ".join(f"{reason.code}: {reason.text}" for reason in refused[trigger])
                    _fail(place.at(trigger), f"{trigger} was refused for another reason: {why}")
        if not wanted and refused:
            _fail(place, f"refused: {', '.join(refused)}")

    def _irregular(self, wanted: list[str], place: Place) -> None:
        found = [decision for _, decision in self._decisions() if decision.outcome == "irregular"]
        kinds = {decision.event.type for decision in found}
        for index, kind in enumerate(wanted):
            if kind not in kinds:
                _fail(place.at(index), f"no {kind} was irregular; irregular: {', '.join(sorted(kinds)) or 'none'}")
        for decision in found:
            if decision.event.type not in wanted:
                why = "; ".join(reason.text for reason in decision.reasons)
                _fail(place, f"{decision.event.type} was irregular: {why}")

    def _marks(self, wanted: list[str], place: Place) -> None:
        found = {mark for _, decision in self._decisions() for mark in decision.marks}
        found |= {"late" for _, decision in self._decisions() if decision.outcome == "late"}
        for index, mark in enumerate(wanted):
            if mark not in found:
                _fail(place.at(index), f'nothing was marked "{mark}"; marks: {", ".join(sorted(found)) or "none"}')

    def _queue(self, wanted: Mapping[str, list[str]], place: Place) -> None:
        for desk, tickets in wanted.items():
            found = list(self.moment.queues.get(desk, ()))
            if found != tickets:
                _fail(place.at(desk), f"the queue of {desk} is {spoken(found)}, not {spoken(tickets)}")

    def _loads(self, wanted: Mapping[str, int], place: Place) -> None:
        for user_id, count in wanted.items():
            if self.moment.loads[user_id] != count:
                _fail(place.at(user_id), f"{user_id} holds {self.moment.loads[user_id]}, not {count}")

    def _when(self, at: dt.datetime) -> str:
        return at.astimezone(self.zone).isoformat(timespec="seconds")


def _fail(place: Place, message: str) -> None:
    place.problem("test", message)


def _often(count: int) -> str:
    return {1: "once", 2: "twice"}.get(count, f"{count} times")


def _listed(fired: Sequence[str]) -> str:
    return f"fired: {', '.join(fired)}" if fired else "no rule fired"


def _fields(snapshot: Snapshot) -> dict[str, Any]:
    ticket = snapshot.ticket
    assert ticket is not None
    return {
        "status": ticket.status, "priority": ticket.priority, "assignee": ticket.assignee, "desk": ticket.desk,
        "group": ticket.group, "channel": ticket.channel, "subject": ticket.subject, "tags": sorted(ticket.tags),
        "custom": ticket.custom, "transfers": ticket.transfers_count, "reopens": ticket.reopens_count,
        "stint": ticket.stint_number, "queued": ticket.queued_at is not None, "live": ticket.live,
        "last_assignee": ticket.last_assignee,
        "customer": {
            "id": ticket.customer_id, "name": ticket.customer_name, "tier": ticket.customer_tier,
            "lifetime_value": ticket.customer_lifetime_value, "language": ticket.customer_language,
        },
    }  # fmt: skip


def _matches(wanted: Wanted, action: Action) -> bool:
    return wanted.type == action.type and _within(dict(wanted.data), dict(action.data))


def _within(wanted: Any, actual: Any) -> bool:
    """Whether `actual` is `wanted`; of a mapping the keys given, of a text `{contains: PART}`."""
    if isinstance(wanted, dict) and isinstance(actual, str):
        return set(wanted) == {"contains"} and str(wanted["contains"]) in actual
    if isinstance(wanted, dict) and isinstance(actual, Mapping):
        return all(key in actual and _within(value, actual[key]) for key, value in wanted.items())
    if isinstance(wanted, list) and isinstance(actual, list | tuple | frozenset):
        return wanted == (sorted(actual) if isinstance(actual, frozenset) else list(actual))
    return (type(wanted) is type(actual) and bool(wanted == actual)) or _same_number(wanted, actual)


def _same_number(wanted: Any, actual: Any) -> bool:
    numbers = (int, float)
    plain = not isinstance(wanted, bool) and not isinstance(actual, bool)
    return plain and isinstance(wanted, numbers) and isinstance(actual, numbers) and wanted == actual


def _shown(action: Action, wanted: Wanted) -> str:
    """The action with the data that was asked about."""
    data = {key: action.data.get(key) for key in wanted.data}
    return f"{action.type} {spoken(data)}" if data else action.type


def _instead(wanted: Wanted, taken: Sequence[Action], rest: Sequence[Action]) -> str:
    same = [action for action in taken if action.type == wanted.type]
    if any(_matches(wanted, action) for action in same):
        after = ", ".join(action.type for action in rest) or "nothing"
        return f"it was taken earlier; after the action before it came {after}"
    if same:
        return f"it was {', '.join(_shown(action, wanted) for action in same[:3])}"
    return f"the actions were {', '.join(action.type for action in taken) or 'none'}"
