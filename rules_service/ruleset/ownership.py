"""Files under `groups/NAME/` are that group's own: its supervisor may publish them alone. Source: R5.11, R5.12."""

from __future__ import annotations

from typing import Any

from rules_service.problems import Place, hint

#: What a group's files may define. `group: NAME` is implied for its desks and users; its rules and SLA policies see
#: its tickets only.
OWNED_SECTIONS = ("version", "groups", "desks", "users", "rules", "sla_policies", "keywords", "templates")

_FOLDER = "groups/"


def owner_of(file: str) -> str | None:
    """The group to which a file belongs; None for the company's files."""
    parts = file.removeprefix(_FOLDER).split("/")
    return parts[0] if file.startswith(_FOLDER) and len(parts) > 1 else None


def own(data: dict[str, Any], place: Place) -> dict[str, Any]:
    """The sections of a group's file with the group filled in; what is not the group's becomes a problem."""
    owner = owner_of(place.file)
    if owner is None:
        return data
    found = {}
    for section, value in data.items():
        here = place.at(section)
        if section not in OWNED_SECTIONS:
            message = (
                f"{place.file} belongs to the group {owner} and may not define {section}{hint(section, OWNED_SECTIONS)}"
            )
            here.problem("ownership", message, key=True)
        elif section == "groups" and isinstance(value, dict):
            for name in set(value) - {owner}:
                here.at(name).problem("ownership", f'a file of {owner} may not define the group "{name}"', key=True)
            found[section] = {name: body for name, body in value.items() if name == owner}
        elif section in ("desks", "users") and isinstance(value, dict):
            found[section] = {name: _with_group(owner, body, here.at(name)) for name, body in value.items()}
        else:
            found[section] = value
    return found


def _with_group(owner: str, body: object, place: Place) -> object:
    if body is None:
        body = {}
    if not isinstance(body, dict):
        return body
    group = body.get("group", owner)
    if group != owner:
        place.at("group").problem("ownership", f'a file of {owner} may not define what belongs to "{group}"')
    return {**body, "group": group}
