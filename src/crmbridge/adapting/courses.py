"""Courses of fields from what a CRM recorded: cut to what was asked for, and a plain no where it can't tell."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from crmbridge.model.courses import Course, Held, untold
from crmbridge.model.records import Record


def course_of(deal: Record, field: str, held: Iterable[Held], since: datetime) -> Course:
    """Make a course of all that is recorded without a gap, oldest first, until the deal was last changed.

    It begins with the value that held at `since`. Of two in one instant the later one given counts.
    """
    known = [one for one in sorted(held, key=lambda one: one.at) if one.at <= deal.updated_at]
    if not known:
        return untold(deal, field, "the CRM has no record of that time")
    before = [one for one in known if one.at <= since]
    return Course(
        deal=deal.ref,
        field=field,
        until=deal.updated_at,
        held=(*before[-1:], *(one for one in known if one.at > since)),
    )
