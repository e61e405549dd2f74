"""The page that the `type` of every problem document leads to: each error code with what it means."""

from __future__ import annotations

from html import escape

from rules_service.api.problems import listed

_HEAD = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Errors of rules-service</title>
<style>
  body { font: 1rem/1.5 system-ui, sans-serif; max-width: 50rem; margin: 2rem auto; padding: 0 1rem; }
  dt { font-family: ui-monospace, monospace; font-weight: bold; margin-top: 1rem; }
  dt a { color: inherit; text-decoration: none; }
  :target { background: #fff3b0; }
</style>
</head>
<body>
<h1>Errors</h1>
<p>An error is a problem document (RFC 9457). Its <code>code</code> is stable; its <code>detail</code> says what was
wrong and what would be accepted. <a href="/docs">The interface</a></p>
<dl>
"""


def error_page() -> str:
    """The page, as HTML; each code is an anchor of its own name."""
    entries = (
        f'<dt id="{code}"><a href="#{code}">{code}</a> ({status})</dt>\n<dd>{escape(meaning)}</dd>\n'
        for code, status, meaning in listed()
    )
    return f"{_HEAD}{''.join(entries)}</dl>\n</body>\n</html>\n"
