"""Microseconds for one sum and one measure of service time, once the years are laid out, beside a plain subtraction."""

import datetime as dt
import timeit

from rules_service.clocks import Calendar

START = dt.datetime(2026, 1, 5, 2, 13, 7, 123_456, tzinfo=dt.UTC)
OFFICE = {"mon-fri": ["08:00-12:00", "13:00-17:00"], "sat": "22:00-06:00"}


def micros(call, number=50_000):
    """The best of five runs, by call."""
    call()
    return min(timeit.repeat(call, number=number, repeat=5)) / number * 1e6


def main():
    office = Calendar.from_config({"timezone": "Europe/Berlin", "hours": OFFICE, "holidays": {"country": "DE"}})
    always = Calendar.from_config({"timezone": "Asia/Jakarta"})
    print(f"plain subtraction          {micros(lambda: START - dt.datetime(2020, 1, 1, tzinfo=dt.UTC)):6.2f} us")
    for name, calendar in (("office hours", office), ("24/7", always)):
        for distance, seconds in (("5 minutes", 300), ("5 years", 5 * 260 * 28_800)):
            due = calendar.add(START, seconds)
            add = micros(lambda: calendar.add(START, seconds))  # noqa: B023  called before the next turn
            elapsed = micros(lambda: calendar.elapsed(START, due))  # noqa: B023
            print(f"{name:12}  {distance:10}  add {add:6.2f} us   elapsed {elapsed:6.2f} us")


if __name__ == "__main__":
    main()
