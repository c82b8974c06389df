"""What stands in a scorecard."""

from __future__ import annotations

from crmbridge.model.figures import Measured, Row, Scorecard


def measured(card: Scorecard, measure: str) -> Measured:
    """Give a measure."""
    found = card.measure(measure)
    assert found is not None
    return found


def values(row: Row, *columns: str) -> tuple[float | None, ...]:
    """Give the values in some columns of a row."""
    return tuple(row.figures[column].value for column in columns)
