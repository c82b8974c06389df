"""v2 lists: filters, sort orders, markers and page sizes, as strict as Pipedrive is about them."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from msgspec import Struct
from starlette.requests import Request

from crmbridge_pipedrive.sandbox.replies import Row, invalid
from crmbridge_pipedrive.sandbox.schema import TIME

USUAL, MOST = 100, 500
MOST_IDS = 100
PAGING = ("limit", "cursor")
SORTING = ("sort_by", "sort_direction")
TIMES = ("updated_since", "updated_until")


class ListRules(Struct, frozen=True, kw_only=True):
    """What one list takes: the fields it can be filtered by with one value, and the ones it can be sorted by."""

    filters: tuple[str, ...] = ()
    sorts: tuple[str, ...] = ("id", "update_time", "add_time")
    times: bool = True
    ids: bool = True
    others: tuple[str, ...] = ()  # parameters that the route itself reads

    @property
    def known(self) -> frozenset[str]:
        """Give all parameters; any other is refused."""
        names = (*PAGING, *SORTING, *self.filters, *self.others)
        return frozenset((*names, *(TIMES if self.times else ()), *(("ids",) if self.ids else ())))


def list_page(rows: Iterable[Row], request: Request, rules: ListRules) -> tuple[list[Row], str | None]:
    """Give the rows of the page asked for, and the marker of the next one."""
    query = dict(request.query_params)
    unknown = [f"{name}: Parameter '{name}' is not allowed for this request" for name in query.keys() - rules.known]
    if unknown:
        raise invalid(*unknown)
    marker = _marker(query, rules)
    wanted = [row for row in rows if all(keep(row) for keep in _filters(query, rules))]
    return _cut(wanted, marker, _limit(query))


def page_size(request: Request) -> int:
    """Give how many rows a page has; more than the most allowed is cut down to it."""
    return _limit(dict(request.query_params))


def _limit(query: Mapping[str, str]) -> int:
    text = query.get("limit", str(USUAL))
    if not text.isdecimal() or int(text) < 1:
        raise invalid("limit: Expected a positive number")
    return min(int(text), MOST)


def _filters(query: Mapping[str, str], rules: ListRules) -> list[Callable[[Row], bool]]:
    equal = {name: query[name] for name in rules.filters if name in query}
    keeps: list[Callable[[Row], bool]] = [lambda row: all(_as_query(row.get(n)) == v for n, v in equal.items())]
    for name in TIMES:
        if name in query and TIME.fullmatch(query[name]) is None:
            raise invalid(f"{name}: {query[name]} is not a valid datetime")
    if "updated_since" in query:
        keeps.append(lambda row: str(row["update_time"] or "") >= query["updated_since"])
    if "updated_until" in query:
        keeps.append(lambda row: str(row["update_time"] or "") < query["updated_until"])
    if "ids" in query:
        ids = _ids(query["ids"])
        keeps.append(lambda row: row["id"] in ids)
    return keeps


def _ids(text: str) -> set[int]:
    parts = [part for part in text.split(",") if part]
    if len(parts) > MOST_IDS or not all(part.isdecimal() for part in parts):
        raise invalid(f"ids: Expected up to {MOST_IDS} numbers")
    return {int(part) for part in parts}


def _as_query(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


class _Marker(Struct, frozen=True):
    field: str
    descending: bool
    after: tuple[Any, int] | None


def _marker(query: Mapping[str, str], rules: ListRules) -> _Marker:
    """Read where the page begins. A marker carries its sort order, whatever the other parameters say."""
    if "cursor" in query:
        try:
            data = json.loads(base64.urlsafe_b64decode(query["cursor"] + "=="))
            return _Marker(data["field"], data["sortDirection"] == "desc", (data["fieldValue"], data["id"]))
        except (ValueError, KeyError, TypeError):
            raise invalid("cursor: Invalid cursor") from None
    field, direction = query.get("sort_by", "id"), query.get("sort_direction", "asc")
    if field not in rules.sorts or direction not in {"asc", "desc"}:
        raise invalid(f"sort_by: Expected one of {', '.join(rules.sorts)}, asc or desc")
    return _Marker(field, direction == "desc", None)


def _cut(rows: list[Row], marker: _Marker, limit: int) -> tuple[list[Row], str | None]:
    def place(row: Row) -> tuple[Any, int]:
        value = row.get(marker.field)
        return (value if value is not None else "", row["id"])

    ordered = sorted(rows, key=place, reverse=marker.descending)
    if marker.after is not None:
        after = (marker.after[0], marker.after[1])
        ordered = [row for row in ordered if (place(row) < after if marker.descending else place(row) > after)]
    page = ordered[:limit]
    return page, _write(marker, *place(page[-1])) if len(ordered) > limit else None


def _write(marker: _Marker, value: Any, row_id: int) -> str:
    direction = "desc" if marker.descending else "asc"
    data = {"field": marker.field, "fieldValue": value, "sortDirection": direction, "id": row_id}
    return base64.urlsafe_b64encode(json.dumps(data, separators=(",", ":")).encode()).decode().rstrip("=")
