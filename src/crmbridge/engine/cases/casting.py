"""Make a deal with its history of a case that was written down, ready to be held against the process."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial

from msgspec import Struct

from crmbridge.engine.cases.case_values import moment_of, now_of, value_of
from crmbridge.engine.deals.activities import counted
from crmbridge.engine.deals.subject import Subject
from crmbridge.engine.issues import Issue, Path, issue, unknown
from crmbridge.engine.mapping import LOST, WON, stage_mapper
from crmbridge.engine.rules.case import Beside
from crmbridge.engine.rules.rule_fields import deal_fields
from crmbridge.engine.time.calendars import CompiledCalendar
from crmbridge.model.cases import CaseDeal, CaseMove, CaseValue, ProcessCase, When
from crmbridge.model.files import extension
from crmbridge.model.process import Process
from crmbridge.model.records import Kind, Move, Position, Record, Ref, Status
from crmbridge.model.values import FieldType, Value
from crmbridge.settings import Settings, StageMap

CONNECTION = "case"
OWNER = "owner"  # the id of the deal's owner
_PIPELINE = "process"
_YOUNG = timedelta(minutes=1)  # how old a deal is whose case does not say since when it is there


class Cast(Struct, frozen=True, kw_only=True):
    """A case's deal with everything that it is evaluated against, and the moment at which that is done."""

    subject: Subject
    now: datetime


def cast_case(
    case: ProcessCase, process: Process, settings: Settings, calendars: Mapping[str, CompiledCalendar]
) -> Cast:
    """Make the deal of a case in a CRM whose stages are those of the process. `case_issues` must have found nothing."""
    reader = _Reader(case, process, calendars)
    moves = reader.moves()
    deal = reader.deal(moves)
    activities = reader.activities()
    return Cast(
        subject=Subject(
            deal=deal if activities is None else counted(deal, activities),
            moves=moves,
            activities=activities,
            beside=reader.beside(moves),
            process=process,
            settings=settings,
            calendars=calendars,
            mapper=stage_mapper(CONNECTION, process, _stages(process)),
        ),
        now=reader.now,
    )


def case_issues(
    at: Path, case: ProcessCase, process: Process, calendars: Mapping[str, CompiledCalendar], rules: Sequence[str]
) -> Iterator[Issue]:
    """Find what in a case does not fit the process: stages, fields, values, moments and rules."""
    reader = _Reader(case, process, calendars)
    yield from unknown("stage", _stages_named(at, case.deal), (*(s.id for s in process.stages), WON, LOST))
    types = deal_fields(process)
    named = [((*at, "deal", "fields", name), name) for name in case.deal.fields]
    yield from unknown("field", named, types, at_key=True)
    yield from unknown("rule", _rules_named(at, case), (*rules, "unreadable"))
    yield from reader.faults(at)


def _stages(process: Process) -> StageMap:
    ids = {stage.id: stage.id for stage in process.stages}
    return StageMap.model_validate({"pipeline": _PIPELINE, "map": {WON: "_won", **ids, LOST: "_lost"}})


def _stages_named(at: Path, deal: CaseDeal) -> Iterator[tuple[Path, str]]:
    if deal.stage is not None:
        yield (*at, "deal", "stage"), deal.stage
    yield from (((*at, "deal", "moves", i, "to"), move.to) for i, move in enumerate(deal.moves))


def _rules_named(at: Path, case: ProcessCase) -> Iterator[tuple[Path, str]]:
    expect, here = case.expect, (*at, "expect")
    yield from (((*here, "findings", i), rule) for i, rule in enumerate(expect.findings or ()))
    yield from (((*here, "not", i), rule) for i, rule in enumerate(expect.none_of or ()) if "*" not in rule)
    yield from (((*here, "sla", rule), rule) for rule in expect.sla)
    yield from (((*here, "rules", rule), rule) for rule in expect.rules)


class _Reader:
    """Reads one case: moments count from its `now`, business time in the calendar of the deal's stage."""

    def __init__(self, case: ProcessCase, process: Process, calendars: Mapping[str, CompiledCalendar]) -> None:
        self._case, self._process = case, process
        self._calendar = _calendar(case.deal, process, calendars)
        self.now = now_of(case.now, self._calendar)

    def moves(self) -> tuple[Move, ...]:
        """Give the deal's history, its creation first."""
        written = self._case.deal.moves or (self._only_move(),)
        deal = Ref(CONNECTION, Kind.DEAL, "1")
        befores = [None, *(self._position(move.to) for move in written)]
        return tuple(
            Move(
                deal=deal,
                id=f"{number:06}",
                at=self._moment(move.at),
                before=before,
                after=self._position(move.to),
                by=move.by,
            )
            for number, (before, move) in enumerate(zip(befores, written, strict=False))
        )

    def deal(self, moves: Sequence[Move]) -> Record:
        """Give the deal as it stands after its moves."""
        written = self._case.deal
        types = deal_fields(self._process)
        fields: dict[str, Value] = {name: self._value(value, types[name]) for name, value in written.fields.items()}
        return Record(
            ref=moves[0].deal,
            fields={"name": self._case.case, **self._names(), **fields},
            version="1",
            created_at=moves[0].at,
            updated_at=moves[-1].at,
            position=moves[-1].after,
        )

    def _names(self) -> dict[str, Value]:
        """Give the fields that name what the case says beside the deal: its owner, company and contacts."""
        written = self._case.deal
        named: dict[str, Value] = {"owner": OWNER} if written.owner else {}
        named |= {"company": "1"} if written.company is not None else {}
        contacts = tuple(str(number) for number in range(1, len(written.contacts or ()) + 1))
        return named | ({"contacts": contacts} if written.contacts is not None else {})

    def activities(self) -> tuple[Record, ...] | None:
        """Give the deal's activities; None where the case says nothing of them."""
        written = self._case.deal.activities
        if written is None:
            return None
        return tuple(
            self._record(
                Kind.ACTIVITY,
                str(number),
                {
                    "type": activity.type,
                    "subject": activity.subject,
                    "done": activity.done,
                    "at": self._moment(activity.at),
                    "deals": ("1",),
                },
                at=min(self._moment(activity.at), self.now),
            )
            for number, activity in enumerate(written, start=1)
        )

    def files(self) -> tuple[Record, ...] | None:
        """Give the files on the deal; None where the case says nothing of them."""
        written = self._case.deal.files
        if written is None:
            return None
        return tuple(self._file(str(number), one.name, self._moment(one.at)) for number, one in enumerate(written, 1))

    def _file(self, id_: str, name: str, at: datetime) -> Record:
        fields: dict[str, Value] = {"name": name, "type": extension(name), "at": at, "deals": ("1",)}
        return self._record(Kind.FILE, id_, fields, at=min(at, self.now))

    def beside(self, moves: Sequence[Move]) -> Beside:
        """Give the people, the company and the files that the case speaks of."""
        written = self._case.deal
        company = [written.company] if written.company is not None else None
        addresses = {written.owner: OWNER} if written.owner else {}
        addresses = {**{move.by: move.by for move in moves if move.by}, **addresses}
        users = tuple(
            self._record(Kind.USER, id_, {"name": address, "email": address, "active": True})
            for address, id_ in addresses.items()
        )
        return Beside(
            files=self.files(),
            companies=self._people(Kind.COMPANY, company),
            contacts=self._people(Kind.CONTACT, written.contacts),
            users=users or None,
        )

    def _people(self, kind: Kind, written: Sequence[Mapping[str, CaseValue]] | None) -> tuple[Record, ...] | None:
        if written is None:
            return None
        return tuple(
            self._record(kind, str(number), {name: self._value(value, FieldType.TEXT) for name, value in one.items()})
            for number, one in enumerate(written, start=1)
        )

    def faults(self, at: Path) -> Iterator[Issue]:
        """Find moments and values that can't be what they must be."""
        deal, here = self._case.deal, (*at, "deal")
        types = deal_fields(self._process)
        moments = [((*here, "entered"), deal.entered)] if deal.entered else []
        moments += [((*here, "moves", i, "at"), move.at) for i, move in enumerate(deal.moves)]
        moments += [((*here, "activities", i, "at"), one.at) for i, one in enumerate(deal.activities or ())]
        moments += [((*here, "files", i, "at"), one.at) for i, one in enumerate(deal.files or ())]
        for path, when in moments:
            yield from _fault(path, partial(self._moment, when))
        for name, written in deal.fields.items():
            if name in types:
                yield from _fault((*here, "fields", name), partial(self._value, written, types[name]))

    def _only_move(self) -> CaseMove:
        deal = self._case.deal
        entered = deal.entered or When(fixed=self.now - _YOUNG)
        return CaseMove(to=deal.stage or "", at=entered)

    def _position(self, place: str) -> Position:
        stage = self._process.stage(place)
        status = {WON: Status.WON, LOST: Status.LOST}.get(place, Status(stage.status) if stage else Status.OPEN)
        won = self._process.won_stage
        native = won.id if place == WON and won else f"_{place}" if stage is None else place
        return Position(_PIPELINE, native, status)

    def _record(self, kind: Kind, id_: str, fields: Mapping[str, Value], *, at: datetime | None = None) -> Record:
        made = at or self.now
        return Record(ref=Ref(CONNECTION, kind, id_), fields=fields, version="1", created_at=made, updated_at=made)

    def _moment(self, when: When) -> datetime:
        return moment_of(when, self.now, self._calendar)

    def _value(self, written: CaseValue, kind: FieldType) -> Value:
        return value_of(written, kind, self.now, self._calendar)


def _fault(path: Path, read: Callable[[], object]) -> Iterator[Issue]:
    try:
        read()
    except ValueError as error:
        yield issue(path, "wrong-case", str(error))


def _calendar(deal: CaseDeal, process: Process, calendars: Mapping[str, CompiledCalendar]) -> CompiledCalendar | None:
    """Give the calendar that a case counts in: that of its stage's SLA, else the first one of the process."""
    stage = process.stage(deal.moves[-1].to if deal.moves else deal.stage or "")
    named = stage.sla.calendar if stage and stage.sla else next(iter(process.calendars), None)
    return calendars.get(named) if named else None
