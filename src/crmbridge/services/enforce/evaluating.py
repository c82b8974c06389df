"""Evaluate: hold deals against the process and remember what it says. It costs what changed or fell due."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime
from functools import lru_cache, partial

from msgspec import Struct, field

from crmbridge.engine.acting.actions import Acts, acts_for
from crmbridge.engine.acting.bindings import binding_for
from crmbridge.engine.acting.tasks import endings
from crmbridge.engine.deals.subject import Subject
from crmbridge.engine.evaluating.evaluate import BEYOND_BOUNDS, evaluate, unjudged
from crmbridge.engine.sync.matching import lead
from crmbridge.engine.time.calendars import CompiledCalendar, compile_calendar
from crmbridge.model.business_time import Calendar
from crmbridge.model.changes import Blocked, Change
from crmbridge.model.findings import Evaluation
from crmbridge.model.process import Process
from crmbridge.model.records import Kind, Record, Ref
from crmbridge.model.replacing import replace
from crmbridge.services.bulk import made_for_bulk
from crmbridge.services.chunks import chunks
from crmbridge.services.enforce.awaiting import Awaiting, Judged, awaiting, reader_of
from crmbridge.services.enforce.field_history import with_recorded
from crmbridge.services.enforce.followed_moves import followed
from crmbridge.services.enforce.holidays import public_holidays
from crmbridge.services.enforce.recalling import NOTHING_PAST, Recall
from crmbridge.services.enforce.surrounding import Hanging, indexed, scanned, since_indexed, surrounded
from crmbridge.services.workspace import Workspace

OLDEST_YEARS = 6  # calendars know the holidays of this many years back; older visits count every working day
Say = Callable[[Subject, datetime], Evaluation]
AT_ONCE = 2_000  # deals that are judged and saved together


class Evaluated(Struct, frozen=True, kw_only=True):
    """One deal's evaluation, with what the bindings ask for; `bound` has the action of each finding's binding."""

    deal: Record
    evaluation: Evaluation
    changes: tuple[Change, ...]
    blocked: tuple[Blocked, ...] = ()
    bound: Mapping[str, str] = field(default_factory=dict)


@made_for_bulk()
def judge_pending(workspace: Workspace, told_by: Collection[str] = (), waiting: Awaiting | None = None) -> Judged:
    """Evaluate every deal that changed, or whose evaluation was good until now, and save what that says.

    Linked deals are evaluated once, by the deal that leads them. `dealt` must be called with what is made of it.
    `told_by` names the connections that may be asked what their deals held at moves which are in doubt. `waiting` has
    the deals that wait, where that was asked already.
    """
    waiting = waiting or awaiting(workspace)
    calendars = compile_calendars(workspace)
    recall = Recall.of(workspace)
    count = 0
    changes: list[Change] = []
    blocked: list[Blocked] = []
    unheard: list[Ref] = []
    done: set[Ref] = set()
    for part in chunks(waiting.deals, AT_ONCE):
        records, others = leads(workspace, [deal for deal in part if deal not in done])
        if others:  # a link is looked at once, with whichever of its deals comes first
            done |= (records.keys() | others).difference(part)
        for past in recall.left_behind(others):
            changes += endings(past, (), workspace.clock.now())
        asked = with_recorded(workspace, list(surrounded(workspace, records.values(), calendars, indexed)), told_by)
        unheard += asked.unheard
        for one in _judge_and_save(workspace, recall, asked.subjects, others):
            count += 1
            changes += one.changes
            blocked += one.blocked
        workspace.progress("evaluate", f"{count} deals")
    return Judged(
        deals=count,
        changes=tuple(changes),
        blocked=tuple(blocked),
        unheard=tuple(unheard),
        reader=waiting.reader,
        mark=waiting.mark,
    )


def _judge_and_save(
    workspace: Workspace, recall: Recall, subjects: Sequence[Subject], others: Collection[Ref]
) -> list[Evaluated]:
    """Evaluate deals that lead; save it, and forget the ones linked to them."""
    now = workspace.clock.now()
    judged = _evaluated(recall, subjects, now)
    workspace.store.findings.save([one.evaluation for one in judged], now)
    workspace.store.findings.forget(others, now)
    return judged


def leads(workspace: Workspace, deals: Collection[Ref]) -> tuple[dict[Ref, Record], set[Ref]]:
    """Give the deals that are evaluated: linked ones by the deal that leads them; and the ones that are not."""
    links = workspace.store.links
    link_of = links.of(deals)
    members = links.get(set(link_of.values())) if link_of else {}
    able = workspace.project.settings.stages.keys() & set(workspace.connections)
    single = [ref for ref in deals if ref not in link_of] if link_of else deals
    leading = workspace.store.records.get([ref for ref in single if ref.connection in able])
    groups = [_ranked(able, link, together) for link, together in members.items()]
    while groups := [group for group in groups if group]:  # the others are loaded only where the first is gone
        found = workspace.store.records.get(sorted(group[0] for group in groups))
        leading |= found
        groups = [group[1:] for group in groups if group[0] not in found]
    elsewhere = {ref for ref, deal in leading.items() if is_elsewhere(workspace, deal)} if members else set()
    for link, together in members.items() if elsewhere else ():
        for ref in elsewhere.intersection(together):
            records = workspace.store.records.get([each for each in together if each.connection in able])
            inside = lead(link, [each for each, deal in records.items() if not is_elsewhere(workspace, deal)])
            if inside is not None:
                del leading[ref]
                leading[inside] = records[inside]
    others = {ref for together in (deals, *members.values()) for ref in together if ref not in leading}
    return {ref: leading[ref] for ref in sorted(leading)}, others


def is_elsewhere(workspace: Workspace, deal: Record) -> bool:
    """Tell whether a deal is open in another pipeline than the process's; one that is linked with it leads then."""
    mapper = workspace.mapper(deal.ref.connection)
    return mapper.is_beside(deal.position) and not mapper.covers(deal.position)


def _ranked(able: Collection[str], link: str, together: Iterable[Ref]) -> list[Ref]:
    """Put those of these linked deals that can be evaluated in the order in which they would lead."""
    known = [ref for ref in together if ref.connection in able]
    first = lead(link, known)
    return known if first is None else [first, *(ref for ref in known if ref != first)]


def evaluate_all(workspace: Workspace) -> tuple[Evaluated, ...]:
    """Evaluate every deal once: linked ones by the deal that leads them. Nothing is saved or written."""
    calendars = compile_calendars(workspace)
    refs = [deal.ref for name in workspace.connections for deal in workspace.store.records.records(name, Kind.DEAL)]
    records, _ = leads(workspace, refs)
    hanging = scanned(workspace)
    subjects = [
        subject for part in chunks(records.values()) for subject in surrounded(workspace, part, calendars, hanging)
    ]
    return tuple(_evaluated(Recall.of(workspace), subjects, workspace.clock.now()))


def compile_calendars(workspace: Workspace) -> dict[str, CompiledCalendar]:
    """Compile the process's calendars, with the public holidays of the years that matter."""
    year = workspace.clock.now().year
    return compile_for(workspace.project.process, range(year, year + 1))


def compile_for(process: Process, years: range) -> dict[str, CompiledCalendar]:
    """Compile a process's calendars for looking at deals within these years."""
    known = range(years.start - OLDEST_YEARS, years.stop + 1)
    return {name: _compiled(calendar, known) for name, calendar in process.calendars.items()}


@lru_cache(maxsize=64)  # what it works out when it is asked serves all deals of a process
def _compiled(calendar: Calendar, years: range) -> CompiledCalendar:
    return compile_calendar(calendar, public_holidays(calendar, years))


def subject_of(workspace: Workspace, deal: Record) -> Subject:
    """Give a single deal with everything that it is evaluated against."""
    (subject,) = surrounded(workspace, [deal], compile_calendars(workspace), looked_up(workspace))
    return subject


def looked_up(workspace: Workspace) -> Hanging:
    """Find what hangs on deals for somebody who only looks, and may not bring the index up to date."""
    reader = reader_of(workspace)
    if reader not in workspace.store.backlog.readers():  # what the index has was made for another process
        return scanned(workspace)
    _, changed = workspace.store.backlog.pending(reader)
    return since_indexed(workspace, frozenset(changed))


def _evaluated(recall: Recall, subjects: Sequence[Subject], now: datetime, say: Say = evaluate) -> list[Evaluated]:
    """Evaluate deals, and say what is to be done about what that finds.

    A deal that can't be calculated with, because of a date or a number beyond all bounds, ends no run. It is found by
    halves, which costs nothing where there is none.
    """
    try:
        return [
            _with_acts(subject, evaluation, acts_for(subject, evaluation, past, now))
            if past is not NOTHING_PAST
            else Evaluated(deal=subject.deal, evaluation=evaluation, changes=())  # nothing is found, or ever was
            for subject, evaluation, past in recall.aged(_said(recall.workspace, subjects, now, say))
        ]
    except BEYOND_BOUNDS as error:
        if half := len(subjects) // 2:
            return [*_evaluated(recall, subjects[:half], now), *_evaluated(recall, subjects[half:], now)]
        (subject,) = subjects
        if say is evaluate:
            return _evaluated(recall, subjects, now, partial(unjudged, why=error))
        return [Evaluated(deal=subject.deal, evaluation=unjudged(subject, now, error), changes=())]


def _said(
    workspace: Workspace, subjects: Sequence[Subject], now: datetime, say: Say
) -> list[tuple[Subject, Evaluation]]:
    """Evaluate deals; what sync made of other ones' moves is no move of theirs."""
    said = [(subject, say(subject, now)) for subject in subjects]
    follow = followed(workspace, said)
    again = (replace(subject, follows=True) for subject, _ in said if subject.deal.ref in follow)
    anew = {subject.deal.ref: (subject, say(subject, now)) for subject in again}
    return [anew.get(subject.deal.ref, (subject, evaluation)) for subject, evaluation in said] if anew else said


def _with_acts(subject: Subject, evaluation: Evaluation, acts: Acts) -> Evaluated:
    bindings = {found.id: binding_for(subject, found, evaluation.at) for found in evaluation.findings}
    return Evaluated(
        deal=subject.deal,
        evaluation=evaluation,
        changes=acts.changes,
        blocked=acts.blocked,
        bound={finding: binding.action for finding, binding in bindings.items() if binding},
    )


def evaluate_one(workspace: Workspace, deal: Record) -> Evaluated:
    """Evaluate a single deal in the same way as all of them are."""
    return evaluate_at(workspace, subject_of(workspace, deal), workspace.clock.now())


def evaluate_at(workspace: Workspace, subject: Subject, at: datetime) -> Evaluated:
    """Evaluate a deal as it is, or was, at a moment, with what had been accepted of it by then."""
    recall = Recall(workspace, workspace.store.waivers.at(at))
    (one,) = _evaluated(recall, [subject], at)
    return one
