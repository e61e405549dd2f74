"""Message templates: checked when loaded, rendered in a sandbox."""

from rules_service.messages.templates import (
    Dotted,
    LoopLimit,
    Template,
    TemplateError,
    Text,
    compile_template,
    parse_templates,
    render,
    render_within,
)

__all__ = [
    "Dotted",
    "LoopLimit",
    "Template",
    "TemplateError",
    "Text",
    "compile_template",
    "parse_templates",
    "render",
    "render_within",
]
