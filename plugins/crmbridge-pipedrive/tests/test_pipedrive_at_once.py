"""Fields that are read together give what they give one by one, whatever stands in them."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crmbridge.adapting.written import FEWEST
from crmbridge.model.replacing import replace
from crmbridge.model.values import FieldType, WrittenFields, fields_to_text
from crmbridge.ports import FieldBinding
from crmbridge_pipedrive.account import BoundField, DealFields
from crmbridge_pipedrive.mapping import DealReader
from crmbridge_pipedrive.standard import Surroundings
from crmbridge_pipedrive.values import TYPES, FieldDefinition

OPTIONS = (("1", "One"), ("5", "Five"), ("6", "Six"), ("x", "By a word"), ("7", "Six"))
YES_NO = (("1", "Sim"), ("2", "Não"))
NATIVE = sorted(TYPES)


def bound(name: str, native: str, kind: FieldType, options: tuple[tuple[str, str], ...], *, custom: bool) -> BoundField:
    definition = FieldDefinition(code=f"code_{name}", label=name, native_type=native, options=options, custom=custom)
    return BoundField(binding=FieldBinding(name=name, native=name, type=kind), definition=definition)


days = st.dates().map(str) | st.sampled_from(["2024-W05-1", "20240131", "2024-01-31T10:00:00Z", "2024-02-30"])
texts = st.text(max_size=4) | st.sampled_from(["5", "5,6", "1e5"])
numbers = st.integers(-3, 8) | st.decimals(allow_nan=False, allow_infinity=False)
plain = st.none() | st.booleans() | st.just("") | days | texts | numbers
currencies = st.sampled_from(["EUR", "EUR", "BRL", "", None, 5])
amounts = st.fixed_dictionaries({"value": numbers | plain}, optional={"currency": currencies, "id": plain})
anything = plain | amounts | st.lists(plain | amounts, max_size=3)
ids = st.sampled_from([1, 5, 6, 7, 9, True, "5", "x"])
# What comes in a field of each type, and now and then in another one.
COMES: dict[str, st.SearchStrategy[Any]] = {
    "varchar": texts,
    "double": numbers,
    "monetary": amounts,
    "date": days,
    "enum": ids,
    "set": st.lists(ids, max_size=3),
}
USUAL = st.sampled_from([(native, TYPES[native]) for native in COMES])
TYPED = USUAL | USUAL | st.tuples(st.sampled_from(NATIVE), st.sampled_from(FieldType))


@st.composite
def deals(draw: st.DrawFn) -> tuple[dict[str, BoundField], dict[str, Any], dict[str, Any]]:
    """Make fields and a deal's values for them, most of which are in the usual form, and some missing."""
    known: dict[str, BoundField] = {}
    parts: dict[bool, dict[str, Any]] = {False: {"id": 1}, True: {}}
    for number in range(draw(st.integers(1, 4))):
        native, kind = draw(TYPED)
        options = draw(st.sampled_from([OPTIONS, YES_NO] if native in {"enum", "set"} else [(), (), (), OPTIONS]))
        field = bound(f"f{number}", native, kind, options, custom=draw(st.booleans()))
        known[f"f{number}"] = field
        if draw(st.integers(0, 9)):
            value = COMES.get(native, anything) if draw(st.integers(0, 9)) else anything
            parts[field.definition.custom][field.definition.code] = draw(value)
    return known, parts[False], parts[True]


FORMS: list[tuple[str, FieldType, tuple[tuple[str, str], ...], Any]] = [
    ("varchar", FieldType.TEXT, (), "Text"),
    ("varchar", FieldType.TEXT, (), ""),
    ("double", FieldType.NUMBER, (), Decimal("1.50")),
    ("double", FieldType.NUMBER, (), 5),
    ("monetary", FieldType.MONEY, (), {"value": 12, "currency": "BRL"}),
    ("date", FieldType.DATE, (), "2026-02-28"),
    ("enum", FieldType.CHOICE, OPTIONS, 5),
    ("enum", FieldType.BOOL, YES_NO, 2),
    ("set", FieldType.CHOICES, OPTIONS, [7, 5, 6]),
    ("user", FieldType.USER, (), 42),
    ("address", FieldType.TEXT, (), {"value": "Rua Augusta 1"}),
]


ROW: dict[str, Any] = {
    "title": "A deal",
    "org_id": 8,
    "participants_count": 1,
    "value": Decimal("10.50"),
    "currency": "EUR",
    "owner_id": 7,
    "lost_reason": None,
    "expected_close_date": "2026-05-31",
    "activities_count": 2,
    "person_id": 3,
    "last_activity_id": 1,
    "next_activity_id": None,  # in nearly all rows
    "channel": 1,
}
# What may stand there instead, beside anything.
INSTEAD: dict[str, st.SearchStrategy[Any]] = {
    "title": st.text(max_size=5),
    "value": numbers,
    "currency": currencies,
    "expected_close_date": days,
    "last_activity_id": st.sampled_from([1, 2, 3, None]),
    "next_activity_id": st.sampled_from([1, 2, 3, None]),
    "channel": st.sampled_from([1, 2, None, True]),
}
ACTIVITIES: dict[int, dict[str, Any]] = {1: {"due_date": "2026-03-01", "due_time": "10:30"}, 2: {}}
AROUND = Surroundings(activities=ACTIVITIES, contacts={2: [9, 4], 5: None})
PAGE = 2 * FEWEST  # so that a half of it is a page as well


@st.composite
def pages(draw: st.DrawFn) -> tuple[dict[str, BoundField], list[dict[str, Any]]]:
    """Make fields and rows of a page, with a value here and there that is not as in the other rows."""
    forms = {f"code_f{n}": form for n, form in enumerate(FORMS)}
    known, row, custom = draw(deals()) if draw(st.booleans()) else ({}, {}, {})
    more = {
        f"m_{name}": replace(field, binding=replace(field.binding, name=f"m_{name}")) for name, field in known.items()
    }
    more |= {f"f{n}": bound(f"f{n}", *form[:3], custom=True) for n, form in enumerate(FORMS)}
    usual = {**custom, **{code: form[3] for code, form in forms.items()}}
    rows = [{**row, **ROW, "id": number, "custom_fields": dict(usual)} for number in range(10, 10 + PAGE)]
    for _ in range(draw(st.integers(0, 3))):
        odd, code = draw(st.sampled_from(rows)), draw(st.sampled_from([*ROW, *forms, *forms]))
        comes = COMES.get(forms[code][0], anything) if code in forms else INSTEAD.get(code, anything)
        (odd["custom_fields"] if code in forms else odd)[code] = draw(comes | comes | st.none() | anything)
        odd["id"] = draw(st.sampled_from([odd["id"], odd["id"], 2, 5]))
    if draw(st.booleans()):  # a standard field may be bound, too
        more["amount"] = more.pop("f2")
    return more, rows


@settings(max_examples=400, suppress_health_check=[HealthCheck.too_slow])  # the first texts of a run are slow to make
@given(pages(), st.sampled_from(["USD", None]))
def test_at_once_is_one_by_one(page: tuple[dict[str, BoundField], list[dict[str, Any]]], usual: str | None) -> None:
    """A page read column by column has the records, to the letter of what is stored, that its rows give alone."""
    known, rows = page
    made = DealReader(connection="pd", currency=usual, fields=fields_of(known), company=None)
    found, careful = made.records(rows, AROUND), [made.record(row, AROUND) for row in rows]

    assert [fields_to_text(each.fields) for each in careful] == [fields_to_text(each.fields) for each in found]
    assert careful == found
    for name in ("name", "amount", "owner", "close_date"):
        assert [each.fields.get(name) for each in careful] == [each.fields.get(name) for each in found]


ODD: list[Any] = [True, False, 0, 99, "5", "x", "", [], [True], [1], ["5"], [5, 99], {}, {"value": 5}, Decimal("NaN")]
ODD += [{"value": True, "currency": "EUR"}, {"value": "5", "currency": "EUR"}, {"value": 5, "currency": ""}]
ODD += ["2024-W05-1", "20240131", "2024-02-30", "2024-01-31T10:00:00Z", "\ud800", "a\0b", 'say "no"', 2**80]


@pytest.mark.parametrize("place", range(len(FORMS)))
@pytest.mark.parametrize("odd", ODD)
def test_one_odd_value_is_read_as_if_it_came_alone(odd: Any, place: int) -> None:
    """In a field of each form: the page gives what its rows give one by one, problems and all."""
    usual = {f"code_f{n}": form[3] for n, form in enumerate(FORMS)}
    rows = [{"id": number, **ROW, "custom_fields": usual} for number in range(PAGE)]
    rows[3] = {**rows[3], "custom_fields": {**usual, f"code_f{place}": odd}}
    found, careful = reader().records(rows), [reader().record(row) for row in rows]

    assert careful == found
    assert [fields_to_text(each.fields) for each in careful] == [fields_to_text(each.fields) for each in found]


@pytest.mark.parametrize("is_filled", [True, False])
def test_usual_forms_are_read_at_once(*, is_filled: bool) -> None:
    """A page of the forms that Pipedrive documents ("Custom fields", API v2) never takes the long way."""
    custom = {f"code_f{n}": form[3] if is_filled else None for n, form in enumerate(FORMS)}
    found = reader().records([{"id": number, **ROW, "custom_fields": custom} for number in range(FEWEST)])

    assert {WrittenFields} == {type(each.fields) for each in found}


def fields_of(known: dict[str, BoundField]) -> DealFields:
    return DealFields(definitions=(), bound=known, key=None, channels={"1": "Ads"})


def reader() -> DealReader:
    known = {f"f{n}": bound(f"f{n}", *form[:3], custom=True) for n, form in enumerate(FORMS)}
    return DealReader(connection="pd", currency=None, fields=fields_of(known), company=None)


@given(st.lists(st.dictionaries(st.sampled_from([f"code_f{n}" for n in range(4)] + ["more"]), plain), max_size=5))
def test_rows_of_several_layouts_are_not_mixed_up(customs: list[dict[str, Any]]) -> None:
    """Where fields come in another order, or others come, a reader reads a row as one that saw no row before."""
    rows = [{"id": n, "stage_id": 1, "custom_fields": custom} for n, custom in enumerate(customs)]
    seasoned = reader()

    assert [reader().record(row) for row in rows] == [seasoned.record(row) for row in rows]


@given(st.permutations(sorted(f"code_f{n}" for n in range(4))))
def test_the_order_of_fields_makes_no_version(names: list[str]) -> None:
    """A list and a single read may send a deal's fields in different orders; it is the same deal."""
    ordered = {"id": 1, "title": "A", "custom_fields": {name: name for name in sorted(names)}}
    shuffled = {"custom_fields": {name: name for name in names}, "title": "A", "id": 1}

    assert reader().record(ordered).version == reader().record(shuffled).version


def test_a_value_in_another_field_makes_another_version() -> None:
    """Where a company's empty fields do not come, the same values may stand in other fields within one second."""
    known = reader()
    rows = [{"id": 1, "custom_fields": {name: "5"}} for name in ("aaa", "bbb")]

    assert 2 == len({known.record(row).version for row in rows})


def test_another_value_makes_another_version() -> None:
    """Whatever JSON can hold tells versions apart, half a surrogate pair among it."""
    numbers = [5, 2**80, Decimal("1.0"), Decimal("1.00")]
    values = ["", "5", "\ud800", "\udfff", True, None, [], [5], {"a": None}, *numbers]
    known = reader()
    versions = {known.record({"id": 1, "custom_fields": {"more": value}}).version for value in values}

    assert len(values) == len(versions)
