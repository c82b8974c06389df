"""Numbers and times that JSON has no form for."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal

import pytest

from crmbridge.http import mark, rewrite, unmark

VALUES = [Decimal("1E+3"), Decimal("-0.10"), date(2026, 2, 28), datetime(2026, 2, 28, 1, 2, 3, 4, tzinfo=UTC)]


@pytest.mark.parametrize("value", VALUES)
def test_what_is_marked_reads_back(value: object) -> None:
    """Through JSON, in lists and objects."""
    sent = json.loads(json.dumps(rewrite({"a": [value, "text", None, True]}, mark)))

    assert {"a": [value, "text", None, True]} == rewrite(sent, unmark)


def test_a_large_number_is_written_out() -> None:
    """Not every server reads exponents."""
    assert {"__class__": "Decimal", "decimal": "1000"} == mark(Decimal("1E+3"))


def test_times_are_utc() -> None:
    """A time in another zone is the same moment."""
    noon = datetime(2026, 2, 28, 12, tzinfo=timezone(timedelta(hours=2)))

    assert 10 == mark(noon)["hour"]
    assert noon == unmark(mark(noon))


@pytest.mark.parametrize("value", [{"__class__": "bytes", "base64": "YQ=="}, {"a": 1}, "text", 1, None])
def test_other_values_are_given_back(value: object) -> None:
    """Also what is marked as something else."""
    assert value == unmark(value) == mark(value)
