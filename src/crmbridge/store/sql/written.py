"""How text, times, JSON and refs are written in the tables of the state."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any, TypeVar

from sqlalchemy import Text
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator

from crmbridge.model.records import Ref
from crmbridge.store.texts import json_text, moment_text, read_ref, ref_text, storable

T = TypeVar("T")


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
    """A ref as connection/kind/id."""

    cache_ok = True

    def process_bind_param(self, value: Ref | None, dialect: Dialect) -> str | None:  # noqa: ARG002  the base's signature
        """Write a ref."""
        return None if value is None else ref_text(value)

    def process_result_value(self, value: Any | None, dialect: Dialect) -> Ref | None:  # noqa: ARG002  the base's signature
        """Read a ref."""
        return None if value is None else read_ref(value)
