"""A report in a few lines, and whether two reports are the same."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

from crmbridge.indicators import IndicatorFigure, Scorecard
from crmbridge.indicators.scorecard import share
from crmbridge.ports import Document
from crmbridge.report import fingerprint, note_text, render
from crmbridge.testing.factories import NOON

MakeScorecard = Callable[..., Scorecard]


def test_note_says_what_matters(make_scorecard: MakeScorecard) -> None:
    """The note holds the headline and the indicators with their targets, in plain text."""
    lines = note_text(render(make_scorecard(), None, "Weekly")).splitlines()

    assert ["Weekly", "As of 2026-06-10 12:00 UTC"] == lines[:2]
    assert "Open findings: 8. 3 errors, 4 warnings; the oldest since 2026-06-02." in lines
    assert "Deals won: 22% (Target ≥ 25%, ✗ missed)" == lines[-1]


def test_note_is_short(make_scorecard: MakeScorecard, make_indicator: Callable[..., IndicatorFigure]) -> None:
    """However many indicators there are, the note keeps within 2,000 characters."""
    many = tuple(make_indicator(name="A long name " * 10) for _ in range(60))

    text = note_text(render(make_scorecard(indicators=many), None, "Weekly"))

    assert len(text) <= 2000
    assert text.endswith("…")


def test_note_of_another_document_is_its_markdown() -> None:
    """A document that is no scorecard gives its title and its Markdown."""
    document = Document(name="notice", title="A notice", html="", markdown="One.\n\nTwo.\u202e\n", facts={})

    assert "A notice\nOne.\nTwo." == note_text(document)


def test_same_figures_of_a_day_are_the_same_document(make_scorecard: MakeScorecard) -> None:
    """A second try minutes later is the same document, though unfinished visits are older by then."""
    stage = make_scorecard().time_in_stage[0]
    later = make_scorecard(as_of=NOON + timedelta(minutes=9), time_in_stage=(replace(stage, open_median_age=6.00625),))

    first, second = render(make_scorecard(), None, "Weekly"), render(later, None, "Weekly")

    assert first != second
    assert fingerprint(first) == fingerprint(second)


def test_other_figures_names_and_days_are_other_documents(make_scorecard: MakeScorecard) -> None:
    """Another figure, name, day or run makes another document."""
    documents = [
        render(make_scorecard(), None, "Weekly"),
        render(make_scorecard(), None, "Weekly", name="monthly"),
        render(make_scorecard(win_rate=share(10, 40)), None, "Weekly"),
        render(make_scorecard(as_of=NOON + timedelta(days=1)), None, "Weekly"),
        render(make_scorecard(), {"applied": 1}, "Weekly"),
        Document(name="scorecard", title="", html="", markdown="One.", facts={}),
        Document(name="scorecard", title="", html="", markdown="Two.", facts={}),
    ]

    assert len(documents) == len({fingerprint(document) for document in documents})
