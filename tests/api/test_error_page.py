"""The `type` of a problem document leads to what its code means."""

import re

import pytest

from rules_service.api.problems import STATUS, listed

pytestmark = pytest.mark.parametrize("databases", ["sqlite"], indirect=True)


@pytest.fixture
def anonymous(app):
    return app.test_client()


def test_the_page_has_an_anchor_and_a_sentence_for_every_code(anonymous):
    page = anonymous.get("/docs/errors")
    assert (page.status_code, page.mimetype) == (200, "text/html")
    found = dict(re.findall(r'<dt id="(\w+)">.*?</dt>\n<dd>(.+)</dd>', page.text))
    codes = [code for code, _, _ in listed()]
    assert list(found) == codes
    assert len(set(codes)) == len(codes)
    assert {kind.code for kind in STATUS} <= found.keys()


@pytest.mark.parametrize(
    ("method", "path", "options", "code"),
    [
        ("get", "/v1/tickets/nobody", {}, "unknown_ticket"),
        ("get", "/nowhere", {}, "not_found"),
        ("delete", "/v1/events", {}, "method_not_allowed"),
        ("post", "/v1/events", {"data": "{", "content_type": "application/json"}, "invalid_json"),
        ("post", "/v1/events", {"data": "x", "content_type": "text/plain"}, "unsupported_media_type"),
        ("get", "/v1/actions?limit=0", {}, "invalid_request"),
    ],
)
def test_the_type_of_an_error_leads_to_its_line(client, anonymous, method, path, options, code):
    problem = getattr(client, method)(path, **options).json
    assert problem["code"] == code
    address, _, anchor = problem["type"].partition("#")
    assert f'<dt id="{anchor}">' in anonymous.get(address).text


def test_the_page_of_the_interface_is_still_there(anonymous):
    assert anonymous.get("/docs/").status_code == 200
