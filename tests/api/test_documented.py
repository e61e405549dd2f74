"""The description of the interface is whole, and every error has its status."""

import re
from http import HTTPStatus

import pytest

from rules_service import errors
from rules_service.api.problems import STATUS
from rules_service.service.keys import SCOPES
from rules_service.tickets import EVENT_TYPES, INTERNAL_EVENT_TYPES

pytestmark = pytest.mark.parametrize("databases", ["sqlite"], indirect=True)


def _all(kind):
    return {kind, *(found for child in kind.__subclasses__() for found in _all(child))}


@pytest.fixture
def description(client):
    response = client.get("/openapi.json")
    assert response.status_code == 200
    return response.json


def test_every_error_has_a_status_a_code_of_its_own_and_a_sentence(databases):
    kinds = {kind for kind in _all(errors.ServiceError) if kind.__module__.startswith("rules_service")}
    kinds -= {errors.ServiceError}
    assert set(STATUS) == kinds
    codes = [kind.code for kind in kinds]
    assert len(set(codes)) == len(codes)
    assert all(kind.__doc__ for kind in kinds)
    assert all(400 <= status < 600 for status in STATUS.values())


def test_every_address_and_method_is_described(app, description):
    described = {
        (method.upper(), path)
        for path, found in description["paths"].items()
        for method in found
        if method != "parameters"
    }
    served = set()
    for rule in app.url_map.iter_rules():
        if rule.endpoint.startswith(("api-docs", "swagger_ui", "static")):
            continue
        path = re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule)
        served |= {(method, path) for method in rule.methods - {"HEAD", "OPTIONS"}}
    assert served == described


def test_every_operation_says_what_it_is_for_and_what_it_answers(description):
    for path, methods in description["paths"].items():
        for method, operation in methods.items():
            if method == "parameters":
                continue
            assert operation.get("summary"), (method, path)
            assert any(status.startswith("2") for status in operation["responses"]), (method, path)


def test_every_reference_leads_somewhere(description):
    def references(value):
        if isinstance(value, dict):
            if "$ref" in value:
                yield value["$ref"]
            for inner in value.values():
                yield from references(inner)
        elif isinstance(value, list):
            for inner in value:
                yield from references(inner)

    found = set(references(description))
    assert found
    for reference in found:
        here = description
        for step in reference.removeprefix("#/").split("/"):
            here = here[step]


def test_the_description_is_of_this_version_and_lists_every_public_event(description):
    from rules_service import __version__

    assert (description["openapi"], description["info"]["version"]) == ("3.1.0", __version__)
    listed = description["components"]["schemas"]["Event"]["properties"]["type"]["enum"]
    assert set(listed) == set(EVENT_TYPES) - INTERNAL_EVENT_TYPES
    assert description["components"]["securitySchemes"]["key"]["scheme"] == "bearer"


def test_every_scope_is_asked_for_somewhere_or_reserved(app):
    asked = {getattr(view, "_scope", None) for view in app.view_functions.values()}
    assert asked - {None} <= set(SCOPES)


def test_the_page_is_served(client):
    assert client.get("/docs/").status_code == 200


def test_health_needs_no_key_and_metrics_do(client, scene):
    del client.environ_base["HTTP_AUTHORIZATION"]
    assert client.get("/livez").json == {"status": "ok"}
    ready = client.get("/readyz")
    assert (ready.status_code, ready.json["ready"]) == (200, True)
    assert client.get("/metrics").status_code == 401


def test_metrics_are_prometheus_text(client, scene):
    scene.create()
    response = client.get("/metrics")
    assert response.content_type.startswith("text/plain")
    assert 'rules_service_queue_length{desk="hotel-chat"} 1.0' in response.text


def test_errors_are_described_as_they_are(client):
    document = client.get("/openapi.json").json
    told = [
        client.get("/v1/tickets?zz=1"),
        client.get("/v1/tickets/nobody"),
        client.post("/v1/users/import", data="id", content_type="text/plain"),
    ]
    for response in told:
        assert response.content_type == "application/problem+json"
    for name in ("DEFAULT_ERROR", HTTPStatus(422).name):
        (content_type, content), *others = document["components"]["responses"][name]["content"].items()
        assert (content_type, others) == ("application/problem+json", [])
        schema = document["components"]["schemas"][content["schema"]["$ref"].rpartition("/")[2]]
        types = {"string": str, "integer": int}
        for response in told:
            for field, about in schema["properties"].items():
                assert isinstance(response.json[field], types[about["type"]])
            assert set(schema["required"]) <= set(response.json)
    answers = document["paths"]["/v1/tickets"]["get"]["responses"]
    assert list(answers["200"]["content"]) == ["application/json"]
