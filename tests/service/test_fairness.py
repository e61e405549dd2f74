"""Who gets how much: equal agents get equally many, and what became uneven evens out."""

from collections import Counter

import pytest

from tests.scene import Scene, variant

AGENTS = ("ha1", "ha2", "ha3")


@pytest.fixture(params=["least_loaded", "round_robin"])
def scene(request, store):
    """The hotel desk, where everybody may hold thirty tickets."""
    files = variant(
        (r"max_assignment: 5", "max_assignment: 30"), (r"(  hotel-chat:\n)", rf"\1    strategy: {request.param}\n")
    )
    made = Scene(store, files=files)
    made.strategy = request.param
    made.online(*AGENTS)
    return made


def holders(scene):
    return Counter(row[0] for row in scene.rows("SELECT assignee FROM ticket WHERE closed_at IS NULL"))


def give(scene, first, count):
    for number in range(first, first + count):
        scene.create(f"t{number}")
        scene.clock.advance(1)


@pytest.mark.req("R3.10", "R5.27")
def test_thirty_tickets_to_three_equal_agents_are_ten_each(scene):
    give(scene, 0, 30)
    assert holders(scene) == dict.fromkeys(AGENTS, 10)


def test_after_uneven_closing_the_next_even_it_out_for_the_least_loaded_and_go_round_otherwise(scene):
    give(scene, 0, 15)
    own = [row[0] for row in scene.rows("SELECT id FROM ticket WHERE assignee = 'ha2' ORDER BY created_at")]
    for ticket in own:
        scene.send("ticket.closed", ticket, by="ha2")
    assert holders(scene) == {"ha1": 5, "ha3": 5}
    before = holders(scene)
    give(scene, 15, 5)
    given = {name: holders(scene)[name] - before[name] for name in AGENTS}
    if scene.strategy == "round_robin":
        assert sorted(given.values()) == [1, 2, 2]
    else:
        assert given == {"ha1": 0, "ha2": 5, "ha3": 0}
        give(scene, 20, 6)
        assert holders(scene) == dict.fromkeys(AGENTS, 7)


def test_of_equally_loaded_agents_the_one_whose_last_assignment_is_longest_ago_comes_next(scene):
    give(scene, 0, 3)
    first = [row[0] for row in scene.rows("SELECT assignee FROM ticket ORDER BY created_at")]
    give(scene, 3, 3)
    assert [row[0] for row in scene.rows("SELECT assignee FROM ticket ORDER BY created_at")] == first * 2
