"""All fields of a record are read at once where that goes well, and what comes out is what each alone would give."""

from datetime import date
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crmbridge.adapting.written import UNUSUAL
from crmbridge.model.records import Problem
from crmbridge.model.values import FieldType, Money, Value, fields_to_text
from crmbridge_hubspot.objects import DEALS, Bound
from crmbridge_hubspot.plans import Plan
from crmbridge_hubspot.sheets import Sheet
from crmbridge_hubspot.values import Codec

KINDS = tuple(FieldType)
BOUNDS = [Bound(f"{kind}_{number}", f"p_{kind}_{number}", kind) for number in range(2) for kind in KINDS]
NUMBERS = st.decimals(-(10**20), 10**20, places=12).map(str) | st.from_regex(
    r"-?[0-9]{1,3}(\.[0-9]{0,8})?", fullmatch=True
)
GOOD = {
    FieldType.NUMBER: NUMBERS,
    FieldType.MONEY: NUMBERS,
    FieldType.BOOL: st.sampled_from(["true", "false", "TRUE", "False"]),
    FieldType.DATE: st.dates().map(date.isoformat) | st.just("2026-03-31T22:00:00Z") | st.just("1645123459679"),
    FieldType.DATETIME: st.datetimes().map(lambda at: f"{at.isoformat()}Z") | st.just("1645123459679"),
    FieldType.CHOICES: st.lists(st.sampled_from(["", "north", "south", "a b"])).map(";".join),
}
HOSTILE = [
    "NaN",
    "sNaN",
    "-Infinity",
    "1e999999999",
    "1_0",
    "١٢",
    " 1 ",
    "yes",
    "soon",
    "20260131",
    "2026-W01-1",
    ";",
    "\x00",
]
HOSTILE += [
    "0001-01-01T00:00:00+14:00",
    "0001-01-01T00:00:00Z",
    "20260131T100000Z",
    "2026-01-31Z",
    "Z",
    "9999-12-31T23:59:59-14:00",
    "99999999999999999999",
    "-1",
    "9" * 5_000,
    "T",
    "{}",
]
ANY = st.none() | st.just("") | st.sampled_from(HOSTILE) | st.text("0123456789-+.:TZeEnNaif;_ ", max_size=12)


def plan(currency: str | None = "EUR") -> Plan:
    """Make the plan of two fields of each type."""
    return Plan.of(BOUNDS, Codec(ZoneInfo("America/Sao_Paulo"), currency))


def properties(values: dict[FieldType, st.SearchStrategy[str]]) -> st.SearchStrategy[dict[str, str | None]]:
    """Make what records hold, some of it missing."""
    known = {each.native: st.none() | values.get(each.type, st.text("ab ;1", max_size=5)) for each in BOUNDS}
    return st.fixed_dictionaries({}, optional={**known, "deal_currency_code": st.sampled_from([None, "", "USD"])})


@given(properties(GOOD) | properties(dict.fromkeys(KINDS, ANY)), st.sampled_from(["EUR", None]))
def test_all_at_once_is_each_on_its_own(record: dict[str, str | None], currency: str | None) -> None:
    """The quick way gives the same values, digit for digit, and the same problems in the same order."""
    careful: list[Problem] = []
    quick: list[Problem] = []
    expected = plan(currency).one_by_one(record, careful)
    found = plan(currency).fields(record, quick)

    assert {name: repr(value) for name, value in expected.items()} == {name: repr(v) for name, v in found.items()}
    assert careful == quick


whole = st.fixed_dictionaries(
    {each.native: st.none() | GOOD.get(each.type, st.text('ab ;1"\\é\0', max_size=5)) for each in BOUNDS}
    | {"deal_currency_code": st.sampled_from([None, "", "USD"])}
)
contacts = st.lists(st.text("12"), max_size=2).map(tuple)
linked = st.fixed_dictionaries({"contacts": contacts}, optional={"company": st.just("7")})
odd = st.builds(
    lambda record, each, text: {**record, each.native: text},
    whole,
    st.sampled_from(BOUNDS),
    st.sampled_from(HOSTILE) | ANY,
)


@given(st.lists(st.tuples(whole, linked), min_size=1, max_size=4), st.sampled_from(["EUR", None]))
def test_column_by_column_is_record_by_record(
    found: list[tuple[dict[str, str | None], dict[str, Value]]], currency: str | None
) -> None:
    """What is stored is the same to the letter; where an amount has no currency, it is left to the other way."""
    sheet = Sheet(DEALS, BOUNDS, Codec(ZoneInfo("America/Sao_Paulo"), currency))
    problems: list[Problem] = []
    alone = [plan(currency).one_by_one(record, problems) | links for record, links in found]
    if problems:
        with pytest.raises(ValueError, match="currency"):
            sheet.written([record for record, _ in found], [links for _, links in found])
        return
    written = sheet.written([record for record, _ in found], [links for _, links in found])

    assert [fields_to_text(fields) for fields in alone] == [fields_to_text(fields) for fields in written]


@given(st.lists(st.none() | NUMBERS, min_size=1), st.sampled_from([FieldType.NUMBER, FieldType.MONEY]))
def test_what_the_store_asks_for_is_known_as_the_value_it_is(texts: list[str | None], kind: FieldType) -> None:
    """A number that is stored just as it came is a number all the same."""
    bounds = [Bound("amount", "p", kind)]
    written = Sheet(DEALS, bounds, plan().codec).written(
        [{"p": text, "deal_currency_code": None} for text in texts], [{} for _ in texts]
    )
    alone = [Plan.of(bounds, plan().codec).one_by_one({"p": text}, []) for text in texts]

    assert [repr(fields.get("amount")) for fields in alone] == [repr(fields.get("amount")) for fields in written]


@given(odd, linked)
def test_a_hostile_value_is_read_alike(record: dict[str, str | None], links: dict[str, Value]) -> None:
    """Either all columns give what each field gives alone, or they say that they can't be read at once."""
    problems: list[Problem] = []
    alone = plan().one_by_one(record, problems) | links
    try:
        written = Sheet(DEALS, BOUNDS, plan().codec).written([record], [links])
    except UNUSUAL:
        return

    assert (fields_to_text(alone), []) == (fields_to_text(written[0]), problems)


@given(properties(GOOD))
def test_what_can_be_read_is_read_at_once(record: dict[str, str | None]) -> None:
    """The careful way is for records with a value that makes no sense, or the quick one would gain nothing."""
    assert plan().one_by_one(record, []) == plan().at_once(record)


@pytest.mark.parametrize("kind", [*GOOD])
@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: ascii(text[:12]))
def test_one_value_that_makes_no_sense_costs_only_itself(text: str, kind: FieldType) -> None:
    """Every other field of its record is kept, whatever stands in the one; and it is a value or a problem."""
    problems: list[Problem] = []
    record = {"p_number_1": "1.50", "p_money_1": "2", "p_date_1": "2026-01-31", f"p_{kind}_0": text}
    found = plan().fields(record, problems)

    assert (Decimal("1.50"), Money(Decimal(2), "EUR"), date(2026, 1, 31)) == (
        found["number_1"], found["money_1"], found["date_1"],
    )  # fmt: skip
    assert ([] if f"{kind}_0" in found else [f"p_{kind}_0"]) == [each.path for each in problems]
    assert repr(plan().one_by_one(record, []).get(f"{kind}_0")) == repr(found.get(f"{kind}_0"))
