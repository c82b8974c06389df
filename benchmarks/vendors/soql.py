"""What the stand-in understands of SOQL: the few forms that a pull sends, matched by pattern. It is no parser."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

STATEMENT = re.compile(
    r"SELECT\s+(?P<columns>.+?)\s+FROM\s+(?P<table>\w+)(?:\s+WHERE\s+(?P<where>.+?))?(?:\s+ORDER BY\s+(?P<order>.+?))?"
    r"(?:\s+LIMIT\s+(?P<limit>\d+))?",
    re.IGNORECASE | re.DOTALL,
)
LITERAL = r"'(?:[^'\\]|\\.)*'|\([^)]*\)|[\w:.+-]+"
COMPARISON = re.compile(rf"([\w.]+)\s*(>=|<=|!=|=|>|<|NOT IN|IN|LIKE)\s*({LITERAL})", re.IGNORECASE)
# The page after a row, in both orders of its halves: (stamp = T AND Id > 'x') OR stamp > T.
TIE = r"\(?\s*(?P<tie>\w+)\s*=\s*(?P<at>[\w:.+-]+)\s+AND\s+Id\s*>\s*'(?P<id>\w+)'\s*\)?"
LATER = r"\w+\s*>\s*[\w:.+-]+"
AFTER_ROW = re.compile(rf"\(\s*(?:{TIE}\s+OR\s+{LATER}|{LATER}\s+OR\s+{TIE.replace('?P<', '?P<b')})\s*\)")
MOST = 2**62


class QueryError(Exception):
    """A statement that the stand-in does not understand."""


@dataclass
class Bounds:
    """What a WHERE lets pass. Times are epoch milliseconds; `until` and `created_until` are not included."""

    since: int = 0
    until: int = MOST
    created_since: int = 0
    created_until: int = MOST
    after: tuple[int, str] | None = None  # only rows after this stamp and id
    ids: list[tuple[str, str]] = field(default_factory=list)  # comparisons with ids
    among: list[str] | None = None  # only these ids
    nothing: bool = False  # asks for what there is none of, such as deleted rows

    @property
    def by_time(self) -> bool:
        """Tell whether the time of change matters."""
        return (self.since, self.until, self.after) != (0, MOST, None)


@dataclass(frozen=True)
class Statement:
    """A statement, taken apart."""

    columns: tuple[str, ...]
    table: str
    bounds: Bounds
    order: str
    limit: int


def read(text: str) -> Statement:
    """Take a statement apart; raises QueryError."""
    found = STATEMENT.fullmatch(text.strip())
    if found is None:
        raise QueryError(text[:200])
    columns = tuple(name.strip() for name in found["columns"].split(","))
    limit = int(found["limit"]) if found["limit"] else MOST
    return Statement(columns, found["table"], _bounds(found["where"] or ""), found["order"] or "", limit)


def _bounds(where: str) -> Bounds:
    bounds = Bounds()
    tie = AFTER_ROW.search(where)
    if tie is not None:
        bounds.after = (milliseconds(tie["at"] or tie["bat"]), tie["id"] or tie["bid"])
        where = where[: tie.start()] + where[tie.end() :]
    for name, operator, literal in COMPARISON.findall(where):
        known = COLUMNS.get(name.lower())
        if known is not None:
            known(bounds, operator.upper(), literal)
        elif name not in IGNORED:
            raise QueryError(f"no condition on {name}")
    return bounds


def milliseconds(literal: str) -> int:
    """Read a dateTime literal."""
    return int(datetime.fromisoformat(literal).timestamp() * 1000)


def _changed(bounds: Bounds, operator: str, literal: str) -> None:
    low, high = _span(operator, milliseconds(literal))
    bounds.since, bounds.until = max(bounds.since, low), min(bounds.until, high)


def _created(bounds: Bounds, operator: str, literal: str) -> None:
    low, high = _span(operator, milliseconds(literal))
    bounds.created_since, bounds.created_until = max(bounds.created_since, low), min(bounds.created_until, high)


def _span(operator: str, at: int) -> tuple[int, int]:
    """Give the first millisecond that passes and the first one after it that does not; stamps have whole seconds."""
    spans = {">=": (at, MOST), ">": (at + 1, MOST), "<": (0, at), "<=": (0, at + 1), "=": (at, at + 1)}
    if operator not in spans:
        raise QueryError(f"no {operator} for times")
    return spans[operator]


def _id(bounds: Bounds, operator: str, literal: str) -> None:
    if operator == "IN":
        bounds.among = re.findall(r"'(\w+)'", literal)
    elif operator == "=":
        bounds.among = [literal.strip("'")]
    else:
        bounds.ids.append((operator, literal.strip("'")))


def _deleted(bounds: Bounds, _operator: str, literal: str) -> None:
    bounds.nothing = bounds.nothing or literal.lower() == "true"


IGNORED = {"Subject", "IsActive", "IsClosed", "Field", "StageName"}
COLUMNS: dict[str, Callable[[Bounds, str, str], None]] = {
    "systemmodstamp": _changed,
    "lastmodifieddate": _changed,
    "createddate": _created,
    "id": _id,
    "opportunityid": _id,
    "whatid": _id,
    "isdeleted": _deleted,
}


def descending(statement: Statement) -> bool:
    """Tell whether the newest or greatest comes first."""
    return " DESC" in statement.order.upper()


def ordered_by(statement: Statement, names: Sequence[str]) -> bool:
    """Tell whether the rows are ordered by one of these columns first."""
    first = statement.order.split(",")[0].split()
    return bool(first) and first[0].lower() in names
