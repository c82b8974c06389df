"""The parts that survival is cut into beside stages and ends: segments, and the periods in which something began."""

from __future__ import annotations

from typing import NamedTuple

from crmbridge.indicators.options import Options
from crmbridge.indicators.periods import MONTHS

_LAST = 1_000_000  # after all segments and periods


class Part(NamedTuple):
    """What a row is about: a stage's place or an end, a segment's number, a period's number."""

    what: str
    segment: int | None
    period: int | None

    @property
    def place(self) -> tuple[int, int]:
        """Say where it comes among those that are about the same."""
        return (
            _LAST if self.segment is None else self.segment,
            _LAST if self.period is None else self.period,
        )

    @classmethod
    def of(cls, text: str) -> Part:
        """Read what the SQL of `part_sql` gave."""
        what, *numbers = text.split(",")
        segment, period = (int(number) if number else None for number in numbers)
        return cls(what, segment, period)


def part_sql(what: str, began_at: str, options: Options) -> str:
    """Give the SQL of a part, over a table of deals that is joined with `grouped`."""
    period = f"month_of({began_at}) // {MONTHS[options.period]}" if options.period else "NULL"
    return f"concat({what}, ',', coalesce(grouped.seg::VARCHAR, ''), ',', coalesce(({period})::VARCHAR, ''))"
