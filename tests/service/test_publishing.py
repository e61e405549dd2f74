"""Rulesets put live, watched, rolled back; open tickets brought under them."""

import shutil

import peewee as pw
import pytest
from structlog.testing import capture_logs

from rules_service import worker
from rules_service.errors import InvalidRuleset, UnknownName
from rules_service.live import Live
from rules_service.ruleset import content_hash, read_folder
from rules_service.service import publish
from rules_service.store import rulesets
from tests.scene import travel_files, variant
from tests.store.test_plans import plan_of

NEW_RULE = """version: 1
rules:
  - id: marked
    when: {ticket.status: assigned}
    then: [{add_tags: [marked]}]
"""
BROKEN = "version: 1\nrules: [{id: x, when: {ticket.statuz: open}, then: [close]}]\n"


def files_with(text, name="more.yaml"):
    return {name_: t if isinstance(t, bytes) else t.encode() for name_, t in variant(add={name: text}).items()}


@pytest.fixture
def live(scene):
    made = Live(scene.store)
    made.follow()
    return made


@pytest.fixture
def folder(tmp_path):
    target = tmp_path / "rules"
    for name, content in travel_files().items():
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        (target / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    return target


def watch(scene, folder):
    return publish.watch(scene.store, read_folder(folder), scene.clock())


def test_a_process_follows_what_is_put_live(scene, live):
    files = files_with(NEW_RULE)
    done = publish.publish(scene.store, files, scene.clock(), by="test")
    assert done.changed
    assert live.follow()
    assert live.hash == done.hash == content_hash(files)
    assert not live.follow()


def test_a_broken_ruleset_leaves_the_last_good_one_active(scene, live):
    before = live.hash
    with pytest.raises(InvalidRuleset) as caught:
        publish.publish(scene.store, files_with(BROKEN), scene.clock(), by="test")
    assert 'did you mean "ticket.status"?' in caught.value.data["problems"][0]
    live.follow()
    assert live.hash == before


def test_a_rollback_names_a_stored_ruleset_by_the_beginning_of_its_hash(scene, live):
    first = live.hash
    publish.publish(scene.store, files_with(NEW_RULE), scene.clock(), by="test")
    assert publish.rollback(scene.store, first[:10], scene.clock(), by="test").hash == first
    live.follow()
    assert live.hash == first
    with pytest.raises(UnknownName):
        publish.rollback(scene.store, "f00", scene.clock(), by="test")


def test_a_new_rule_does_not_fire_on_open_tickets_that_meet_it_already(scene):
    scene.online("ha1")
    scene.create("old")
    done = publish.publish(scene.store, files_with(NEW_RULE), scene.clock(), by="test")
    assert done.primed == {"marked": 1}
    scene.publish(files_with(NEW_RULE))
    scene.send("message.received", "old", by="customer", text="halo")
    scene.create("new")
    assert scene.ticket("old").tags == frozenset()
    assert scene.ticket("new").tags == {"marked"}


def test_a_new_rule_that_says_catch_up_fires_on_open_tickets(scene):
    scene.online("ha1")
    scene.create("old")
    scene.publish(files_with(NEW_RULE.replace("    then:", "    catch_up: true\n    then:")))
    scene.send("message.received", "old", by="customer", text="halo")
    assert scene.ticket("old").tags == {"marked"}


def test_a_rule_that_stays_keeps_its_memory_over_a_change_of_others(scene):
    """It was armed and became true by time while the rules changed: it still fires."""
    scene.online("ha1")
    scene.create()
    scene.send("ticket.opened", by="ha1")
    scene.send("message.sent", by="ha1", text="halo")
    scene.clock.advance(29 * 60)
    scene.publish(files_with(NEW_RULE))
    scene.clock.advance(61)
    with scene.store.connection():
        scene.worker.run_judging()
    scene.run_due()
    assert "alert" in [kind for kind, data in scene.actions() if "idle" in str(data.get("text"))]


def test_open_tickets_are_judged_anew_in_the_background(scene):
    scene.online("ha1")
    for number in range(5):
        scene.create(f"t{number}")
    scene.publish(files_with(NEW_RULE))
    with scene.store.connection():
        while scene.worker.run_judging():
            pass
    assert {row[0] for row in scene.rows("SELECT judged_under FROM ticket")} == {scene.ruleset.hash[:12]}
    assert scene.rows("SELECT COUNT(*) FROM ticket WHERE next_due_at IS NULL") == [(0,)]
    assert all(scene.ticket(f"t{number}").tags == frozenset() for number in range(5))


def test_how_many_tickets_are_left_to_judge_is_told_and_found_by_an_index(scene, monkeypatch):
    scene.online("ha1")
    for number in range(5):
        scene.create(f"t{number}")
    scene.send("ticket.closed", "t4")
    scene.publish(files_with(NEW_RULE))
    with scene.store.connection():
        assert rulesets.count_to_judge(scene.store, scene.ruleset.hash) == 4
        monkeypatch.setattr(worker, "JUDGE_BATCH", 3)
        assert scene.worker.run_judging()
        assert rulesets.count_to_judge(scene.store, scene.ruleset.hash) == 1
        assert not scene.worker.run_judging()
        assert rulesets.count_to_judge(scene.store, scene.ruleset.hash) == 0
    plan = plan_of(scene.store, lambda: rulesets.tickets_to_judge(scene.store, scene.ruleset.hash, 50))
    assert "ticket_judged" in plan or scene.store.is_postgres
    assert "SCAN ticket" not in plan


def test_a_ticket_that_cannot_be_judged_does_not_keep_the_others_from_it(scene, monkeypatch):
    for number in range(3):
        scene.create(f"t{number}")
    scene.publish(files_with(NEW_RULE))
    real = scene.service.judge_anew

    def fails(ticket_id):
        if ticket_id == "t1":
            raise RuntimeError("broken")
        real(ticket_id)

    monkeypatch.setattr(scene.service, "judge_anew", fails)
    with scene.store.connection(), capture_logs() as told:
        for _ in range(3):
            scene.worker.run_judging()
        assert rulesets.tickets_to_judge(scene.store, scene.ruleset.hash, 50) == ["t1"]
    assert [entry["event"] for entry in told].count("ticket_not_judged") == 1


def test_a_database_that_is_away_leaves_no_ticket_out_of_the_judging(scene, monkeypatch):
    for number in range(3):
        scene.create(f"t{number}")
    scene.publish(files_with(NEW_RULE))
    with monkeypatch.context() as away, scene.store.connection():
        away.setattr(scene.service, "judge_anew", lambda _: (_ for _ in ()).throw(pw.OperationalError("server closed")))
        with pytest.raises(pw.OperationalError):
            scene.worker.run_judging()
    with scene.store.connection():
        while scene.worker.run_judging():
            pass
        assert rulesets.count_to_judge(scene.store, scene.ruleset.hash) == 0


def test_a_lifecycle_without_a_state_in_which_tickets_stand_says_where_they_go(scene):
    scene.given("pending")
    renamed = variant((r"\bpending\b", "waiting"))
    with pytest.raises(InvalidRuleset) as caught:
        scene.publish(renamed)
    assert "open tickets stand in pending" in caught.value.data["problems"][0]
    mapped = {
        name: text.replace("  reopen_within: 7d", "  reopen_within: 7d\n  maps: {pending: waiting}")
        for name, text in renamed.items()
    }
    scene.publish(mapped)
    assert scene.send("message.sent", by="ha1", text="halo")["outcome"] == "done"
    assert scene.ticket().status == "waiting"


# --- a watched folder ------------------------------------------------------------------------------------------------


def test_a_changed_folder_goes_live_and_a_broken_one_is_told(scene, folder, live):
    assert watch(scene, folder) is None
    (folder / "more.yaml").write_text(NEW_RULE)
    done = watch(scene, folder)
    assert done is not None
    assert done.changed
    (folder / "more.yaml").write_text(BROKEN)
    with pytest.raises(InvalidRuleset):
        watch(scene, folder)
    assert watch(scene, folder) is None
    live.follow()
    assert live.hash == done.hash


def test_a_rollback_stays_until_the_folder_changes_again(scene, folder, live):
    first = live.hash
    watch(scene, folder)
    (folder / "more.yaml").write_text(NEW_RULE)
    second = watch(scene, folder)
    publish.rollback(scene.store, first, scene.clock(), by="test")
    assert watch(scene, folder) is None
    live.follow()
    assert live.hash == first
    (folder / "more.yaml").write_text(NEW_RULE + "    about: changed\n")
    assert watch(scene, folder).hash not in (first, second.hash)
    (folder / "more.yaml").unlink()
    assert watch(scene, folder).hash == first


@pytest.mark.parametrize("case", ["swapped link", "recreated folder", "links to files", "linked subfolder"])
def test_a_folder_is_read_however_it_is_put_there(scene, folder, tmp_path, case):
    watch(scene, folder)
    changed = tmp_path / "changed"
    shutil.copytree(folder, changed)
    (changed / "more.yaml").write_text(NEW_RULE)
    looked_at = tmp_path / "mounted"
    if case == "swapped link":
        looked_at.symlink_to(folder)
        assert watch(scene, looked_at) is None
        (tmp_path / "other").symlink_to(changed)
        (tmp_path / "other").replace(looked_at)
    elif case == "recreated folder":
        shutil.copytree(folder, looked_at)
        assert watch(scene, looked_at) is None
        shutil.rmtree(looked_at)
        shutil.copytree(changed, looked_at)
    elif case == "links to files":
        (looked_at / "..data").mkdir(parents=True)
        for name in read_folder(changed):
            (looked_at / "..data" / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(changed / name, looked_at / "..data" / name)
            (looked_at / name).parent.mkdir(parents=True, exist_ok=True)
            (looked_at / name).symlink_to(looked_at / "..data" / name)
    else:
        shutil.copytree(changed, looked_at)
        shutil.rmtree(looked_at / "groups")
        (looked_at / "groups").symlink_to(changed / "groups")
        (looked_at / "round").symlink_to(looked_at)
    done = watch(scene, looked_at)
    assert done is not None
    assert done.hash == content_hash(read_folder(changed))


# --- a group's own folder --------------------------------------------------------------------------------------------


@pytest.mark.req("R5.11", "R5.12")
def test_a_groups_files_hold_the_groups_own_things_and_see_its_tickets_only(scene):
    scene.publish(variant(add={"groups/hotel/rules.yaml": NEW_RULE}))
    scene.online("ha1", "fa1")
    scene.create("h")
    scene.create("f", group="flight")
    assert scene.ticket("h").tags == {"marked"}
    assert scene.ticket("f").tags == frozenset()


@pytest.mark.req("R5.12")
@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("version: 1\nusers: {zz: {group: flight}}\n", 'may not define what belongs to "flight"'),
        ("version: 1\ngroups: {flight: {}}\n", 'may not define the group "flight"'),
        ("version: 1\ndefault_desk: hotel-chat\n", "may not define default_desk"),
    ],
)
def test_a_groups_file_cannot_define_what_is_not_the_groups(text, message):
    with pytest.raises(InvalidRuleset) as caught:
        publish.check(files_with(text, "groups/hotel/more.yaml"))
    assert any(message in problem for problem in caught.value.data["problems"])


@pytest.mark.req("R5.12")
def test_a_groups_folder_is_published_alone(scene, live):
    team = travel_files()["groups/hotel/team.yaml"]
    files = {"groups/hotel/team.yaml": team, "groups/hotel/rules.yaml": NEW_RULE.encode()}
    done = publish.publish_group(scene.store, "hotel", files, scene.clock(), by="hs1")
    live.follow()
    assert live.hash == done.hash
    assert "marked" in live.ruleset().rules.by_id
    assert "system-down" in live.ruleset().rules.by_id
    with pytest.raises(InvalidRuleset):
        publish.publish_group(scene.store, "hotel", {"rules.yaml": b"version: 1\n"}, scene.clock(), by="hs1")


@pytest.mark.parametrize("databases", ["sqlite"], indirect=True)
def test_who_publishes_by_api_is_told_every_warning_that_checking_tells(client):
    files = {name: text.decode() for name, text in files_with(NEW_RULE).items()}
    files["unused.yaml"] = 'version: 1\nkeywords: {nobody: {any: [x]}}\nendpoints: {x: {url: "${ABSENT}"}}\n'
    checked = client.post("/v1/rulesets/check", json={"files": files}).json["warnings"]
    assert {warning.rpartition(" (")[2] for warning in checked} == {"unused)", "unset-variable)"}
    answer = client.post("/v1/rulesets", json={"files": files})
    assert (answer.status_code, answer.json["changed"], answer.json["warnings"]) == (200, True, checked)
    own = {name: text for name, text in files.items() if name.startswith("groups/hotel/")}
    own["groups/hotel/more.yaml"] = "version: 1\nkeywords: {nobody_else: {any: [x]}}\n"
    warnings = client.post("/v1/rulesets", json={"group": "hotel", "files": own}).json["warnings"]
    assert any('"nobody_else"' in warning for warning in warnings)


def test_a_ticket_that_was_deleted_keeps_no_lifecycle_from_going_live(scene):
    scene.given("pending")
    scene.send("ticket.deleted")
    scene.publish(variant((r"\bpending\b", "waiting")))
    assert "waiting" in scene.ruleset.lifecycle.states
