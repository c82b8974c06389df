"""Finding what crmbridge wrote before: a deal by its key, a task or note by its marker, never through search."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator

from crmbridge.model.records import Kind, Ref
from crmbridge_pipedrive.api import LIMIT, Api, Row, is_id
from crmbridge_pipedrive.values import FieldDefinition


def find_deal(api: Api, key_field: FieldDefinition | None, key: str) -> int | None:
    """Find the deal that carries a key; None when it is certainly not there.

    Search indexes late, by an unknown delay, so the lists are walked: newest first, because a key is looked for
    after a create whose reply was unclear, and with the key as their only custom field. The first page of 500 deals,
    for 10 tokens, usually has it. Only a deal that was never made costs the whole walk, archived deals included:
    10 tokens per 500 deals, 20 per 500 archived ones.
    """
    if key_field is None:
        return None
    for call in ("deals", "deals.archived"):
        for row in api.rows(call, _newest_first(key_field)):
            if _key(row, key_field) == key:
                return int(row["id"])
    return None


def newest_keys(api: Api, key_field: FieldDefinition) -> dict[str, int]:
    """Give the keys of the newest 500 deals with their ids, for 10 tokens."""
    rows, _ = api.page("deals", _newest_first(key_field))
    return {key: int(row["id"]) for row in rows if (key := _key(row, key_field))}


def _newest_first(key_field: FieldDefinition) -> dict[str, str | int]:
    return {"sort_by": "add_time", "sort_direction": "desc", "limit": LIMIT, "custom_fields": key_field.code}


def _key(row: Row, key_field: FieldDefinition) -> str | None:
    custom = row.get("custom_fields")
    key = custom.get(key_field.code) if isinstance(custom, dict) else None
    return key if isinstance(key, str) and is_id(row.get("id")) else None


def find_marked(api: Api, kind: Kind, marker: str, near: Ref) -> int | None:
    """Find the task or note with a marker among those on a deal or company."""
    field = "org_id" if near.kind is Kind.COMPANY else "deal_id"
    rows = _tasks(api, field, near.id) if kind is Kind.TASK else _notes(api, field, near.id)
    return next((int(row["id"]) for row, text in rows if is_id(row.get("id")) and holds(text, marker)), None)


def holds(text: str, marker: str) -> bool:
    """Tell whether HTML text holds a marker as a word of its own: `a1` is not in `a10`."""
    return re.search(rf"(?<![\w-]){re.escape(marker)}(?![\w-])", html.unescape(text)) is not None


def _tasks(api: Api, field: str, near: str) -> Iterator[tuple[Row, str]]:
    for row in api.rows("activities", {field: near, "sort_by": "id", "sort_direction": "desc"}):
        yield row, f"{row.get('note') or ''} {row.get('subject') or ''}"


def _notes(api: Api, field: str, near: str) -> Iterator[tuple[Row, str]]:
    for row in api.rows_v1("notes", {field: near, "sort": "id DESC"}):
        yield row, str(row.get("content") or "")
