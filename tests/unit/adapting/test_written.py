"""Fields written a column at a time are, to the letter, what each record's fields are when written alone."""

from collections.abc import Sequence
from datetime import UTC
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crmbridge.adapting import (
    WRITERS,
    Pieces,
    numbers_in,
    put_together,
    read_at_once,
    spread,
    without_value,
    write_amounts,
    write_any,
    write_plain,
)
from crmbridge.adapting.written import FEWEST
from crmbridge.model.values import FieldType, Money, Value, fields_to_text

decimals = st.decimals(allow_nan=False, allow_infinity=False)
texts = st.text(max_size=6) | st.sampled_from(
    ['say "no"', "back\\slash", "\\", "\\u0000", "\0", "line\nbreak", "\x7f", "\u2028", "\ufffd", ",", "],["]
)
VALUES: dict[FieldType, st.SearchStrategy[Any]] = {
    FieldType.TEXT: texts,
    FieldType.CHOICE: texts,
    FieldType.USER: texts,
    FieldType.NUMBER: decimals,
    FieldType.MONEY: st.builds(Money, decimals, st.sampled_from(["EUR", "EUR", "USD", 'a"b'])),
    FieldType.BOOL: st.booleans(),
    FieldType.DATE: st.dates(),
    FieldType.DATETIME: st.datetimes(timezones=st.just(UTC)),
    FieldType.CHOICES: st.lists(texts, max_size=3).map(lambda items: tuple(sorted(set(items)))),
}


def written(kind: FieldType, name: str, values: Sequence[Any]) -> Pieces:
    """Write values that are there by the writer of their type."""
    if kind is FieldType.MONEY:
        return write_amounts(name, [each.amount for each in values], [each.currency for each in values])
    return WRITERS[kind](name, values)


@st.composite
def tables(draw: st.DrawFn) -> tuple[dict[str, FieldType], list[dict[str, Value]]]:
    """Make records that have the same fields, of any types, some with nothing in them."""
    kinds = draw(
        st.dictionaries(st.text("abz_é", min_size=1, max_size=4), st.sampled_from(list(FieldType)), min_size=1)
    )
    row = st.fixed_dictionaries({name: st.none() | VALUES[kind] for name, kind in kinds.items()})
    return kinds, draw(st.lists(row, max_size=6))


@given(tables(), st.booleans())
def test_columns_are_what_each_record_is_alone(
    table: tuple[dict[str, FieldType], list[dict[str, Value]]],
    are_kept: bool,  # noqa: FBT001  hypothesis gives it
) -> None:
    """With what is empty kept or left out, whatever stands in the texts, in the order of the names."""
    kinds, rows = table
    columns = []
    for name, kind in sorted(kinds.items()):
        column = [row[name] for row in rows]
        pieces = written(kind, name, [value for value in column if value is not None])
        columns.append(spread(pieces, [value is not None for value in column], without_value(name) if are_kept else ""))
    some = min(kinds)
    found = put_together(columns, {some: [row[some] for row in rows]})
    alone = [{name: value for name, value in row.items() if are_kept or value is not None} for row in rows]

    assert [fields_to_text(row) for row in alone] == [fields_to_text(fields) for fields in found]
    assert alone == [dict(fields) for fields in found]
    assert [row[some] for row in rows] == [fields.get(some) for fields in found]


@given(st.lists(st.none() | st.one_of(*VALUES.values()), max_size=6))
def test_values_of_any_kind_are_written_alone(values: list[Value]) -> None:
    """A column whose values are of several kinds comes out the same."""
    found = put_together([write_any("one", values)], {"one": values})

    assert [fields_to_text({"one": value}) for value in values] == [fields_to_text(fields) for fields in found]


@given(st.lists(st.booleans() | st.integers(), max_size=6))
def test_counts_and_yes_or_nos_are_written_plainly(values: list[bool | int]) -> None:
    """They need no mark of their type."""
    assert [f"{fields_to_text({'one': value})[1:-1]}," for value in values] == [*write_plain("one", values)]


@pytest.mark.parametrize("sets", [[], [()], [(), ()], [("],[",)], [("a", "],["), ("b",)], [('"],["',), (), ("c", "d")]])
def test_sets_are_told_apart_whatever_stands_in_them(sets: list[tuple[str, ...]]) -> None:
    """A text that looks like the border between two of them is none."""
    alone = [f"{fields_to_text({'one': each})[1:-1]}," for each in sets]

    assert alone == [*WRITERS[FieldType.CHOICES]("one", sets)]


@given(
    st.lists(
        st.decimals(-(10**20), 10**20, places=12).map(str)
        | st.from_regex(r"-?[0-9]{1,3}(\.[0-9]{0,8})?", fullmatch=True),
        max_size=6,
    )
)
def test_numbers_that_stand_as_decimal_writes_them_are_written_unread(texts: list[str]) -> None:
    """They come out as the ones that are read do: a millionth plain, what is smaller with an exponent."""
    found, alone = numbers_in(texts), [*map(Decimal, texts)]

    assert [*WRITERS[FieldType.NUMBER]("n", alone)] == [*WRITERS[FieldType.NUMBER]("n", found)]
    assert [*write_amounts("n", alone, ["EUR"] * len(texts))] == [*write_amounts("n", found, ["EUR"] * len(texts))]
    assert alone == [*map(Decimal, found)]


@pytest.mark.parametrize(
    "text", ["", "1\n2", "soon", "NaN", "-Infinity", "1,5", '1"', "0x1", "1e99999999999999999999", "1e60"]
)
def test_what_is_no_number_is_not_written(text: str) -> None:
    """A text beside plain ones that only looks like several of them is not passed on, either."""
    with pytest.raises((ValueError, ArithmeticError)):
        numbers_in(["1", text, "2.50"])


@pytest.mark.parametrize("write", [WRITERS[FieldType.TEXT], WRITERS[FieldType.CHOICES], write_any])
def test_half_a_surrogate_pair_is_left_to_the_careful_way(write: Any) -> None:
    """Only ASCII can hold it, and then the whole record is written so."""
    value = ("\ud800",) if write is WRITERS[FieldType.CHOICES] else "\ud800"
    with pytest.raises(ValueError, match="surrogate"):
        write("one", [value])


def test_what_is_known_needs_no_look_at_the_text() -> None:
    """And what is not known is read from it."""
    (found,) = put_together([write_any("a", ["x"]), write_any("b", ["y"])], {"a": ["x"], "c": [None]})

    assert ("x", "y", None, "?") == (found.get("a"), found.get("b"), found.get("c"), found.get("c", "?"))


@given(st.lists(st.sampled_from([1, 2, 3, 0]), max_size=5 * FEWEST))
def test_rows_that_can_not_be_read_together_are_read_in_halves(rows: list[int]) -> None:
    """Each row comes once, in its place, and only what stands near one that is odd is read alone."""
    alone: list[int] = []

    def together(some: Sequence[int]) -> list[str]:
        return [str(12 // row) for row in some]

    def one(row: int) -> str:
        alone.append(row)
        return str(12 // row) if row else "odd"

    assert [str(12 // row) if row else "odd" for row in rows] == read_at_once(rows, together, one)
    assert 0 in rows or len(rows) < FEWEST or [] == alone
