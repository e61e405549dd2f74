"""From a folder of rule files to a ruleset, or to the list of everything that is wrong with them."""

from __future__ import annotations

import dataclasses
import hashlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import marshmallow as ma

from rules_service.clocks import CLOCKS, Calendar, SlaPolicy, parse_calendar, parse_sla_policy
from rules_service.connectors import Connector, parse_connector
from rules_service.machines import Lifecycle, parse_lifecycle
from rules_service.messages import Template, parse_templates
from rules_service.problems import Marks, Place, Problem, describe, hint, shaped
from rules_service.rules import (
    All,
    Attribute,
    Condition,
    KeywordIndex,
    Names,
    Rule,
    Rulebook,
    Vocabulary,
    attributes_of,
    compile_match,
    parse_condition,
    parse_keywords,
    parse_rule,
)
from rules_service.ruleset.endpoints import Endpoint, parse_endpoint
from rules_service.ruleset.model import DEFAULT_TIERS, Ruleset
from rules_service.ruleset.ownership import own, owner_of
from rules_service.ruleset.reading import read_yaml
from rules_service.ruleset.texts import compile_texts
from rules_service.teams import (
    EscalationPolicy,
    Roster,
    parse_escalation_policy,
    parse_presence,
    parse_targets,
    parse_teams,
)

#: name of a file relative to the ruleset's folder -> its content.
Files = Mapping[str, bytes]

#: Most files in one ruleset.
MAX_FILES = 2_000

#: Sections that map names to definitions; several files add up.
NAMED_SECTIONS = (
    "calendars", "groups", "desks", "users", "attributes", "keywords", "escalation_policies", "templates", "endpoints",
    "connectors",
)  # fmt: skip
#: Sections that are lists of definitions with an `id`.
LISTED_SECTIONS = ("sla_policies", "rules")
#: Sections of which a ruleset has one.
SINGLE_SECTIONS = ("lifecycle", "default_desk", "customer_tiers", "presence")

#: What templates may read beside the attributes.
TEMPLATE_NAMES = ("ticket.id", "customer.name", "assignee.id", "assignee.name", "eta")

SECTIONS = (*SINGLE_SECTIONS, *NAMED_SECTIONS, *LISTED_SECTIONS)

Entry = tuple[object, Place]

#: Section -> name -> what stands there, and where.
Definitions = Mapping[str, Mapping[str, Entry]]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """What came of one load."""

    #: None where there are problems.
    ruleset: Ruleset | None
    problems: list[Problem]
    #: Everything that has a name, as it stands in the files; of a name defined twice the first.
    definitions: Definitions


class AttributeSchema(ma.Schema):
    """One attribute that the ruleset declares itself."""

    type = ma.fields.String(required=True, validate=ma.validate.OneOf(["text", "number", "bool", "set", "choice"]))
    about = ma.fields.String(load_default="")
    values = ma.fields.List(ma.fields.String(), load_default=[])


def read_folder(folder: Path) -> dict[str, bytes]:
    """The rule files below `folder`, by relative name, in order; tests beside the rules included.

    Hidden files and folders (such as the `..data` of a mounted ConfigMap) are passed over, links are followed.
    """
    files = {}
    visited = {folder.resolve()}
    for parent, folders, names in os.walk(folder, followlinks=True):
        here = Path(parent)
        # A link to a folder above would go round for ever.
        folders[:] = sorted(name for name in folders if not name.startswith(".") and _new(here / name, visited))
        for name in sorted(names):
            if name.endswith((".yaml", ".yml")) and not name.startswith("."):
                files[(here / name).relative_to(folder).as_posix()] = (here / name).read_bytes()
    return dict(sorted(files.items()))


def _new(folder: Path, visited: set[Path]) -> bool:
    real = folder.resolve()
    if real in visited:
        return False
    visited.add(real)
    return True


def content_hash(files: Files) -> str:
    """SHA-256, in hexadecimal, over the names and contents of the files."""
    digest = hashlib.sha256()
    for name in sorted(files):
        digest.update(f"{len(name)}:{name}:{len(files[name])}:".encode())
        digest.update(files[name])
    return digest.hexdigest()


def load(files: Files, attributes: Mapping[str, Attribute]) -> tuple[Ruleset | None, list[Problem]]:
    """The ruleset, or None; and all problems, in the order of files and lines.

    `attributes` is the table of what conditions may read, by name.
    """
    loaded = load_definitions(files, attributes)
    return loaded.ruleset, loaded.problems


def load_definitions(files: Files, attributes: Mapping[str, Attribute]) -> Loaded:
    """As `load`, with the place of every definition, for whoever has more to say about it."""
    loader = _Loader(files, attributes)
    ruleset = loader.load()
    problems = sorted(set(loader.problems))
    definitions = {**loader.named, **loader.listed}
    return Loaded(ruleset=None if problems else ruleset, problems=problems, definitions=definitions)


class _Loader:
    """One load: collects sections over all files, then parses them in the order in which they need each other."""

    def __init__(self, files: Files, attributes: Mapping[str, Attribute]) -> None:
        self.files = files
        self.attributes = dict(attributes)
        self.problems: list[Problem] = []
        self.whole = Place("ruleset", Marks(), self.problems)
        self.single: dict[str, Entry] = {}
        self.named: dict[str, dict[str, Entry]] = {section: {} for section in NAMED_SECTIONS}
        self.listed: dict[str, dict[str, Entry]] = {section: {} for section in LISTED_SECTIONS}

    def load(self) -> Ruleset | None:
        self._collect()
        calendars = self._calendars()
        lifecycle = self._lifecycle()
        tiers = self._tiers()
        custom = self._custom()
        self.attributes |= custom
        tier = self.attributes["customer.tier"]
        self.attributes["customer.tier"] = dataclasses.replace(tier, values=tiers)
        keywords = self._keywords()
        vocabulary = Vocabulary(attributes=self.attributes, keyword_lists=frozenset(self.named["keywords"]))
        roster = self._roster(calendars)
        presence = parse_presence(*self.single.get("presence", ({}, self.whole)))
        policies = self._escalation_policies()
        templates = parse_templates(self.named["templates"], self._template_names())
        endpoints = self._endpoints()
        connectors = self._connectors()
        sla_policies = self._sla_policies(vocabulary)
        rules = self._rules(vocabulary, tiers)
        texts = compile_texts(rules, templates, self._template_names())
        if self.problems or lifecycle is None or roster is None:
            return None
        return Ruleset(
            hash=content_hash(self.files),
            lifecycle=lifecycle,
            calendars=calendars,
            roster=roster,
            presence=presence,
            tiers=tiers,
            sla_policies=sla_policies,
            escalation_policies=policies,
            keywords=keywords,
            templates=templates,
            texts=texts,
            endpoints=endpoints,
            connectors=connectors,
            rules=Rulebook([rule for rule, _ in rules], vocabulary),
            custom=custom,
        )

    # --- collecting -------------------------------------------------------------------------------------------------

    def _collect(self) -> None:
        rule_files = [name for name in sorted(self.files) if not is_test(name)]
        if not rule_files:
            self.whole.problem("missing", "the folder holds no rule file (*.yaml)")
        if len(self.files) > MAX_FILES:
            self.whole.problem("limit", f"the folder holds {len(self.files):,} files; the most is {MAX_FILES:,}")
            return
        for name in rule_files:
            data, place = read_yaml(name, self.files[name], self.problems)
            if data is None:
                if not any(problem.file == name for problem in self.problems):
                    place.problem("missing", "the file is empty; it starts with `version: 1`")
                continue
            if not isinstance(data, dict):
                place.problem("type", f"a rule file is a mapping of sections; not {describe(data)}")
                continue
            self._collect_file(own(data, place), place)

    def _collect_file(self, data: dict[str, Any], place: Place) -> None:
        if "version" not in data:
            place.problem("missing", "the first line of a rule file is `version: 1`")
        elif data["version"] != 1:
            place.at("version").problem("value", f"the version is 1; not {describe(data['version'])}")
        for section, value in data.items():
            here = place.at(section)
            if section == "version":
                continue
            if section not in SECTIONS:
                here.problem("unknown-key", f'unknown section "{section}"{hint(section, SECTIONS)}', key=True)
            elif section in SINGLE_SECTIONS:
                self._add(self.single, section, value, here, "section")
            elif value is None:
                continue
            elif section in NAMED_SECTIONS:
                self._collect_named(section, value, here)
            else:
                self._collect_listed(section, value, here)

    def _collect_named(self, section: str, value: object, place: Place) -> None:
        if not isinstance(value, dict):
            place.problem("type", f"`{section}:` maps names to definitions; not {describe(value)}")
            return
        for name, definition in value.items():
            self._add(self.named[section], name, definition, place.at(name), section.removesuffix("s"))

    def _collect_listed(self, section: str, value: object, place: Place) -> None:
        if not isinstance(value, list):
            place.problem("type", f"`{section}:` is a list of definitions; not {describe(value)}")
            return
        for index, definition in enumerate(value):
            here = place.at(index)
            name = definition.get("id") if isinstance(definition, dict) else None
            # A definition without an id is reported by its own schema; it needs a key of its own until then.
            self._add(
                self.listed[section], name if isinstance(name, str) else f" {here}", definition, here, section[:-1]
            )

    def _add(self, entries: dict[str, Entry], name: str, value: object, place: Place, what: str) -> None:
        if name in entries:
            previous = entries[name][1]
            message = f'{what.replace("_", " ")} "{name}" is defined twice; previous definition at {previous}'
            place.problem("duplicate", message, key=isinstance(place.path[-1], str))
        else:
            entries[name] = (value, place)

    # --- parsing ----------------------------------------------------------------------------------------------------

    def _calendars(self) -> dict[str, Calendar]:
        found = {"always": Calendar.from_config({"timezone": "UTC", "hours": "24/7"})}
        for name, (data, place) in self.named["calendars"].items():
            calendar = parse_calendar(data, place)
            if calendar is not None:
                found[name] = calendar
        return found

    def _lifecycle(self) -> Lifecycle | None:
        if "lifecycle" not in self.single:
            if self.files:
                self.whole.problem("missing", "a ruleset needs the section `lifecycle:` in one of its files")
            return None
        return parse_lifecycle(*self.single["lifecycle"])

    def _tiers(self) -> tuple[str, ...]:
        if "customer_tiers" not in self.single:
            return DEFAULT_TIERS
        data, place = self.single["customer_tiers"]
        if isinstance(data, list) and data and all(isinstance(name, str) for name in data):
            return tuple(data)
        place.problem("type", f"`customer_tiers:` is a list of names, lowest first; not {describe(data)}")
        return DEFAULT_TIERS

    def _custom(self) -> dict[str, Attribute]:
        found = {}
        for name, (data, place) in self.named["attributes"].items():
            shape = shaped(AttributeSchema, data, place)
            if shape is None:
                continue
            if shape["type"] == "choice" and not shape["values"]:
                place.problem("missing", "a choice needs `values:`")
            full = f"ticket.custom.{name}"
            found[full] = Attribute(
                name=full, kind=shape["type"], about=shape["about"], values=tuple(shape["values"]), ordered=False
            )
        return found

    def _keywords(self) -> KeywordIndex | None:
        entries = [(name, data, place) for name, (data, place) in self.named["keywords"].items()]
        return parse_keywords(entries) if entries else None

    def _roster(self, calendars: Mapping[str, Calendar]) -> Roster | None:
        return parse_teams(
            groups=self.named["groups"],
            desks=self.named["desks"],
            users=self.named["users"],
            default_desk=self.single.get("default_desk"),
            calendars={*calendars, *self.named["calendars"]},
            clocks=CLOCKS,
            escalation_policies=self.named["escalation_policies"],
            whole=self.whole,
        )

    def _escalation_policies(self) -> dict[str, EscalationPolicy]:
        found = {}
        for name, (data, place) in self.named["escalation_policies"].items():
            policy = parse_escalation_policy(name, data, place, groups=self.named["groups"], users=self.named["users"])
            if policy is not None:
                found[name] = policy
        return found

    def _template_names(self) -> set[str]:
        """What templates may read: the attributes, and a few names beside them."""
        return {*self.attributes, *TEMPLATE_NAMES}

    def _endpoints(self) -> dict[str, Endpoint]:
        found = {}
        for name, (data, place) in self.named["endpoints"].items():
            endpoint = parse_endpoint(name, data, place)
            if endpoint is not None:
                found[name] = endpoint
        return found

    def _connectors(self) -> dict[str, Connector]:
        found = {}
        for name, (data, place) in self.named["connectors"].items():
            connector = parse_connector(name, data, place)
            if connector is not None:
                found[name] = connector
        return found

    def _sla_policies(self, vocabulary: Vocabulary) -> tuple[SlaPolicy, ...]:
        found = []
        for data, place in self.listed["sla_policies"].values():
            shape = parse_sla_policy(data, place)
            if shape is None:
                continue
            when = All(()) if shape["when"] is None else parse_condition(shape["when"], place.at("when"), vocabulary)
            when = None if when is None else _within(owner_of(place.file), when, vocabulary)
            targets = parse_targets(shape["targets"], place.at("targets"), CLOCKS)
            if when is not None:
                found.append(
                    SlaPolicy(
                        id=shape["id"],
                        applies=compile_match(when, vocabulary),
                        needs=attributes_of(when),
                        targets_s=targets,
                        warn_at_pct=shape["warn_at"],
                        on_reopen=shape["on_reopen"],
                    )
                )
        return tuple(found)

    def _rules(self, vocabulary: Vocabulary, tiers: tuple[str, ...]) -> list[tuple[Rule, Place]]:
        names = Names(
            users=self.named["users"],
            groups=self.named["groups"],
            desks=self.named["desks"],
            endpoints=self.named["endpoints"],
            templates=self.named["templates"],
            policies=self.named["escalation_policies"],
            connectors={name: _operations(data) for name, (data, _) in self.named["connectors"].items()},
            custom=self.named["attributes"],
            tiers=tiers,
        )
        found = []
        for data, place in self.listed["rules"].values():
            rule = parse_rule(data, place, vocabulary, names)
            if rule is not None:
                when = _within(owner_of(place.file), rule.when, vocabulary, rule.subject)
                found.append((dataclasses.replace(rule, when=when), place))
        return found


def _operations(connector: object) -> list[str] | None:
    """The names of a connector's operations; None where it is written wrong, which is a problem of its own."""
    found = connector.get("operations") if isinstance(connector, dict) else None
    if isinstance(connector, dict) and found is None:
        return []
    return list(map(str, found)) if isinstance(found, dict) else None


def _within(owner: str | None, when: Condition, vocabulary: Vocabulary, subject: str = "ticket") -> Condition:
    """The condition, for tickets (or desks) of the group that owns the file only."""
    if owner is None:
        return when
    own_tickets = parse_condition({f"{subject}.group": owner}, Place("", Marks(), []), vocabulary)
    assert own_tickets is not None
    return All((own_tickets, when))


def is_test(name: str) -> bool:
    """Whether a file holds tests beside the rules: `*_test.yaml`."""
    return name.rsplit(".", 1)[0].endswith("_test")


__all__ = ["MAX_FILES", "SECTIONS", "Files", "Template", "content_hash", "is_test", "load", "read_folder"]
