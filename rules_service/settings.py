"""Settings, all from the environment, prefix RULES_SERVICE_."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

PREFIX = "RULES_SERVICE_"


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One setting: its name without the prefix, its default, and what it means."""

    name: str
    default: str
    about: str


#: Every setting. A test checks that the reference names each.
SETTINGS: tuple[Setting, ...] = (
    Setting(name="DATABASE", default="sqlite:///var/rules.db", about="database: sqlite:///PATH or postgresql://..."),
    Setting(name="RULES", default="rulesets/travel", about="folder that is published at start if no ruleset is active"),
    Setting(name="WATCH", default="", about="folder whose changes go live by themselves; empty: none is watched"),
    Setting(name="HOST", default="127.0.0.1", about="address that the API listens on"),
    Setting(name="PORT", default="8080", about="port that the API listens on"),
    Setting(name="PROCESSES", default="1", about="API processes"),
    Setting(name="THREADS", default="8", about="threads of each API process"),
    Setting(name="POLL_MS", default="50", about="milliseconds between two looks of the worker at what is due"),
    Setting(
        name="ALLOW_NETWORKS", default="127.0.0.0/8,::1/128", about="private networks that webhooks may be sent to"
    ),
    Setting(name="LOG", default="info", about="lowest level that is logged: debug, info, warning, error"),
    Setting(name="REPLIES_AN_HOUR", default="10", about="automatic replies to one ticket within an hour"),
    Setting(name="FIRINGS_A_RULE", default="500", about="firings of one rule within 10 minutes before it shadows"),
    Setting(name="FIRINGS_A_DAY", default="100", about="firings on one ticket within a day"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The settings of this process."""

    database: str
    rules: Path
    #: The folder that is watched; None: none is.
    watch: Path | None
    host: str
    port: int
    processes: int
    threads: int
    poll_ms: int
    allow_networks: tuple[str, ...]
    log: str
    replies_an_hour: int
    firings_a_day: int
    firings_a_rule: int
    #: The whole environment: what `${VAR}` in rule files stands for.
    variables: Mapping[str, str] = field(repr=False)


class SettingError(ValueError):
    """A setting has a value that cannot be used."""


def read_settings(environment: Mapping[str, str] | None = None) -> Settings:
    """The settings in the environment; SettingError names the one that is wrong and what it accepts."""
    variables = dict(os.environ if environment is None else environment)

    def text(name: str) -> str:
        setting = next(found for found in SETTINGS if found.name == name)
        return variables.get(PREFIX + name) or setting.default

    def number(name: str, least: int, most: int) -> int:
        value = text(name)
        if not value.isdecimal() or not least <= int(value) <= most:
            raise SettingError(f"{PREFIX}{name} is a whole number from {least} to {most}; not {value!r}")
        return int(value)

    if not text("DATABASE").startswith(("sqlite:///", "postgresql://", "postgres://")):
        # Not echoed: it may hold a password.
        raise SettingError(f"{PREFIX}DATABASE is sqlite:///PATH or postgresql://USER:PASSWORD@HOST:PORT/NAME")
    level = text("LOG").lower()
    if level not in ("debug", "info", "warning", "error"):
        raise SettingError(f"{PREFIX}LOG is one of debug, info, warning, error; not {level!r}")
    return Settings(
        database=text("DATABASE"),
        rules=Path(text("RULES")),
        watch=Path(text("WATCH")) if text("WATCH") else None,
        host=text("HOST"),
        port=number("PORT", 1, 65_535),
        processes=number("PROCESSES", 1, 64),
        threads=number("THREADS", 1, 256),
        poll_ms=number("POLL_MS", 5, 10_000),
        allow_networks=tuple(part.strip() for part in text("ALLOW_NETWORKS").split(",") if part.strip()),
        log=level,
        replies_an_hour=number("REPLIES_AN_HOUR", 0, 100_000),
        firings_a_rule=number("FIRINGS_A_RULE", 1, 1_000_000),
        firings_a_day=number("FIRINGS_A_DAY", 1, 1_000_000),
        variables=variables,
    )
