"""Reads what hangs on records: in the list itself where it stands there whole, else in batches."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from crmbridge.model.records import Kind
from crmbridge.model.values import Value
from crmbridge.threads import make_pool
from crmbridge_hubspot.api import HubSpotApi
from crmbridge_hubspot.objects import ObjectType
from crmbridge_hubspot.shapes import id_in, next_of, object_in, objects_in, text_in

PRIMARY = frozenset({"5", "1"})  # association types with a primary company: of a deal, of a contact
HAVE_PRIMARY = frozenset({Kind.DEAL, Kind.CONTACT})
FIELDS = {"companies": "company"}  # what hangs on a record, and the field it is, where that has another name
Raw = Mapping[str, Any]


def read_links(
    api: HubSpotApi, type_: ObjectType, raws: Sequence[Raw], wanted: Collection[str] | None = None
) -> Mapping[str, dict[str, Value]]:
    """Read the linked fields of a page of records, for all of them at once, by record id.

    Records that came from a list carry their links; where those are cut short, or do not tell which company is the
    primary one, they are asked for (airbyte#56447: links are cut at 100). With `wanted`, fields that are not among
    these are left out.
    """
    fields: dict[str, dict[str, Value]] = {str(raw["id"]): {} for raw in raws}
    others = [other for other in type_.linked if wanted is None or FIELDS.get(other, other) in wanted]
    for other, found in zip(others, _all_linked(api, type_, others, raws), strict=True):
        if other == "companies":
            for record_id, ids in found.items():
                if ids:
                    fields[record_id]["company"] = ids[0]
        else:
            for record_id, ids in found.items():
                fields[record_id][other] = tuple(sorted(ids))
    return fields


def _all_linked(
    api: HubSpotApi, type_: ObjectType, others: Sequence[str], raws: Sequence[Raw]
) -> Iterable[dict[str, list[str]]]:
    """Give what hangs on each record, for each of the other types; what has to be asked for is asked side by side."""
    said = [_said(type_, other, raws) for other in others]
    asked = [(other, unclear) for other, (_, unclear) in zip(others, said, strict=True) if unclear]
    if len(asked) > 1:
        with make_pool(max_workers=len(asked)) as threads:
            answers = list(threads.map(lambda ask: api.links(type_.name, *ask), asked))
    else:
        answers = [api.links(type_.name, other, unclear) for other, unclear in asked]
    links = dict(zip([other for other, _ in asked], answers, strict=True))
    for other, (found, unclear) in zip(others, said, strict=True):
        found |= {each: _ids(links[other].get(each, ())) for each in unclear}
        yield found


def _said(type_: ObjectType, other: str, raws: Sequence[Raw]) -> tuple[dict[str, list[str]], list[str]]:
    """Give what records say of their links themselves, the company that counts first, and the ones that don't say."""
    found: dict[str, list[str]] = {}
    unclear: list[str] = []
    has_primary = other == "companies" and type_.kind in HAVE_PRIMARY
    for raw in raws:
        ids = _in_line(raw, other)
        if ids is None or (has_primary and len(ids) > 1):
            unclear.append(str(raw["id"]))
        else:
            found[str(raw["id"])] = ids if len(ids) <= 1 else sorted(ids, key=_shortest)
    return found, unclear


def _in_line(raw: Raw, other: str) -> list[str] | None:
    """Give what a list says of a record's links, each once; None where it does not say, or not all."""
    if "associations" not in raw:
        return None
    part = object_in(raw["associations"] or {}, "associations").get(other)
    if not part:
        return []
    found = object_in(part, other).get("results")
    if found is None or ("paging" in part and next_of(part)):
        return None
    return list({id_in(each) for each in objects_in(found, other)})  # one comes once for each of its types


def _ids(links: Iterable[Raw]) -> list[str]:
    """Give the ids of links, the primary company first; then the one with the lowest id."""
    return list(dict.fromkeys(str(link["toObjectId"]) for link in sorted(links, key=_preference)))


def _preference(link: Raw) -> tuple[bool, int, str]:
    types = {
        text_in(each, "typeId")
        for each in link.get("associationTypes") or ()
        if each.get("category", "HUBSPOT_DEFINED") == "HUBSPOT_DEFINED"
    }
    return (not types & PRIMARY, *_shortest(str(link["toObjectId"])))


def _shortest(record_id: str) -> tuple[int, str]:
    return (len(record_id), record_id)
