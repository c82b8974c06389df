"""A first look at a link: which of its fields need merging. Of fifty, nearly all are as they were agreed on."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import compress
from operator import ne

import msgspec

from crmbridge.engine.sync.forms import MARK, VERSION
from crmbridge.engine.sync.merge import Policy
from crmbridge.engine.views import AROUND, OWNER, STAGE, Viewer
from crmbridge.model.cuts import Cut, Cutter, empty_as_none, may_name
from crmbridge.model.values import NOTHING_WRITTEN, Fields, as_written

_NONE = (None, NOTHING_WRITTEN)
_NOT_AGREED = msgspec.Raw(b"")  # in a base: no value is written so


class Glance:
    """The first look at the links between some connections.

    `alike` are the fields that all of them show as their CRM holds them, `others` those that some do; `translated`
    are looked at in any case. `beside` are cut out of deals as well, for others to read.
    """

    def __init__(
        self, alike: Iterable[str], others: Iterable[str], translated: Iterable[str] = (), beside: Iterable[str] = ()
    ) -> None:
        self.alike, self.others = tuple(alike), frozenset(others)
        self._places = range(len(self.alike))
        names = (*self.alike, *sorted(self.others.union(translated).difference(self.alike)))
        self._deals = Cutter((*names, *sorted(frozenset(beside).difference(names))))
        self._bases = Cutter(names, missing=_NOT_AGREED)

    def cut(self, deal: Fields) -> Cut:
        """Give what a look needs of a deal."""
        return self._deals.cut(deal)

    def bases(self, bases: Sequence[Fields]) -> list[Cut] | None:
        """Give what a look needs of bases; None where one says more than which values it has."""
        # Those that are written alike are one object.
        distinct = {id(each): each for each in bases}
        if any(map(_is_marked, distinct.values())):
            return None
        cuts = {name: self._bases.cut(each) for name, each in distinct.items()}
        return [cuts[id(each)] for each in bases]

    def unsettled(self, deals: Iterable[Cut], bases: Sequence[Cut]) -> set[str]:
        """Name the fields in which these deals and bases are not all equal as they are written.

        What is equal there is what everybody holds and is known to hold, so merging it would say nothing. Values are
        not read for this. A field that is missing in a deal is empty; in a base it is one that nobody agreed on yet.
        """
        first, *others = {id(each): each.row for each in bases}.values()
        return self._differing(first, (*others, *(deal.row for deal in deals))).union(self.others)

    def settled(self, deals: Sequence[Cut]) -> tuple[Fields, set[str]]:
        """Give the fields that all these deals hold as the same, what is empty as None, and the names of the others."""
        first, *others = (deal.row for deal in deals)
        differ = self._differing(first, others)
        held = {name: each for name, each in zip(self.alike, first, strict=False) if name not in differ}
        return empty_as_none(held), differ.union(self.others)

    def _differing(self, one: tuple[object, ...], others: Iterable[tuple[object, ...]]) -> set[str]:
        found: set[str] = set()
        for other in others:
            places = compress(self._places, map(ne, one, other))  # as many as there are fields that are alike
            found.update([self.alike[n] for n in places if not _one_number(one[n], other[n])])
        return found


def glance_at(viewers: Sequence[Viewer], policy: Policy, beside: Iterable[str] = ()) -> Glance:
    """Give the first look at links between these connections, at the fields that are kept in step."""
    names = [frozenset(name for name in viewer.as_held if policy(name).sync) for viewer in viewers]
    alike, everything = names[0].intersection(*names), names[0].union(*names)
    return Glance(sorted(alike), everything - alike, (STAGE, OWNER, *AROUND), beside)


_NUMBER = re.compile(rb'\{"(?:decimal|money)":\[?"(-?[0-9]+)(?:\.([0-9]*?)0*)?"(?:,("[^"\\]*")\])?\}').fullmatch


def _one_number(this: object, that: object) -> bool:
    """Tell whether two values are written as one number, or amount, with more or fewer zeros at its end."""
    if type(this) is not msgspec.Raw or type(that) is not msgspec.Raw:
        return False
    one, other = _NUMBER(this), _NUMBER(that)
    return one is not None and other is not None and one.groups(b"") == other.groups(b"")


def _is_marked(base: Fields) -> bool:
    if not may_name(base, MARK):
        return False
    held = as_written(base)
    marks = [name for name in held if name[0] == MARK and name != VERSION]
    return any(held[name] not in _NONE for name in marks)
