"""Users and rulesets change while tickets come and go: what is stored about users fits the ruleset that is active."""

import threading

import pytest

from rules_service.live import Live
from rules_service.service.publish import publish
from rules_service.service.user_rows import Row
from rules_service.service.users import deactivate_user, import_users
from rules_service.store import roster, rulesets
from tests.scene import variant

VARIANTS = (
    variant(),
    variant((r"(hotel-chat:(?:\n    .*)*?)max_assignment: 5", r"\1max_assignment: 7")),
    variant((r"\btrain-chat\b", "train-web")),
)
ROUNDS = 6


def _at_once(*works):
    barrier, errors = threading.Barrier(len(works)), []

    def run(work):
        barrier.wait()
        try:
            for number in range(ROUNDS):
                work(number)
        except Exception as error:  # noqa: BLE001  raised again below
            errors.append(error)

    threads = [threading.Thread(target=run, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for error in errors:
        raise error


@pytest.mark.req("R5.2", "R4.20")
def test_users_and_rulesets_that_change_at_once_leave_maxima_and_memberships_right(scene):
    lives = [Live(scene.store) for _ in range(3)]

    def current(live):
        live.follow()
        return live.ruleset()

    def adding(live, first):
        def work(number):
            rows = [
                Row(number=index, fields={"id": f"u{index}", "group": ("hotel", "train")[(index + number) % 2]})
                for index in range(first, first + 40)
            ]
            import_users(scene.store, lambda: current(live), rows, scene.clock())
            deactivate_user(scene.store, lambda: current(live), f"u{first}", scene.clock())

        return work

    def publishing(number):
        files = {name: text.encode() if isinstance(text, str) else text for name, text in VARIANTS[number % 3].items()}
        publish(scene.store, files, scene.clock(), by="test")

    def tickets(number):
        scene.create(f"t{number}")
        scene.send("ticket.closed", f"t{number}", by="ha1")

    scene.online("ha1")
    # The two imports overlap.
    _at_once(adding(lives[0], 0), adding(lives[1], 20), publishing, tickets)

    live = lives[2]
    merged = current(live).roster
    with scene.store.connection():
        assert rulesets.active_hash(scene.store) == live.hash
        assert set(roster.added(scene.store)) == set(merged.users) - set(merged.files.users)
        stored = {row[0]: row[1] for row in scene.store.rows("SELECT id, slot_limit FROM member WHERE active")}
        serves = set(scene.store.rows("SELECT user_id, desk FROM membership"))
    assert stored == {user.id: merged.slot_limit(user) for user in merged.users.values()}
    assert serves == {(user_id, desk) for user_id, desks in merged.desks_of.items() for desk in desks}
    scene.loads_hold()
    for found in lives:
        if found.hash is not None:
            found.ruleset().rules.close()


@pytest.mark.parametrize("databases", ["sqlite"], indirect=True)
def test_users_are_written_in_the_order_in_which_events_lock_them(scene, monkeypatch):
    """In another order, an import and an event that each have what the other wants would cost one of them its turn."""
    written, real = [], scene.store.sql

    def recorded(text, *parameters):
        if text.startswith("INSERT INTO member"):
            written.extend(value for value in parameters if value in ("u1", "u2", "u3"))
        return real(text, *parameters)

    monkeypatch.setattr(scene.store, "sql", recorded)
    rows = [Row(number=index, fields={"id": name, "name": "x"}) for index, name in enumerate(("u3", "u1", "u2"), 1)]
    import_users(scene.store, lambda: scene.ruleset, rows, scene.clock())
    assert written == ["u1", "u2", "u3"]
