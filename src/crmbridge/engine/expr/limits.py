"""How large an expression may be, and how much of a deal it may look at, so that each takes a short time."""

from __future__ import annotations

LARGEST_SOURCE = 2048  # bytes of UTF-8
DEEPEST = 32  # levels of nesting, brackets included
LONGEST_NUMBER = 40  # characters of a number
LARGEST_EXPONENT = 40
LONGEST_PATTERN = 200  # characters of a regular expression
MOST_POSITIONS = 250  # characters that a regular expression stands for once its repetitions are written out
LONGEST_MATCHED = 2_000  # characters of a text that a regular expression is held against
LONGEST_TEXT = 100_000  # characters of a text that is searched or joined
LONGEST_LIST = 200  # items of a list that is gone through
DIGITS = 60  # that calculating keeps
