"""A second, naive reading of time, only for tests: looks at everything anew at every step, and shares nothing with decide.

Whatever changes in the situations of test_next_due.py changes at a multiple of STEP, so that stepping misses nothing.
A rule is looked at as it is written, a plain mapping; a calendar is a list of the minutes of the day at which it is open.
"""

from __future__ import annotations

import datetime as dt

STEP = dt.timedelta(milliseconds=250)
SECOND = dt.timedelta(seconds=1)

SINCE = {
    "age": lambda s: s.ticket.created_at,
    "idle": lambda s: None if s.ticket.closed_at else s.ticket.last_act_at,
    "waiting": lambda s: s.ticket.waiting_since_at,
    "customer_silent": lambda s: None if s.ticket.closed_at or s.ticket.waiting_since_at else s.ticket.last_sent_at,
    "in_status": lambda s: s.ticket.status_since_at,
    "queued": lambda s: s.ticket.queued_at,
    "assigned": lambda s: s.stint and s.stint.assigned_at,
    "escalated": lambda s: s.escalation and s.escalation.opened_at,
}


class Stepping:
    """One ticket that nothing happens to. `open_minutes`: calendar -> minutes of the day, None for all."""

    def __init__(self, rules, open_minutes, calendar_of_desk, snapshot, start):
        self.rules, self.open_minutes, self.snapshot = rules, open_minutes, snapshot
        self.calendar = calendar_of_desk[snapshot.ticket.desk]
        self.start = start
        self.counted = {}
        self.held = {rule["id"]: self.holds(rule["when"], start) for rule in rules}

    def first_change(self, until):
        """The first step after the start, up to `until`, at which anything changes; None when nothing does."""
        at = self.start
        while at < until:
            at += STEP
            if self.changes(at):
                return at
        return None

    def changes(self, at):
        if any(self.clock_changes(clock, at) for clock in self.snapshot.clocks):
            return True
        escalation = self.snapshot.escalation
        if escalation and any(due and at >= due for due in (escalation.step_due_at, escalation.overdue_at)):
            return True
        return any(self.rule_changes(rule, at) for rule in self.rules)

    # --- clocks -----------------------------------------------------------------------------------------------------

    def open_time(self, calendar, start, end):
        """Service time between two instants, a step at a time; what was counted is kept for the next step."""
        since = (calendar, start)
        at, total = self.counted.get(since, (start, dt.timedelta()))
        if at > end:
            at, total = start, dt.timedelta()
        minutes = self.open_minutes[calendar]
        while at < end:
            if minutes is None or at.hour * 60 + at.minute in minutes:
                total += STEP
            at += STEP
        self.counted[since] = (at, total)
        return total

    def used_s(self, clock, at):
        if clock.running_since_at is None:
            return clock.used_s
        return clock.used_s + self.open_time(clock.calendar, clock.running_since_at, at) // SECOND

    def clock_changes(self, clock, at):
        if clock.status != "running":
            return False
        shares = [pct for pct in (*clock.warn_at_pct, 100) if pct > clock.warned_pct]
        return any(self.used_s(clock, at) * 100 >= pct * clock.target_s for pct in shares)

    # --- rules ------------------------------------------------------------------------------------------------------

    def rule_changes(self, rule, at):
        holds = self.holds(rule["when"], at)
        if holds != self.held[rule["id"]]:
            return True
        memory = self.snapshot.memory.get(rule["id"])
        if not holds or memory is None or not self.limit_allows(rule, memory, at):
            return False
        if not memory.spent:
            return True
        if "repeat" not in rule or not memory.fired_at:
            return False
        if memory.fired_count >= rule["repeat"].get("at_most", 10**9):
            return False
        last = max(filter(None, (memory.fired_at[-1], memory.held_back_at)))
        return at - last >= seconds(rule["repeat"]["every"])

    def limit_allows(self, rule, memory, at):
        if "limit" not in rule:
            return True
        count, scope = rule["limit"].split(" per ")
        if scope == "ticket":
            return memory.total_count < int(count)
        return sum(at - fired < seconds(scope) for fired in memory.fired_at) < int(count)

    def holds(self, when, at):
        """All of a mapping."""
        return all(self.entry(name, value, at) for name, value in when.items())

    def entry(self, name, value, at):
        if name == "all":
            return all(self.holds(part, at) for part in value)
        if name == "any":
            return any(self.holds(part, at) for part in value)
        if name == "none":
            return not any(self.holds(part, at) for part in value)
        if not isinstance(value, dict):
            value = {"in" if isinstance(value, list) else "is": value}
        window = value.get("within")
        found = self.value(name, at, window)
        return all(compare(operator, found, wanted) for operator, wanted in value.items() if operator != "within")

    def value(self, name, at, window):
        snapshot = self.snapshot
        kind, _, field = name.partition(".")
        if kind == "recent":
            happened = snapshot.recent.get("message.received", ())
            return sum(at - one < seconds(window) for one in happened)
        if kind == "sla":
            clock_name, _, field = field.partition(".")
            clock = next((clock for clock in snapshot.clocks if clock.name == clock_name), None)
            if clock is None:
                return None
            if field == "state":
                return clock.status
            used = self.used_s(clock, at)
            return used * 100 // clock.target_s if field == "used_pct" else clock.target_s - used
        if kind == "ticket":
            return getattr(snapshot.ticket, field)
        since = SINCE[field](snapshot)
        if since is None:
            return None
        if kind == "time":
            return (at - since) // SECOND
        return self.open_time(self.calendar, since, at) // SECOND


def compare(operator, found, wanted):
    """One comparison; `wanted` as written."""
    if operator in ("is_not", "not_in"):
        return not compare({"is_not": "is", "not_in": "in"}[operator], found, wanted)
    if found is None:
        return False
    if operator == "in":
        return any(plain(one) == found for one in wanted)
    wanted = plain(wanted)
    match operator:
        case "is":
            return found == wanted
        case "at_least":
            return found >= wanted
        case "at_most":
            return found <= wanted
        case "more_than":
            return found > wanted
    assert operator == "less_than"
    return found < wanted


def plain(wanted):
    """`30s` and `50%` as numbers; words and numbers as they are."""
    if isinstance(wanted, str) and wanted[:1].isdecimal():
        return int(wanted.rstrip("s%"))
    return wanted


def seconds(text):
    return dt.timedelta(seconds=int(text.rstrip("s")))
