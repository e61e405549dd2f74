"""What goes to the log, and what does not."""

import json
import logging

import structlog

from rules_service import logs

#: As PostgreSQL ends the message of an error.
QUOTED = "null value\nDETAIL:  Failing row contains (1, Budi cannot pay,\nhis card).\nCONTEXT:  x"


def fail(message):
    raise RuntimeError(message)


def test_a_row_that_the_database_quotes_in_an_error_is_left_out(capsys, monkeypatch):
    root = logging.getLogger()
    monkeypatch.setattr(root, "handlers", root.handlers)
    monkeypatch.setattr(root, "level", root.level)
    logs.configure("info")
    try:
        fail(QUOTED)
    except RuntimeError:
        structlog.get_logger().exception("request_failed")
    line = json.loads(capsys.readouterr().err)
    assert "RuntimeError: null value" in line["exception"]
    assert "Budi" not in line["exception"]
    assert "his card" not in line["exception"]
