"""Rows of a state as an earlier crmbridge left them, and what is to be read of them today."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from decimal import Decimal
from typing import Any, Final

from crmbridge.model.records import Kind, Ref
from crmbridge.model.values import Money, Value
from crmbridge.testing.stores.makers import START, make_ref

# Before schema 0003 a base was one row for each field: connection, kind, id, field, value.
BEFORE_BASES: Final = (
    ("", "deal", "L1", "amount", '{"money":["10.50","EUR"]}'),
    ("hs", "deal", "1", "amount", '{"money":["10.50","EUR"]}'),
    ("hs", "deal", "1", "close_date", '{"date":"2026-03-31"}'),
    ("hs", "deal", "1", "contacts", '{"set":["a","b"]}'),
    ("hs", "deal", "1", "name", '"half \\ud83d, \\u0000 and \\u4ea4\\u6613"'),
    ("hs", "deal", "1", 'na"me', '"quoted"'),
    ("hs", "deal", "1", "seats", "12345678901234567890123"),
    ("hs", "deal", "1", "share", '{"decimal":"1.0"}'),
    ("hs", "deal", "1", "since", '{"datetime":"2026-01-05T08:00:00Z"}'),
    ("hs", "deal", "1", "source", "null"),
    ("hs", "deal", "1", "won", "true"),
    ("hs", "company", "1", "name", '"Acme"'),
    ("sf", "deal", "1", "name", '""'),
)
NOW_BASES: Final[dict[Ref, dict[str, Value]]] = {
    Ref("", Kind.DEAL, "L1"): {"amount": Money(Decimal("10.50"), "EUR")},
    make_ref(): {
        "amount": Money(Decimal("10.50"), "EUR"),
        "close_date": date(2026, 3, 31),
        "contacts": ("a", "b"),
        "name": "half \ud83d, \x00 and 交易",
        'na"me': "quoted",
        "seats": 12345678901234567890123,
        "share": Decimal("1.0"),
        "since": START,
        "source": None,
        "won": True,
    },
    make_ref(kind=Kind.COMPANY): {"name": "Acme"},
    make_ref("1", "sf"): {"name": ""},
}

_SEEN = "2026-01-05T08:00:00.000000Z"
_RECORD = (
    "INSERT INTO records (connection, kind, id, version, updated_at, status, pipeline, stage, fields, problems, "
    "gone_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, '[]', ?)"
)


def fill_as_before(insert: Callable[[str, tuple[Any, ...]], object]) -> None:
    """Fill a state of schema 0002: two deals, one that is gone, a link of two deals, and bases.

    `insert` runs one statement whose values stand as question marks.
    """
    for id_, gone_at in (("1", None), ("2", None), ("3", _SEEN)):
        position = ("open", "default", "qualified")
        insert(_RECORD, ("hs", "deal", id_, "v1", _SEEN, *position, f'{{"name":"Deal {id_}"}}', gone_at))
    for connection in ("hs", "sf"):
        insert("INSERT INTO links (connection, kind, id, link) VALUES (?, 'deal', '1', 'L1')", (connection,))
    for row in BEFORE_BASES:
        insert("INSERT INTO bases (connection, kind, id, field, value) VALUES (?, ?, ?, ?, ?)", row)
