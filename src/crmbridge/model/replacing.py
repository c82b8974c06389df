"""A value as another one, but for some of its fields."""

from __future__ import annotations

from typing import TYPE_CHECKING

# Both do the same. With the one of `dataclasses`, a type checker knows the names and types of a value's fields.
if TYPE_CHECKING:
    from dataclasses import replace
else:
    from msgspec.structs import replace

__all__ = ["replace"]
