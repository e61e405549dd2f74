"""Reads the flat tables of cases beside the tests."""

from __future__ import annotations

from pathlib import Path

import yaml

from rules_service.ruleset.reading import read_yaml
from tests.rules.samples import VOCABULARY

_HERE = Path(__file__).parent


def truths():
    """(line, expression as parsed YAML, its place, row, expected) of each line of cases.txt."""
    for number, line in enumerate((_HERE / "cases.txt").read_text().splitlines(), start=1):
        if line and not line.startswith("#"):
            expression, row, expected = line.split(" ; ")
            data, place = read_yaml("cases.txt", expression.encode(), [])
            yield number, data, place, _row(yaml.safe_load(row)), {"true": True, "false": False}[expected]


def _row(values):
    def is_set(name):
        attribute = VOCABULARY.find(name)
        return name.endswith("#keywords") or (attribute is not None and attribute.kind == "set")

    return {
        name: frozenset(value) if isinstance(value, list) and is_set(name) else value for name, value in values.items()
    }


def mistakes(name):
    """(text, expected problems as lines) of each case of a file of mistakes."""
    for case in (_HERE / name).read_text().split("\n\n"):
        lines = [line for line in case.splitlines() if not line.startswith("#")]
        text = "".join(f"{line}\n" for line in lines if not line.startswith(">"))
        if text:
            yield text, [line[2:] for line in lines if line.startswith("> ")]


def as_line(problem):
    return f"{problem.line}:{problem.col} {problem.kind} {problem.message}"
