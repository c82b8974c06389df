"""SLAs, hand-offs and calendars in words."""

from __future__ import annotations

from typing import Any

import pytest

from crmbridge.manual.calendars import said_calendars
from crmbridge.manual.limits import said_handoff, said_sla, said_sla_rule
from crmbridge.manual.speech import Speech
from crmbridge.manual.words import words_of
from crmbridge.testing.factories import make_calendar, make_process, make_stage

FIELDS = [
    {"id": "waiting", "name": "Waiting on"},
    {"id": "asked", "type": "datetime", "name": "Asked at"},
    {"id": "told", "type": "datetime", "name": "Answered at"},
]


def speech(language: str = "en", **stage: Any) -> Speech:
    """Give a process with one stage."""
    return Speech(make_process(fields=FIELDS, stages=[make_stage(**stage)]), words_of(language))


def test_everything_of_an_sla_is_said() -> None:
    """The goal, other goals, warnings with their times, pauses, and what coming back does."""
    sla = {
        "goal": "5bd",
        "calendar": "office",
        "warn_at": ["50%", "80%"],
        "goals": [{"when": "amount > 9000", "goal": "10bd"}],
        "pause_when": {"waiting": ["customer", "legal"]},
        "re_entry": "resume",
    }
    spoken = speech(sla=sla)
    stage = spoken.process.stages[0]
    assert stage.sla is not None
    said = said_sla(stage, stage.sla, spoken)

    assert "A deal stays in this stage for at most 5 business days (calendar office)." == said.headline.striptags()
    assert [
        "Where Amount is more than 9,000: 10 business days.",
        "It is at risk, and you are warned, after 2.5 business days (50%) and after 4 business days (80%).",
        "The clock stands still while Waiting on is “customer” or “legal”.",
        "When a deal comes back to this stage, the clock goes on where it stopped.",
    ] == [detail.striptags() for detail in said.details]


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        (
            {"kind": "first_touch", "goal": "4bh", "calendar": "office"},
            "The first activity is done within 4 business hours of the deal coming into this stage (calendar office).",
        ),
        ({"kind": "no_activity", "goal": "14d"}, "No open deal is left alone for more than 14 days."),
        (
            {"kind": "next_activity", "goal": "1bd"},
            "An open deal without a planned next step gets one within 1 business day (calendar office).",
        ),
        (
            {"kind": "response", "goal": "8h", "since": "asked", "until": "told"},
            "From Asked at to Answered at at most 8 hours go by.",
        ),
    ],
)
def test_every_kind_of_sla_is_said(rule: dict[str, Any], words: str) -> None:
    """With the only calendar of the process where none is named."""
    spoken = speech(slas=[{"id": "one", "name": "One", **rule}])
    stage = spoken.process.stages[0]

    assert words == said_sla_rule(stage.slas[0], stage, spoken).headline.striptags()


def test_a_hand_off_says_who_accepts_how_soon_and_where_it_shows() -> None:
    """And one without a time limit has nothing to say."""
    spoken = speech(handoff={"to": "seller", "accept_within": "4bh", "calendar": "office", "accepted": "waiting"})
    stage = spoken.process.stages[0]
    assert stage.handoff is not None
    said = said_handoff(stage, stage.handoff, spoken)

    assert said is not None
    assert "Seller accepts the deal or returns it within 4 business hours (calendar office)." == (
        said.headline.striptags()
    )
    assert "It counts as accepted when Waiting on is filled in." == said.details[0].striptags()
    assert said_handoff(stage, stage.handoff.model_copy(update={"accept_within": None}), spoken) is None


def test_a_calendar_is_said_with_its_hours_holidays_and_special_days() -> None:
    """Holidays of the years that were asked for, half days and closed days."""
    calendar = make_calendar(
        timezone="Europe/Berlin",
        holidays={"country": "DE", "subdivision": "BE"},
        closed=["2026-12-28"],
        exceptions={"12-24": ["09:00-12:00"]},
        hours_from={"2027-01-01": {"mon": ["10:00-24:00"]}},
    )
    spoken = Speech(make_process(calendars={"head_office": calendar}), words_of("en"))
    (said,) = said_calendars(spoken, (2026,))

    assert ("Time zone: Europe/Berlin.", "One business day stands for 8 open hours.") == said.facts
    assert ("Monday", "09:00–17:00") == said.weeks[0][1][0]  # noqa: RUF001  as hours are printed
    assert ("Saturday", "closed") == said.weeks[0][1][5]
    assert ("From 1 January 2027 on", ("Monday", "10:00–24:00")) == (said.weeks[1][0], said.weeks[1][1][0])  # noqa: RUF001  the same
    assert ("28 December 2026: closed", "24 December of every year: 09:00–12:00") == said.special  # noqa: RUF001  the same
    ((year, days),) = said.holidays
    assert 2026 == year
    assert ("1 May 2026", "Labor Day") in days
    assert said.tongue is None


def test_holidays_in_another_language_say_which() -> None:
    """Germany's are not known in Portuguese, so they keep their own names, marked as German."""
    calendar = make_calendar(holidays={"country": "DE"})
    (said,) = said_calendars(Speech(make_process(calendars={"office": calendar}), words_of("pt")), (2026,))

    assert "de" == said.tongue
    assert "Erster Mai" in {name for _day, name in said.holidays[0][1]}
