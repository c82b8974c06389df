"""Companies and contacts: found by what people know them by, and made for deals that need them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any

from msgspec import Struct, field

from crmbridge.errors import RefusedError, RetryLaterError
from crmbridge.http import pages
from crmbridge.model.changes import Change
from crmbridge.model.records import Kind, Ref
from crmbridge.model.values import Value
from crmbridge_hubspot.api import HubSpotApi
from crmbridge_hubspot.cursor import OVERLAP
from crmbridge_hubspot.mapping import CONTACT_NAME
from crmbridge_hubspot.objects import TYPES
from crmbridge_hubspot.shapes import records_in

# The property that holds a field; a contact's name is in two.
NATIVE: Mapping[Kind, Mapping[str, str]] = MappingProxyType(
    {
        Kind.COMPANY: {"name": "name", "domain": "domain", "owner": "hubspot_owner_id"},
        Kind.CONTACT: {"email": "email", "title": "jobtitle", "owner": "hubspot_owner_id"},
    }
)
KNOWN_BY = MappingProxyType({Kind.COMPANY: ("domain", "name"), Kind.CONTACT: ("email", "name")})
COMPARED = MappingProxyType({Kind.COMPANY: ("name", "domain"), Kind.CONTACT: ("email", *CONTACT_NAME)})
MOST_PAGES = 10  # of the list, read for what the index may not have yet: a thousand records in five minutes
MOST_FOUND = 200  # of a search
MOST_SEARCHED = 2_000  # characters; a whole search may have 3,000 ("Search the CRM")
Properties = Mapping[str, str | None]


def made_properties(change: Change) -> dict[str, str]:
    """Give the properties of a company or contact to make; raises RefusedError for what it can't have."""
    names = NATIVE[change.creates]
    properties: dict[str, str] = {}
    for name, value in change.after.items():
        if not value or (name == "company" and change.creates is Kind.CONTACT):
            continue
        if name == "name" and change.creates is Kind.CONTACT:
            properties |= name_parts(str(value))
        elif name in names:
            properties[names[name]] = str(value)
        else:
            raise RefusedError(f"the field {name!r} of a {change.creates} can't be written to HubSpot")
    if not properties:
        raise RefusedError(f"the {change.creates} has neither a name nor anything else to know it by")
    return properties


def name_parts(name: str) -> dict[str, str]:
    """Cut a person's name in the two that HubSpot has: put together again, they are the name."""
    first, _, last = " ".join(name.split()).partition(" ")
    return dict(zip(CONTACT_NAME, (first, last), strict=True)) if last else {CONTACT_NAME[0]: first}


def natural_key(change: Change) -> str | None:
    """Give what a company or contact to be made is known by, as in `domain:acme.example`."""
    after: Mapping[str, Value] = change.after
    return next((f"{name}:{after[name]}" for name in KNOWN_BY[change.creates] if after.get(name)), None)


def has_key(kind: Kind, properties: Properties, key: str) -> bool:
    """Tell whether a record is known by a key; one with a domain or an e-mail is not known by its name."""
    name, _, wanted = key.partition(":")
    better = KNOWN_BY[kind][0]
    if name == better:
        return _same(properties.get(better), wanted)
    if name != "name" or properties.get(better):
        return False
    parts = CONTACT_NAME if kind is Kind.CONTACT else ("name",)
    return _same(" ".join(filter(None, (properties.get(part) for part in parts))), wanted)


def _same(one: str | None, other: str) -> bool:
    return " ".join((one or "").split()).casefold() == " ".join(other.split()).casefold() != ""


def _known(kind: Kind, key: str, raws: Sequence[Mapping[str, Any]]) -> list[str]:
    return [str(raw["id"]) for raw in raws if has_key(kind, raw["properties"], key)]


class Lookup(Struct, frozen=True, kw_only=True):
    """Finds companies and contacts as they are now. What it reads of the list it reads once.

    From where on the list is read stays good: the index does not lose what it has.
    """

    api: HubSpotApi
    connection: str
    now: Callable[[], datetime]
    _starts: dict[Kind, str] = field(default_factory=dict)
    _latest: dict[Kind, list[Mapping[str, Any]]] = field(default_factory=dict)

    def afresh(self) -> Lookup:
        """Give one that reads the list anew."""
        return Lookup(api=self.api, connection=self.connection, now=self.now, _starts=self._starts)

    def find(self, kind: Kind, key: str) -> Ref | None:
        """Find the oldest record with this key; None: there certainly is none.

        A contact's e-mail is unique and is asked for itself. Everything else is searched, and the index is late
        ("Search the CRM": after a few moments); what is too new for it is read from the end of the list, which is not.
        """
        name, _, wanted = key.partition(":")
        if not wanted.strip() or name not in KNOWN_BY[kind]:
            return None
        if name == "email":
            ids = _known(kind, key, self.api.read("contacts", [wanted.strip().lower()], ["email"], idProperty="email"))
        else:
            found = self._searched(kind, name, " ".join(wanted.split()))
            # The index may still have what was deleted or renamed.
            there = self.api.read(TYPES[kind][0].name, found, COMPARED[kind]) if found else []
            ids = _known(kind, key, there) or _known(kind, key, self._recent(kind))
        return TYPES[kind][0].ref(self.connection, min(ids, key=int)) if ids else None

    def _searched(self, kind: Kind, name: str, wanted: str) -> list[str]:
        if len(wanted) > MOST_SEARCHED:
            raise RefusedError(f"its {name} is too long for HubSpot to search for, and it might be made twice")
        parts = name_parts(wanted) if kind is Kind.CONTACT else {name: wanted}
        filters = [{"propertyName": each, "operator": "EQ", "value": text} for each, text in parts.items()]
        if name == "name":
            filters.append({"propertyName": KNOWN_BY[kind][0], "operator": "NOT_HAS_PROPERTY"})
        return [str(raw["id"]) for raw in self._search(kind, filters, "ASCENDING", MOST_FOUND)]

    def _search(self, kind: Kind, filters: Sequence[Any], direction: str, limit: int) -> list[Mapping[str, Any]]:
        body = {
            "filterGroups": [{"filters": list(filters)}],
            "sorts": [{"propertyName": "hs_object_id", "direction": direction}],
            "properties": ["hs_object_id"],
            "limit": limit,
            "after": "0",
        }
        return self.api.search(TYPES[kind][0].name, body, records_in)

    def _recent(self, kind: Kind) -> list[Mapping[str, Any]]:
        """Read the end of the list: what was made since the newest record that the index surely has.

        New records have higher ids. Whether a search sorts ids as numbers or as texts is not documented; by text, it
        would only begin earlier. Raises RetryLaterError when it would be too long to read.
        """
        if kind in self._latest:
            return self._latest[kind]
        start = self._start(kind)
        found: list[Mapping[str, Any]] = []
        for number, (raws, _) in enumerate(pages(self._fetcher(kind, start))):
            if number == 1:  # time to begin later
                self._starts.pop(kind, None)
            if number >= MOST_PAGES:
                message = f"too many {TYPES[kind][0].name} are too new for HubSpot's search to have them all"
                raise RetryLaterError(message, after=OVERLAP)
            found += raws
        self._latest[kind] = found
        return found

    def _start(self, kind: Kind) -> str | None:
        # What did not change lately was not made lately. People and imports set `createdate`, and `hs_createdate` is
        # empty for companies and contacts (airbyte source-hubspot, expected_records).
        if kind not in self._starts:
            theirs = self.now() - timedelta(milliseconds=self.api.apart or 0)  # a search has just said how far apart
            before = str(int((theirs - OVERLAP).timestamp() * 1000))
            settled = [{"propertyName": TYPES[kind][0].modified, "operator": "LTE", "value": before}]
            if newest := self._search(kind, settled, "DESCENDING", 1):
                self._starts[kind] = str(newest[0]["id"])
        return self._starts.get(kind)

    def _fetcher(
        self, kind: Kind, start: str | None
    ) -> Callable[[str | None], tuple[list[Mapping[str, Any]], str | None]]:
        names = ",".join(COMPARED[kind])
        return lambda token: self.api.list_page(TYPES[kind][0].name, token or start, properties=names)
