"""What a deal's fields held at an earlier moment: as its CRM recorded it, else as far as it was seen."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import datetime

from crmbridge.engine.deals.activities import tally
from crmbridge.engine.deals.subject import Subject
from crmbridge.engine.expr.runtime import choices
from crmbridge.engine.rules.activities import known_then
from crmbridge.model.courses import Held
from crmbridge.model.edits import COUNTED, STAGE
from crmbridge.model.records import Edit
from crmbridge.model.values import Fields, Value, is_empty


def fields_at(subject: Subject, moment: datetime) -> Fields:
    """Give a deal's fields as they were at a moment, as well as it is known: `is_known` says of which that is so.

    Of an edit that was made at some time since the copy before, the value before counts until the copy that shows it.
    Counts of activities are counted anew, where activities were pulled. What the CRM recorded itself comes first: it
    stands in for the edits that were seen meanwhile.
    """
    fields = dict(subject.deal.fields)
    for edit in reversed(in_time(subject.edits)):
        if edit.at <= moment:
            break
        if edit.field != STAGE:
            fields[edit.field] = edit.before
    for name, course in subject.courses.items():
        held = course.at(moment)
        if held is not None and not held.problem:
            fields[name] = held.value
    if subject.activities is not None:
        fields |= tally(known_then(subject.activities, moment)).fields
    return fields


def is_known(subject: Subject, names: Collection[str], moment: datetime) -> bool:
    """Tell whether it is known what all of these fields held at a moment, and not only what they hold now."""
    counted = COUNTED.intersection(names)
    if counted and subject.activities is None:
        return False
    own = frozenset(name for name in names if name not in counted and recorded(subject, name, moment) is None)
    between = any(edit.since < moment < edit.at for edit in subject.edits if edit.field in own)
    return not own or (moment >= seen_since(subject) and not between)


def recorded(subject: Subject, name: str, moment: datetime) -> Held | None:
    """Give what the CRM recorded of a field at a moment; None where it did not, or where that can't be read."""
    course = subject.courses.get(name)
    held = course.at(moment) if course else None
    return None if held is None or held.problem else held


def last_seen(subject: Subject, moment: datetime) -> datetime | None:
    """Give the last time up to a moment at which it was seen what the deal's fields held."""
    seen = [subject.deal.updated_at, *(at for edit in subject.edits for at in (edit.since, edit.at))]
    return max((at for at in seen if at <= moment), default=None)


def untold_of(subject: Subject, name: str, moment: datetime) -> str:
    """Say why the CRM's record does not tell what a field held at a moment; nothing where it does, or was not asked."""
    course = subject.courses.get(name)
    if course is None or course.asked_until < moment:
        return ""
    held = course.at(moment)
    if held is None:
        return course.why or "its record does not go back so far"
    return held.problem


def seen_since(subject: Subject) -> datetime:
    """Give the moment since which the deal's fields are known without a gap."""
    return min([subject.deal.updated_at, *(edit.since for edit in subject.edits)])


def intervals(subject: Subject, field: str, values: Iterable[str]) -> tuple[tuple[datetime, datetime | None], ...]:
    """Say from when until when a field held one of some values, oldest first; the last one may go on (None).

    It begins no earlier than the field is known. A moment at which both would hold belongs to the later value.
    """
    wanted = frozenset(values)
    found: list[tuple[datetime, datetime | None]] = []
    start: datetime | None = None
    for at, value in values_of(subject, field):
        holds = not is_empty(value) and not wanted.isdisjoint(choices(value))
        if holds and start is None:
            start = at
        elif not holds and start is not None:
            found += [(start, at)] if at > start else []
            start = None
    return (*found, (start, None)) if start is not None else tuple(found)


def in_time(edits: Iterable[Edit]) -> Sequence[Edit]:
    """Sort edits oldest first; those of one moment stay in the order in which they were seen."""
    return sorted(edits, key=lambda edit: edit.at)


def values_of(subject: Subject, field: str) -> Iterator[tuple[datetime, Value]]:
    """Give the values of a field with the moments since which they held, as far as it was seen, oldest first."""
    edits = [edit for edit in in_time(subject.edits) if edit.field == field]
    yield seen_since(subject), edits[0].before if edits else subject.deal.fields.get(field)
    for edit in edits:
        yield edit.at, edit.after
