"""Cases that a process is tested by: a deal made up, and what the process must say of it."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Annotated, Any, Literal, NamedTuple, Self

from pydantic import BeforeValidator, Field, model_validator

from crmbridge.model.business_time import Duration
from crmbridge.model.findings import Judgement, SlaState
from crmbridge.model.parts import FieldName, Id, Part

_AGO = re.compile(r"(\S+)\s+ago")
_IN = re.compile(r"in\s+(\S+)")

FIRST_YEAR, LAST_YEAR = 1970, 2200


class When(NamedTuple):
    """A moment as it is written in a case: a day, a time, or a length of time before or after the case's `now`."""

    fixed: date | datetime | None = None
    offset: Duration | None = None
    ahead: bool = False

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `now`, `3bd ago`, `in 2d`, `2026-06-10` or `2026-06-10T09:30Z`; raises ValueError for anything else.

        A time without a zone is in UTC.
        """
        text = text.strip()
        if text == "now":
            return cls(offset=Duration.parse("0m"))
        if match := _AGO.fullmatch(text):
            return cls(offset=Duration.parse(match[1]))
        if match := _IN.fullmatch(text):
            return cls(offset=Duration.parse(match[1]), ahead=True)
        try:
            return cls(fixed=_fixed(text))
        except ValueError:
            raise ValueError(
                f"{text!r} is no moment; write it as 2026-06-10, 2026-06-10T09:30Z, 3bd ago, in 2d or now"
            ) from None


def _fixed(text: str) -> date | datetime:
    if re.fullmatch(r"\d{4}-\d{2}-\d{2}", text):
        return date.fromisoformat(text)
    moment = datetime.fromisoformat(text)
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


def _when(value: Any) -> When:
    return value if isinstance(value, When) else When.parse(str(value))


WhenField = Annotated[When, BeforeValidator(_when, json_schema_input_type=str)]
CaseValue = bool | int | Decimal | str | tuple[str, ...] | None  # as written; the field's type says what it stands for


class CaseMove(Part):
    """A move in a case's history: to a stage of the process, or to `won` or `lost`. The first creates the deal."""

    to: Id
    at: WhenField
    by: str | None = None  # the e-mail of who made it


class CaseActivity(Part):
    """An activity on a case's deal."""

    type: str = "task"  # call, meeting, email or task
    subject: str | None = None
    done: bool = True
    at: WhenField = When(offset=Duration.parse("0m"))


class CaseAttached(Part):
    """A file on a case's deal. Its kind is the extension of its name."""

    name: Annotated[str, Field(pattern=r"\S")]
    at: WhenField = When(offset=Duration.parse("0m"))


class CaseDeal(Part):
    """The deal of a case. It stands where its last move led, or has been in `stage` since `entered`.

    Where `activities`, `files`, `company` or `contacts` are not said, nothing is known of them: that is not the same as
    none.
    """

    stage: Id | None = None
    entered: WhenField | None = None
    moves: tuple[CaseMove, ...] = ()
    fields: dict[FieldName, CaseValue] = Field(default_factory=dict)
    owner: str | None = None  # an e-mail
    activities: tuple[CaseActivity, ...] | None = None
    files: tuple[CaseAttached, ...] | None = None
    company: dict[FieldName, CaseValue] | None = None
    contacts: tuple[dict[FieldName, CaseValue], ...] | None = None

    @model_validator(mode="after")
    def _stands_somewhere(self) -> Self:
        if bool(self.moves) == (self.stage is not None):
            raise ValueError("give either stage, with entered where time matters, or moves")
        if self.moves and self.entered is not None:
            raise ValueError("entered goes with stage; a move says with `at` when it was made")
        return self


class Expected(Part):
    """What the process must say of a case; what is not named may be as it likes.

    `findings` are rules with a finding, an empty list says that there are none at all; `not` are rules, or patterns
    with `*`, without one. `ready` tells whether the deal may leave its stage now. `sla` says how the clock of the
    last visit stands, `rules` how single rules of the stage, or of those left behind, are judged.
    """

    findings: tuple[str, ...] | None = None
    none_of: Annotated[tuple[str, ...] | None, Field(alias="not", min_length=1)] = None
    ready: bool | None = None
    sla: dict[str, SlaState | Literal["none"]] = Field(default_factory=dict)
    rules: dict[str, Judgement] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _expects_something(self) -> Self:
        if self.findings is None and self.none_of is None and self.ready is None and not (self.sla or self.rules):
            raise ValueError("a case that expects nothing can't fail; give findings, not, ready, sla or rules")
        return self


class ProcessCase(Part):
    """One case: its name, its deal, the moment at which the deal is looked at, and what must come out."""

    case: str
    now: WhenField = When(fixed=datetime(2026, 6, 10, 12, tzinfo=UTC))  # a Wednesday
    deal: CaseDeal
    expect: Expected

    @model_validator(mode="after")
    def _now_is_fixed(self) -> Self:
        if self.now.fixed is None:
            raise ValueError("now must be a day or a time, such as 2026-06-10T12:00Z")
        if not FIRST_YEAR <= self.now.fixed.year <= LAST_YEAR:
            raise ValueError(f"now must lie in the years {FIRST_YEAR} to {LAST_YEAR}")
        return self


class CaseFile(Part):
    """A file of cases beside the process file, which names it under `tests`."""

    process_tests: Annotated[tuple[ProcessCase, ...], Field(min_length=1)]
