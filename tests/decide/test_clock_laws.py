"""What holds of every clock, whatever happened and however late it was told."""

from itertools import pairwise

from hypothesis import given, settings

from tests.clocks.telling import Telling
from tests.decide.test_next_due import situations

LAWS = settings(max_examples=20)


def clocks_of(telling):
    """Those that stand, and those that ended on the way."""
    ended = [clock for decision in telling.decisions for clock in decision.ended_clocks]
    return [*telling.snapshot.clocks, *ended]


@LAWS
@given(situations())
def test_nothing_is_counted_twice_or_before_its_start_or_after_its_end(situation):
    for clock in clocks_of(situation.telling):
        assert all(start < end for start, end in clock.intervals)
        assert all(end <= start for (_, end), (start, _) in pairwise(clock.intervals))
        assert all(clock.started_at <= start for start, _ in clock.intervals)
        last = max((end for _, end in clock.intervals), default=clock.started_at)
        if clock.running_since_at is not None:
            assert last <= clock.running_since_at <= situation.now
        if clock.stopped_at is not None:
            assert clock.running_since_at is None
            assert last <= clock.stopped_at <= situation.now
        wall_s = sum((end - start).total_seconds() for start, end in clock.intervals)
        assert 0 <= clock.used_s <= wall_s


@LAWS
@given(situations())
def test_a_verdict_is_what_the_count_and_the_due_instant_say(situation):
    for clock in clocks_of(situation.telling):
        over = clock.status in ("met", "missed", "void")
        assert over == (clock.stopped_at is not None)
        assert (clock.status in ("breached", "missed")) == (clock.breached_at is not None)
        if clock.status in ("met", "void"):
            assert clock.used_s <= clock.target_s
            assert clock.due_at is None or clock.stopped_at <= clock.due_at
        if clock.status == "missed":
            assert clock.breached_at <= clock.stopped_at
        if clock.status == "running":
            assert clock.due_at is not None
            assert clock.due_at > situation.now


@LAWS
@given(situations())
def test_time_brings_the_same_whether_or_not_somebody_looks_where_nothing_is_told_late(situation):
    if any(arrival.now != arrival.event.at for arrival in situation.events):
        return
    away = Telling(ruleset=situation.telling.ruleset, punctual=False)
    away.tell(situation.events, situation.now)
    assert away.snapshot.clocks == situation.telling.snapshot.clocks
    assert away.snapshot.ticket == situation.telling.snapshot.ticket
