"""A ticket with a history that is worth telling: paused, moved to a desk with other hours, over holidays."""

import datetime as dt
from typing import Any

from tests.scene import Scene, variant

#: Wednesday the 18th of March 2026, seven in the evening in Jakarta. Thursday is Nyepi, Friday and Saturday Idul Fitri.
SEVEN = dt.datetime(2026, 3, 18, 12, tzinfo=dt.UTC)

#: An answer pauses the clocks; booking management keeps holidays.
FILES = variant(
    (r"pending: \{clock: running", "pending: {clock: paused"),
    (r'hours: \{mon-sun: \["08:00-21:00"\]\}', r"\g<0>\n    holidays: {country: ID}"),
    (r"\ncalendars:\n", "\ncalendars:\n  always: {timezone: Asia/Jakarta, hours: 24/7}\n"),
)


def tell(scene: Scene, ticket: str = "4711") -> None:
    """The story, up to Sunday at ten in the morning."""
    clock = scene.clock
    clock.now = SEVEN
    scene.online("ha1")
    clock.now = SEVEN
    scene.create(ticket)
    clock.now = SEVEN + dt.timedelta(minutes=2)
    scene.send("message.sent", ticket, by="ha1", text="Kami periksa")
    clock.now = SEVEN + dt.timedelta(minutes=90)
    scene.send("ticket.transferred", ticket, by="ha1", group="booking")
    clock.now = SEVEN + dt.timedelta(days=3, hours=15)


#: The same company with other hours, at which it keeps no holidays.
OTHER_HOURS = {
    name: str(text).replace("holidays: {country: ID}", "on_holidays: as usual").replace("08:00-21:00", "09:00-13:00")
    for name, text in FILES.items()
}


def adds_up(answer: dict[str, Any]) -> None:
    """Each clock of the answer: its days are its sum, and its parts its time without a gap."""
    for clock in answer["clocks"]:
        assert sum(day["total_s"] for day in clock["days"]) == clock["used_s"], clock
        assert clock["used_s"] + clock["remaining_s"] == clock["target_s"]
        at = instant(clock["started_at"])
        for day in clock["days"]:
            assert sum(part["seconds"] for part in day["counted"]) == day["total_s"]
            parts = [(instant(part["from"]), instant(part["to"])) for part in (*day["counted"], *day["not_counted"])]
            for start, end in sorted(parts):
                assert start == at, clock
                at = end
        assert at == instant(clock["stopped_at"] or answer["at"]), clock


def instant(text: str) -> dt.datetime:
    """The instant that an answer writes."""
    return dt.datetime.fromisoformat(text)
