"""The sandbox's search: filters, one sort, offset pages with a cap, and an index that can be late."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from crmbridge_hubspot.sandbox.account import ObjectType, Property
from crmbridge_hubspot.sandbox.objects import INDEX_LAG, CrmObject, HubSpotState
from crmbridge_hubspot.sandbox.replies import validation
from crmbridge_hubspot.sandbox.shown import show, value_of
from crmbridge_hubspot.sandbox.values import sort_value

LONGEST_BODY = 3_000
LARGEST_PAGE = 200
FURTHEST = 10_000
MOST_GROUPS, MOST_FILTERS, MOST_IN_ALL = 5, 6, 18


def search(state: HubSpotState, kind: ObjectType, body: Mapping[str, Any], raw: bytes, *, late: bool) -> dict[str, Any]:
    """Answer a search; raises the 400 for what HubSpot refuses."""
    if len(raw.decode("utf-8", "replace")) > LONGEST_BODY:
        raise validation(f"The request body is longer than {LONGEST_BODY} characters")
    limit, after = _page(body)
    groups = _groups(body)
    found = [record for record in _indexed(state, kind, late=late) if _matches(state, record, groups)]
    _sort(state, kind, found, body.get("sorts") or [])
    reply: dict[str, Any] = {
        "total": len(found),
        "results": [
            show(state, record, body.get("properties") or (), unset="absent") for record in found[after : after + limit]
        ],
    }
    if after + limit < len(found):
        reply["paging"] = {"next": {"after": str(after + limit)}}
    return reply


def _page(body: Mapping[str, Any]) -> tuple[int, int]:
    try:
        limit, after = int(body.get("limit") or 10), int(body.get("after") or 0)
    except (TypeError, ValueError):
        raise validation("limit and after must be integers") from None
    if not 0 < limit <= LARGEST_PAGE:
        raise validation(f"The limit must be between 1 and {LARGEST_PAGE}")
    if after + limit > FURTHEST:
        raise validation(f"Paging beyond {FURTHEST} results is not supported")
    return limit, after


def _groups(body: Mapping[str, Any]) -> list[list[Mapping[str, Any]]]:
    groups = [list(group.get("filters") or ()) for group in body.get("filterGroups") or ()]
    if len(groups) > MOST_GROUPS or any(len(group) > MOST_FILTERS for group in groups):
        raise validation("Too many filters")
    if sum(map(len, groups)) > MOST_IN_ALL:
        raise validation("Too many filters")
    return groups


def _indexed(state: HubSpotState, kind: ObjectType, *, late: bool) -> list[CrmObject]:
    """Give what the index holds. While it is late, half of what is new is missing: older edits can come last."""
    known = [record for record in state.tables[kind.name].values() if record.archived_at is None]
    settled = state.clock.now() - INDEX_LAG
    return [r for r in known if r.modified_at <= settled or int(r.id) % 2] if late else known


def _matches(state: HubSpotState, record: CrmObject, groups: list[list[Mapping[str, Any]]]) -> bool:
    return not groups or any(all(_holds(state, record, each) for each in group) for group in groups)


def _holds(state: HubSpotState, record: CrmObject, each: Mapping[str, Any]) -> bool:
    prop, operator = _property(state, record.kind, each.get("propertyName")), str(each.get("operator"))
    if operator not in _OPERATORS:
        raise validation(f"Invalid operator {operator[:40]}")
    text = value_of(state, record, prop.name)
    if operator in {"HAS_PROPERTY", "NOT_HAS_PROPERTY"}:
        return (text is not None) is (operator == "HAS_PROPERTY")
    if text is None:
        return operator in {"NEQ", "NOT_IN", "NOT_CONTAINS_TOKEN"}
    try:
        return _OPERATORS[operator](partial(sort_value, prop), text, each)
    except (ArithmeticError, KeyError, ValueError):
        raise validation(f"The value of the filter on {prop.name} is not valid") from None


def _property(state: HubSpotState, kind: ObjectType, name: Any) -> Property:
    known = state.properties[kind.name]
    if name not in known:
        raise validation(f"There was a problem with the request: unknown property {str(name)[:60]}")
    return known[str(name)]


Compare = Callable[[str], Any]
_OPERATORS: dict[str, Callable[[Compare, str, Mapping[str, Any]], bool]] = {
    "EQ": lambda of, text, f: of(text) == of(str(f["value"])),
    "NEQ": lambda of, text, f: of(text) != of(str(f["value"])),
    "LT": lambda of, text, f: of(text) < of(str(f["value"])),
    "LTE": lambda of, text, f: of(text) <= of(str(f["value"])),
    "GT": lambda of, text, f: of(text) > of(str(f["value"])),
    "GTE": lambda of, text, f: of(text) >= of(str(f["value"])),
    "BETWEEN": lambda of, text, f: of(str(f["value"])) <= of(text) <= of(str(f["highValue"])),
    # On text, these two compare with lower case and expect it of the caller.
    "IN": lambda of, text, f: of(text) in [v if isinstance(of(v), str) else of(v) for v in map(str, f["values"])],
    "NOT_IN": lambda of, text, f: (
        of(text) not in [v if isinstance(of(v), str) else of(v) for v in map(str, f["values"])]
    ),
    "CONTAINS_TOKEN": lambda _of, text, f: str(f["value"]).strip("*").lower() in text.lower(),
    "NOT_CONTAINS_TOKEN": lambda _of, text, f: str(f["value"]).strip("*").lower() not in text.lower(),
    "HAS_PROPERTY": lambda _of, _text, _f: True,
    "NOT_HAS_PROPERTY": lambda _of, _text, _f: False,
}


def _sort(state: HubSpotState, kind: ObjectType, found: list[CrmObject], sorts: list[Any]) -> None:
    if len(sorts) > 1:
        raise validation("Only one sort is supported")
    found.sort(key=lambda record: record.created_at)  # the usual order: oldest first
    if not sorts:
        return
    wanted = sorts[0]
    if isinstance(wanted, str):
        wanted = {"propertyName": wanted.lstrip("-"), "direction": "DESCENDING" if wanted[:1] == "-" else "ASCENDING"}
    prop = _property(state, kind, wanted.get("propertyName"))

    def key(record: CrmObject) -> tuple[bool, Any]:
        text = value_of(state, record, prop.name)
        return (text is not None, None if text is None else sort_value(prop, text))

    filled = [record for record in found if key(record)[0]]
    empty = [record for record in found if not key(record)[0]]
    filled.sort(key=lambda record: key(record)[1], reverse=wanted.get("direction") == "DESCENDING")
    found[:] = [*filled, *empty]
