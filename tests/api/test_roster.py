"""The roster by API: what is answered, what is refused, and who may."""

import json

import pytest

from rules_service.service.keys import create_key
from tests.api.test_bad_input import Refusals
from tests.scene import travel_files, variant

HEADER = "id,name,group,role,level,skills,max_assignment,desks"


@pytest.fixture
def refused(client, scene, key, capfd, caplog):
    return Refusals(client, scene, key, capfd, caplog)


def _csv(client, *lines, status=200):
    response = client.post("/v1/users/import", data="\n".join(lines), content_type="text/csv; charset=utf-8")
    assert response.status_code == status, response.text
    return response.json


@pytest.mark.req("R5.9")
def test_a_user_is_added_shown_changed_and_taken_out(client):
    added = client.put("/v1/users/new", json={"name": "Newcomer", "group": "hotel", "skills": ["payment"]}).json
    assert added == client.get("/v1/users/new").json
    assert {name: added[name] for name in ("id", "name", "group", "role", "level", "skills", "source", "active")} == {
        "id": "new", "name": "Newcomer", "group": "hotel", "role": "agent", "level": 0, "skills": ["payment"],
        "source": "api", "active": True,
    }  # fmt: skip
    assert (added["max_assignment"], added["slot_limit"]) == (None, 5)
    assert (added["desks"], added["serves"]) == (None, ["hotel-chat"])
    assert client.put("/v1/users/new", json={"level": 3}).json["serves"] == []
    assert client.delete("/v1/users/new").json["active"] is False
    assert "new" not in [user["id"] for user in client.get("/v1/users?limit=500").json["items"]]


def test_a_user_is_in_force_at_once_in_the_process_that_added_them(client, app):
    client.put("/v1/users/new", json={"group": "hotel"})
    assert "new" in app.extensions["rules_service"].live.ruleset().roster.users


def test_users_are_found_by_group_role_presence_skill_and_desk_page_by_page(client, scene):
    client.put("/v1/users/new", json={"group": "hotel", "skills": ["chess"], "desks": ["train-chat"]})
    scene.online("ha1", "ta1")

    def ids(query):
        return [user["id"] for user in client.get(f"/v1/users?{query}").json["items"]]

    assert ids("group=hotel&role=supervisor") == ["hs1", "hs2"]
    assert ids("presence=online") == ["ha1", "ta1"]
    assert ids("skill=chess") == ["new"]
    assert ids("desk=train-chat&group=hotel") == ["new"]
    assert ids("group=nobody") == []
    page = client.get("/v1/users?group=booking&limit=3").json
    assert ([user["id"] for user in page["items"]], page["next_after"]) == (["ba1", "ba2", "ba3"], "ba3")
    page = client.get(f"/v1/users?group=booking&limit=3&after={page['next_after']}").json
    assert ([user["id"] for user in page["items"]], page["next_after"]) == (["bs1", "bs2"], None)


def test_a_roster_is_imported_as_csv_and_as_json(client):
    assert _csv(client, HEADER, "a1,Ani,hotel,,1,payment;refund,3,", "a2,,train,supervisor,,,,") == {
        "created": 2,
        "updated": 0,
        "unchanged": 0,
    }
    users = [
        {"id": "a1", "name": "Ani", "group": "hotel", "level": 1, "skills": ["refund", "payment"], "max_assignment": 3},
        {"id": "a2", "group": "train", "role": "agent"},
    ]
    assert client.post("/v1/users/import", json={"users": users}).json == {"created": 0, "updated": 1, "unchanged": 1}
    assert client.get("/v1/users/a2").json["serves"] == ["train-chat"]


def test_every_bad_row_is_reported_and_no_row_is_taken(refused):
    lines = [
        HEADER,
        "good,,hotel,,,,,",
        "a1,,hotl,,,,,",
        "a2,,hotel,king,,,,",
        "a3,,hotel,,9,,,",
        "a4,,hotel,,,,many,",
        "a5,,hotel,,,,,hotel-cat",
        "ha1,,hotel,,,,,",
        "good,,hotel,,,,,",
        ",no id,hotel,,,,,",
    ]
    found = refused(
        422, "invalid_users", "8 rows cannot be taken, so none was; row 3, group", path="/v1/users/import",
        data="\n".join(lines), content_type="text/csv",
    )  # fmt: skip
    assert [(error["row"], error["column"], error["detail"]) for error in found.json["errors"]] == [
        (3, "group", 'unknown group "hotl"; did you mean "hotel"?'),
        (4, "role", "must be one of agent, supervisor, technical, management"),
        (5, "level", "must be a whole number from 0 to 3"),
        (6, "max_assignment", "must be a whole number from 0 to 10000, or nothing"),
        (7, "desks", 'unknown desk "hotel-cat"; did you mean "hotel-chat"?'),
        (8, "id", "ha1 is defined in groups/hotel/team.yaml:11:3; change it there and publish"),
        (9, "id", '"good" stands in row 2 too'),
        (10, "id", "is required"),
    ]


@pytest.mark.parametrize(
    ("body", "content_type", "says"),
    [
        (b"", "text/csv", "row 1, id: is required"),
        (b"id\n", "text/csv", "no user in it"),
        (b"name\nx\n", "text/csv", "row 1, id: is required; columns: "),
        (b"id,nmae\nx,y\n", "text/csv", 'unknown column "nmae"; did you mean "name"'),
        (b"id,id\nx,y\n", "text/csv", "stands twice"),
        (b"id,name\nx,y,z\n", "text/csv", "row 2: has more cells than the header's 2"),
        (b'id,name\nx,"y\n', "text/csv", "not CSV"),
        (b"id\n\xff\xfe\n", "text/csv", "not UTF-8"),
        (b"id\na\x00b\n", "text/csv", "NUL"),
        (b'{"users": []}', "application/json", "no user in it"),
        (b'{"users": {}}', "application/json", "expected"),
        (b"[]", "application/json", "expected"),
        (b'{"users": [1]}', "application/json", "row 1: must be an object with id"),
        (b'{"users": [{"id": 5}]}', "application/json", "row 1, id: must be text"),
        (b'{"users": [{"id": ""}]}', "application/json", "row 1, id: must be text of 1 to 200"),
        (b'{"users": [{"id": "\\ud800"}]}', "application/json", "row 1, id: must be valid Unicode"),
        (
            b'{"users": [{"id": "a/presence"}]}',
            "application/json",
            "row 1, id: must not hold a slash, nor be . or .., which no address can name",
        ),
        (b'{"users": [{"id": "a", "rank": 1}]}', "application/json", 'row 1, rank: unknown column "rank"'),
        (b'{"users": [{"id": "a", "skills": "x"}]}', "application/json", "row 1, skills: must be a list"),
        (b'{"users": [{"id": "a", "level": 1.5}]}', "application/json", "row 1, level: must be a whole number"),
        (b'{"users": [{"id": "a", "level": true}]}', "application/json", "row 1, level: must be a whole number"),
    ],
)
@pytest.mark.parametrize("databases", ["sqlite"], indirect=True)
def test_an_import_that_cannot_be_read_says_why(refused, body, content_type, says):
    refused(422, "invalid_users", says, path="/v1/users/import", data=body, content_type=content_type)


@pytest.mark.parametrize(
    ("body", "code", "says"),
    [
        ({"group": "hotle"}, "invalid_users", 'group: unknown group "hotle"; did you mean "hotel"'),
        ({"desks": ["hotel"]}, "invalid_users", 'desks: unknown desk "hotel"'),
        ({"level": 4}, "invalid_request", "/level: must be a whole number from 0 to 3"),
        ({"level": None}, "invalid_request", "/level"),
        ({"max_assignment": -1}, "invalid_request", "/max_assignment: must be a whole number from 0 to 10000"),
        ({"max_assignment": 10**30}, "invalid_request", "/max_assignment"),
        ({"role": "boss"}, "invalid_request", "/role: must be one of agent, supervisor"),
        ({"name": ""}, "invalid_request", "/name: must be text"),
        ({"name": "a\x00b"}, "invalid_request", "/name.*NUL"),
        ({"skills": ["\ud800"]}, "invalid_request", "/skills/0.*Unicode"),
        ({"id": "other"}, "invalid_request", "/id"),
        ({"surprise": 1}, "invalid_request", "/surprise"),
    ],
)
@pytest.mark.parametrize("databases", ["sqlite"], indirect=True)
def test_a_user_that_cannot_be_taken(refused, body, code, says):
    refused(422, code, says, path="/v1/users/new", method="PUT", data=json.dumps(body), content_type="application/json")


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
def test_a_user_of_a_rule_file_is_read_only(refused, method):
    found = refused(409, "user_of_file", "ha1 is defined in", path="/v1/users/ha1", method=method, json={})
    assert found.json["defined_at"] == "groups/hotel/team.yaml:11:3"


@pytest.mark.parametrize("databases", ["sqlite"], indirect=True)
def test_who_is_not_there_cannot_be_taken_out(refused):
    refused(404, "unknown_user", "nobody", path="/v1/users/nobody", method="DELETE")
    refused(
        422, "invalid_users", "id: must be text of 1 to 200", path=f"/v1/users/{'x' * 201}", method="PUT", json={}
    )  # fmt: skip


@pytest.mark.parametrize("query", ["role=boss", "presence=here", "limit=0", "limit=x", "groups=hotel", "after=%00"])
@pytest.mark.parametrize("databases", ["sqlite"], indirect=True)
def test_a_question_about_users_that_means_nothing(refused, query):
    refused(422, "invalid_request", query.partition("=")[0], path=f"/v1/users?{query}", method="GET")


@pytest.mark.parametrize("databases", ["sqlite"], indirect=True)
def test_a_key_that_acts_as_a_person_changes_no_roster(refused, scene):
    """An agent could otherwise make themselves a supervisor."""
    key = create_key(scene.store, scene.clock(), name="own", scopes=["roster:write"], role="agent", user_id="ha1")
    own = {"Authorization": f"Bearer {key}"}
    for method, path in (("PUT", "/v1/users/ha1"), ("PUT", "/v1/users/x"), ("DELETE", "/v1/users/x")):
        refused(403, "not_allowed", "acts as ha1", path=path, method=method, json={}, headers=own)
    refused(403, "not_allowed", "acts as ha1", path="/v1/users/import", json={"users": [{"id": "x"}]}, headers=own)


@pytest.mark.parametrize("databases", ["sqlite"], indirect=True)
def test_the_keys_of_who_is_taken_out_end(client, scene):
    client.put("/v1/users/new", json={"group": "hotel"})
    own = create_key(scene.store, scene.clock(), name="own", scopes=["users:read"], role="agent", user_id="new")
    asked = {"path": "/v1/users/new", "headers": {"Authorization": f"Bearer {own}"}}
    assert client.get(**asked).status_code == 200
    client.delete("/v1/users/new")
    assert client.get(**asked).status_code == 401


def test_a_key_of_whom_no_file_names_any_more_does_nothing_until_they_are_back(client, scene):
    with_guest = variant(add={"guest.yaml": "version: 1\nusers: {guest: {group: hotel}}\n"})
    scene.publish(with_guest)
    own = create_key(scene.store, scene.clock(), name="own", scopes=["users:read"], role="agent", user_id="guest")
    asked = {"path": "/v1/users/guest", "headers": {"Authorization": f"Bearer {own}"}}
    assert client.get(**asked).status_code == 200
    scene.publish(travel_files())
    assert client.get(**asked).status_code == 401
    scene.publish(with_guest)
    assert client.get(**asked).status_code == 200


@pytest.mark.parametrize("databases", ["sqlite"], indirect=True)
def test_a_roster_may_be_larger_than_other_bodies_and_has_a_limit_too(client):
    users = [{"id": f"user-{number:05}", "name": "x" * 180} for number in range(6_000)]
    body = json.dumps({"users": users})
    assert len(body) > 1024 * 1024
    assert client.post("/v1/users/import", data=body, content_type="application/json").json["created"] == 6_000
    found = client.post("/v1/users/import", data=body * 8, content_type="application/json")
    assert found.status_code == 413
    found = client.post("/v1/users/import", data="id\n" + "\n".join(map(str, range(20_001))), content_type="text/csv")
    assert "at most 20000 at once" in found.json["detail"]


@pytest.mark.parametrize("databases", ["sqlite"], indirect=True)
def test_a_roster_nested_without_end_is_the_callers_error(client):
    found = client.post("/v1/users/import", data="[" * 100_000, content_type="application/json")
    assert (found.status_code, found.json["code"]) == (400, "invalid_json")


@pytest.mark.req("R5.3", "R5.9", "R2.30")
def test_groups_tell_supervisors_desks_people_and_the_transfer_limit(client, scene):
    scene.online("ha1", "ha2", "hs1")
    client.put("/v1/users/new", json={"group": "hotel"})
    found = {group["id"]: group for group in client.get("/v1/groups").json["items"]}
    assert found["hotel"] == {
        "id": "hotel",
        "supervisors": ["hs1", "hs2"],
        "desks": ["hotel-chat"],
        "members": {"total": 11, "online": 3},
        "transfer_limit": 3,
        "escalation": "standard",
    }
