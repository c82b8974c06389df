"""The database that figures are computed in: the state, the process, the views, and what is counted once for all."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import duckdb
from msgspec import Struct

from crmbridge.indicators.currency import define_money
from crmbridge.indicators.measures import Raw
from crmbridge.indicators.options import Options, Period
from crmbridge.indicators.periods import MONTHS, number_of, start_of
from crmbridge.indicators.state import Beside, opened, query
from crmbridge.indicators.tables import Lean
from crmbridge.indicators.targets import read_target
from crmbridge.model.process import Measure, Process

TREND = 12  # periods before the present one


class Moment(Struct, frozen=True):
    """When figures are computed, and over which periods their trends go."""

    as_of: datetime
    options: Options

    @property
    def trend_period(self) -> Period:
        """Give what trends are cut into."""
        return self.options.period or Period.MONTH

    @property
    def trend(self) -> range:
        """Give the numbers of the periods of a trend: whole ones, the present one is not among them."""
        now = number_of(self.as_of, self.trend_period, self.options.timezone)
        return range(now - TREND, now)

    def local(self, moment: str) -> str:
        """Give the SQL of a moment in the time zone of the report."""
        zone = self.options.timezone
        return moment if zone == "UTC" else f"({moment} AT TIME ZONE 'UTC') AT TIME ZONE '{zone}'"

    def month_of(self, moment: str) -> str:
        """Give the SQL of the month in which a moment is, counted from January 1970."""
        return f"datediff('month', DATE '1970-01-01', {self.local(moment)})::INTEGER"


def aimed_business_time(process: Process) -> dict[int, str]:
    """Give the stages whose time is aimed at in business time, by their places, with the SLAs that measure it."""
    aimed: dict[int, str] = {}
    for indicator in process.indicators:
        target = read_target(indicator.target)
        if indicator.measure is Measure.TIME_IN_STAGE and indicator.stage and target and target.unit.startswith("b"):
            aimed.setdefault(process.order(indicator.stage), f"{indicator.stage}.sla")
    return aimed


@contextmanager
def views(
    store_url: str,
    process: Process,
    moment: Moment,
    writes: Path | None = None,
    *,
    lean: bool = False,
    counting: Callable[[duckdb.DuckDBPyConnection], None] | None = None,
) -> Iterator[duckdb.DuckDBPyConnection]:
    """Give a DuckDB database with the views of a state, as SQL of a team's own finds them.

    `writes` is the one file that it may write; `lean` keeps no single clocks: their view has no rows;
    with `counting`, what measures are made from is counted, too: it is called as soon as the views are there.
    Raises ConfigurationError when there is no state there or a rate is missing, StateError when it can't be read.
    """
    segment = moment.options.segment
    field = None if moment.options.by_team or segment in {None, "owner", "connection"} else segment
    clocks = Lean(moment.month_of, [*aimed_business_time(process)]) if lean else None

    def prepare(database: duckdb.DuckDBPyConnection) -> None:
        _define_process(database, process)
        _define_moment(database, moment)
        _define_segment(database, moment.options)
        database.execute(query("macros"))

    def define(database: duckdb.DuckDBPyConnection) -> None:
        database.execute(query("views"))
        define_money(database, moment.options.rates)
        database.execute(query("chances"))
        if counting:
            counting(database)
            database.execute(query("counted"))

    with opened(
        store_url, [stage.id for stage in process.stages], field, writes, lean=clocks, beside=Beside(prepare, define)
    ) as database:
        if counting:
            database.execute(query("kept"))
        by_period(database, None)
        yield database


def by_period(database: duckdb.DuckDBPyConnection, period: Period | None) -> None:
    """Say what time is cut into in what this connection asks from now on."""
    cut = {
        "bucket(month)": "NULL::INTEGER" if period is None else f"(month // {MONTHS[period]})::INTEGER",
        "has_periods()": period is not None,
        "is_cut()": f"is_grouped() OR {period is not None}",
        "is_in(month)": "TRUE" if period is None else "month IS NOT NULL",
    }
    database.execute(";".join(f"CREATE OR REPLACE TEMP MACRO {name} AS {sql}" for name, sql in cut.items()))


def run(database: duckdb.DuckDBPyConnection, name: str) -> list[Raw]:
    """Run the SQL of a measure; gives its rows by their columns' names."""
    result = database.execute(query(name))
    columns = [column[0] for column in result.description or ()]
    return [dict(zip(columns, row, strict=True)) for row in result.fetchall()]


def _define_segment(database: duckdb.DuckDBPyConnection, options: Options) -> None:
    chosen = {None: "NULL", "owner": "owner", "connection": "connection"}.get(options.segment, "field")
    if options.by_team:
        chosen = _define_teams(database, options.teams)
    database.execute(f"CREATE MACRO segment_of(owner, connection, field, address) AS ({chosen})::VARCHAR")
    database.execute(f"CREATE MACRO is_grouped() AS {options.segment is not None}")


def _define_teams(database: duckdb.DuckDBPyConnection, teams: Mapping[str, str]) -> str:
    """Say who is in which team; gives the SQL that looks an address up."""
    database.execute("CREATE TABLE teams (email VARCHAR, team VARCHAR)")
    database.executemany("INSERT INTO teams VALUES (?, ?)", [*teams.items()])
    return "SELECT team FROM teams WHERE teams.email = lower(trim(address))"


def _define_process(database: duckdb.DuckDBPyConnection, process: Process) -> None:
    selling = [ordinal for ordinal, stage in enumerate(process.stages) if stage.status == "open"]
    bits = sum(1 << ordinal for ordinal in selling)
    database.execute(f"CREATE MACRO sells(stage) AS {bits} >> stage & 1 = 1")
    database.execute(f"CREATE MACRO last_stage() AS {max(selling, default=-1)}")
    aimed = aimed_business_time(process)
    database.execute(f"CREATE MACRO is_aimed_at(stage) AS {sum(1 << ordinal for ordinal in aimed)} >> stage & 1 = 1")
    database.execute("CREATE TABLE aimed (stage TINYINT, sla VARCHAR)")
    if aimed:
        database.executemany("INSERT INTO aimed VALUES (?, ?)", [*aimed.items()])
    database.execute("CREATE TABLE stages (id VARCHAR, ordinal TINYINT, status VARCHAR)")
    database.executemany(
        "INSERT INTO stages VALUES (?, ?, ?)",
        [(stage.id, ordinal, stage.status) for ordinal, stage in enumerate(process.stages)],
    )


def _define_moment(database: duckdb.DuckDBPyConnection, moment: Moment) -> None:
    zone, local = moment.options.timezone, moment.local("moment")
    months = MONTHS[moment.trend_period]
    database.execute(f"CREATE MACRO month_of(moment) AS {moment.month_of('moment')}")
    database.execute(f"CREATE MACRO trend_of(moment) AS (month_of(moment) // {months})::INTEGER")
    written = {
        Period.MONTH: f"strftime({local}, '%Y-%m')",
        Period.QUARTER: f"strftime({local}, '%Y-Q') || quarter({local})",
        Period.YEAR: f"strftime({local}, '%Y')",
    }
    database.execute(f"CREATE MACRO period_of(moment) AS {written[moment.trend_period]}")
    database.execute("CREATE TABLE moment AS SELECT ?::TIMESTAMP AS as_of", [_naive(moment.as_of)])
    database.execute("CREATE TABLE period_ends (period INTEGER, until TIMESTAMP)")
    database.executemany(
        "INSERT INTO period_ends VALUES (?, ?)",
        [(each, _naive(start_of(each + 1, moment.trend_period, zone))) for each in moment.trend],
    )


def _naive(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(tzinfo=None)
