"""Rulesets: read, checked, hashed, loaded."""

from rules_service.ruleset.endpoints import Endpoint, expand, expand_all, unset_variables
from rules_service.ruleset.load import SECTIONS, Files, content_hash, load, read_folder
from rules_service.ruleset.model import Ruleset

__all__ = [
    "SECTIONS",
    "Endpoint",
    "Files",
    "Ruleset",
    "content_hash",
    "expand",
    "expand_all",
    "load",
    "read_folder",
    "unset_variables",
]
