"""The sandbox's search: filters, one sort, offset pages with a cap, and an index that can be late."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from math import ceil, floor
from typing import Any

from crmbridge_hubspot.sandbox.account import TYPE_NAMES, ObjectType
from crmbridge_hubspot.sandbox.objects import INDEX_LAG, HubSpotState
from crmbridge_hubspot.sandbox.properties import USUAL_PROPERTIES, Property
from crmbridge_hubspot.sandbox.records import CrmObject
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
    tests = [[_test(state, kind, each) for each in group] for group in groups]
    found = _indexed(state, _within(state, kind, groups), late=late)
    if words := str(body.get("query") or "").lower().split():
        found = [record for record in found if _mentions(record, words)]
    if len(tests) == 1:
        for test in tests[0]:
            found = list(filter(test, found))
    elif tests:
        found = [record for record in found if any(all(test(record) for test in group) for group in tests)]
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


def _mentions(record: CrmObject, words: list[str]) -> bool:
    text = " ".join(record.properties.get(name, "") for name in USUAL_PROPERTIES.get(record.kind.name, ())).lower()
    return all(word in text for word in words)


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


_LOW, _HIGH = frozenset({"GT", "GTE", "EQ", "BETWEEN"}), frozenset({"LT", "LTE", "EQ", "BETWEEN"})


def _within(state: HubSpotState, kind: ObjectType, groups: list[list[Mapping[str, Any]]]) -> Iterable[CrmObject]:
    """Give the records that a search has to look at: a narrow one need not look at all of a big account.

    The bounds are taken as included; the filters themselves are applied afterwards.
    """
    table = state.tables[kind.name]
    if len(groups) != 1:
        return table.values()
    low, high = _range(state, kind, groups[0], "hs_object_id")
    ranged = (low is not None or high is not None) and not state.ids_as_text
    first, last = (None if low is None else floor(low)), (None if high is None else ceil(high))
    records: Iterable[CrmObject] = table.between(first, last) if ranged else table.values()
    start, end = _range(state, kind, groups[0], kind.modified)
    if start is not None:
        records = [record for record in records if record.modified_at >= start]
    return records if end is None else [record for record in records if record.modified_at <= end]


def _range(state: HubSpotState, kind: ObjectType, group: list[Mapping[str, Any]], name: str) -> tuple[Any, Any]:
    """Give the lowest and the highest value that a group's filters leave to a property; None where there is none."""
    prop = state.properties[kind.name][name]
    own = [each for each in group if each.get("propertyName") == name]
    lows = [sort_value(prop, str(each["value"])) for each in own if each["operator"] in _LOW]
    ends = [
        each["highValue" if each["operator"] == "BETWEEN" else "value"] for each in own if each["operator"] in _HIGH
    ]
    return max(lows, default=None), min((sort_value(prop, str(end)) for end in ends), default=None)


def _indexed(state: HubSpotState, records: Iterable[CrmObject], *, late: bool) -> list[CrmObject]:
    """Give what the index holds. While it is late, half of what is new is missing: older edits can come last."""
    known = [record for record in records if record.archived_at is None]
    settled = state.clock.now() - INDEX_LAG
    return [r for r in known if r.modified_at <= settled or int(r.id) % 2] if late else known


def _value_of(state: HubSpotState, kind: ObjectType, prop: Property) -> Callable[[CrmObject], Any]:
    """Give what tells a record's value, as it is compared and sorted by; None where it has none."""
    if prop.name == kind.modified:  # the usual ones, without the way through their text
        return operator.attrgetter("modified_at")
    if prop.name == "hs_object_id":
        return (lambda record: record.id) if state.ids_as_text else (lambda record: int(record.id))

    def value(record: CrmObject) -> Any:
        text = value_of(state, record, prop.name)
        return None if text is None else sort_value(prop, text)

    return value


def _test(state: HubSpotState, kind: ObjectType, each: Mapping[str, Any]) -> Callable[[CrmObject], bool]:
    """Read a filter and give its test of records; raises the 400 for one that can't be read."""
    if str(each.get("propertyName")).startswith("associations."):
        return _linked(state, kind, each)
    prop, name = _property(state, kind, each.get("propertyName")), str(each.get("operator"))
    if name not in _OPERATORS:
        raise validation(f"Invalid operator {name[:40]}")
    as_text = state.ids_as_text and prop.name == "hs_object_id"
    try:
        holds = _OPERATORS[name](str if as_text else partial(sort_value, prop), each)
    except (ArithmeticError, KeyError, TypeError, ValueError):
        raise validation(f"The value of the filter on {prop.name} is not valid") from None
    without, value_of_record = name in _WITHOUT, _value_of(state, kind, prop)

    def test(record: CrmObject) -> bool:
        value = value_of_record(record)
        return without if value is None else holds(value)

    return test


def _linked(state: HubSpotState, kind: ObjectType, each: Mapping[str, Any]) -> Callable[[CrmObject], bool]:
    """Read the pseudo-property `associations.contact` and its like, with the id of what a record hangs on."""
    other = TYPE_NAMES.get(str(each["propertyName"]).removeprefix("associations."))
    if other is None or each.get("operator") != "EQ":
        raise validation(f"Invalid filter on {str(each['propertyName'])[:60]}")
    ids = {record.id for record, _ in state.links.of(other.name, str(each.get("value")), kind.name)}
    return lambda record: record.id in ids


def _property(state: HubSpotState, kind: ObjectType, name: Any) -> Property:
    known = state.properties[kind.name]
    if name not in known:
        raise validation(f"There was a problem with the request: unknown property {str(name)[:60]}")
    return known[str(name)]


Read = Callable[[str], Any]
Holds = Callable[[Any], bool]


def _one(compare: Callable[[Any, Any], bool]) -> Callable[[Read, Mapping[str, Any]], Holds]:
    def make(read: Read, each: Mapping[str, Any]) -> Holds:
        wanted = read(str(each["value"]))
        return lambda value: compare(value, wanted)

    return make


def _between(read: Read, each: Mapping[str, Any]) -> Holds:
    low, high = read(str(each["value"])), read(str(each["highValue"]))
    return lambda value: bool(low <= value <= high)


def _among(read: Read, each: Mapping[str, Any]) -> Holds:
    # On text, IN and NOT_IN compare with lower case and expect it of the caller.
    wanted = {text if isinstance(read(text), str) else read(text) for text in map(str, each["values"])}
    return lambda value: value in wanted


def _has_token(_read: Read, each: Mapping[str, Any]) -> Holds:
    wanted = str(each["value"]).strip("*").lower()
    return lambda value: wanted in str(value).lower()


def _not(make: Callable[[Read, Mapping[str, Any]], Holds]) -> Callable[[Read, Mapping[str, Any]], Holds]:
    def made(read: Read, each: Mapping[str, Any]) -> Holds:
        holds = make(read, each)
        return lambda value: not holds(value)

    return made


_OPERATORS: dict[str, Callable[[Read, Mapping[str, Any]], Holds]] = {
    "EQ": _one(operator.eq),
    "NEQ": _one(operator.ne),
    "LT": _one(operator.lt),
    "LTE": _one(operator.le),
    "GT": _one(operator.gt),
    "GTE": _one(operator.ge),
    "BETWEEN": _between,
    "IN": _among,
    "NOT_IN": _not(_among),
    "CONTAINS_TOKEN": _has_token,
    "NOT_CONTAINS_TOKEN": _not(_has_token),
    "HAS_PROPERTY": lambda _read, _each: lambda _value: True,
    "NOT_HAS_PROPERTY": lambda _read, _each: lambda _value: False,
}


# Which operators hold for records without a value.
_WITHOUT = frozenset({"NEQ", "NOT_IN", "NOT_CONTAINS_TOKEN", "NOT_HAS_PROPERTY"})


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

    value_of_record, backwards = _value_of(state, kind, prop), wanted.get("direction") == "DESCENDING"
    if prop.name in {kind.modified, "hs_object_id"}:  # every record has one
        found.sort(key=value_of_record, reverse=backwards)
        return
    valued = [(value_of_record(record), record) for record in found]
    filled = [pair for pair in valued if pair[0] is not None]
    filled.sort(key=operator.itemgetter(0), reverse=backwards)
    found[:] = [*(record for _, record in filled), *(record for value, record in valued if value is None)]
