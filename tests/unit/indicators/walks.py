"""Deals that walk through the process, and what is asked of their figures."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from tests.unit.indicators.cards import measured

from crmbridge.model.figures import Scorecard
from crmbridge.model.findings import Evaluation, Place, Visit
from crmbridge.model.process import Process
from crmbridge.model.records import Status
from crmbridge.testing.factories import make_evaluation, make_process, make_ref

OPEN, WON, LOST = Status.OPEN, Status.WON, Status.LOST


def walked(number: int, *steps: tuple[str, str]) -> Evaluation:
    """Evaluate a deal that came to stages, `won`, `lost` or `beside` at moments such as 2026-05-01T22:30."""
    places = {"won": Place("care", WON), "lost": Place(None, LOST), "beside": Place(None, OPEN)}
    visits, seen = [], dict[str, int]()
    for (name, at), after in zip(steps, [*steps[1:], None], strict=True):
        place = places.get(name, Place(name, OPEN))
        if place.stage is None:
            continue
        seen[place.stage] = seen.get(place.stage, 0) + 1
        visits.append(
            Visit(
                deal=make_ref(number),
                stage=place.stage,
                number=seen[place.stage],
                entered_at=moment(at),
                left_at=moment(after[1]) if after else None,
                to=places.get(after[0], Place(after[0], OPEN)) if after else None,
            )
        )
    last = places.get(steps[-1][0], Place(steps[-1][0], OPEN))
    return make_evaluation(deal=make_ref(number), place=last, visits=tuple(visits))


def moment(text: str) -> datetime:
    """Read a moment in UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def shares(card: Scorecard, measure: str, column: str) -> dict[str, tuple[float | None, float | None]]:
    """Give numerator and denominator by row."""
    rows = measured(card, measure).rows
    return {row.label: (row.figures[column].numerator, row.figures[column].denominator) for row in rows}


def watching(**indicator: Any) -> Process:
    """Make a process that watches one number."""
    return make_process(indicators=[{"id": "one", "name": "One", **indicator}])
