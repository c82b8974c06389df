"""Field values in Pipedrive's forms and ours."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crmbridge.http import dump_json, load_json
from crmbridge.model.values import FieldType, Money, Value
from crmbridge_pipedrive.mapping import organization_record, person_record
from crmbridge_pipedrive.standard import activity_time
from crmbridge_pipedrive.values import FieldDefinition, decode, encode, moment

OPTIONS = (("5", "Five"), ("6", "Six"))
YES_NO = (("1", "Sim"), ("2", "Não"))


def field(native_type: str, options: tuple[tuple[str, str], ...] = ()) -> FieldDefinition:
    return FieldDefinition(code="x", label="X", native_type=native_type, options=options, custom=True)


ROUND_TRIPS: list[tuple[FieldDefinition, FieldType, Value]] = [
    (field("varchar"), FieldType.TEXT, "a <b> & ü\n"),
    (field("address"), FieldType.TEXT, "Rua Augusta 1"),
    (field("double"), FieldType.NUMBER, Decimal("0.1")),
    (field("monetary"), FieldType.MONEY, Money(Decimal("1234.50"), "JPY")),
    (field("enum", OPTIONS), FieldType.CHOICE, "Six"),
    (field("set", OPTIONS), FieldType.CHOICES, ("Five", "Six")),
    (field("enum", YES_NO), FieldType.BOOL, True),
    (field("enum", YES_NO), FieldType.BOOL, False),
    (field("varchar"), FieldType.BOOL, True),
    (field("boolean"), FieldType.BOOL, False),
    (field("user"), FieldType.USER, "42"),
    (field("date"), FieldType.DATE, date(2026, 2, 28)),
    (field("varchar"), FieldType.DATETIME, datetime(2026, 2, 28, 23, 30, tzinfo=UTC)),
    (field("varchar"), FieldType.NUMBER, Decimal("12.5")),
    (field("set", OPTIONS), FieldType.CHOICES, None),
]


@pytest.mark.parametrize(("definition", "kind", "value"), ROUND_TRIPS)
def test_what_is_written_is_what_is_read(definition: FieldDefinition, kind: FieldType, value: Value) -> None:
    """Every type comes back as it was, through JSON."""
    raw = load_json(dump_json(encode(value, definition, "EUR")))

    assert value == decode(raw, definition, kind, "EUR")


@given(st.decimals(allow_nan=False, allow_infinity=False, places=4))
def test_numbers_are_exact(number: Decimal) -> None:
    """No digit is lost on the way, whatever the number."""
    raw = load_json(dump_json(encode(Money(number, "EUR"), field("monetary"), "USD")))

    assert Money(number, "EUR") == decode(raw, field("monetary"), FieldType.MONEY, "USD")


@pytest.mark.parametrize(
    ("raw", "definition", "kind", "value"),
    [
        ({"id": 6, "label": "Six"}, field("enum", OPTIONS), FieldType.CHOICE, "Six"),
        ("5", field("enum", OPTIONS), FieldType.CHOICE, "Five"),
        ("6,5", field("set", OPTIONS), FieldType.CHOICES, ("Five", "Six")),
        ({"value": "10:30:00", "timezone_name": "UTC"}, field("time"), FieldType.TEXT, "10:30:00"),
        ("10:30", field("time"), FieldType.TEXT, "10:30"),
        ({"value": "2026-01-02", "until": "2026-01-09"}, field("daterange"), FieldType.DATE, date(2026, 1, 2)),
        ("", field("varchar"), FieldType.TEXT, None),
        (5, field("enum", OPTIONS), FieldType.TEXT, "Five"),
    ],
)
def test_other_forms_are_read_too(raw: Any, definition: FieldDefinition, kind: FieldType, value: Value) -> None:
    """Options come as ids, in quotes, or with labels; a time of day as text or, in newer notes, as an object."""
    assert value == decode(raw, definition, kind, "EUR")


@pytest.mark.parametrize(
    ("raw", "definition", "kind"),
    [
        ("many", field("double"), FieldType.NUMBER),
        (True, field("double"), FieldType.NUMBER),
        ("NaN", field("double"), FieldType.NUMBER),
        ({"currency": "EUR"}, field("monetary"), FieldType.MONEY),
        (77, field("enum", OPTIONS), FieldType.CHOICE),
        ("31.12.2026", field("date"), FieldType.DATE),
        ("2026-02-30", field("date"), FieldType.DATE),
        ("perhaps", field("varchar"), FieldType.BOOL),
        ([1], field("varchar"), FieldType.TEXT),
        ({"name": "x"}, field("user"), FieldType.USER),
        ("soon", field("varchar"), FieldType.DATETIME),
    ],
)
def test_what_cannot_be_read_says_why(raw: Any, definition: FieldDefinition, kind: FieldType) -> None:
    """A value of the wrong form is a ValueError with words, which becomes a problem of its record."""
    with pytest.raises(ValueError, match=r"\w"):
        decode(raw, definition, kind, "EUR")


@pytest.mark.parametrize(
    ("value", "definition"),
    [
        ("Seven", field("enum", OPTIONS)),
        ("Six", field("enum", (("1", "Six"), ("2", "Six")))),
        (("Five", "Seven"), field("set", OPTIONS)),
        ("many", field("double")),
        ("Rita", field("user")),
        ("tomorrow", field("date")),
        (Money(Decimal(1), "EUR"), field("varchar")),
        ("x", field("daterange")),
        ("x", field("boolean")),
    ],
)
def test_what_a_field_cannot_hold_is_not_sent(value: Value, definition: FieldDefinition) -> None:
    """An option that is missing or named twice is not guessed."""
    with pytest.raises(ValueError, match=r"\w"):
        encode(value, definition, "EUR")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-06-10T12:00:00Z", datetime(2026, 6, 10, 12, tzinfo=UTC)),
        ("2026-06-10 12:00:00", datetime(2026, 6, 10, 12, tzinfo=UTC)),
        ("2026-06-10T14:00:00.250+02:00", datetime(2026, 6, 10, 12, 0, 0, 250000, tzinfo=UTC)),
        ("never", None),
        (None, None),
        (20260610, None),
    ],
)
def test_times_of_both_versions_are_utc(text: Any, expected: datetime | None) -> None:
    """v2 writes a zone, v1 does not and means UTC ("API v2 migration guide")."""
    assert expected == moment(text)


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ({"due_date": "2026-06-10", "due_time": "15:30"}, datetime(2026, 6, 10, 15, 30, tzinfo=UTC)),
        ({"due_date": "2026-06-10", "due_time": "15:30:10"}, datetime(2026, 6, 10, 15, 30, 10, tzinfo=UTC)),
        ({"due_date": "2026-06-10", "due_time": None}, datetime(2026, 6, 10, tzinfo=UTC)),
        ({"due_date": None, "marked_as_done_time": "2026-06-09T08:00:00Z"}, datetime(2026, 6, 9, 8, tzinfo=UTC)),
        ({"due_date": None}, None),
    ],
)
def test_activities_have_a_time(row: dict[str, Any], expected: datetime | None) -> None:
    """Due times come with and without seconds, or not at all."""
    assert expected == activity_time(row)


@pytest.mark.parametrize(
    ("due", "done", "expected"),
    [
        (("2026-06-10", "15:30"), "2026-06-08T09:00:00Z", datetime(2026, 6, 8, 9, tzinfo=UTC)),
        (("2026-06-10", "15:30"), "2026-06-10T16:00:00Z", datetime(2026, 6, 10, 15, 30, tzinfo=UTC)),
        (("2026-06-10", None), "2026-06-08 09:00:00", datetime(2026, 6, 8, 9, tzinfo=UTC)),
        (("2026-06-10", None), "2026-06-10 09:00:00", datetime(2026, 6, 10, 9, tzinfo=UTC)),
        (("2026-06-10", None), "2026-06-11 00:00:00", datetime(2026, 6, 10, tzinfo=UTC)),
        (("9999-12-31", None), "2026-06-10 09:00:00", datetime(2026, 6, 10, 9, tzinfo=UTC)),
        (("2026-06-10", "15:30"), "", datetime(2026, 6, 10, 15, 30, tzinfo=UTC)),
    ],
)
def test_what_is_done_before_it_is_due_was_done_then(
    due: tuple[str, str | None], done: str, expected: datetime
) -> None:
    """What was marked as done later was noted afterwards; on a day without a time it can have been at any."""
    row = dict(zip(("due_date", "due_time"), due, strict=True))

    assert expected == activity_time({**row, "done": bool(done), "marked_as_done_time": done})
    assert activity_time(row) == activity_time({**row, "done": False, "marked_as_done_time": done})


@pytest.mark.parametrize(
    ("website", "domain"),
    [
        ("https://www.Acme.example/about?x=1", "acme.example"),
        ("acme.example", "acme.example"),
        ("http://acme.example:8080", "acme.example"),
        ("", None),
        (None, None),
    ],
)
def test_domains_come_from_websites(website: str | None, domain: str | None) -> None:
    """People write websites in many ways; companies are matched by the bare domain."""
    row = {"id": 1, "name": "Acme", "website": website, "update_time": "2026-06-10T12:00:00Z"}

    assert domain == organization_record(row, "pd").fields["domain"]


def test_the_primary_address_counts() -> None:
    """A person has several addresses; one is primary, or else the first."""
    emails = [{"value": "a@x.example", "primary": False}, {"value": "b@x.example", "primary": True}]

    assert "b@x.example" == person_record({"id": 1, "emails": emails}, "pd").fields["email"]
    assert "a@x.example" == person_record({"id": 1, "emails": emails[:1]}, "pd").fields["email"]
    assert None is person_record({"id": 1, "emails": None}, "pd").fields["email"]


def test_a_time_before_all_times_is_none() -> None:
    """In UTC it would lie before the year 1: nothing that ends a pull."""
    assert None is moment("0001-01-01T00:00:00+14:00")
