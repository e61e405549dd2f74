"""Logs: one JSON object a line, or colours on a terminal. No money, secrets or personal data go in."""

from __future__ import annotations

import logging
import re
import sys

import structlog

_DETAIL = re.compile(r"^DETAIL:.*?(?=^(?:CONTEXT:|Traceback|The above|During)|\Z)", re.MULTILINE | re.DOTALL)


def configure(level: str) -> None:
    """Sends structlog and the standard library's logging to standard error."""
    shared: list[structlog.types.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    on_terminal = sys.stderr.isatty()
    renderer: structlog.types.Processor = (
        structlog.dev.ConsoleRenderer() if on_terminal else structlog.processors.JSONRenderer()
    )
    tail: list[structlog.types.Processor] = [structlog.processors.format_exc_info, _without_rows, renderer]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, level.upper())),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *tail],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level.upper())
    for chatty in ("urllib3", "transitions", "peewee.migrations"):
        logging.getLogger(chatty).setLevel(logging.WARNING)


def _without_rows(logger: object, method: str, event: structlog.types.EventDict) -> structlog.types.EventDict:
    """Cuts what PostgreSQL adds to an error: the row that failed, and with it what people wrote."""
    del logger, method
    exception = event.get("exception")
    if isinstance(exception, str):
        event["exception"] = _DETAIL.sub("DETAIL:  left out\n", exception)
    return event
