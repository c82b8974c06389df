"""Lengths of time, shares of them, and the calendars that business time is counted in."""

from __future__ import annotations

import re
from datetime import date, time
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any, NamedTuple, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from crmbridge.model.parts import Part


class Unit(StrEnum):
    """Units of time that goals are written in; the ones with a b count only while the calendar is open."""

    BUSINESS_DAYS = "bd"
    BUSINESS_HOURS = "bh"
    BUSINESS_MINUTES = "bm"
    DAYS = "d"
    HOURS = "h"
    MINUTES = "m"


class Duration(NamedTuple):
    """A length of time, such as 5bd. A business day is as long as the calendar's `day_hours`."""

    amount: Decimal
    unit: Unit

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `5bd`, `4bh`, `30bm`, `2d`, `36h` or `15m`; raises ValueError for anything else."""
        match = re.fullmatch(r"(\d{1,6}(?:\.\d{1,3})?)(bd|bh|bm|d|h|m)", text.strip())
        if not match:
            raise ValueError(f"{text!r} is no length of time; write a number and bd, bh, bm (business) or d, h, m")
        return cls(Decimal(match[1]), Unit(match[2]))

    @property
    def is_business(self) -> bool:
        """Tell whether it counts only while the calendar is open."""
        return self.unit.value.startswith("b")

    def __str__(self) -> str:
        """Write it as it is written in the file."""
        return f"{self.amount.normalize():f}{self.unit}"


def _duration(value: Any) -> Duration:
    return value if isinstance(value, Duration) else Duration.parse(str(value))


def _share(value: Any) -> Any:
    if isinstance(value, str) and (match := re.fullmatch(r"(\d{1,3}(?:\.\d+)?)\s*%", value.strip())):
        return Decimal(match[1]) / 100
    raise ValueError(f"{value!r} is no share; write it as a percentage, such as 80%")


DurationField = Annotated[
    Duration,
    BeforeValidator(_duration, json_schema_input_type=str),
]
Share = Annotated[Decimal, BeforeValidator(_share, json_schema_input_type=str), Field(ge=0, le=1)]


class Holidays(Part):
    """Public holidays, by country and subdivision code, as the `holidays` package knows them."""

    country: Annotated[str, Field(pattern=r"^[A-Z]{2}$")]
    subdivision: str | None = None


class Window(NamedTuple):
    """Opening hours within one day. An end of 00:00 means midnight at the end of the day."""

    start: time
    end: time

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `09:00-18:00`; raises ValueError when it is anything else or ends before it starts."""
        match = re.fullmatch(r"((?:[01]\d|2[0-3]):[0-5]\d)-((?:[01]\d|2[0-3]):[0-5]\d|24:00)", text.strip())
        if not match:
            raise ValueError(f"{text!r} is no opening time; write it as 09:00-18:00")
        end = "00:00" if match[2] == "24:00" else match[2]
        window = cls(time.fromisoformat(match[1]), time.fromisoformat(end))
        if window.end != time(0) and window.end <= window.start:
            raise ValueError(f"{text!r} ends before it starts")
        return window


def _window(value: Any) -> Window:
    return value if isinstance(value, Window) else Window.parse(str(value))


WindowField = Annotated[Window, BeforeValidator(_window, json_schema_input_type=str)]


class Hours(Part):
    """Opening hours per weekday; a day that is left out is closed."""

    mon: tuple[WindowField, ...] = ()
    tue: tuple[WindowField, ...] = ()
    wed: tuple[WindowField, ...] = ()
    thu: tuple[WindowField, ...] = ()
    fri: tuple[WindowField, ...] = ()
    sat: tuple[WindowField, ...] = ()
    sun: tuple[WindowField, ...] = ()

    def week(self) -> tuple[tuple[Window, ...], ...]:
        """Give the seven days, Monday first."""
        return (self.mon, self.tue, self.wed, self.thu, self.fri, self.sat, self.sun)


def _day(value: Any) -> date:
    if isinstance(value, date):
        return value
    try:
        return date.fromisoformat(str(value))
    except ValueError:
        raise ValueError(f"{value!r} is no date; write it as 2026-12-24") from None


Day = Annotated[date, BeforeValidator(_day, json_schema_input_type=date)]


def _exception_day(value: str) -> str:
    """Read `2026-12-24` (one day) or `12-24` (that day of every year)."""
    yearly = re.fullmatch(r"\d{2}-\d{2}", value)
    try:
        date.fromisoformat(f"2024-{value}" if yearly else value)  # 2024 has a 29th of February
    except ValueError:
        raise ValueError(f"{value!r} is no day; write it as 2026-12-24, or as 12-24 for every year") from None
    return value


def _date_text(value: str) -> str:
    return _day(value).isoformat()


ExceptionDay = Annotated[str, AfterValidator(_exception_day)]
DateText = Annotated[str, AfterValidator(_date_text)]


class Calendar(Part):
    """Opening hours, time zone and holidays that business time is counted in.

    `exceptions` has the hours of single days, none for a closed one: of one date, whatever else is said of it, or of
    a day of every year, where the weekday is one that has hours. `hours_from` has the week that is valid from a date.
    """

    timezone: str
    hours: Hours
    hours_from: dict[DateText, Hours] = Field(default_factory=dict)
    day_hours: Annotated[Decimal, Field(gt=0, le=24)] = Decimal(8)  # what `1bd` stands for, in open hours
    holidays: Holidays | None = None
    closed: tuple[Day, ...] = ()
    exceptions: dict[ExceptionDay, tuple[WindowField, ...]] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _closed_or_not(self) -> Self:
        for day in self.closed:
            if self.exceptions.get(day.isoformat()):
                raise ValueError(f"{day} is closed, and has hours under exceptions")
        return self

    def __hash__(self) -> int:
        # The one of frozen models can't take dicts.
        return hash(self.model_dump_json())

    @property
    def ever_opens(self) -> bool:
        """Tell whether there is any day with hours."""
        weeks = (self.hours, *self.hours_from.values())
        return any(any(hours.week()) for hours in weeks) or any(self.exceptions.values())
