"""What a file's name says of it."""

from __future__ import annotations

LONGEST_EXTENSION = 16  # characters; what follows the last dot of a sentence is none


def extension(name: str) -> str | None:
    """Give the extension of a file's name in small letters, such as pdf; None where it has none."""
    stem, dot, end = name.strip().rpartition(".")
    return end.lower() if stem and dot and end.isalnum() and len(end) <= LONGEST_EXTENSION else None


def with_extension(name: str, ending: str) -> str:
    """Give a file's name as people see it, for a CRM that keeps the extension apart from it."""
    name, ending = name.strip(), ending.strip().removeprefix(".")
    return name if not name or not ending or name.casefold().endswith(f".{ending.casefold()}") else f"{name}.{ending}"
