"""A report in a few lines, and whether two reports are the same."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from crmbridge.model.figures import Figure, Interval, Unit
from crmbridge.model.replacing import replace
from crmbridge.ports import Document
from crmbridge.report import fingerprint, note_text, render
from crmbridge.testing.factories import NOON
from crmbridge.testing.figures import (
    make_count,
    make_days,
    make_indicator_figure,
    make_measured,
    make_row,
    make_scorecard,
)


def document(*measures: Any, name: str = "scorecard", **overrides: Any) -> Document:
    """Render a scorecard of these measures."""
    return render(make_scorecard(*measures, **overrides), None, "Weekly", name=name)


def test_note_says_what_matters() -> None:
    """The note holds the headline and the indicators with their targets, in plain text."""
    lines = note_text(document()).splitlines()

    assert ["Weekly", "As of 2026-06-10 12:00 UTC"] == lines[:2]
    assert "Open findings: 8. Errors: 3, warnings: 4." in lines
    assert "Deals won: 22% (Target ≥ 25%, ✗ missed)" == lines[-1]


def test_note_is_short() -> None:
    """However many indicators there are, the note keeps within 2,000 characters."""
    many = tuple(make_indicator_figure(name="A long name " * 10) for _ in range(60))

    text = note_text(document(indicators=many))

    assert len(text) <= 2000
    assert text.endswith("…")


def test_note_of_another_document_is_its_markdown() -> None:
    """A document that is no scorecard gives its title and its Markdown."""
    notice = Document(name="notice", title="A notice", html="", markdown="One.\n\nTwo.\u202e\n", facts={})

    assert "A notice\nOne.\nTwo." == note_text(notice)


def test_same_figures_of_a_day_are_the_same_document() -> None:
    """A second try minutes later is the same document, though ages and estimates have moved by then."""

    def at(minutes: int) -> Document:
        guess = Figure(
            unit=Unit.MONEY, value=1000 + minutes, n=7, currency="EUR", interval=Interval(900 + minutes, 1200)
        )
        row = make_row(age=make_days(6 + minutes / 1440, 10), forecast=guess)
        return document(make_measured("aging", row), as_of=NOON + timedelta(minutes=minutes))

    assert at(0) != at(9)
    assert fingerprint(at(0)) == fingerprint(at(9))


def test_other_figures_names_and_days_are_other_documents() -> None:
    """Another count, number of cases, name, day or run makes another document."""
    late = make_measured("aging", make_row(age=make_days(6, 10)))
    more = replace(late, rows=(make_row(age=make_days(6, 11)),))
    documents = [
        document(),
        document(name="monthly"),
        document(late),
        document(more),
        document(make_measured("aging", make_row(age=make_count(6)))),
        document(make_measured("aging", make_row(age=make_count(7)))),
        document(as_of=NOON + timedelta(days=1)),
        Document(name="scorecard", title="", html="", markdown="One.", facts={}),
        Document(name="scorecard", title="", html="", markdown="Two.", facts={}),
    ]

    assert len(documents) == len({fingerprint(each) for each in documents})


def test_what_the_run_did_is_not_the_report() -> None:
    """The same figures pushed by another run, which wrote something else, are the same report."""
    first, second = (render(make_scorecard(), {"applied": number}, "Weekly") for number in (0, 3))

    assert fingerprint(first) == fingerprint(second)
