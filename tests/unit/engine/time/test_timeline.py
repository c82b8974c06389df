"""A line of open time is counted on to the microsecond, pauses left out."""

from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from crmbridge.engine.time.timeline import joined, micros, moment, spent, spent_dated, timeline

MOMENTS = st.integers(-3, 18)
EDGES = st.lists(st.integers(0, 15), max_size=8, unique=True).map(sorted)
SPANS = EDGES.map(lambda edges: list(zip(edges[::2], edges[1::2], strict=False)))


def is_open(spans: list[tuple[int, int]], at: int) -> bool:
    """Look whether one microsecond lies in a span."""
    return any(start <= at < end for start, end in spans)


@settings(max_examples=500)
@given(SPANS, MOMENTS, MOMENTS, SPANS)
def test_what_is_spent_is_what_is_open_and_not_paused(
    spans: list[tuple[int, int]], start: int, end: int, pauses: list[tuple[int, int]]
) -> None:
    """Microsecond by microsecond; pauses may reach over both ends."""
    counted = sum(is_open(spans, at) and not is_open(pauses, at) for at in range(start, end))

    assert [counted] == list(spent(timeline(spans), [(start, end, pauses)]))


@settings(max_examples=500)
@given(SPANS, MOMENTS, MOMENTS, SPANS)
def test_times_are_counted_as_their_numbers_are(
    spans: list[tuple[int, int]], start: int, end: int, pauses: list[tuple[int, int]]
) -> None:
    """Looked for as they are: on an edge, before the first and after the last one, with pauses over both ends."""
    dated = [(moment(since), moment(until)) for since, until in pauses]
    line = timeline(spans)

    assert list(spent(line, [(start, end, pauses)])) == list(spent_dated(line, [(moment(start), moment(end), dated)]))


@given(SPANS, st.integers(1, 15))
def test_an_amount_has_passed_when_it_says(spans: list[tuple[int, int]], amount: int) -> None:
    """At the earliest moment, for every amount that is in reach."""
    line = timeline(spans)
    if amount <= line.total:
        at = line.when(amount)

        assert (amount, amount - 1) == (line.before(at), line.before(at - 1))


@given(SPANS, SPANS, st.integers(-3, 33))
def test_lines_are_put_one_behind_the_other(
    first: list[tuple[int, int]], second: list[tuple[int, int]], at: int
) -> None:
    """Also where the one ends as the other begins."""
    later = [(start + 15, end + 15) for start, end in second]
    whole = joined([timeline(first), timeline(later)])

    assert sum(is_open([*first, *later], before) for before in range(-3, at)) == whole.before(at)


def test_moments_are_whole_microseconds_since_1970() -> None:
    """In whichever zone they come, and before 1970, too."""
    for at in (datetime(2026, 3, 29, 1, 0, 0, 7, tzinfo=UTC), datetime(1969, 12, 31, 23, tzinfo=UTC)):
        assert at == moment(micros(at))
    assert -3_600_000_000 == micros(datetime(1969, 12, 31, 23, tzinfo=UTC))
    assert timedelta(0) == moment(0) - datetime(1970, 1, 1, tzinfo=UTC)
