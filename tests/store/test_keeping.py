"""What else is kept: connectors' memory, webhooks, API keys, rulesets, signs of life."""

import datetime as dt
import threading

from rules_service.service.publish import publish, rollback
from rules_service.store import api_keys, figures, plugged, rulesets, write_change
from tests.scene import NINE, ruleset_of, travel_files, variant
from tests.store.rows import change, member, ticket


def _after(seconds):
    return NINE + dt.timedelta(seconds=seconds)


#: The travel ruleset with one agent less, and another with other skills and another maximum.
OTHER = variant((r"  ha8: .*\n", ""), (r"(ha1: .*)\[payment\], max_assignment: 5", r"\1[refund], max_assignment: 2"))


# --- connectors ------------------------------------------------------------------------------------------------------


def test_a_connectors_memory_is_kept_by_connector_and_ticket(store):
    def work():
        plugged.write_memory(store, "a", "1", {"seen": ["é"]}, NINE)
        plugged.write_memory(store, "b", "1", {"other": 1}, NINE)
        plugged.write_memory(store, "a", "1", {"seen": ["é", 2]}, NINE)

    store.transact(work)
    with store.connection():
        assert plugged.read_memory(store, "a", "1", lock=False) == {"seen": ["é", 2]}
        assert plugged.read_memory(store, "b", "1", lock=False) == {"other": 1}
        assert plugged.read_memory(store, "a", "2", lock=False) is None


def test_webhooks_are_read_in_the_order_in_which_they_came_and_the_unreadable_stay(store):
    def arrive():
        for number in range(3):
            plugged.store_inbound(store, "a", "inbound", f"[{number}]", _after(number))

    store.transact(arrive)
    first = store.transact(lambda: plugged.first_inbound(store))
    assert first[1:] == ("a", "inbound", "[0]", NINE)
    store.transact(lambda: plugged.settle_inbound(store, first[0], "no ticket " * 99))
    second = store.transact(lambda: plugged.first_inbound(store))
    assert second[3] == "[1]"
    store.transact(lambda: plugged.settle_inbound(store, second[0], None))
    with store.connection():
        assert plugged.first_inbound(store)[3] == "[2]"
        ((error,),) = store.rows("SELECT error FROM inbound WHERE error IS NOT NULL")
    assert len(error) == 500


def test_several_workers_read_every_webhook_once(store):
    def arrive():
        for number in range(20):
            plugged.store_inbound(store, "a", "inbound", str(number), NINE)

    store.transact(arrive)
    seen = []

    def one():
        found = plugged.first_inbound(store)
        if found is None:
            return None
        plugged.settle_inbound(store, found[0], None)
        return found[3]

    def work():
        while (payload := store.transact(one)) is not None:
            seen.append(payload)

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(seen, key=int) == [str(number) for number in range(20)]


def test_open_tickets_of_a_connector_are_known(store):
    def work():
        for name, closed_at in (("1", None), ("2", NINE), ("3", None)):
            write_change(store, change(ticket(name, closed_at=closed_at)))
            plugged.write_memory(store, "a", name, {}, NINE)
        plugged.write_memory(store, "b", "1", {}, NINE)
        plugged.write_memory(store, "a", "", {}, NINE)

    store.transact(work)
    with store.connection():
        assert plugged.remembered_ids(store, "a") == ["1", "3"]


# --- keys ------------------------------------------------------------------------------------------------------------


def test_a_key_is_found_by_its_id_until_it_is_disabled(store):
    def work():
        for number, key_id in enumerate(("k1", "k2")):
            api_keys.insert(
                store, key_id=key_id, name="n", secret_sha256="s", scopes="[]", role="agent", user_id="ha1",
                now=_after(number),
            )  # fmt: skip

    store.transact(work)
    with store.connection():
        found = api_keys.read(store, "k1")
        assert (found.id, found.name, found.secret_sha256, found.role, found.user_id) == (
            "k1",
            "n",
            "s",
            "agent",
            "ha1",
        )
        assert [row[0] for row in api_keys.listed(store)] == ["k1", "k2"]
        assert api_keys.read(store, "k3") is None
    assert store.transact(lambda: api_keys.disable(store, "k1", NINE)) is True
    assert store.transact(lambda: api_keys.disable(store, "k1", NINE)) is False
    with store.connection():
        assert api_keys.read(store, "k1") is None
        assert [row[0] for row in api_keys.listed(store)] == ["k2"]


# --- rulesets --------------------------------------------------------------------------------------------------------


def _publish(store, files, now=NINE):
    texts = {name: text.encode() if isinstance(text, str) else text for name, text in files.items()}
    return publish(store, texts, now, by="me").hash


def test_the_last_activation_is_the_active_ruleset(store):
    with store.connection():
        assert rulesets.active_hash(store) is None
    travel = _publish(store, travel_files())
    other = _publish(store, OTHER, _after(1))
    with store.connection():
        assert rulesets.active_hash(store) == other
    assert rollback(store, travel[:12], _after(2), by="me").changed is True
    with store.connection():
        assert rulesets.active_hash(store) == travel
        assert rulesets.find(store, travel) == (travel, dict(travel_files()))
        assert rulesets.find(store, "no such hash") is None


def test_the_roster_follows_the_ruleset_and_loads_and_presence_are_kept(store):
    _publish(store, travel_files())
    travel = ruleset_of(travel_files())
    with store.connection():
        assert store.row("SELECT COUNT(*) FROM member WHERE active") == (len(travel.roster.users),)
        store.sql("UPDATE member SET open_count = 3, presence = 'online' WHERE id IN ('ha1', 'ha8')")
    _publish(store, OTHER, _after(1))
    with store.connection():
        rows = {
            row[0]: (row[1], row[2], row[3], bool(row[4]))
            for row in store.rows("SELECT id, open_count, presence, slot_limit, active FROM member")
        }
        assert rows["ha1"] == (3, "online", 2, True)
        assert rows["ha8"] == (3, "online", 5, False)
        assert rows["ha2"] == (0, "offline", 5, True)
        assert store.rows("SELECT skill FROM skill WHERE user_id = 'ha1'") == [("refund",)]
        assert store.rows("SELECT desk FROM membership WHERE user_id = 'ha8'") == []
    _publish(store, travel_files(), _after(2))
    with store.connection():
        assert store.rows("SELECT open_count, slot_limit FROM member WHERE id = 'ha8' AND active") == [(3, 5)]


def test_a_changed_roster_has_every_queue_looked_at(store):
    _publish(store, travel_files())
    with store.connection():
        assert {row[0] for row in store.rows("SELECT subject FROM timer WHERE kind = 'drain'")} == {
            f"desk:{name}" for name in ruleset_of(travel_files()).roster.desks
        }


# --- figures ---------------------------------------------------------------------------------------------------------


def test_the_last_sign_of_life_of_any_worker_counts(store):
    with store.connection():
        assert figures.worker_silent_s(store, NINE) is None
    for process, at in (("w1", NINE), ("w2", _after(7)), ("w1", _after(5))):
        store.transact(lambda p=process, a=at: figures.beat(store, p, "worker", "h", a))
    store.transact(lambda: figures.beat(store, "api", "api", "h", _after(30)))
    with store.connection():
        assert figures.worker_silent_s(store, _after(17)) == 10
        assert figures.worker_silent_s(store, NINE) == 0


def test_every_figure_has_a_value_on_an_empty_database_and_counts_on_another(store):
    with store.connection():
        empty = {name: values for name, _, _, values in figures.all_figures(store, NINE)}
    assert empty["deliveries_pending"] == [((), 0)]
    assert empty["queue_length"] == []
    member(store, "a")
    store.transact(lambda: write_change(store, change(ticket(), next_due_at=NINE)))
    with store.connection():
        found = {name: values for name, _, _, values in figures.all_figures(store, _after(5))}
    assert found["queue_length"] == [(("hotel-chat",), 1)]
    assert found["users"] == [(("online",), 1)]
    assert found["deadline_lag_seconds"] == [((), 5.0)]
