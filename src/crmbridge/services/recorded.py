"""Ask CRMs what fields of deals held at moves that rules are judged by, where nobody knows and it would matter."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import NamedTuple

from crmbridge.engine.doubts import Doubt, doubt
from crmbridge.engine.evaluate import BEYOND_BOUNDS
from crmbridge.engine.subject import Subject
from crmbridge.errors import CrmbridgeError, RefusedError
from crmbridge.model.courses import DIFFERS, Course, Held, without_repeats
from crmbridge.model.records import Ref
from crmbridge.model.values import is_empty
from crmbridge.ports import TellsFieldHistory, tells_field_history
from crmbridge.services.surrounding import reading_of
from crmbridge.services.workspace import Workspace

NOT_TOLD = "the CRM did not say"

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Deals with what their CRMs told of them, and the ones that could not be asked this time."""

    subjects: list[Subject]
    unheard: tuple[Ref, ...] = ()


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
    for subject in subjects:
        if subject.deal.ref.connection in able and (about := _doubt(subject, now)):
            wanted.setdefault(subject.deal.ref.connection, []).append(_Wanted(subject, about))
    told: dict[Ref, Mapping[str, Course]] = {}
    unheard: list[Ref] = []
    for name, ones in wanted.items():
        heard, left = _ask(workspace, name, ones)
        told |= heard
        unheard += left
    return Asked(
        subjects=[replace(s, courses=told[s.deal.ref]) if s.deal.ref in told else s for s in subjects],
        unheard=tuple(unheard),
    )


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
    try:
        courses = list(_answers(adapter, asked, reading_of(workspace, connection)))
    except CrmbridgeError as error:
        log.warning("%s could not be asked what deals held when they moved: %s", connection, error.message)
        return {}, [one.subject.deal.ref for one in wanted]
    workspace.store.courses.save(courses)
    known = workspace.store.courses.of([one.subject.deal.ref for one in asked])
    return known, left


def _answers(adapter: TellsFieldHistory, asked: Sequence[_Wanted], reading: str) -> Iterator[Course]:
    """Give a course for each field that was asked for; what is told of others is left out."""
    deals = {one.subject.deal.ref: one for one in asked}
    fields = frozenset().union(*(one.doubt.fields for one in asked))
    since = min(one.doubt.since for one in asked)
    told: dict[tuple[Ref, str], Course] = {}
    try:
        for course in adapter.field_history([one.subject.deal for one in asked], fields, since):
            told[course.deal, course.field] = course
    except RefusedError as error:  # it will not do so the next time either
        told, why = {}, error.message
    else:
        why = NOT_TOLD
    for ref, one in deals.items():
        for field in sorted(one.doubt.fields):
            course = told.get((ref, field)) or _untold(one.subject, field, why)
            yield replace(_checked(one.subject, course), reading=reading)


def _checked(subject: Subject, course: Course) -> Course:
    """Give a course as it can be relied on: one that does not lead to what the deal holds has a gap somewhere."""
    if not course.held:
        return replace(course, until=subject.deal.updated_at)
    last, now = course.held[-1], subject.deal.fields.get(course.field)
    agrees = bool(last.problem) or last.value == now or (is_empty(last.value) and is_empty(now))
    if not agrees or course.until > subject.deal.updated_at or list(course.held) != sorted(course.held, key=_at):
        return _untold(subject, course.field, DIFFERS)
    return replace(course, held=without_repeats(course.held))


def _at(held: Held) -> datetime:
    return held.at


def _untold(subject: Subject, field: str, why: str) -> Course:
    return Course(deal=subject.deal.ref, field=field, until=subject.deal.updated_at, why=why)
