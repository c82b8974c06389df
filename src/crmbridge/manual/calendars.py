"""Calendars in words: opening hours, the length of a business day, public holidays, closed and special days."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date

from markupsafe import Markup, escape
from msgspec import Struct

from crmbridge.engine.text import plain
from crmbridge.manual.speech import Speech
from crmbridge.model.business_time import Calendar, Hours, Window

_HOLIDAY_TONGUES = {"en": ("en_US", "en_GB", "en"), "pt": ("pt_BR", "pt_PT", "pt"), "zh": ("zh_CN", "zh_TW")}


class SaidCalendar(Struct, frozen=True, kw_only=True):
    """A calendar in words. `weeks` has a heading and the seven days; `holidays` by year the days with their names."""

    id: str
    name: str
    facts: tuple[Markup, ...]
    weeks: tuple[tuple[Markup, tuple[tuple[str, Markup], ...]], ...]
    special: tuple[Markup, ...]
    holidays: tuple[tuple[int, tuple[tuple[Markup, str], ...]], ...]
    tongue: str | None  # of the holidays' names, where it is another one


def said_calendars(speech: Speech, years: Sequence[int]) -> Iterator[SaidCalendar]:
    """Say every calendar of the process, with the public holidays of some years."""
    for name, calendar in speech.process.calendars.items():
        yield _said(name, calendar, speech, years)


def _said(name: str, calendar: Calendar, speech: Speech, years: Sequence[int]) -> SaidCalendar:
    words = speech.words
    facts = [words("calendar_zone", zone=plain(calendar.timezone)), _day_length(calendar, speech)]
    weeks = [(words("usual_week"), _week(calendar.hours, speech))]
    for day, hours in sorted(calendar.hours_from.items()):
        weeks.append((words("week_from", day=words.day(date.fromisoformat(day))), _week(hours, speech)))
    listed, tongue = _holidays(calendar, speech, years)
    return SaidCalendar(
        id=name,
        name=name.replace("_", " "),
        facts=tuple(facts),
        weeks=tuple(weeks),
        special=tuple(_special(calendar, speech)),
        holidays=listed,
        tongue=tongue,
    )


def _day_length(calendar: Calendar, speech: Speech) -> Markup:
    return speech.words.counted("calendar_day", calendar.day_hours)


def _week(hours: Hours, speech: Speech) -> tuple[tuple[str, Markup], ...]:
    return tuple((speech.words.weekday(number), _open(day, speech)) for number, day in enumerate(hours.week()))


def _open(windows: Sequence[Window], speech: Speech) -> Markup:
    if not windows:
        return speech.words("closed")
    return escape(", ".join(f"{one.start:%H:%M}–{_end(one)}" for one in windows))  # noqa: RUF001  as hours are printed


def _end(window: Window) -> str:
    return "24:00" if not window.end.hour and not window.end.minute else f"{window.end:%H:%M}"


def _special(calendar: Calendar, speech: Speech) -> Iterator[Markup]:
    words = speech.words
    for day in sorted(calendar.closed):
        yield words("day_closed", day=words.day(day))
    for written, windows in sorted(calendar.exceptions.items()):
        if len(written) == len("12-24"):
            said = words.yearly(int(written[:2]), int(written[3:]))
        else:
            said = words.day(date.fromisoformat(written))
        yield words("day_hours", day=said, hours=_open(windows, speech)) if windows else words("day_closed", day=said)


_Years = tuple[tuple[int, tuple[tuple[Markup, str], ...]], ...]


def _holidays(calendar: Calendar, speech: Speech, years: Sequence[int]) -> tuple[_Years, str | None]:
    if calendar.holidays is None:
        return (), None
    import holidays  # noqa: PLC0415  takes its time to load, and many calendars have none

    wanted = calendar.holidays
    try:
        known = holidays.country_holidays(wanted.country, subdiv=wanted.subdivision)
    except NotImplementedError:  # what the installed package doesn't know is the check's to say
        return (), None
    spoken = next((one for one in _HOLIDAY_TONGUES[speech.language] if one in known.supported_languages), None)
    own = known.default_language  # named, as the package would else take that of the machine
    found = []
    for year in years:
        days = holidays.country_holidays(wanted.country, subdiv=wanted.subdivision, years=year, language=spoken or own)
        found.append((year, tuple((speech.words.day(day), plain(name)) for day, name in sorted(days.items()))))
    tongue = None if spoken else (own or "").replace("_", "-") or None
    return tuple(found), tongue
