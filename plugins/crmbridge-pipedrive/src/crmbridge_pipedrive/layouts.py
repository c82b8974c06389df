"""In which order the fields of rows come: found out once for many rows, so that values can be picked by their place."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from operator import itemgetter
from typing import Any

from msgspec import Struct

from crmbridge_pipedrive.api import Row

Values = tuple[Any, ...]
Pick = Callable[[Values], Values]


class Layout(Struct, frozen=True, kw_only=True):
    """The fields of a deal row in the order in which they came, the custom ones behind the others."""

    names: Sequence[str]
    built_in: int  # so many of them are not custom

    @classmethod
    def of(cls, row: Row, custom: Row) -> Layout:
        """Note how a row is laid out."""
        return cls(names=[*row, *custom], built_in=len(row))

    def is_of(self, row: Row, custom: Row) -> bool:
        """Tell whether a row is laid out in this way."""
        return [*row, *custom] == self.names and len(row) == self.built_in

    def place(self, name: str, *, is_custom: bool) -> int:
        """Give the place of a field; one that did not come is in the place after the last."""
        names = self.names[self.built_in :] if is_custom else self.names[: self.built_in]
        before = self.built_in if is_custom else 0
        return before + names.index(name) if name in names else len(self.names)

    def counting(self, aside: Collection[str]) -> tuple[list[list[str]], Pick]:
        """Name all fields but some built-in ones, the custom ones apart, and make what picks their values in order."""
        built_in = sorted(set(self.names[: self.built_in]).difference(aside))
        custom = sorted(self.names[self.built_in :])
        places = [self.place(name, is_custom=False) for name in built_in]
        return [built_in, custom], picking([*places, *(self.place(name, is_custom=True) for name in custom)])


def values_of(row: Row, custom: Row) -> Values:
    """Give a row's values in their places, and nothing in the place after the last."""
    return (*row.values(), *custom.values(), None)


def picking(places: Sequence[int]) -> Pick:
    """Make what picks the values in some places."""
    if len(places) < 2:
        return lambda values: tuple(values[place] for place in places)
    return itemgetter(*places)
