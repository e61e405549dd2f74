"""Rulesets: read, checked, hashed, loaded."""

from rules_service.ruleset.checks import find_warnings
from rules_service.ruleset.endpoints import Endpoint, expand, expand_all, unset_variables
from rules_service.ruleset.hours import has_other_hours, hours_told, short_hash
from rules_service.ruleset.load import (
    SECTIONS,
    Definitions,
    Files,
    Loaded,
    content_hash,
    is_test,
    load,
    load_definitions,
    read_folder,
)
from rules_service.ruleset.model import Ruleset
from rules_service.ruleset.reading import read_yaml

__all__ = [
    "SECTIONS",
    "Definitions",
    "Endpoint",
    "Files",
    "Loaded",
    "Ruleset",
    "content_hash",
    "expand",
    "expand_all",
    "find_warnings",
    "has_other_hours",
    "hours_told",
    "is_test",
    "load",
    "load_definitions",
    "read_folder",
    "read_yaml",
    "short_hash",
    "unset_variables",
]
