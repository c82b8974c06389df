"""Values keep their type and every digit on the way through JSON."""

import json
import re
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crmbridge.model.values import (
    Money,
    Value,
    as_written,
    fields_from_json,
    fields_from_text,
    fields_to_json,
    fields_to_text,
    from_json,
    is_empty,
    iso,
    parse_iso,
    read_at_once,
    reading,
    show,
    to_json,
    value_of,
)

decimals = st.decimals(allow_nan=False, allow_infinity=False)
moments = st.datetimes(datetime(1900, 1, 1), datetime(2200, 1, 1), timezones=st.timezones())  # noqa: DTZ001  bounds
texts = st.text(st.characters(codec=None))  # any text at all: NUL and half surrogate pairs too
values = st.one_of(
    st.none(),
    texts,
    st.booleans(),
    st.integers(),
    decimals,
    st.dates(),
    moments.map(lambda moment: moment.astimezone(UTC)),
    st.builds(Money, decimals, st.sampled_from(["EUR", "BRL", "CNY"])),
    st.lists(texts).map(lambda items: tuple(sorted(items))),
)


def through_text(value: Any) -> Any:
    return from_json(json.loads(json.dumps(to_json(value))))


class TestJson:
    @given(values)
    def test_a_value_comes_back_the_same(self, value: Any) -> None:
        """Type and value survive JSON text."""
        back = through_text(value)

        assert (type(value), value) == (type(back), back)

    @given(decimals)
    def test_a_number_keeps_its_trailing_zeros(self, number: Decimal) -> None:
        """1.50 does not come back as 1.5."""
        assert number.as_tuple() == through_text(number).as_tuple()

    def test_true_is_not_one(self) -> None:
        """A yes and a count stay apart."""
        assert True is through_text(True)
        assert type(through_text(1)) is int

    @given(st.dictionaries(texts, values))
    def test_the_short_way_to_text_says_the_same(self, fields: dict[str, Value]) -> None:
        """Text that is written in one go is the JSON, its names in the same order, and fit for a database."""
        text = fields_to_text(fields)

        assert list(fields_to_json(fields).items()) == list(json.loads(text).items())
        assert re.search("[\x00\ud800-\udfff]", text) is None

    def test_an_amount_that_is_a_whole_number_can_be_read_back(self) -> None:
        """A plugin that is not checked for types may hand one over."""
        fields: dict[str, Value] = {"amount": Money(5, "EUR")}  # type: ignore[arg-type]

        assert list(fields_to_json(fields).items()) == list(json.loads(fields_to_text(fields)).items())

    @given(st.dictionaries(texts, values))
    def test_fields_come_back_in_the_order_of_their_names(self, fields: dict[str, Value]) -> None:
        """A whole record's fields survive, and two records with the same fields give the same text."""
        data = fields_to_json(fields)

        assert sorted(fields) == list(data)
        assert fields == fields_from_json(json.loads(json.dumps(data)))

    @pytest.mark.parametrize("value", [1.5, ["a"], {"a": 1}, object()])
    def test_a_value_of_no_known_type_is_an_error(self, value: Any) -> None:
        """A float must not turn into nothing."""
        with pytest.raises(AssertionError):
            to_json(value)

    @pytest.mark.parametrize(
        "data",
        [
            1.5,
            [],
            {},
            {"decimal": 1},
            {"decimal": "twelve"},
            {"money": ["1"]},
            {"money": ["x", "EUR"]},
            {"date": "2026-02-30"},
            {"datetime": "2026-02-01T10:00:00"},
            {"set": "ab"},
        ],
    )
    def test_what_was_never_written_is_refused(self, data: Any) -> None:
        """Anything but our own forms is a ValueError."""
        with pytest.raises(ValueError, match=r".+"):
            from_json(data)


class TestTime:
    @given(moments)
    def test_a_time_comes_back_as_the_same_moment_in_utc(self, moment: datetime) -> None:
        """The zone is given up, the moment is not."""
        back = parse_iso(iso(moment))

        assert moment.astimezone(UTC) == back
        assert UTC is back.tzinfo

    @given(st.datetimes(timezones=st.just(UTC)))
    def test_a_time_is_written_as_the_standard_library_does(self, moment: datetime) -> None:
        """Every year has four digits, and a fraction is there where it is not zero."""
        kept = type("Kept", (datetime,), {}).fromisoformat(moment.isoformat())

        assert moment.isoformat().replace("+00:00", "Z") == iso(moment) == iso(kept)

    def test_utc_is_written_with_a_z(self) -> None:
        """Nine in Berlin in winter is eight in UTC."""
        berlin = timezone(timedelta(hours=1))

        assert iso(datetime(2026, 1, 5, 9, tzinfo=berlin)) == "2026-01-05T08:00:00Z"

    def test_a_time_without_a_zone_is_refused(self) -> None:
        """Nobody can know which moment it is."""
        with pytest.raises(ValueError, match="without a zone"):
            iso(datetime(2026, 1, 5, 9))  # noqa: DTZ001  the point of the test
        with pytest.raises(ValueError, match="without a zone"):
            parse_iso("2026-01-05T09:00:00")


@pytest.mark.parametrize(
    ("expected", "value"),
    [
        (True, None),
        (True, ""),
        (True, " \t\n"),
        (True, ()),
        (False, 0),
        (False, False),
        (False, Decimal(0)),
        (False, "x"),
        (False, ("a",)),
    ],
)
def test_only_no_value_blank_text_and_an_empty_set_count_as_empty(expected: Any, value: Any) -> None:
    """Zero and no are answers."""
    assert expected is is_empty(value)


@pytest.mark.parametrize(
    ("expected", "value"),
    [
        ("(empty)", None),
        ("(empty)", ""),
        ("(empty)", ()),
        ("yes", True),
        ("no", False),
        ("1,234.50", Decimal("1234.50")),
        ("1,234.50 EUR", Money(Decimal("1234.50"), "EUR")),
        ("2026-03-04", date(2026, 3, 4)),
        ("2026-03-04 08:00 UTC", datetime(2026, 3, 4, 8, tzinfo=UTC)),
        ("a, b", ("a", "b")),
        ("plain", "plain"),
    ],
)
def test_values_are_shown_to_people(expected: Any, value: Any) -> None:
    """Plans and explanations show these forms."""
    assert expected == show(value)


@pytest.mark.parametrize("kept", [str, str.encode])
@given(fields=st.dictionaries(texts, values, max_size=6), others=st.lists(texts, max_size=3))
def test_a_field_is_read_the_same_in_every_way(
    kept: Callable[[str], str | bytes], fields: dict[str, Value], others: list[str]
) -> None:
    """One by one, again and again, and all at once; a field that is missing is empty."""
    stored = fields_from_text(kept(fields_to_text(fields)))
    names = [*fields, *others, *fields]
    read = [value_of(held) for held in map(reading(stored), names)]  # which may give it as it is stored

    assert fields == dict(stored) == fields_from_json(fields_to_json(fields)) == read_at_once(fields_to_text(fields))
    assert [fields.get(name) for name in names] == read == [stored.get(name) for name in names]
    assert [type(fields.get(name)) for name in names] == [type(value) for value in read]
    assert list(map(fields.get, names)) == list(map(reading(fields), names))
    assert sorted(fields) == sorted(stored) == sorted(as_written(stored))
    assert (bool(fields), fields_to_text(fields)) == (bool(stored), fields_to_text(stored))
