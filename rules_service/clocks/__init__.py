"""Service hours and service-level clocks."""

from rules_service.clocks.calendar import (
    Calendar,
    CalendarError,
    Counted,
    DayBreakdown,
    LeftOut,
    NoServiceTimeError,
)
from rules_service.clocks.calendar_config import parse_calendar
from rules_service.clocks.holidays_config import HOLIDAY_YEARS
from rules_service.clocks.opening import FIRST_YEAR, LAST_YEAR, Period
from rules_service.clocks.policies import OnReopen, SlaPolicy, parse_sla_policy
from rules_service.clocks.service_clock import (
    CLOCKS,
    LIVE,
    Hours,
    Measure,
    Target,
    breach,
    next_change_at,
    next_warning_pct,
    pause,
    resume,
    retarget,
    start,
    stop,
    used_pct,
    used_s,
    void,
    warn,
)

__all__ = [
    "CLOCKS",
    "FIRST_YEAR",
    "HOLIDAY_YEARS",
    "LAST_YEAR",
    "LIVE",
    "Calendar",
    "CalendarError",
    "Counted",
    "DayBreakdown",
    "Hours",
    "LeftOut",
    "Measure",
    "NoServiceTimeError",
    "OnReopen",
    "Period",
    "SlaPolicy",
    "Target",
    "breach",
    "next_change_at",
    "next_warning_pct",
    "parse_calendar",
    "parse_sla_policy",
    "pause",
    "resume",
    "retarget",
    "start",
    "stop",
    "used_pct",
    "used_s",
    "void",
    "warn",
]
