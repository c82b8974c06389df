"""Writing SOQL: literals that can't break out, and lists short enough for a URL."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from urllib.parse import quote

# A URI may have 16,384 bytes, and a URI with all headers no more than that either (REST API Developer Guide, "Status
# Codes and Error Responses"). Tokens and proxies add headers of their own, so a good part is left free.
LONGEST_QUERY = 12_000


def select(columns: Sequence[str], table: str, *, where: str = "", order: str = "", limit: int | None = None) -> str:
    """Put a statement together from its parts."""
    parts = ["SELECT", ", ".join(columns), "FROM", table]
    parts += ["WHERE", where] if where else []
    parts += ["ORDER BY", order] if order else []
    parts += ["LIMIT", str(limit)] if limit is not None else []
    return " ".join(parts)


def text(value: str) -> str:
    """Write a string literal."""
    sendable = value.encode("utf-8", "replace").decode()  # half a pair of surrogates can't be sent at all
    escaped = sendable.replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n").replace("\r", "\\r")
    return f"'{escaped}'"


def containing(value: str) -> str:
    """Write a pattern for LIKE that texts match which have a string in them."""
    return f"'%{_literally(value)}%'"


def with_any_blanks(value: str) -> str:
    """Write a pattern for LIKE that texts match which are a string, whatever stands where it has blanks.

    Nor is said what stands where it has backslashes, which would be escapes.
    """
    pattern = "%".join(map(_literally, re.split(r"[\s\\]+", value)))
    return f"'{pattern}'"


def _literally(value: str) -> str:
    return text(value)[1:-1].replace("%", chr(92) + "%").replace("_", chr(92) + "_")


def moment(value: datetime) -> str:
    """Write a dateTime literal, to the second, in UTC."""
    return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def size(statement: str) -> int:
    """Give the most bytes that a statement can take in a URL."""
    return len(quote(statement, safe=""))


def in_parts(template: str, values: Sequence[str]) -> Iterator[str]:
    """Yield statements with `{}` filled by as many of the values as fit, until all are used."""
    room = LONGEST_QUERY - size(template)
    part: list[str] = []
    used = 0
    for literal in map(text, values):
        length = size(literal + ",")
        if part and used + length > room:
            yield template.replace("{}", ",".join(part))
            part, used = [], 0
        part.append(literal)
        used += length
    if part:
        yield template.replace("{}", ",".join(part))
