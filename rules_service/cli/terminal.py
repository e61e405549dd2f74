"""What every command needs: the settings, the store, and how to answer a person or a program."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import click

from rules_service.errors import ServiceError
from rules_service.settings import SettingError, Settings, read_settings

F = TypeVar("F", bound=Callable[..., Any])

#: An argument that is a folder.
FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)


def json_option(command: F) -> F:
    """The option that every command has."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON.")(command)


def say(as_json: bool, data: dict[str, Any], *lines: str) -> None:
    """Prints the answer: `data` as JSON, or the lines for people."""
    if as_json:
        click.echo(json.dumps(data, ensure_ascii=False))
    else:
        for line in lines:
            click.echo(line)


def fail(as_json: bool, code: str, detail: str, **more: Any) -> NoReturn:
    """Ends the command with 1: what was found goes to standard output, what failed to standard error."""
    if as_json:
        click.echo(json.dumps({"ok": False, "code": code, "detail": detail, **more}, ensure_ascii=False))
    else:
        for problem in (*more.get("problems", ()), *more.get("warnings", ())):
            click.echo(problem)
        click.echo(f"rules-service: {detail}", err=True)
    sys.exit(1)


def counted(count: int, what: str) -> str:
    """`1 problem`, `2 problems`."""
    return f"{count} {what}{'' if count == 1 else 's'}"


def the_settings() -> Settings:
    """What the environment says; a setting that is wrong ends the command with 2."""
    try:
        return read_settings()
    except SettingError as error:
        raise click.UsageError(str(error)) from None


@contextlib.contextmanager
def open_store(as_json: bool = False, *, upgraded: bool = True) -> Iterator[Any]:
    """The store of the settings for the block, its tables up to date if `upgraded`; a ServiceError ends the command."""
    from rules_service.store import Store  # noqa: PLC0415

    store = Store(the_settings().database)
    try:
        if upgraded:
            store.check_ready()
        yield store
    except ServiceError as error:
        fail(as_json, error.code, error.detail, **error.data)
    finally:
        store.close()
