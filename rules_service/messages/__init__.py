"""Message templates: checked when loaded, rendered in a sandbox."""

from rules_service.messages.templates import (
    LoopLimit,
    Template,
    TemplateError,
    compile_template,
    parse_templates,
    render,
)

__all__ = ["LoopLimit", "Template", "TemplateError", "compile_template", "parse_templates", "render"]
