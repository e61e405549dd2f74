"""Reads `holidays:` of a calendar: the public holidays of a country, less some, plus others."""

from __future__ import annotations

import datetime as dt
import functools
import re
from dataclasses import dataclass
from importlib.metadata import version

import holidays
import marshmallow as ma
from holidays.registry import COUNTRIES, EntityLoader

from rules_service.problems import Place, describe, hint, shaped

#: Holidays are known for these years, first to last: fixed, so that an answer does not depend on when it is asked.
#: Some countries publish fewer years; a calendar then has the holidays that are known.
HOLIDAY_YEARS = (2020, 2040)

#: Of an added holiday without a name.
ADDED = "added"

#: The language of holiday names; stated because the library would take that of the process's environment.
_LANGUAGE = "en_US"
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Holidays:
    """Holidays by date, in order, with their names; `source` says to people where they come from, "" if nowhere."""

    days: tuple[tuple[dt.date, str], ...]
    source: str


NO_HOLIDAYS = Holidays(days=(), source="")


class HolidaysSchema(ma.Schema):
    """The keys of `holidays:`; what each may hold is checked one by one, so that every mistake is found."""

    country = ma.fields.Raw(allow_none=True)
    categories = ma.fields.Raw(allow_none=True)
    subdivision = ma.fields.Raw(allow_none=True)
    add = ma.fields.Raw(allow_none=True)
    remove = ma.fields.Raw(allow_none=True)


def parse_holidays(data: object, place: Place) -> Holidays:
    """The holidays written at `place`, with a problem for each mistake.

    A date in `remove` that is no holiday is accepted: dates move with a new version of the library, and a ruleset that
    was good yesterday stays good. An added name replaces the country's.
    """
    shaped(HolidaysSchema, data, place)
    if not isinstance(data, dict):
        return NO_HOLIDAYS
    days: dict[dt.date, str] = {}
    source = ""
    if "country" in data:
        days, source = _of_country(data, place)
    else:
        _report_no_country(data, place)
    removed = _dates(data["remove"], place.at("remove"), named=False) if "remove" in data else {}
    added = _dates(data["add"], place.at("add"), named=True) if "add" in data else {}
    for on in sorted(removed.keys() & added.keys()):
        place.at("remove").problem("calendar", f"{on} is both added and removed")
    days = {on: name for on, name in days.items() if on not in removed}
    days |= {on: name or days.get(on, ADDED) for on, name in added.items()}
    return Holidays(days=tuple(sorted(days.items())), source=source)


def parse_date(value: object, place: Place, years: tuple[int, int], *, key: bool = False) -> dt.date | None:
    """The date `value`, a date or text `YYYY-MM-DD` in `years` (first to last); None and a problem if it is not one."""
    on = value if isinstance(value, dt.date) and not isinstance(value, dt.datetime) else None
    if isinstance(value, str) and _DATE.fullmatch(value):
        try:
            on = dt.date.fromisoformat(value)
        except ValueError:
            place.problem("calendar", f'"{value}" is not a day of any calendar', key=key)
            return None
    if on is None:
        kind = "calendar" if isinstance(value, str) else "type"
        place.problem(kind, f"expected a date such as 2026-12-31, not {describe(value)}", key=key)
        return None
    if not years[0] <= on.year <= years[1]:
        place.problem(
            "calendar", f"{on} is outside the years {years[0]} to {years[1]}, which are accepted here", key=key
        )
        return None
    return on


@functools.lru_cache(maxsize=64)
def country_days(country: str, subdivision: str | None, categories: tuple[str, ...]) -> tuple[tuple[dt.date, str], ...]:
    """The holidays of a country in HOLIDAY_YEARS, in order, named in English where the library can, else natively."""
    about = holidays.country_holidays(country)
    language = _LANGUAGE if _LANGUAGE in about.supported_languages else about.default_language
    found = holidays.country_holidays(
        country,
        subdiv=subdivision,
        years=range(HOLIDAY_YEARS[0], HOLIDAY_YEARS[1] + 1),
        categories=categories,
        language=language,
    )
    return tuple(sorted((on, name) for on, name in found.items() if HOLIDAY_YEARS[0] <= on.year <= HOLIDAY_YEARS[1]))


def _of_country(data: dict[str, object], place: Place) -> tuple[dict[dt.date, str], str]:
    before = len(place.problems)
    country = _country(data["country"], place.at("country"))
    if country is None:
        return {}, ""
    about = holidays.country_holidays(country)
    categories = _categories(data, place.at("categories"), sorted(about.supported_categories))
    subdivision = data.get("subdivision")
    accepted = [*about.subdivisions, *about.subdivisions_aliases]
    if "subdivision" in data and subdivision not in accepted:
        near = hint(subdivision, accepted) or f"; accepted: {', '.join(about.subdivisions) or 'none'}"
        place.at("subdivision").problem("calendar", f"{country} has no subdivision {describe(subdivision)}{near}")
    if len(place.problems) > before:
        return {}, ""
    name = None if subdivision is None else str(subdivision)
    first, last = HOLIDAY_YEARS
    source = f"holidays {version('holidays')}: {'-'.join(filter(None, (country, name)))}, {', '.join(categories)}"
    return dict(country_days(country, name, categories)), f"{source}, {first} to {last}"


def _country(value: object, place: Place) -> str | None:
    if not isinstance(value, str):
        place.problem("type", f'expected the code of a country such as "ID", not {describe(value)}')
        return None
    codes = set(EntityLoader.get_country_codes(include_aliases=True))
    if value in codes:
        return value
    named = {entity[0]: entity[1] for entity in COUNTRIES.values()}
    wanted = value.strip().replace(" ", "").title()
    near = (
        value.upper() if value.upper() in codes else next((named[name] for name in named if name.title() == wanted), "")
    )
    suggestion = f'; did you mean "{near}"?' if near else hint(value, codes)
    accepted = suggestion or '; accepted: an ISO 3166 code of two or three letters, such as "ID"'
    place.problem("calendar", f'no holidays are known of a country "{value}"{accepted}')
    return None


def _categories(data: dict[str, object], place: Place, supported: list[str]) -> tuple[str, ...]:
    value = data.get("categories", ["public"])
    value = [value] if isinstance(value, str) else value
    if not isinstance(value, list) or not value:
        place.problem("type", f"expected a list of categories such as [public], not {describe(value)}")
        return ()
    for i, category in enumerate(value):
        if category not in supported:
            place.at(i).problem("calendar", f"no category {describe(category)} here{hint(category, supported)}")
    return tuple(sorted({str(category) for category in value}))


def _report_no_country(data: dict[str, object], place: Place) -> None:
    for key in ("categories", "subdivision", "remove"):
        if key in data:
            place.at(key).problem("calendar", f'"{key}" needs a "country" to choose from', key=True)
    if "add" not in data:
        place.problem("missing", 'holidays need a "country", or dates in "add"')


def _dates(value: object, place: Place, *, named: bool) -> dict[dt.date, str]:
    """Dates with their names, "" for those without one; with `named`, an entry may be `{date: name}`."""
    if not isinstance(value, list):
        place.problem("type", f"expected a list of dates such as [2026-12-31], not {describe(value)}")
        return {}
    found: dict[dt.date, str] = {}
    for i, entry in enumerate(value):
        pairs = entry.items() if named and isinstance(entry, dict) else [(entry, "")]
        for written, name in pairs:
            inside = place.at(i, str(written)) if isinstance(entry, dict) else place.at(i)
            on = parse_date(written, inside, HOLIDAY_YEARS, key=isinstance(entry, dict))
            if not isinstance(name, str):
                inside.problem("type", f"expected the name of the holiday, not {describe(name)}")
            elif on in found:
                inside.problem("duplicate", f"{on} is in this list already", key=isinstance(entry, dict))
            elif on is not None:
                found[on] = name
    return found
