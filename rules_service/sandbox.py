"""The part of Jinja that templates of rule files may use: variables, filters, `if` and `for`."""

from __future__ import annotations

from typing import Any

from jinja2 import nodes
from jinja2.sandbox import ImmutableSandboxedEnvironment

#: What could run long, make a lot, or reach beyond a template's variables.
FORBIDDEN = (
    nodes.Call,
    nodes.CallBlock,
    nodes.Macro,
    nodes.Import,
    nodes.FromImport,
    nodes.Include,
    nodes.Extends,
    nodes.Block,
    nodes.Assign,
    nodes.AssignBlock,
    nodes.Mul,
    nodes.Pow,
    nodes.Mod,
)


class Sandbox(ImmutableSandboxedEnvironment):
    """`customer.name` reads a mapping's key; nothing else has attributes here."""

    def getattr(self, obj: Any, attribute: str) -> Any:
        """As `obj[attribute]`."""
        return self.getitem(obj, attribute)
