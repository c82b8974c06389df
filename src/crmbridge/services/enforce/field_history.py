"""Ask CRMs what fields of deals held at moves that rules are judged by, where nobody knows and it would matter."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from msgspec import Struct

from crmbridge.engine.deals.subject import Subject
from crmbridge.engine.evaluating.doubts import Doubt, doubt
from crmbridge.engine.evaluating.evaluate import BEYOND_BOUNDS
from crmbridge.engine.sync.sameness import same
from crmbridge.errors import CrmbridgeError, RefusedError
from crmbridge.model.courses import DIFFERS, Course, Held, untold, without_repeats
from crmbridge.model.records import Record, Ref
from crmbridge.model.replacing import replace
from crmbridge.ports import TellsFieldHistory, tells_field_history
from crmbridge.services.enforce.surrounding import courses_of, reading_of
from crmbridge.services.workspace import Workspace

NOT_TOLD = "the CRM did not say"

log = logging.getLogger(__name__)


class Asked(Struct, frozen=True, kw_only=True):
    """Deals with what their CRMs told of them, and the ones that could not be asked this time."""

    subjects: Sequence[Subject]
    unheard: tuple[Ref, ...] = ()


_Told = dict[tuple[Ref, str], Course]


class _Wanted(NamedTuple):
    subject: Subject
    doubt: Doubt


def with_recorded(workspace: Workspace, subjects: Sequence[Subject], connections: Collection[str]) -> Asked:
    """Ask these connections, where they can tell, what decides rules of these deals at their moves, and keep it.

    A connection that does not answer costs nothing but its answer: its deals are judged by what is known, and are
    unheard. So are those beyond what a run may ask; those that moved last come first.
    """
    able = {name for name in connections if tells_field_history(workspace.adapter(name))} if connections else set()
    wanted: dict[str, list[_Wanted]] = {}
    now = workspace.clock.now()
    for subject in subjects if able else ():
        if subject.deal.ref.connection in able and (about := _doubt(subject, now)):
            wanted.setdefault(subject.deal.ref.connection, []).append(_Wanted(subject, about))
    told: dict[Ref, Mapping[str, Course]] = {}
    unheard: list[Ref] = []
    for name, ones in wanted.items():
        heard, left = _ask(workspace, name, ones)
        told |= heard
        unheard += left
    if told:
        subjects = [replace(s, courses=told[s.deal.ref]) if s.deal.ref in told else s for s in subjects]
    return Asked(subjects=subjects, unheard=tuple(unheard))


def _doubt(subject: Subject, now: datetime) -> Doubt | None:
    try:
        return doubt(subject, now)
    except BEYOND_BOUNDS:  # it can't be judged at all, which is a finding
        return None


def _ask(
    workspace: Workspace, connection: str, wanted: list[_Wanted]
) -> tuple[Mapping[Ref, Mapping[str, Course]], list[Ref]]:
    adapter = workspace.adapter(connection)
    if not tells_field_history(adapter):
        return {}, []
    wanted.sort(key=lambda one: one.doubt.newest, reverse=True)
    most = workspace.adapter(connection).capabilities.field_history
    asked, left = wanted[:most], [one.subject.deal.ref for one in wanted[most:]]
    workspace.progress("evaluate", f"{connection}: asking what {len(asked)} deals held when they moved")
    told, failed = _told(connection, adapter, asked)
    reading = reading_of(workspace, connection)
    heard = [one for one in asked if not failed or all((one.subject.deal.ref, f) in told for f in one.doubt.fields)]
    courses = [replace(course, reading=reading) for one in heard for course in _answers(one, told)]
    if courses:
        workspace.store.courses.save(courses)
    refs = {one.subject.deal.ref for one in heard}
    left += [one.subject.deal.ref for one in asked if one.subject.deal.ref not in refs]
    return courses_of(workspace, sorted(refs)), left


def _told(connection: str, adapter: TellsFieldHistory, asked: Sequence[_Wanted]) -> tuple[_Told, bool]:
    """Ask, and give what was told until the end or until something failed, and whether it did."""
    deals = [one.subject.deal for one in asked]
    fields: frozenset[str] = frozenset().union(*(one.doubt.fields for one in asked))
    told: _Told = {}
    try:
        for course in adapter.field_history(deals, fields, min(one.doubt.since for one in asked)):
            told[course.deal, course.field] = course
    except RefusedError as error:  # it will not do so the next time either
        return {(deal.ref, f): untold(deal, f, error.message) for deal in deals for f in fields} | told, False
    except CrmbridgeError as error:
        log.warning("%s could not be asked what deals held when they moved: %s", connection, error.message)
        return told, True
    return told, False


def _answers(one: _Wanted, told: _Told) -> Iterator[Course]:
    """Give a course for each field that a deal was asked for; what is told of others is left out."""
    deal = one.subject.deal
    for field in sorted(one.doubt.fields):
        yield _checked(deal, told.get((deal.ref, field)) or untold(deal, field, NOT_TOLD))


def _checked(deal: Record, course: Course) -> Course:
    """Give a course as it can be relied on: one that does not lead to what the deal holds has a gap somewhere."""
    if not course.held:
        return replace(course, until=deal.updated_at)
    last, now = course.held[-1], deal.fields.get(course.field)
    agrees = bool(last.problem) or same(last.value, now)
    if not agrees or course.until > deal.updated_at or list(course.held) != sorted(course.held, key=_at):
        return untold(deal, course.field, DIFFERS)
    return replace(course, held=without_repeats(course.held))


def _at(held: Held) -> datetime:
    return held.at
