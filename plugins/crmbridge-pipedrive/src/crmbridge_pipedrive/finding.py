"""Finding what is there: deals by their key, companies and contacts by theirs, tasks and notes by their marker.

Never through search: it indexes late, by an unknown delay, and does not look into websites.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Collection, Iterator, Mapping

from crmbridge.adapting import folded_key, natural_key, unescaped
from crmbridge.model.changes import Action, Change
from crmbridge.model.records import Kind, Ref
from crmbridge_pipedrive.account import Account
from crmbridge_pipedrive.api import Api, Row
from crmbridge_pipedrive.keys import KeyBook, KeyList
from crmbridge_pipedrive.mapping import ALL_STATUSES, organization_record
from crmbridge_pipedrive.values import FieldDefinition

# What a task or note can hang on, as the lists of both and the bodies of notes call it.
PLACES: Mapping[Kind, str] = {Kind.DEAL: "deal_id", Kind.COMPANY: "org_id", Kind.CONTACT: "person_id"}


class Books:
    """Finds what is there by keys, for one account; what was read once of its lists is kept. Thread-safe."""

    def __init__(self, api: Api, account: Account) -> None:
        self._api = api
        self._account = account
        self._books: dict[tuple[Kind, str], KeyBook] = {}
        self._lock = threading.Lock()

    def find(self, kind: Kind, keys: Collection[str]) -> dict[str, int]:
        """Give the newest record of each key; the ones that are left out are certainly on none.

        Where the account has no field for crmbridge's key, no deal carries one.
        """
        asked = {folded_key(key): key for key in keys} if kind is not Kind.DEAL else dict(zip(keys, keys, strict=True))
        field = self._account.deal_fields.key if kind is Kind.DEAL else None
        if not asked or (kind is Kind.DEAL and field is None):
            return {}
        return {asked[key]: number for key, number in self._book(kind, field).find(asked).items()}

    def _book(self, kind: Kind, field: FieldDefinition | None) -> KeyBook:
        name = (kind, field.code if field else "")
        with self._lock:
            if name not in self._books:
                self._books[name] = deal_book(self._api, field) if field else _BOOKS[kind](self._api)
            return self._books[name]


def key_of(change: Change) -> str | None:
    """Give what a creation is found by: a deal by its key, a company by its domain, else its name, a contact by email.

    None where nobody could tell it from another.
    """
    if change.action is not Action.CREATE:
        return None
    if change.creates is Kind.DEAL:
        return change.key
    return natural_key(change.creates, change.after)


def deal_book(api: Api, key_field: FieldDefinition) -> KeyBook:
    """Give what finds deals by crmbridge's key, archived ones among them; the key is their only custom field there."""

    def keys_of(row: Row) -> Iterator[str]:
        custom = row.get("custom_fields")
        key = custom.get(key_field.code) if isinstance(custom, dict) else None
        if isinstance(key, str):
            yield key

    asked = {"custom_fields": key_field.code}
    live = KeyList(call="deals", params={**asked, "status": ALL_STATUSES}, tells_gone=True)
    return KeyBook(api, (live, KeyList(call="deals.archived", params=asked)), keys_of)


def company_book(api: Api) -> KeyBook:
    """Give what finds companies by `domain:`, or by `name:` where they have none."""

    def keys_of(row: Row) -> Iterator[str]:
        key = natural_key(Kind.COMPANY, organization_record(row, "").fields)
        return iter([key] if key else [])

    return KeyBook(api, (KeyList(call="organizations", params={}),), keys_of)


def contact_book(api: Api) -> KeyBook:
    """Give what finds contacts by `email:`, any of their addresses."""

    def keys_of(row: Row) -> Iterator[str]:
        emails = row.get("emails")
        items = emails if isinstance(emails, list) else []
        values = {item.get("value") for item in items if isinstance(item, dict)}
        return (folded_key(f"email:{value}") for value in values if isinstance(value, str) and value)

    return KeyBook(api, (KeyList(call="persons", params={}),), keys_of)


_BOOKS: Mapping[Kind, Callable[[Api], KeyBook]] = {Kind.COMPANY: company_book, Kind.CONTACT: contact_book}


def find_marked(api: Api, kind: Kind, marker: str, near: Ref) -> int | None:
    """Find the task or note with a marker among those on a deal, company or contact."""
    field = PLACES.get(near.kind)
    if field is None:
        return None  # nothing hangs on any other
    rows = _tasks(api, field, near.id) if kind is Kind.TASK else _notes(api, field, near.id)
    return next((int(row["id"]) for row, text in rows if holds(text, marker)), None)


def holds(text: str, marker: str) -> bool:
    """Tell whether HTML text holds a marker as a word of its own: `a1` is not in `a10`, nor in `a1.2` or `a1:2`."""
    return re.search(rf"(?<![\w-]){re.escape(marker)}(?![.:]?[\w-])", unescaped(text)) is not None


def _tasks(api: Api, field: str, near: str) -> Iterator[tuple[Row, str]]:
    for row in api.rows("activities", {field: near, "sort_by": "id", "sort_direction": "desc"}):
        yield row, f"{row.get('note') or ''} {row.get('subject') or ''}"


def _notes(api: Api, field: str, near: str) -> Iterator[tuple[Row, str]]:
    for row in api.rows_v1("notes", {field: near, "sort": "id DESC"}):
        yield row, str(row.get("content") or "")
