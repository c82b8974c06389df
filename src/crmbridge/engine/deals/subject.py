"""What is evaluated: one deal, with everything that it is held against."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType

from msgspec import Struct, field

from crmbridge.engine.mapping import StageMapper
from crmbridge.engine.rules.case import NOTHING_BESIDE, Beside, field_name
from crmbridge.engine.time.calendars import CompiledCalendar
from crmbridge.engine.voice import ENGLISH, Voice
from crmbridge.model.courses import Course
from crmbridge.model.findings import Place, SlaClock
from crmbridge.model.process import Process
from crmbridge.model.records import Edit, Move, Record
from crmbridge.settings import Settings

NO_COURSES: Mapping[str, Course] = MappingProxyType({})
NO_FIRST: Mapping[str, str | None] = MappingProxyType({})


class Subject(Struct, frozen=True, kw_only=True):
    """A deal with all its moves and activities, and everything that it is evaluated against.

    `activities` is None where its connection pulls none: that is not the same as there being none. `beside` has the
    other records around it. `edits` are the changes of its fields that were seen, by which rules are judged with the
    values of an earlier moment, and `courses`, by field, what the CRM itself recorded of them. `judged_before` are the
    SLA clocks that the evaluation before this one left.
    `calendars` has every calendar of the process by its id; `mapper` is that of the deal's connection. `language` is
    the one that findings name stages and fields in; `voice` says in tasks, notes and notices what was found. With
    `follows` its last move went the way that another deal's moves went, which are judged where they were made.
    `first_movers` says, by the ids of moves, whose e-mail address moved a linked deal there before; None: nobody knows.
    """

    deal: Record
    moves: Sequence[Move]
    process: Process
    settings: Settings
    calendars: Mapping[str, CompiledCalendar]
    mapper: StageMapper
    activities: Sequence[Record] | None = None
    beside: Beside = NOTHING_BESIDE
    edits: Sequence[Edit] = ()
    courses: Mapping[str, Course] = field(default_factory=lambda: NO_COURSES)
    judged_before: Sequence[SlaClock] = ()
    language: str = "en"
    voice: Voice = ENGLISH
    follows: bool = False
    first_movers: Mapping[str, str | None] = field(default_factory=lambda: NO_FIRST)

    @property
    def place(self) -> Place:
        """Where the deal stands in the process."""
        return self.mapper.place(self.deal.position)

    def field_names(self, fields: Iterable[str]) -> str:
        """Give the names of fields for people."""
        return ", ".join(field_name(field, self.process, self.language) for field in fields)

    def stage_name(self, stage_id: str | None) -> str:
        """Give a stage's name for people."""
        stage = self.process.stage(stage_id) if stage_id else None
        return stage.name.in_language(self.language) if stage else (stage_id or "no stage")
