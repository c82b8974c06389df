"""Going through whole columns gives what going through their cells one by one gives, whatever stands in them."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from crmbridge.adapting import KNOWN, domain_of, put_together
from crmbridge.adapting.written import FEWEST
from crmbridge.model.records import Kind
from crmbridge.model.values import FieldType, Value, WrittenFields, fields_to_text
from crmbridge.ports import FieldBinding
from crmbridge_salesforce import values
from crmbridge_salesforce.bulk import Part, rows_of
from crmbridge_salesforce.columns import TIDIERS, Field, Written, written, written_amounts
from crmbridge_salesforce.mapping import Reader, Shape
from crmbridge_salesforce.schema import Table

HOSTILE = (
    *("0", "-0", "0.0", "-0.0", "00", "007", ".5", "5.", "1.50", "1.0", "10.00", "1.2.3", "--1", "+1", "1_000", "٣"),
    *("1E+3", "1.2E7", "1e-7", "1E+40", "9" * 40, "0" + "9" * 40, "9" * 40 + ".0", "0." + "1" * 40, "1" * 30 + ".10"),
    *("NaN", "-NaN", "sNaN", "Infinity", "-inf", " 12 ", "12\n", "1\n2", "\n", "\r", " ", ".0", "-", "."),
    *("true", "false", "TRUE", " Yes ", "no", "1", "maybe", ";", ";a;;b;", "b;a", "\ud800", "\u202eabc", "😀", "\x1f"),
    *("2026-11-23", "20261123", "2026-W48-1", "2026-02-30", "9999-12-31", "0000-01-01", "soon"),
    *("2026-11-23T06:00:00.000Z", "2026-11-23T06:00:00.000+0000", "2026-11-23T06:00:00Z", "2026-11-23 06:00:00Z"),
    *("2026-11-23T06:00:00+02:00", "2026-11-23T06:00:00.123Z", "2026-11-23T06:00+01:00Z", "2026-02-30T06:00:00Z"),
    *("2026-11-23T06:00:00", "2026-11-23T24:00:00Z", "9999-12-31T23:59:59.000Z", "T", "Z" * 20),
    *("012000000000000", "012000000000000AAA", "00QAAAAAbbbbbbb", "x" * 15, "ä" * 15),
)
CELLS = st.sampled_from(("", *HOSTILE)) | st.from_regex(r"-?[0-9]{1,4}(\.[0-9]{1,3})?", fullmatch=True) | st.text()


def columns_of(cells: st.SearchStrategy[str]) -> st.SearchStrategy[list[str]]:
    """Make columns: of one form, most of which are dealt with in one go, or of anything."""
    numbers = st.integers(-(10**6), 10**6).map(str) | st.decimals(-(10**6), 10**6, places=1).map(str)
    days, ticks = st.dates().map(str), st.sampled_from(("true", "false"))
    forms = [st.lists(form | st.just(""), max_size=8) for form in (numbers, days, ticks, cells)]
    return st.one_of(*forms)


@pytest.mark.parametrize("one", TIDIERS)
@given(cells=columns_of(CELLS))
def test_columns_are_tidied_as_their_cells_are(one: Callable[[str], str], cells: list[str]) -> None:
    """The version of a record is made from tidy cells; it must not depend on what else came in the page."""
    assert [one(cell) for cell in cells] == list(TIDIERS[one](cells))


KINDS: list[tuple[FieldType, Callable[[str], Value] | None]] = [
    *((kind, values.decoder(kind)) for kind in FieldType if kind is not FieldType.MONEY),
    (FieldType.TEXT, domain_of),
]


def stored(made: Callable[[], Written]) -> tuple[list[str], list[tuple[type, str]]] | None:
    """Give what is stored of a column, and the values with their types; None when it could not be read."""
    try:
        pieces, values_of = made()
        known = list(values_of())
    except ValueError:
        return None
    fields = put_together([pieces], {"one": known})
    return [fields_to_text(each) for each in fields], [(type(value), str(value)) for value in known]


def alone(read: Callable[[str], Value] | None, cells: Sequence[str]) -> tuple[list[str], list[tuple[type, str]]] | None:
    """Give the same, cell by cell; None as well where it could not be stored as UTF-8."""
    try:
        found: list[Value] = [(read(cell) if read else cell) if cell else None for cell in cells]
        "".join(cells).encode()
    except ValueError:
        return None
    return [fields_to_text({"one": value}) for value in found], [(type(value), str(value)) for value in found]


@pytest.mark.parametrize(("kind", "read"), KINDS)
@given(cells=columns_of(CELLS))
def test_columns_are_written_as_their_cells_are(
    kind: FieldType, read: Callable[[str], Value] | None, cells: list[str]
) -> None:
    """The same values of the same types, stored to the letter; or neither can be read."""
    assert alone(read, cells) == stored(lambda: written(Field("one", kind, read), cells))


@pytest.mark.parametrize("cell", HOSTILE)
@pytest.mark.parametrize(("kind", "read"), KINDS)
def test_each_hostile_cell_is_the_same_in_a_column(
    kind: FieldType, read: Callable[[str], Value] | None, cell: str
) -> None:
    """Alone, and behind one that is as usual."""
    for cells in ([cell], ["1.5", cell], ["", cell, "2026-11-23"]):
        assert alone(read, cells) == stored(lambda: written(Field("one", kind, read), cells))  # noqa: B023  called at once


@pytest.mark.parametrize("cell", HOSTILE)
@pytest.mark.parametrize("one", TIDIERS)
def test_each_hostile_cell_is_tidied_the_same_in_a_column(one: Callable[[str], str], cell: str) -> None:
    """Alone, and behind one that is as usual."""
    for cells in ([cell], ["1.5", cell], ["", cell, "2026-11-23"]):
        assert [one(each) for each in cells] == list(TIDIERS[one](cells))


@given(cells=columns_of(CELLS), codes=st.lists(st.sampled_from(("EUR", "EUR", "JPY", None)), min_size=8, max_size=8))
def test_amounts_are_written_as_each_is(cells: list[str], codes: list[str | None]) -> None:
    """One without a currency can't be read, and an empty one needs none."""
    codes = codes[: len(cells)]
    following = iter([code for code, cell in zip(codes, cells, strict=True) if cell])

    assert alone(lambda cell: values.money(cell, next(following)), cells) == stored(
        lambda: written_amounts("one", cells, codes)
    )


def test_numbers_are_stored_as_they_stand_only_where_decimal_writes_them_so() -> None:
    """What is smaller than a millionth it writes with an exponent."""
    cells = ["0.000001", "0.0000001", "-0.5", "12"]

    assert alone(values.number_of, cells) == stored(
        lambda: written(Field("one", FieldType.NUMBER, values.number_of), cells)
    )


TYPES = {
    "datetime": FieldType.DATETIME,
    "double": FieldType.NUMBER,
    "currency": FieldType.MONEY,
    "date": FieldType.DATE,
    "boolean": FieldType.BOOL,
    "multipicklist": FieldType.CHOICES,
    "reference": FieldType.USER,
    "string": FieldType.TEXT,
}
MOMENT = "2026-11-23T06:00:00.000Z"
USUAL = {"Id": "0065500000KQ12XAAA", "SystemModstamp": MOMENT, "CreatedDate": MOMENT, "datetime__c": MOMENT}
USUAL |= {"date__c": "", "boolean__c": "true", "CurrencyIsoCode": "EUR"}


@pytest.fixture(scope="module")
def reader() -> Reader:
    """Give what reads deals with a field of every type, and with numbers in a column of text."""
    bound = [FieldBinding(name=kind, native=f"{kind}__c", type=type_) for kind, type_ in TYPES.items()]
    bound.append(FieldBinding(name="number_in_text", native="string__c", type=FieldType.NUMBER))
    fields = [{"name": f"{kind}__c", "type": kind} for kind in TYPES]
    system = {"Id": "id", "SystemModstamp": "datetime", "CreatedDate": "datetime", "StageName": "picklist"}
    fields += [{"name": name, "type": kind} for name, kind in {**system, "CurrencyIsoCode": "picklist"}.items()]
    shape = Shape.of(Kind.DEAL, connection="sf", currency=None, bindings=bound)
    return Reader(shape, Table.parse({"name": "Opportunity", "fields": fields}))


@given(data=st.data())
def test_a_record_is_the_same_whatever_else_is_in_its_page(reader: Reader, data: st.DataObject) -> None:
    """A value that can't be read has its page read cell by cell: the other records must not show it."""
    usual = {name: USUAL.get(name, "2") for name in reader.form.columns}
    names = st.sampled_from([name for name in usual if name not in {"Id", "SystemModstamp", "CreatedDate"}])
    odd = st.tuples(names, st.sampled_from(HOSTILE)).map(lambda cell: {**usual, cell[0]: cell[1]})
    some = data.draw(st.lists(odd | st.just(usual), min_size=1, max_size=4))
    rows = [list(row.values()) for row in [*some, *[usual] * 2 * FEWEST]]  # so many that halves are read by columns
    contacts = [("b",), ("a", "c"), (), *[("d",)] * len(rows)][: len(rows)]
    found = reader.records(reader.form.tidied(rows), {"contacts": contacts})
    pairs = zip(rows, contacts, strict=True)
    alone = [reader.records(reader.form.tidied([row]), {"contacts": [each]})[0] for row, each in pairs]

    lacking = {"is not a field here, or the user may not see it"}  # of what deals have everywhere else
    assert lacking == {problem.message for problem in found[-1].problems}
    assert alone == found
    assert [fields_to_text(each.fields) for each in alone] == [fields_to_text(each.fields) for each in found]
    for name in KNOWN:
        assert [each.fields.get(name) for each in alone] == [each.fields.get(name) for each in found]


def test_usual_rows_are_written_by_columns(reader: Reader) -> None:
    """A page without anything odd never takes the long way."""
    usual = [USUAL.get(name, "2") for name in reader.form.columns]
    found = reader.records(reader.form.tidied([usual] * FEWEST))

    assert {WrittenFields} == {type(each.fields) for each in found}


LINES = st.lists(st.text(st.sampled_from('",\n\r a'), max_size=6), min_size=2, max_size=2)


@given(rows=st.lists(LINES, max_size=6), quoting=st.sampled_from((csv.QUOTE_ALL, csv.QUOTE_MINIMAL)), text=st.text())
def test_csv_is_read_as_the_csv_module_reads_it(rows: list[list[str]], quoting: Any, text: str) -> None:
    """Whichever way a line is read; what is quoted, doubled or broken in lines comes out whole."""
    rows = [*rows, [text.encode("utf-8", "replace").decode().replace("\0", ""), ""]]
    written = io.StringIO(newline="")
    csv.writer(written, quoting=quoting, lineterminator="\n").writerows([["Id", "Name"], *rows])
    content = written.getvalue().encode()
    expected = list(csv.reader(io.StringIO(content.decode(), newline="")))[1:]
    assume(all(len(row) == 2 for row in expected))  # a bare CR ends a row

    assert expected == list(rows_of(Part(content, len(expected), "", None), ["Id", "Name"]))


@pytest.mark.parametrize("line", ['a"b","c"\n', '"a","b"c\n', '"a","b"', '"a","b"\r\n', '"a",b\n', 'a,"b"'])
def test_a_line_of_another_form_is_read_as_the_csv_module_reads_it(line: str) -> None:
    """Quotes that stand elsewhere, and an end that is none or another one."""
    expected = list(csv.reader(io.StringIO(line, newline="")))

    assert expected == list(rows_of(Part(f'"Id","Name"\n{line}'.encode(), 1, "", None), ["Id", "Name"]))
