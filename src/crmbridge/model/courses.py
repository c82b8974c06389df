"""What a field of a deal held over time, as its CRM recorded it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

from msgspec import Struct

from crmbridge.model.records import Record, Ref
from crmbridge.model.replacing import replace
from crmbridge.model.values import Value

DIFFERS = "what the CRM recorded does not lead to what the deal holds"  # there is a gap, or it was edited meanwhile


class Held(NamedTuple):
    """A value that a field held from a moment on. With a `problem` it can't be read, for that reason."""

    at: datetime
    value: Value
    by: str | None = None  # the CRM's id of the user who set it, where the CRM says
    problem: str = ""


class Course(Struct, frozen=True, kw_only=True):
    """What one field of one deal held from the first of `held` until a moment: all of it, without a gap.

    A CRM that can't tell gives nothing held, and `why` in words for people. `asked` is up to when it was asked, where
    that is later than what is known; `reading` is how the connection read its fields then.
    """

    deal: Ref
    field: str
    until: datetime
    held: tuple[Held, ...] = ()  # oldest first
    why: str = ""
    asked: datetime | None = None
    reading: str = ""

    @property
    def asked_until(self) -> datetime:
        """Up to when the CRM was asked."""
        return self.asked or self.until

    def at(self, moment: datetime) -> Held | None:
        """Give what was held at a moment; None before the course begins and after it ends."""
        if not self.held or not self.held[0].at <= moment <= self.until:
            return None
        return [one for one in self.held if one.at <= moment][-1]


def untold(deal: Record, field: str, why: str) -> Course:
    """Say that the CRM can't tell what a field held, and why."""
    return Course(deal=deal.ref, field=field, until=deal.updated_at, why=why)


def joined(known: Course, fresh: Course) -> Course:
    """Give what is known after a field's course was read once more: the same change, read twice, is one.

    What is known of earlier stays where the two meet, and where the CRM can't tell any more.
    """
    if known.reading != fresh.reading or fresh.asked_until < known.asked_until:
        return fresh if known.reading != fresh.reading else known
    if not fresh.held:
        return replace(known, why=fresh.why, asked=fresh.asked_until) if known.held else fresh
    begins = fresh.held[0].at
    if not known.held or known.until < begins:
        return fresh
    return replace(fresh, held=without_repeats([*(one for one in known.held if one.at < begins), *fresh.held]))


def without_repeats(held: Iterable[Held]) -> tuple[Held, ...]:
    """Leave out what only says again what was held before it."""
    found: list[Held] = []
    for one in held:
        if not found or (one.value, one.problem) != (found[-1].value, found[-1].problem):
            found.append(one)
    return tuple(found)
