"""Reads what hangs on deals and contacts: companies, contacts, and counts of activities."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from crmbridge.model.records import Kind
from crmbridge.model.values import Value
from crmbridge_hubspot.api import HubSpotApi
from crmbridge_hubspot.mapping import Links
from crmbridge_hubspot.values import moment

PRIMARY = frozenset({5, 1})  # association types with a primary company: of a deal, of a contact
LOGGED = ("calls", "emails")  # logged once they have happened
PLANNED = ("tasks", "meetings")  # may still be to come
DONE = "COMPLETED"


def read_links(api: HubSpotApi, kind: Kind, ids: Sequence[str], now: datetime) -> Links:
    """Read the linked fields of a page of records, for all of them at once."""
    if not ids:
        return Links()
    if kind is Kind.CONTACT:
        return Links({each: {"company": company} for each, company in _companies(api, "contacts", ids).items()})
    return _deal_links(api, ids, now) if kind is Kind.DEAL else Links()


def _deal_links(api: HubSpotApi, ids: Sequence[str], now: datetime) -> Links:
    companies, contacts = _companies(api, "deals", ids), _linked(api, "deals", "contacts", ids)
    counts = _activities(api, ids, now)
    fields: dict[str, dict[str, Value]] = {}
    for each in ids:
        fields[each] = {"contacts": tuple(sorted(contacts.get(each, ()))), **counts[each]}
        if each in companies:
            fields[each]["company"] = companies[each]
    return Links(fields)


def _linked(api: HubSpotApi, start: str, end: str, ids: Sequence[str]) -> dict[str, set[str]]:
    found = api.links(start, end, ids)
    # One link comes once for each of its types (airbyte#56447), so the ids are a set.
    return {each: {str(link["toObjectId"]) for link in links} for each, links in found.items()}


def _companies(api: HubSpotApi, start: str, ids: Sequence[str]) -> dict[str, str]:
    """Give each record's primary company, or the one with the lowest id where none is primary."""
    found = api.links(start, "companies", ids)
    return {each: str(min(links, key=_preference)["toObjectId"]) for each, links in found.items() if links}


def _preference(link: Mapping[str, Any]) -> tuple[bool, int, str]:
    types = {kind.get("typeId") for kind in link.get("associationTypes") or ()}
    company = str(link["toObjectId"])
    return (not types & PRIMARY, len(company), company)


def _activities(api: HubSpotApi, ids: Sequence[str], now: datetime) -> dict[str, dict[str, Value]]:
    """Count each deal's activities: calls, e-mails, meetings and tasks, done and still open."""
    by_kind = {kind: _linked(api, "deals", kind, ids) for kind in (*LOGGED, *PLANNED)}
    still_open = {kind: _open(api, kind, by_kind[kind].values(), now) for kind in PLANNED}
    counts: dict[str, dict[str, Value]] = {}
    for each in ids:
        total = sum(len(by_kind[kind].get(each, ())) for kind in by_kind)
        to_come = sum(len(by_kind[kind].get(each, set()) & still_open[kind]) for kind in PLANNED)
        counts[each] = {"activities": total, "activities_done": total - to_come, "activities_open": to_come}
    return counts


def _open(api: HubSpotApi, kind: str, groups: Iterable[set[str]], now: datetime) -> set[str]:
    ids = sorted(set().union(*groups))
    found = api.read(kind, ids, ["hs_timestamp", "hs_task_status"])
    return {str(raw["id"]) for raw in found if _to_come(kind, raw["properties"], now)}


def _to_come(kind: str, properties: Mapping[str, str | None], now: datetime) -> bool:
    if kind == "tasks":
        return properties.get("hs_task_status") != DONE
    at = properties.get("hs_timestamp")
    return bool(at) and moment(str(at)) > now
