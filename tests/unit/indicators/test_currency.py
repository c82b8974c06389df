"""Money of several currencies: which rate counts, and what happens where there is none."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest

from crmbridge.errors import ConfigurationError
from crmbridge.indicators.currency import Money, Rate, Rates, checked, define_money, read_rates

Deal = tuple[str, str, str | None, str | None, str]  # id, status, amount, currency, when it was closed
AS_OF = datetime(2026, 11, 20, 12)  # noqa: DTZ001  as DuckDB has it, in UTC


@pytest.fixture
def database() -> Iterator[duckdb.DuckDBPyConnection]:
    """Give a database with an empty table of deals."""
    with duckdb.connect() as connection:
        connection.execute("CREATE TABLE moment AS SELECT ?::TIMESTAMP AS as_of", [AS_OF])
        connection.execute(
            "CREATE TABLE deals (no INTEGER, connection VARCHAR, deal VARCHAR, status VARCHAR, amount DECIMAL(38, 9), "
            "currency VARCHAR, closed_at TIMESTAMP, close_date DATE)"
        )
        yield connection


def fill(database: duckdb.DuckDBPyConnection, *deals: Deal) -> None:
    """Save deals."""
    database.executemany(
        "INSERT INTO deals VALUES (1, 'n', ?, ?, ?, ?, ?, NULL)", [(*d[:4], d[4] or None) for d in deals]
    )


def values(database: duckdb.DuckDBPyConnection) -> dict[str, float | None]:
    """Give each deal's value."""
    return dict(database.execute("SELECT deal, value FROM money ORDER BY deal").fetchall())


def rates(*given: tuple[str, str, str], report_in: str = "EUR") -> Rates:
    """Make rates of (date, currency, rate)."""
    made = (Rate(date.fromisoformat(day), code, Decimal(rate)) for day, code, rate in given)
    return checked(made, report_in, "rates.csv")


def test_a_closed_deal_takes_the_rate_of_its_day(database: duckdb.DuckDBPyConnection) -> None:
    """Closed deals take the latest rate on or before their closing, open ones that of the report's day."""
    fill(
        database,
        ("before", "won", "100", "USD", "2026-03-31 23:59:00"),
        ("on", "lost", "100", "USD", "2026-04-01 00:00:00"),
        ("now", "open", "100", "USD", ""),
        ("own", "open", "100", "EUR", ""),
    )
    table = rates(("2026-01-01", "USD", "0.9"), ("2026-04-01", "USD", "0.8"), ("2026-11-21", "USD", "0.1"))

    assert Money("EUR") == define_money(database, table)
    assert {"before": 90.0, "now": 80.0, "on": 80.0, "own": 100.0} == pytest.approx(values(database))


def test_currencies_with_none_or_three_decimals_keep_them(database: duckdb.DuckDBPyConnection) -> None:
    """Amounts are in whole units: a yen is not a hundredth, and a dinar has a thousand fils."""
    fill(database, ("jpy", "open", "1500000", "JPY", ""), ("kwd", "open", "1250.125", "KWD", ""))
    define_money(database, rates(("2026-01-01", "JPY", "0.00612345"), ("2026-01-01", "KWD", "2.987")))

    assert {"jpy": 9185.175, "kwd": 3734.123375} == pytest.approx(values(database), rel=1e-12)


def test_a_missing_rate_is_an_error_with_the_line_to_add(database: duckdb.DuckDBPyConnection) -> None:
    """A rate that only starts later is none; currency, day, file and the line to add are said, and the code is 3."""
    fill(database, ("a", "won", "100", "JPY", "2025-12-31 10:00:00"), ("b", "open", "1", "JPY", ""))

    with pytest.raises(ConfigurationError) as caught:
        define_money(database, rates(("2026-01-01", "JPY", "0.006")))

    assert 3 == caught.value.exit_code
    assert (
        "There is no rate for 'JPY' on or before 2025-12-31, which 1 deal needs, in rates.csv" == caught.value.message
    )
    assert caught.value.advice.endswith("2025-12-31,JPY,RATE")


def test_a_lost_deal_needs_no_rate(database: duckdb.DuckDBPyConnection) -> None:
    """No figure shows its money: it has no value, stops no report, and does not keep the others from being added up."""
    fill(database, ("gone", "lost", "100", "JPY", "2025-12-31 10:00:00"), ("here", "open", "5", "EUR", ""))

    assert Money("EUR") == define_money(database, rates(("2026-01-01", "JPY", "0.006")))
    assert {"gone": None, "here": 5.0} == values(database)


@pytest.mark.parametrize(
    ("deals", "expected"),
    [
        ((("gone", "lost", "1", "JPY", ""), ("here", "open", "5", "EUR", "")), Money("EUR")),
        ((("gone", "lost", "1", "JPY", ""),), Money("JPY")),
        ((("sold", "won", "1", "JPY", ""), ("here", "open", "5", "EUR", "")), Money(None, ("EUR", "JPY"))),
    ],
)
def test_lost_deals_do_not_mix_currencies(
    database: duckdb.DuckDBPyConnection, deals: Sequence[Deal], expected: Money
) -> None:
    """Without rates, the common currency is that of deals that are open or won; else that of lost ones."""
    fill(database, *deals)

    assert expected == define_money(database, None)


def test_a_missing_rate_of_the_settings_is_added_as_they_have_it(database: duckdb.DuckDBPyConnection) -> None:
    """As YAML there."""
    fill(database, ("a", "open", "100", "USD", ""))

    with pytest.raises(ConfigurationError) as caught:
        define_money(database, Rates(report_in="EUR"))
    assert re.search(r": - \{date: [-0-9]{10}, currency: USD, rate: RATE\}$", caught.value.advice)


def test_what_is_no_currency_is_not_taken_for_one(database: duckdb.DuckDBPyConnection) -> None:
    """Nobody is told to add a rate that would be refused."""
    fill(database, ("a", "open", "100", "EURO", ""))

    with pytest.raises(ConfigurationError, match="no rate for 'EURO'") as caught:
        define_money(database, rates(("2026-01-01", "USD", "0.9")))
    assert "mend it on the deal" in caught.value.advice


def test_rates_are_not_made_from_others(database: duckdb.DuckDBPyConnection) -> None:
    """A rate through a third currency, or the other way round, is never made up."""
    fill(database, ("a", "open", "100", "USD", ""))

    with pytest.raises(ConfigurationError, match="no rate for 'USD'"):
        define_money(database, rates(("2026-01-01", "GBP", "1.2"), ("2026-01-01", "EUR", "1")))


def test_one_currency_needs_no_rates(database: duckdb.DuckDBPyConnection) -> None:
    """When all deals are of one currency, that is the report's; an amount without one has no value beside it."""
    fill(database, ("a", "open", "100", "USD", ""), ("b", "open", "5", None, ""), ("c", "open", None, "USD", ""))

    assert Money("USD") == define_money(database, None)
    assert {"a": 100.0, "b": None} == values(database)


def test_no_currency_at_all_is_one(database: duckdb.DuckDBPyConnection) -> None:
    """When no deal says a currency, amounts are taken as they are."""
    fill(database, ("a", "open", "100", None, ""))

    assert Money(None) == define_money(database, None)
    assert {"a": 100.0} == values(database)


def test_several_currencies_without_rates_have_no_values(database: duckdb.DuckDBPyConnection) -> None:
    """Without rates, money of several currencies is not added up."""
    fill(database, ("a", "open", "100", "USD", ""), ("b", "open", "5", "EUR", ""))

    assert Money(None, ("EUR", "USD")) == define_money(database, None)
    assert {"a": None, "b": None} == values(database)


def test_rates_can_be_queried(database: duckdb.DuckDBPyConnection) -> None:
    """`fx` shows from when until when each rate holds."""
    define_money(database, rates(("2026-04-01", "USD", "0.8"), ("2026-01-01", "USD", "0.9")))

    assert [(date(2026, 1, 1), date(2026, 4, 1), Decimal("0.9")), (date(2026, 4, 1), None, Decimal("0.8"))] == (
        database.execute("SELECT date, until, rate FROM fx ORDER BY date").fetchall()
    )


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (["day;currency;rate"], ":1: the first line is not date,currency,rate"),
        ([], ":1: the first line is not date,currency,rate"),
        (["date,currency,rate", "2026-01-01,USD"], ":2: there are 2 values, not three"),
        (["date,currency,rate", "1.1.2026,USD,1"], ":2: '1.1.2026' is no date"),
        (["date,currency,rate", "2026-01-01,usd,1"], ":2: 'usd' is no currency"),
        (["date,currency,rate", '2026-01-01,USD,"0,92"'], ":2: '0,92' is no rate"),
        (["date,currency,rate", "2026-01-01,USD,NaN"], ":2: NaN is no rate"),
        (["date,currency,rate", "2026-01-01,USD,0"], ":2: 0 is no rate"),
        (["date,currency,rate", "2026-01-01,USD,-1"], ":2: -1 is no rate"),
        (["date,currency,rate", "2026-01-01,EUR,1.1"], ":2: one EUR is one EUR, not 1.1"),
        (["date,currency,rate", "2026-01-01,USD,1", "", "2026-01-01,USD,2"], ":4: USD has a rate for 2026-01-01"),
    ],
)
def test_a_wrong_file_says_the_line(tmp_path: Path, lines: Sequence[str], said: str) -> None:
    """Everything that is not a table of rates is an error of its line."""
    file = tmp_path / "rates.csv"
    file.write_text("\n".join(lines), "utf-8")

    with pytest.raises(ConfigurationError) as caught:
        read_rates(file, "EUR", "rates.csv")

    assert caught.value.message.startswith(f"rates.csv{said}")
    assert caught.value.advice


def test_a_file_as_spreadsheets_save_it_is_read(tmp_path: Path) -> None:
    """A byte order mark, spaces and capital headers do no harm."""
    file = tmp_path / "rates.csv"
    file.write_bytes(b"\xef\xbb\xbfDate,Currency,Rate\r\n2026-01-01, USD ,0.92\r\n")

    assert (Rate(date(2026, 1, 1), "USD", Decimal("0.92")),) == read_rates(file, "EUR").rates


def test_a_file_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    """The name is said, and what the file should look like."""
    with pytest.raises(ConfigurationError, match=r"The rates none.csv can't be read: No such file"):
        read_rates(tmp_path / "none.csv", "EUR", "none.csv")
