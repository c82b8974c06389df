"""A line of earlier values."""

from __future__ import annotations

from crmbridge.web.charts import spark


def test_the_lowest_is_at_the_bottom_and_the_last_at_the_right() -> None:
    """Values that are missing are passed over, and keep their place."""
    line = spark([1.0, None, 3.0, 2.0])
    assert line is not None

    assert ("3,29 79,3 117,16", 117.0, 16.0) == line


def test_the_same_all_the_time_is_a_level_line() -> None:
    """In the middle."""
    assert [("3,16 117,16", 117.0, 16.0)] == [spark([5.0, 5.0])]


def test_one_value_is_no_line() -> None:
    """Nor are none."""
    assert [None, None] == [spark([None, 1.0]), spark([])]
