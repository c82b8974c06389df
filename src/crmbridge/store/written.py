"""How text, times, JSON and refs are written in the tables of the state."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final, TypeVar

import msgspec
from sqlalchemy import Text
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator

from crmbridge.model.records import Kind, Ref
from crmbridge.model.values import iso

T = TypeVar("T")

WIDTH: Final = len("2026-01-31T09:00:00.000000Z")
_write = msgspec.json.Encoder().encode
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")  # what SQLite or PostgreSQL refuse in text


class Ordered(TypeDecorator[T]):
    """Something that is kept as text, in code point order."""

    impl = Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> Any:
        """Ask PostgreSQL for code point order; SQLite and Python have it anyway."""
        return Text(collation="C") if dialect.name == "postgresql" else self.impl_instance


class Words(Ordered[str]):
    """Text. A NUL or half a surrogate pair, which no database keeps, becomes U+FFFD."""

    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:  # noqa: ARG002  the base's signature
        """Make text storable."""
        return value if value is None else storable(value)


class Moment(Ordered[datetime]):
    """A time as UTC text of one width, so that text order is time order: 2026-01-31T09:00:00.000000Z."""

    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> str | None:  # noqa: ARG002  the base's signature
        """Write an aware time."""
        return None if value is None else moment_text(value)

    def process_result_value(self, value: Any | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002  the base's signature
        """Read an aware time in UTC."""
        return None if value is None else datetime.fromisoformat(value)


class Json(Ordered[Any]):
    """Plain JSON as ASCII text, which can hold any string that a CRM sends."""

    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> str:  # noqa: ARG002  the base's signature
        """Write compact JSON; None is JSON's null."""
        return json_text(value)

    def process_result_value(self, value: Any | None, dialect: Dialect) -> Any:  # noqa: ARG002  the base's signature
        """Read JSON."""
        return None if value is None else json.loads(value)


class RefText(Ordered[Ref]):
    """A ref as connection/kind/id. A connection's name has no slash, so it reads back without doubt."""

    cache_ok = True

    def process_bind_param(self, value: Ref | None, dialect: Dialect) -> str | None:
        """Write a ref."""
        text = None if value is None else f"{value.connection}/{value.kind}/{value.id}"
        return Words().process_bind_param(text, dialect)

    def process_result_value(self, value: Any | None, dialect: Dialect) -> Ref | None:  # noqa: ARG002  the base's signature
        """Read a ref."""
        if value is None:
            return None
        connection, kind, record = value.split("/", 2)
        return Ref(connection, Kind(kind), record)


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
