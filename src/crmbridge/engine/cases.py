"""What checks look at, and what they answer."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, tzinfo
from typing import Final, Literal

from crmbridge.engine.text import plain
from crmbridge.model.findings import Judgement, Visit
from crmbridge.model.process import Process, Stage
from crmbridge.model.records import Record
from crmbridge.model.values import Fields, Money, Value, is_empty, show

SHOWN = 80  # how much of a CRM's value a message quotes


@dataclass(frozen=True, slots=True, kw_only=True)
class Beside:
    """What stands beside a deal: the records that it names, and those that hang on it.

    Each is None where nobody can tell, because its connection pulls none: that is not the same as there being none.
    """

    notes: Sequence[Record] | None = None
    companies: Sequence[Record] | None = None  # the deal's company: one, or none
    contacts: Sequence[Record] | None = None
    users: Sequence[Record] | None = None  # all of the connection


NOTHING_BESIDE: Final = Beside()


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """What checks look at: a deal's fields, the stage whose rules are asked, and what today is there.

    `visit` is the stay in the stage that is judged; None where there was none, as the stage was skipped. `people` are
    e-mail addresses by the role that they have. `zone` is where a day begins and ends; `language` is the one that
    names of fields are given in.
    """

    process: Process
    stage: Stage
    fields: Fields
    now: datetime
    zone: tzinfo
    visit: Visit | None = None
    activities: Sequence[Record] | None = None
    beside: Beside = NOTHING_BESIDE
    people: Mapping[str, Sequence[str]] = field(default_factory=dict)
    language: str = "en"
    values: Literal["then", "now"] = "now"  # whether the fields are those of an earlier moment, which `now` then is

    def name(self, field: str) -> str:
        """Give a field's name for people."""
        return field_name(field, self.process, self.language)

    def names(self, fields: Iterable[str]) -> str:
        """Give the names of several fields for people."""
        return ", ".join(self.name(field) for field in fields)

    def day(self, value: date | datetime) -> date:
        """Give the day of a date or of a moment."""
        return value.astimezone(self.zone).date() if isinstance(value, datetime) else value


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What one check found: the judgement, a sentence saying so, and what it was reached from."""

    judgement: Judgement
    message: str
    looked_at: Sequence[str] = ()
    missing: Sequence[str] = ()
    passed: int = 0
    value: Value = None
    seen: Mapping[str, Value] = field(default_factory=dict)  # what it looked at beside the deal's fields


def field_name(field: str, process: Process, language: str) -> str:
    """Give a field's name for people: the one the process declares, else its id in words."""
    declared = next((known for known in process.fields if known.id == field), None)
    return declared.name.in_language(language) if declared else field.replace("_", " ").replace(".", " ")


def undecided(names: Sequence[str], why: str) -> Answer:
    """Say that a check can't be decided; the names are what it would take."""
    return Answer(judgement=Judgement.UNKNOWN, message=why, looked_at=names, missing=names)


def says_yes(value: Value) -> bool:
    """Tell whether a field is filled in, and not with a no."""
    return not is_empty(value) and value is not False


def as_choices(value: Value) -> tuple[str, ...]:
    """Give what a value is compared with options by."""
    match value:
        case tuple():
            return value
        case bool():
            return ("yes", "true") if value else ("no", "false")
        case Money():
            return (str(value.amount),)
        case _:
            return (str(value),)


def quote(value: Value) -> str:
    """Show a CRM's value in a message."""
    return plain(show(value), SHOWN)
