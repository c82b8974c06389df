"""How values are written in the state, whoever writes them: times, JSON, refs, and text that databases keep."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

import msgspec

from crmbridge.model.records import Kind, Ref
from crmbridge.model.values import iso

_write = msgspec.json.Encoder().encode
WIDTH: Final = len("2026-01-31T09:00:00.000000Z")
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")  # what SQLite or PostgreSQL refuse in text

json_text = json.JSONEncoder(separators=(",", ":")).encode  # compact, and ASCII whatever a CRM sends


def storable(text: str) -> str:
    """Replace what no database keeps in text by U+FFFD."""
    if text.isascii() and "\x00" not in text:  # the usual case, at a fraction of the cost
        return text
    return _UNSTORABLE.sub("\ufffd", text)


def all_storable(texts: Sequence[str]) -> Sequence[str]:
    """Do with many texts what `storable` does with one."""
    together = "".join(texts)
    usual = together.isascii() and "\x00" not in together
    return texts if usual else [storable(text) for text in texts]


def moment_text(moment: datetime) -> str:
    """Write an aware time as UTC text of one width; raises ValueError for a time without a zone."""
    text = iso(moment)
    return text if len(text) == WIDTH else f"{text[:-1]}.000000Z"


def moment_texts(moments: Sequence[datetime]) -> Sequence[str]:
    """Do with many times what `moment_text` does with one."""
    if {(type(moment), moment.tzinfo) for moment in moments} != {(datetime, UTC)}:
        return [moment_text(moment) for moment in moments]
    texts = _write(moments)[2:-2].decode().split('","')
    return [text if len(text) == WIDTH else f"{text[:-1]}.000000Z" for text in texts]


def ref_text(ref: Ref) -> str:
    """Write a ref as connection/kind/id."""
    return storable(f"{ref.connection}/{ref.kind}/{ref.id}")


def read_ref(text: str) -> Ref:
    """Read what `ref_text` wrote. A connection's name has no slash, so it reads back without doubt."""
    connection, kind, record = text.split("/", 2)
    return Ref(connection, Kind(kind), record)
