"""Rulesets: read, checked, hashed, loaded."""

from rules_service.ruleset.checks import find_warnings
from rules_service.ruleset.endpoints import Endpoint, expand, expand_all, unset_variables
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
    "is_test",
    "load",
    "load_definitions",
    "read_folder",
    "read_yaml",
    "unset_variables",
]
