"""Money of several currencies in one, by a table of dated rates; what has no rate is an error, never a guess."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator
from datetime import date
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Final, NamedTuple

import duckdb
from msgspec import Struct

from crmbridge.engine.text import plain
from crmbridge.errors import ConfigurationError
from crmbridge.indicators.state import query

HEADER: Final = ("date", "currency", "rate")
_LARGEST: Final = 1_000_000  # rows; more is not a table of rates
_CODE: Final = re.compile(r"[A-Z]{3}")  # ISO 4217


class Rate(NamedTuple):
    """From `date` on, one unit of `currency` is `rate` units of the report's currency."""

    date: date
    currency: str
    rate: Decimal


class Rates(Struct, frozen=True, kw_only=True):
    """The rates of a project. `report_in` is the currency that money is turned into, `source` where the rates stand."""

    report_in: str
    rates: tuple[Rate, ...] = ()
    source: str = "crmbridge.yaml"


class Money(NamedTuple):
    """What money could be turned into. `mixed` are the deals' currencies where they have none in common."""

    currency: str | None
    mixed: tuple[str, ...] = ()


def read_rates(path: Path, report_in: str, name: str | None = None) -> Rates:
    """Read a CSV file with the header `date,currency,rate`; `name` is what messages call it.

    Raises ConfigurationError, with the line, for a file that isn't there or holds anything else.
    """
    shown = name or str(path)
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rates = tuple(_read(csv.reader(file), shown, report_in))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        reason = getattr(error, "strerror", None) or error
        raise ConfigurationError(f"The rates {shown} can't be read: {reason}", advice=_SHAPE) from None
    return Rates(report_in=report_in, rates=rates, source=shown)


def checked(rates: Iterable[Rate], report_in: str, source: str) -> Rates:
    """Take rates that stand in the settings; raises ConfigurationError for one that can't be, or is there twice."""
    kept = []
    seen: dict[tuple[date, str], int] = {}
    for number, rate in enumerate(rates, 1):
        _check(rate, report_in, f"{source}: rate {number}", seen, number)
        kept.append(rate)
    return Rates(report_in=report_in, rates=tuple(kept), source=source)


def define_money(database: duckdb.DuckDBPyConnection, rates: Rates | None) -> Money:
    """Make the views `fx` and `money`, over `deals` and `moment`, and say which currency values are in.

    Without rates, all deals must be of one currency, else there is no common one and no deal has a value. With them,
    raises ConfigurationError when one is missing, which names the currency, the day, and the line to add. No figure
    shows what lost deals were worth, so theirs may be missing: those have no value then.
    """
    of_all = database.execute(_CURRENCIES).fetchall()
    found = [code for code, counts in of_all if counts] or [code for code, _ in of_all]
    money = _common(found) if rates is None else Money(rates.report_in)
    database.execute("CREATE TABLE rates (date DATE, currency VARCHAR, rate DECIMAL(28, 12))")
    database.execute(
        "CREATE TABLE target AS SELECT ?::VARCHAR AS currency, ?::VARCHAR[] AS mixed",
        ["" if money.mixed else money.currency, list(money.mixed)],
    )
    if rates is not None and rates.rates:
        days, codes, values = (list(column) for column in zip(*rates.rates, strict=True))
        database.execute("INSERT INTO rates SELECT unnest(?), unnest(?), unnest(?)", [days, codes, values])
    database.execute(query("money").replace("{rated};", _RATED if rates is not None and rates.rates else _UNRATED))
    if rates is not None:
        _require_all(database, rates)
    return money


def known_money(database: duckdb.DuckDBPyConnection) -> Money:
    """Say again what `define_money` found."""
    ((currency, mixed),) = database.execute("SELECT nullif(currency, ''), mixed FROM target").fetchall()
    return Money(currency, tuple(mixed))


_CURRENCIES = (
    "SELECT currency, bool_or(status <> 'lost') FROM deals "
    "WHERE amount IS NOT NULL AND currency IS NOT NULL GROUP BY currency ORDER BY currency"
)
# Without rates, deals need not be put in order beside them.
_RATED = "ASOF LEFT JOIN rates AS rate ON rate.currency = dated.currency AND dated.on_date >= rate.date"
_UNRATED = "LEFT JOIN rates AS rate ON FALSE"
_SHAPE = "Write it as CSV with the header date,currency,rate: 2026-11-01,USD,0.92 says that one USD is 0.92."


def _common(found: list[str]) -> Money:
    if len(found) > 1:
        return Money(None, tuple(found))
    return Money(found[0] if found else None)


def _read(lines: Iterator[list[str]], source: str, report_in: str) -> Iterator[Rate]:
    if tuple(cell.strip().lower() for cell in next(lines, [])) != HEADER:
        raise ConfigurationError(f"{source}:1: the first line is not date,currency,rate", advice=_SHAPE)
    seen: dict[tuple[date, str], int] = {}
    for line, cells in enumerate(lines, 2):
        if line > _LARGEST:
            raise ConfigurationError(f"{source} has more than {_LARGEST:,} lines", advice="Leave out old rates.")
        if not any(cell.strip() for cell in cells):
            continue
        rate = _rate(cells, f"{source}:{line}")
        _check(rate, report_in, f"{source}:{line}", seen, line)
        yield rate


def _rate(cells: list[str], place: str) -> Rate:
    if len(cells) != len(HEADER):
        raise ConfigurationError(f"{place}: there are {len(cells)} values, not three", advice=_SHAPE)
    day, code, number = (cell.strip() for cell in cells)
    try:
        on = date.fromisoformat(day)
    except ValueError:
        raise ConfigurationError(f"{place}: {day[:40]!r} is no date", advice="Write it as 2026-11-30.") from None
    try:
        return Rate(on, code, Decimal(number))
    except InvalidOperation:
        raise ConfigurationError(f"{place}: {number[:40]!r} is no rate", advice="Write it as 0.92.") from None


def _check(rate: Rate, report_in: str, place: str, seen: dict[tuple[date, str], int], line: int) -> None:
    """Raise ConfigurationError for a rate that can't be one, and for the second of a day and currency."""
    if not _CODE.fullmatch(rate.currency):
        raise ConfigurationError(f"{place}: {rate.currency[:40]!r} is no currency", advice="Write it as USD.")
    if not rate.rate.is_finite() or not Decimal("1e-12") <= rate.rate < Decimal("1e12"):
        raise ConfigurationError(f"{place}: {rate.rate} is no rate", advice="A rate is a number above zero.")
    if rate.currency == report_in and rate.rate != 1:
        raise ConfigurationError(
            f"{place}: one {report_in} is one {report_in}, not {rate.rate}",
            advice=f"Rates say what one unit of the other currency is in {report_in}.",
        )
    if before := seen.get((rate.date, rate.currency)):
        raise ConfigurationError(
            f"{place}: {rate.currency} has a rate for {rate.date} already, number {before}", advice="Leave one out."
        )
    seen[rate.date, rate.currency] = line


def _require_all(database: duckdb.DuckDBPyConnection, rates: Rates) -> None:
    """Raise ConfigurationError when the currency of a deal that isn't lost has no rate on or before its day."""
    missing = database.execute(
        "SELECT currency, min(on_date), count(*) FROM money WHERE value IS NULL AND currency IS NOT NULL "
        "AND status <> 'lost' GROUP BY currency ORDER BY count(*) DESC, currency LIMIT 1"
    ).fetchone()
    if missing is None:
        return
    code, day, deals = plain(str(missing[0]), 40), *missing[1:]
    raise ConfigurationError(
        f"There is no rate for {code!r} on or before {day}, which {deals:,} deal{'s' * (deals != 1)} "
        f"need{'s' * (deals == 1)}, in {rates.source}",
        advice=_line_to_add(code, day, rates),
    )


def _line_to_add(code: str, day: date, rates: Rates) -> str:
    """Say what to add, as the place where the rates stand has it."""
    if not _CODE.fullmatch(code):
        return "That is no currency, so there can't be one: mend it on the deal in its CRM."
    in_settings = rates.source.endswith((".yaml", ".yml"))
    line = f"- {{date: {day}, currency: {code}, rate: RATE}}" if in_settings else f"{day},{code},RATE"
    return f"Add to {rates.source} what one {code} was in {rates.report_in} on {day} or before: {line}"
