"""Users as others write them down: JSON, or CSV as a spreadsheet saves it."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import marshmallow as ma

from rules_service.errors import InvalidUsers
from rules_service.problems import hint
from rules_service.service.storable import storable
from rules_service.teams import Added, User, addressable
from rules_service.tickets import STAFF_ROLES

#: Most users of one import.
MAX_USERS = 20_000

#: marshmallow's messages by what is wrong.
_Errors = dict[str, str | list[Any] | dict[Any, Any]]

_LEVEL = "must be a whole number from 0 to 3"
_MAXIMUM = "must be a whole number from 0 to 10000, or nothing"


def _text(most: int, **settings: Any) -> ma.fields.String:
    length = ma.validate.Length(min=1, max=most, error=f"must be text of 1 to {most} characters")
    errors: _Errors = {"invalid": f"must be text of 1 to {most} characters"}
    return ma.fields.String(validate=[length, storable], error_messages=errors, **settings)


def _texts(most: int, **settings: Any) -> ma.fields.List[Any]:
    counted = ma.validate.Length(max=100, error="must be at most 100 of them")
    return ma.fields.List(_text(most), validate=counted, error_messages={"invalid": "must be a list"}, **settings)


def _whole(least: int, most: int, error: str, **settings: Any) -> ma.fields.Integer:
    bounds = ma.validate.Range(min=least, max=most, error=error)
    errors: _Errors = {"invalid": error, "too_large": error, "null": error}
    return ma.fields.Integer(strict=True, validate=bounds, error_messages=errors, **settings)


class UserFieldsSchema(ma.Schema):
    """All of a user but the id; what is left out has its default."""

    class Meta:
        """Settings of marshmallow."""

        unknown = ma.RAISE

    name = _text(200, load_default=None, allow_none=True, metadata={"description": "the id, if left out"})
    group = _text(80, load_default=None, allow_none=True)
    role = ma.fields.String(
        load_default="agent",
        validate=ma.validate.OneOf(STAFF_ROLES, error="must be one of {choices}"),
        error_messages={"invalid": f"must be one of {', '.join(STAFF_ROLES)}"},
    )
    level = _whole(0, 3, _LEVEL, load_default=0)
    skills = _texts(80, load_default=[])
    max_assignment = _whole(
        0, 10_000, _MAXIMUM, load_default=None, allow_none=True,
        metadata={"description": "their own maximum over all channels; without one the maxima of their desks add up"},
    )  # fmt: skip
    desks = _texts(
        80, load_default=None, allow_none=True,
        metadata={"description": "the desks to serve; if left out, those that the group serves as a whole"},
    )  # fmt: skip


class UserRowSchema(UserFieldsSchema):
    """A user of an import."""

    id = _text(200, required=True)

    @ma.validates("id")
    def _fits_an_address(self, value: str, **_: Any) -> None:
        if not addressable(value):
            raise ma.ValidationError("must not hold a slash, nor be . or .., which no address can name")


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A row of an import: its number and its fields, read but not checked."""

    #: As a spreadsheet counts: the header of a CSV file is 1. In JSON the place in the list, from 1.
    number: int
    fields: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class RowError:
    """What is wrong with a column of a row, and what is accepted."""

    row: int
    column: str
    detail: str


#: The columns of a CSV file.
COLUMNS = ("id", *UserFieldsSchema().fields)
_LISTS = ("skills", "desks")
_NUMBERS = ("level", "max_assignment")


def read_json(users: object) -> list[Row]:
    """The rows of a list of users; InvalidUsers when it is none."""
    if not isinstance(users, list):
        raise InvalidUsers('expected {"users": [{"id": "a1", ...}, ...]}')
    return _limited([Row(number=number, fields=user) for number, user in enumerate(users, 1)])


def read_json_text(content: bytes) -> list[Row]:
    """The rows of a JSON file: a list of users, or an object that has it as `users`; InvalidUsers when it is none."""
    try:
        found = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise InvalidUsers(f"the file is not JSON: {error}") from None
    return read_json(found["users"] if isinstance(found, dict) and set(found) == {"users"} else found)


def read_csv(content: bytes) -> list[Row]:
    """The rows of a CSV file with a header, separated by commas or semicolons; InvalidUsers when it is none.

    An empty cell is left out. Skills and desks are separated by `;`, `,` or `|` within their cell; `-` is an empty
    list.
    """
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise InvalidUsers("the file is not UTF-8; save it as `CSV UTF-8`") from None
    first = text.partition("\n")[0]
    separator = ";" if first.count(";") > first.count(",") else ","
    try:
        lines = list(csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True))
    except csv.Error as error:
        raise InvalidUsers(f"the file is not CSV: {error}") from None
    header = [name.strip().casefold() for name in lines[0]] if lines else []
    errors = [
        RowError(row=1, column=name, detail=f'unknown column "{name[:80]}"{hint(name, COLUMNS)}')
        for name in header
        if name not in COLUMNS
    ]
    if "id" not in header:
        errors.append(RowError(row=1, column="id", detail=f"is required; columns: {', '.join(COLUMNS)}"))
    errors += [
        RowError(row=1, column=name, detail="stands twice")
        for name in sorted(set(header))
        if header.count(name) > 1
    ]  # fmt: skip
    if errors:
        raise refused(errors)
    rows = []
    for number, cells in enumerate(lines[1:], 2):
        if not any(cell.strip() for cell in cells):
            continue
        if len(cells) > len(header):
            errors.append(RowError(row=number, column="", detail=f"has more cells than the header's {len(header)}"))
        rows.append(Row(number=number, fields=_read_cells(dict(zip(header, cells, strict=False)))))
    if errors:
        raise refused(errors)
    return _limited(rows)


def _read_cells(cells: Mapping[str, str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, cell in cells.items():
        text = cell.strip()
        if not text:
            continue
        if name in _LISTS:
            found[name] = [part.strip() for part in re.split(r"[;,|]", text) if part.strip() not in ("", "-")]
        elif name in _NUMBERS and re.fullmatch(r"-?\d{1,9}", text, re.ASCII):
            found[name] = int(text)
        else:
            found[name] = text
    return found


def _limited(rows: list[Row]) -> list[Row]:
    if not rows:
        raise InvalidUsers("there is no user in it")
    if len(rows) > MAX_USERS:
        raise InvalidUsers(f"{len(rows)} users; at most {MAX_USERS} at once, so send them in parts")
    return rows


def checked(rows: Sequence[Row]) -> tuple[list[tuple[int, Added]], list[RowError]]:
    """The users of the rows with their numbers, and every error of the shape of a row."""
    schema, found, errors = UserRowSchema(), [], []
    first: dict[str, int] = {}
    for row in rows:
        try:
            fields = schema.load(row.fields)
        except ma.ValidationError as error:
            errors += _row_errors(row.number, error.messages_dict)
            continue
        earlier = first.setdefault(fields["id"], row.number)
        if earlier != row.number:
            errors.append(RowError(row=row.number, column="id", detail=f'"{fields["id"]}" stands in row {earlier} too'))
            continue
        found.append((row.number, person(fields)))
    return found, errors


def person(fields: Mapping[str, Any]) -> Added:
    """The user whom loaded fields describe."""
    desks = fields["desks"]
    user = User(
        id=fields["id"],
        name=fields["name"] or fields["id"],
        group=fields["group"],
        role=fields["role"],
        level=fields["level"],
        skills=frozenset(fields["skills"]),
        max_assignment=fields["max_assignment"],
    )
    return Added(user=user, desks=None if desks is None else tuple(dict.fromkeys(desks)))


def _row_errors(number: int, messages: Mapping[str, Any]) -> list[RowError]:
    found = []
    for name, inner in messages.items():
        if name == "_schema":
            found.append(RowError(row=number, column="", detail=f"must be an object with {', '.join(COLUMNS)}"))
            continue
        if inner == ["Unknown field."]:
            detail = f'unknown column "{str(name)[:80]}"{hint(name, COLUMNS)}'
        elif isinstance(inner, dict):
            detail = "; ".join(str(text) for texts in inner.values() for text in texts)
        else:
            detail = "; ".join("is required" if "required" in text else text for text in inner)
        found.append(RowError(row=number, column=str(name)[:80], detail=detail))
    return found


def refused_one(errors: Sequence[RowError]) -> InvalidUsers:
    """The error that reports what is wrong with one user."""
    listed = sorted(errors)
    return InvalidUsers(
        "; ".join(f"{error.column or 'the user'}: {error.detail}" for error in listed),
        errors=[{"pointer": f"/{error.column}", "detail": error.detail} for error in listed],
    )


def refused(errors: Sequence[RowError]) -> InvalidUsers:
    """The error that reports them all, in the order of the rows."""
    listed = sorted(errors)
    first = listed[0]
    where = f"row {first.row}" + (f", {first.column}" if first.column else "")
    rows = len({error.row for error in listed})
    count = f"{rows} row{'s' if rows != 1 else ''} cannot be taken, so none was"
    return InvalidUsers(
        f"{count}; {where}: {first.detail}",
        errors=[{"row": error.row, "column": error.column, "detail": error.detail} for error in listed],
    )
