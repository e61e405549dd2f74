"""Writes docs/requirements.md: which test shows which requirement, by the marks `@pytest.mark.req("R4.18")`."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[1]
DATA = ROOT / "docs/requirements.yaml"
PAGE = ROOT / "docs/requirements.md"

_MARKS = {"C": "core", "S": "supporting", "X": "outside of software"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Requirement:
    """One requirement: its number, its mark (C, S or X), and what it asks for."""

    number: str
    mark: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A test that shows a requirement: where its mark stands, and its name."""

    number: str
    path: str
    line: int
    test: str


def requirements() -> Mapping[str, tuple[str, list[Requirement]]]:
    """Title and requirements of each document, by its number (`R4`), in order."""
    data = yaml.safe_load(DATA.read_text())
    return {
        document: (
            found["title"],
            [Requirement(number=number, mark=mark, text=text) for number, (mark, text) in found["items"].items()],
        )
        for document, found in data.items()
    }


def shown(tests: Path = ROOT / "tests") -> list[Shown]:
    """Every mark of every test below `tests`, by reading the files; a mark of a class or module is one of its tests."""
    return [found for path in sorted(tests.rglob("*.py")) for found in _in_file(path)]


def _in_file(path: Path) -> Iterator[Shown]:
    tree = ast.parse(path.read_text(), str(path))
    relative = path.relative_to(ROOT).as_posix() if path.is_relative_to(ROOT) else path.name
    whole = [
        number
        for node in tree.body
        if isinstance(node, ast.Assign) and any(getattr(target, "id", "") == "pytestmark" for target in node.targets)
        for number in _numbers(node.value)
    ]
    yield from _in_body(tree.body, relative, whole)


def _in_body(body: list[ast.stmt], path: str, outer: list[str]) -> Iterator[Shown]:
    for node in body:
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            continue
        numbers = [*outer, *(number for decorator in node.decorator_list for number in _numbers(decorator))]
        if isinstance(node, ast.ClassDef):
            yield from _in_body(node.body, path, numbers)
        elif node.name.startswith("test_"):
            for number in dict.fromkeys(numbers):
                yield Shown(number=number, path=path, line=node.lineno, test=node.name)


def _numbers(tree: ast.AST) -> Iterator[str]:
    """The arguments of every `req(...)` within an expression, so that marks of single parameters count too."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "req":
            for argument in node.args:
                if isinstance(argument, ast.Constant):
                    yield str(argument.value)


def page() -> str:
    """The table as Markdown."""
    by_number: dict[str, list[Shown]] = {}
    for found in shown():
        by_number.setdefault(found.number, []).append(found)
    parts = [
        "# Requirements, and the tests that show them",
        "<!-- Made by `make docs` from docs/requirements.yaml and the tests' marks; change those. -->",
        f"Marks: {', '.join(f'{mark} {meaning}' for mark, meaning in _MARKS.items())}.",
        _counts(by_number),
    ]
    for document, (title, listed) in requirements().items():
        rows = [f"## {document} {title}", "", "| | mark | requirement | shown by |", "| --- | --- | --- | --- |"]
        rows += [f"| {one.number} | {one.mark} | {one.text} | {_tests(one, by_number)} |" for one in listed]
        parts.append("\n".join(rows))
    return "\n\n".join(parts) + "\n"


def _counts(by_number: Mapping[str, list[Shown]]) -> str:
    said = []
    for mark in ("C", "S"):
        numbers = [one.number for _, listed in requirements().values() for one in listed if one.mark == mark]
        said.append(f"{sum(number in by_number for number in numbers)} of {len(numbers)} marked {mark}")
    return f"Shown by at least one test: {', '.join(said)}."


def _tests(requirement: Requirement, by_number: Mapping[str, list[Shown]]) -> str:
    found = by_number.get(requirement.number, [])
    if not found:
        return "" if requirement.mark == "X" else "not yet"
    links = [f"[{one.test.removeprefix('test_').replace('_', ' ')}](../{one.path})" for one in found]
    return "; ".join(links)


def main() -> None:
    """Writes the page."""
    PAGE.write_text(page())


if __name__ == "__main__":
    main()
