"""Metrics as Prometheus reads them."""

import pytest
from prometheus_client.parser import text_string_to_metric_families

pytestmark = pytest.mark.parametrize("databases", ["sqlite"], indirect=True)


@pytest.fixture
def families(client):
    response = client.get("/metrics")
    assert response.status_code == 200
    return list(text_string_to_metric_families(response.text))


def test_what_only_grows_is_a_counter_and_is_named_so(scene, client):
    before = client.get("/metrics").text
    assert "# TYPE rules_service_events_total counter\nrules_service_events_total 0.0\n" in before
    scene.create()
    assert "\nrules_service_events_total 1.0\n" in client.get("/metrics").text


def test_counters_and_only_counters_end_in_total(families):
    kinds = {sample.name: family.type for family in families for sample in family.samples}
    assert {name for name, kind in kinds.items() if kind == "counter"} == {
        name for name in kinds if name.endswith("_total")
    }
    assert set(kinds.values()) == {"counter", "gauge"}
    assert kinds["rules_service_matcher_total"] == "counter"


def test_every_metric_has_a_prefix_and_says_what_it_is(families):
    assert all(family.name.startswith("rules_service_") and family.documentation for family in families)
