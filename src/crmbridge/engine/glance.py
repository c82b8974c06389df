"""A first look at a link: which of its fields need merging. Of fifty, nearly all are as they were agreed on."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import compress, repeat
from operator import ne

from crmbridge.engine.forms import MARK, VERSION
from crmbridge.engine.merge import Policy
from crmbridge.engine.views import Viewer
from crmbridge.model.values import NOTHING_WRITTEN, Fields, Value, as_written, is_empty

_NONE = (None, NOTHING_WRITTEN)


@dataclass(frozen=True, slots=True)
class Glance:
    """What a first look needs to know: the fields that all CRMs show as they hold them, and the others."""

    alike: tuple[str, ...]
    others: frozenset[str]
    _known: frozenset[str] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Keep the names as a set as well."""
        object.__setattr__(self, "_known", frozenset(self.alike))

    @property
    def names(self) -> frozenset[str]:
        """All fields that are looked at."""
        return self._known | self.others

    def unsettled(self, deals: Iterable[Fields], bases: Sequence[Fields]) -> set[str] | None:
        """Name the fields in which these deals and bases are not all equal as they are written.

        What is equal there is what everybody holds and is known to hold, so merging it would say nothing. Values are
        not read for this. A field that is missing in a deal is empty; in a base it is one that nobody agreed on yet.
        None where a base says more than which values it has.
        """
        # Bases that are written alike are one object.
        distinct = list({id(each): each for each in map(as_written, bases)}.values())
        if any(map(_is_marked, distinct)):
            return None
        first, *others = distinct
        found = set(self.others)
        for base in distinct:
            if not base.keys() >= self._known:
                found |= self._known - base.keys()
        for one in (*others, *map(as_written, deals)):
            found.update(self._other(first, one))
        return found

    def settled(self, deals: Sequence[Fields]) -> dict[str, Value]:
        """Give the fields that all these deals hold as the same, with their values: what is empty is None."""
        first, *others = map(as_written, deals)
        differ = {name for one in others for name in self._other(first, one)}
        values = ((name, deals[0].get(name)) for name in self.alike if name not in differ)
        return {name: None if is_empty(value) else value for name, value in values}

    def _other(self, one: Fields, two: Fields) -> Iterable[str]:
        missing = repeat(NOTHING_WRITTEN)
        return compress(self.alike, map(ne, map(one.get, self.alike, missing), map(two.get, self.alike, missing)))


def glance_at(viewers: Sequence[Viewer], policy: Policy) -> Glance:
    """Give the first look at links between these connections, at the fields that are kept in step."""
    names = [frozenset(name for name in viewer.as_held if policy(name).sync) for viewer in viewers]
    alike, everything = names[0].intersection(*names), names[0].union(*names)
    return Glance(tuple(sorted(alike)), everything - alike)


def _is_marked(base: Fields) -> bool:
    marks = [name for name in base if name[0] == MARK and name != VERSION]
    return any(base[name] not in _NONE for name in marks)
