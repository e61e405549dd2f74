"""The example connector, loaded as the service loads it, and what it reads and sends."""

import datetime as dt
import json
from pathlib import Path
from typing import Any

from rules_service.connectors import Connector, parse_connector
from rules_service.problems import Problem
from rules_service.ruleset.reading import read_yaml

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "rulesets" / "examples" / "django-helpdesk" / "connector.yaml"
PAYLOADS = ROOT / "tests" / "integration" / "payloads"
NOW = dt.datetime(2026, 11, 21, 23, tzinfo=dt.UTC)
VARIABLES = {
    "HELPDESK_URL": "https://helpdesk.example.com",
    "HELPDESK_USER": "rules-service",
    "HELPDESK_PASSWORD": "pass:word",
    "HELPDESK_INBOUND_SECRET": "s3cret",
}


def parsed(text: str, name: str = "django-helpdesk") -> tuple[Connector | None, list[Problem]]:
    """The connector `name` of a rule file, and every problem in it."""
    problems: list[Problem] = []
    data, place = read_yaml("connector.yaml", text.encode(), problems)
    assert not problems, problems
    return parse_connector(name, data["connectors"][name], place.at("connectors", name)), problems


def loaded() -> Connector:
    connector, problems = parsed(EXAMPLE.read_text())
    assert connector is not None, problems
    return connector


CONNECTOR = loaded()


def payload(name: str) -> Any:
    return json.loads((PAYLOADS / f"{name}.json").read_text())


def expand(text: str) -> str | None:
    """`text` with the variables of the example filled in; None when one is not set."""
    for name, value in VARIABLES.items():
        text = text.replace(f"${{{name}}}", value)
    return None if "${" in text else text
