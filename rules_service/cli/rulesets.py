"""Commands about rulesets: checked, tested, put live, rolled back."""

from __future__ import annotations

import fnmatch
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from rules_service.cli.terminal import FOLDER, counted, fail, json_option, open_store, say
from rules_service.clock import utc_now

if TYPE_CHECKING:
    from rules_service.simulate.rule_tests import TestResult


@click.command()
@click.argument("folder", type=FOLDER)
@click.option("--strict", is_flag=True, help="Let warnings fail too.")
@json_option
def check(folder: Path, strict: bool, as_json: bool) -> None:
    """Checks a ruleset's folder: prints every problem and warning as file:line:col: message (kind).

    Exit 1 where there are problems, or with --strict warnings. `${VAR}` stands for what the environment says.
    """
    from rules_service.decide import check_ruleset  # noqa: PLC0415
    from rules_service.ruleset import read_folder  # noqa: PLC0415

    ruleset, problems, warnings = check_ruleset(read_folder(folder), os.environ)
    found = {"problems": [str(problem) for problem in problems], "warnings": [str(warning) for warning in warnings]}
    counts = [counted(len(listed), name.removesuffix("s")) for name, listed in found.items() if listed]
    if ruleset is None or (strict and warnings):
        fail(as_json, "invalid_ruleset" if ruleset is None else "warnings", ", ".join(counts), **found)
    count = len(ruleset.rules.rules)
    say(
        as_json,
        {"ok": True, "hash": ruleset.hash, "rules": count, **found},
        *found["warnings"],
        ", ".join([f"{folder}: {counted(count, 'rule')}", "no problem", *counts]),
        ruleset.hash,
    )


@click.command()
@json_option
def schema(as_json: bool) -> None:  # noqa: ARG001  it is JSON in any case
    """Prints the JSON Schema of rule files, for editors."""
    from rules_service.decide import DECLARED  # noqa: PLC0415
    from rules_service.ruleset.schema import rule_file_schema  # noqa: PLC0415
    from rules_service.simulate.rule_tests import TestSchema  # noqa: PLC0415
    from rules_service.simulate.steps import GivenSchema  # noqa: PLC0415

    beside = {"given": GivenSchema, "tests": TestSchema}
    click.echo(json.dumps(rule_file_schema(DECLARED, beside), indent=2, ensure_ascii=False))


@click.command("test")
@click.argument("paths", nargs=-1, required=True, metavar="DIR...", type=click.Path(exists=True, path_type=Path))
@click.option("--match", "pattern", default="*", help="Run the tests whose file or name holds this; * and ? stand in.")
@json_option
def test_rules(paths: tuple[Path, ...], pattern: str, as_json: bool) -> None:
    """Runs the tests beside the rules (*_test.yaml): a line each, and every problem as file:line:col.

    Several folders and files add up to one ruleset.
    """
    from rules_service.decide import load_ruleset  # noqa: PLC0415
    from rules_service.ruleset import read_folder  # noqa: PLC0415
    from rules_service.simulate import run_tests  # noqa: PLC0415

    files: dict[str, bytes] = {}
    for path in paths:
        files |= read_folder(path) if path.is_dir() else {path.name: path.read_bytes()}
    ruleset, problems = load_ruleset(files)
    if ruleset is None:
        fail(as_json, "invalid_ruleset", counted(len(problems), "problem"), problems=[str(found) for found in problems])

    def wanted(file: str, name: str) -> bool:
        return any(fnmatch.fnmatch(text.casefold(), f"*{pattern.casefold()}*") for text in (file, name))

    report = run_tests(ruleset, files, wanted=wanted)
    if pattern != "*" and not report.results:
        raise click.UsageError(f'no test matches "{pattern}"')
    failed, count = sum(not result.passed for result in report.results), len(report.results)
    listed = [str(problem) for problem in report.problems]
    say(
        as_json,
        {"ok": not listed, "tests": [_told(result) for result in report.results], "problems": listed},
        *(f"{'ok   ' if result.passed else 'FAIL '} {result.file}: {result.name}" for result in report.results),
        *listed,
        f"{count} tests, {failed} failed" if count else "no tests; write one in a file *_test.yaml",
    )
    sys.exit(1 if listed else 0)


def _told(result: TestResult) -> dict[str, Any]:
    return {
        "name": result.name,
        "file": result.file,
        "line": result.line,
        "ok": result.passed,
        "problems": [str(problem) for problem in result.problems],
    }


@click.command()
@click.argument("folder", type=FOLDER)
@json_option
def publish(folder: Path, as_json: bool) -> None:
    """Puts a ruleset live in every process; a broken one leaves the active one as it is. Warnings: standard error."""
    from rules_service.ruleset import read_folder  # noqa: PLC0415
    from rules_service.service.publish import publish as publish_files  # noqa: PLC0415

    with open_store(as_json) as store:
        done = publish_files(store, read_folder(folder), utc_now(), by="command line", variables=os.environ)
    words = "is live" if done.changed else "was live already"
    data = {"ok": True, "hash": done.hash, "changed": done.changed, "warnings": list(done.warnings)}
    for warning in () if as_json else done.warnings:
        click.echo(warning, err=True)
    say(as_json, data, f"{done.hash} {words}")


@click.command()
@click.argument("ruleset_hash", metavar="HASH")
@json_option
def rollback(ruleset_hash: str, as_json: bool) -> None:
    """Puts a stored ruleset live again; the hash may be shortened."""
    from rules_service.service.publish import rollback as roll_back  # noqa: PLC0415

    with open_store(as_json) as store:
        done = roll_back(store, ruleset_hash, utc_now(), by="command line")
    say(as_json, {"ok": True, "hash": done.hash, "changed": done.changed}, f"{done.hash} is live")
