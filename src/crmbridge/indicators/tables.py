"""Which tables and columns of the state the figures are over, and how they are told on the way to DuckDB."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import Enum
from typing import Protocol

from msgspec import Struct

_STATUS = ("open", "won", "lost")
_STATES = ("on_time", "at_risk", "breached")
_OVER = (0,)  # what `running` is of a clock that ended
_BITS = 8  # of a place in a list; no list has more than 127
CREWS = 20  # into which deals are told apart at random
NONE = "FALSE"  # of a table of which no rows are read
_NUMBER = 32  # the bits below are four places in lists
_ORDINAL = 48  # of a visit among a deal's, above its number among those of its stage


class Turn(Enum):
    """When a table is read."""

    FIRST = "first"  # before all others, which look deals up in it
    MIDDLE = "middle"
    LAST = "last"  # while other things are made already, as nothing is made from it


class Table(Struct, frozen=True, kw_only=True):
    """A table of DuckDB, and how its rows are picked from the state.

    `types` are its columns; `picked` is asked of the state; `typed` makes a row of what came, which is called `one`.
    """

    name: str
    source: str
    types: str
    picked: str
    typed: str
    only: str = "TRUE"  # the SQL of which rows are read
    joined: str = ""
    grouped: str = ""
    turn: Turn = Turn.MIDDLE


class Lean(Struct, frozen=True):
    """How clocks are counted while they are read, where nobody asks for single ones.

    `month_of` gives the SQL of the month in which a moment is, and `aimed` has the places of the stages whose business
    time somebody aims at.
    """

    month_of: Callable[[str], str]
    aimed: Sequence[int] = ()


class Dialect(Protocol):
    """How a database is asked for what it keeps as JSON in `fields`, and for what SQL leaves open."""

    def value(self, *path: str) -> str:
        """Give the SQL of what stands at a path, a yes as 1; NULL where nothing does."""
        ...

    def flag(self, *path: str) -> str:
        """Give the SQL of 1 for a yes at a path, else 0."""
        ...

    def holds(self, text: str) -> str:
        """Give the SQL of whether the fields as they are written hold a text."""
        ...

    def wide(self, column: str) -> str:
        """Give the SQL of a number of 64 bits."""
        ...


def tables(
    stages: Sequence[str], connections: Sequence[str], field: str | None, dialect: Dialect, lean: Lean | None = None
) -> tuple[Table, ...]:
    """Give the tables, within a turn the large ones first; `lean` counts clocks, and keeps none.

    What comes by the million is told in numbers: stages and connections by their place in the lists, -1 for one that
    is not in them; a deal by its number, which `places` gives it. A driver takes a column's type from the first batch,
    so a column that starts with NULLs would fail later: an empty text stands for NULL on the way.
    """
    connection = _coded("connection", connections)
    return (
        Table(
            name="places",
            source="places",
            types="connection TINYINT, deal VARCHAR, stage TINYINT, status UTINYINT, crew UTINYINT",
            picked=f"{connection} AS connection, deal, {_coded('stage', stages)} AS stage, "
            f"{_coded('status', _STATUS)} AS status",
            # What a forecast leaves out together is told by the deal alone, however often it is read.
            typed=f"named.ordinal, deal, stage, status, hash(named.id, deal) % {CREWS}",
            joined="JOIN connections AS named ON named.ordinal = one.connection",
            turn=Turn.FIRST,
        ),
        _visits(connections, stages, dialect),
        _clocks(connections, stages, dialect, only=NONE if lean else "TRUE"),
        _records(connection, field, dialect, lean=lean is not None),
        _people(connections, dialect),
        *([_counted_clocks(stages, lean)] if lean else []),
        _findings(connections, stages),
        _activities(connection, dialect),
    )


def _people(connections: Sequence[str], dialect: Dialect) -> Table:
    known = ", ".join(quoted(connection) for connection in connections)
    return Table(
        name="people",
        source="records",
        types="connection TINYINT, id VARCHAR, name VARCHAR, address VARCHAR",
        picked=f"{_coded('connection', connections)} AS connection, id, coalesce(name, '') AS name, "
        f"coalesce(CAST({dialect.value('email')} AS TEXT), '') AS address",
        typed=f"connection, id, nullif(name, ''), {_readable('address')}",
        # By the key, as people are few among all records.
        only=f"connection IN ({known}) AND kind = 'user'" if known else NONE,
    )


def _records(connection: str, field: str | None, dialect: Dialect, *, lean: bool) -> Table:
    # Of deals that nobody looks at one by one, no name is needed, and no more than what they are worth.
    texts = ("amount", "currency", "owner", "close_date", *(() if lean else ("name", "created_at")))
    fields = [f"coalesce(CAST({dialect.value(field)} AS TEXT), '') AS field"] if field else []
    name, created_at = ("NULL", "NULL") if lean else ("nullif(name, '')", "nullif(created_at, '')::TIMESTAMP")
    return Table(
        name="records",
        source="records",
        types="connection TINYINT, id VARCHAR, name VARCHAR, amount VARCHAR, currency VARCHAR, "
        "owner VARCHAR, close_date DATE, created_at TIMESTAMP, field VARCHAR, probability VARCHAR",
        picked=f"{connection} AS connection, id, "
        + ", ".join([*(f"coalesce({each}, '') AS {each}" for each in texts), *fields])
        + f", {_probability(dialect)} AS probability",
        typed=f"connection, id, {name}, nullif(amount, ''), nullif(currency, ''), nullif(owner, ''), "
        f"TRY_CAST(nullif(close_date, '') AS DATE), {created_at}, {_readable('field') if field else 'NULL'}, "
        "nullif(probability, '')",
        only="kind = 'deal'",
    )


def _probability(dialect: Dialect) -> str:
    """Give what the CRM itself gives a deal, in a field that is mapped as `probability`.

    Few projects map one, and looking for its name is cheaper than taking all fields apart.
    """
    found = f"coalesce({dialect.value('probability', 'decimal')}, {dialect.value('probability')}, '')"
    there = dialect.holds('"probability":')
    return f"CASE WHEN {there} THEN CAST({found} AS TEXT) ELSE '' END"


def _visits(connections: Sequence[str], stages: Sequence[str], dialect: Dialect) -> Table:
    codes = _packed(("connection", connections), ("stage", stages), ("to_stage", stages), ("to_status", _STATUS))
    connection, stage, to_stage, to_status = (_unpacked(place) for place in range(4))
    number, ordinal = dialect.wide("number"), dialect.wide("ordinal")
    return Table(
        name="visits",
        source="visits",
        types="no INTEGER, stage TINYINT, number INTEGER, ordinal SMALLINT, entered_at TIMESTAMP, left_at TIMESTAMP, "
        "to_stage TINYINT, to_status UTINYINT, is_open BOOLEAN, crew UTINYINT",
        picked=f"{codes} + ({number} << {_NUMBER}) + ({ordinal} << {_ORDINAL}) AS codes, deal, entered_at, "
        "coalesce(left_at, '') AS left_at",
        # More visits of a deal than there is room for come as a negative number, of none of these types: an error.
        typed=f"place.rowid, {stage}, codes >> {_NUMBER} & {(1 << _ORDINAL - _NUMBER) - 1}, "
        f"(codes >> {_ORDINAL})::USMALLINT, entered_at::TIMESTAMP, "
        f"nullif(left_at, '')::TIMESTAMP, {to_stage}, CASE WHEN left_at <> '' THEN {to_status} END, "
        "place.status = 0, place.crew",
        joined=_deal_of_row(connection, connections),
    )


def _counted_clocks(stages: Sequence[str], lean: Lean) -> Table:
    """Count clocks as they come: keeping them takes half as long again, and so does what only tells whose they are."""
    codes = _packed(("stage", stages), ("state", _STATES), ("running", _OVER))
    stage, state, over = (_unpacked(place) for place in range(3))
    aimed = f"{stage} IN ({', '.join(map(str, lean.aimed))})" if lean.aimed else "FALSE"
    month = lean.month_of("nullif(ended_at, '')::TIMESTAMP")
    return Table(
        name="kept",
        source="sla_clocks",
        types="stage TINYINT, sla VARCHAR, seg INTEGER, month INTEGER, state UTINYINT, is_running BOOLEAN, n BIGINT, "
        "business_seconds DOUBLE[]",
        picked=f"{codes} AS codes, sla, coalesce(ended_at, '') AS ended_at, elapsed_seconds",
        typed=f"{stage}, sla, NULL, {month} AS month, {state}, {over} < 0, count(*), "
        f"list(elapsed_seconds) FILTER ({aimed} AND {over} >= 0)",
        grouped="GROUP BY one.codes, sla, month",
        turn=Turn.LAST,
    )


def _clocks(connections: Sequence[str], stages: Sequence[str], dialect: Dialect, only: str) -> Table:
    codes = _packed(("connection", connections), ("stage", stages), ("state", _STATES), ("running", _OVER))
    connection, stage, state, over = (_unpacked(place) for place in range(4))
    number = dialect.wide("number")
    return Table(
        name="clocks",
        source="sla_clocks",
        types="no INTEGER, stage TINYINT, number INTEGER, sla VARCHAR, ended_at TIMESTAMP, goal_seconds DOUBLE, "
        "elapsed_seconds DOUBLE, state UTINYINT, is_running BOOLEAN",
        picked=f"{codes} + ({number} << {_NUMBER}) AS codes, deal, sla, coalesce(ended_at, '') AS ended_at, "
        "goal_seconds, elapsed_seconds",
        typed=f"place.rowid, {stage}, codes >> {_NUMBER}, sla, nullif(ended_at, '')::TIMESTAMP, goal_seconds, "
        f"elapsed_seconds, {state}, {over} < 0",
        only=only,
        joined=_deal_of_row(connection, connections),
    )


def _findings(connections: Sequence[str], stages: Sequence[str]) -> Table:
    connection = _coded("connection", connections)
    texts = ("since", "opened_at", "cleared_at", "waived_by", "waived_until")
    return Table(
        name="findings",
        source="findings",
        types="id VARCHAR, no INTEGER, rule VARCHAR, kind VARCHAR, stage TINYINT, severity VARCHAR, since TIMESTAMP, "
        "opened_at TIMESTAMP, cleared_at TIMESTAMP, waived_by VARCHAR, waived_until TIMESTAMP",
        picked=f"id, {connection} AS connection, deal, rule, kind, {_coded('stage', stages)} AS stage, severity, "
        + ", ".join(f"coalesce({name}, '') AS {name}" for name in texts),
        typed="id, place.rowid, rule, kind, one.stage, severity, since::TIMESTAMP, opened_at::TIMESTAMP, "
        "nullif(cleared_at, '')::TIMESTAMP, nullif(waived_by, ''), nullif(waived_until, '')::TIMESTAMP",
        joined=_deal_of_row("one.connection", connections),
    )


def _activities(connection: str, dialect: Dialect) -> Table:
    return Table(
        name="activities",
        source="records",
        types="connection TINYINT, id VARCHAR, type VARCHAR, is_done BOOLEAN, happened_at TIMESTAMP, deals VARCHAR",
        picked=f"{connection} AS connection, id, coalesce({dialect.value('type')}, '') AS type, "
        f"{dialect.flag('done')} AS done, coalesce({dialect.value('at', 'datetime')}, '') AS moment, "
        f"coalesce({dialect.value('deals', 'set')}, '[]') AS deals",
        typed=f"connection, id, {_readable('type')}, done::BOOLEAN, TRY_CAST(nullif(moment, '') AS TIMESTAMP), deals",
        only="kind = 'activity' AND gone_at IS NULL",
        turn=Turn.LAST,
    )


def _readable(column: str) -> str:
    """Give the SQL of a text out of JSON: SQLite makes of half a surrogate pair what is no UTF-8, and can't be read."""
    return f"TRY(decode(encode(nullif({column}::VARCHAR, ''))))"


def _coded(column: str, known: Sequence[str]) -> str:
    """Give the SQL that turns a text into its place in a list, -1 when it is not in it."""
    cases = " ".join(f"WHEN {quoted(text)} THEN {number}" for number, text in enumerate(known))
    return f"CASE {column} {cases} ELSE -1 END" if known else "-1"


def _packed(*columns: tuple[str, Sequence[str | int]]) -> str:
    """Give the SQL that turns up to four columns into one number, as each column on the way costs as much as any."""
    parts = []
    for place, (column, known) in enumerate(columns):
        numbered = enumerate(known, 1)
        cases = (f"WHEN {_literal(value)} THEN {number << place * _BITS}" for number, value in numbered)
        parts.append(f"CASE {column} {' '.join(cases)} ELSE 0 END" if known else "0")
    return " + ".join(parts)


def _unpacked(place: int) -> str:
    """Give the SQL that takes a column's place in its list out of that number, -1 when it was not in it."""
    return f"((one.codes >> {place * _BITS} & {(1 << _BITS) - 1}) - 1)"


def _deal_of_row(connection: str, connections: Sequence[str]) -> str:
    """Give the SQL that looks a deal up; where there is one connection only, by its id alone, which is faster.

    A stream without rows has columns of numbers, and not every deal's id could be turned into one.
    """
    if len(connections) == 1:
        return f"JOIN state.places AS place ON place.deal = one.deal::VARCHAR WHERE {connection} = 0"
    return f"JOIN state.places AS place ON place.connection = {connection} AND place.deal = one.deal::VARCHAR"


def _literal(value: str | int) -> str:
    return quoted(value) if isinstance(value, str) else str(value)


def quoted(text: str, mark: str = "'") -> str:
    """Write a text as SQL does, or a name within double marks."""
    return mark + text.replace(mark, mark * 2) + mark
