"""The deal that rules are asked about, and what one check finds of it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date, datetime, tzinfo
from decimal import Decimal
from types import MappingProxyType
from typing import Final, Literal, NamedTuple

from msgspec import Struct, field
from msgspec.structs import force_setattr

from crmbridge.engine.text import plain
from crmbridge.engine.time.moments import Moment
from crmbridge.model.findings import Judgement, Visit
from crmbridge.model.process import Process, Stage
from crmbridge.model.records import Record
from crmbridge.model.values import Fields, Money, Value, is_empty, show

NOTHING_SEEN: Final[Mapping[str, Value]] = MappingProxyType({})
SHOWN = 80  # how much of a CRM's value a message quotes
_MOST_DIGITS = 40


class Beside(Struct, frozen=True, kw_only=True):
    """What stands beside a deal: the records that it names, and those that hang on it.

    Each is None where nobody can tell, because its connection pulls none: that is not the same as there being none.
    `people` are the e-mail addresses of those who stand for a role.
    """

    notes: Sequence[Record] | None = None
    files: Sequence[Record] | None = None
    no_files: str = ""  # why nobody can tell of files, where more is known than that they are not pulled
    companies: Sequence[Record] | None = None  # the deal's company: one, or none
    contacts: Sequence[Record] | None = None
    users: Sequence[Record] | None = None  # all of the connection
    people: Mapping[str, Sequence[str]] = field(default_factory=dict)


NOTHING_BESIDE: Final = Beside()


class Case(Struct, frozen=True, kw_only=True, eq=False):
    """What checks look at: a deal's fields, the stage whose rules are asked, and what today is there.

    `visit` is the stay in the stage that is judged; None where there was none, as the stage was skipped. `zone` is
    where a day begins and ends; `language` is the one that names of fields are given in. `values` says whether the
    fields are those of an earlier moment, which `now` then is. What is `unreadable` is missing in `fields`, and not
    empty.
    """

    process: Process
    stage: Stage
    fields: Fields
    now: datetime
    zone: tzinfo
    visit: Visit | None = None
    activities: Sequence[Record] | None = None
    beside: Beside = NOTHING_BESIDE
    language: str = "en"
    values: Literal["then", "now"] = "now"
    unreadable: frozenset[str] = frozenset()
    _said: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Say nothing yet: a case that is made from another one holds other values."""
        force_setattr(self, "_said", {})

    @property
    def moment(self) -> Moment:
        """When and where it is judged."""
        return Moment(self.now, self.zone, self)

    def name(self, name: str) -> str:
        """Give a field's name for people."""
        return field_names(self.process, self.language)[name]

    def names(self, fields: Iterable[str]) -> str:
        """Give the names of several fields for people."""
        known = field_names(self.process, self.language)
        return ", ".join([known[name] for name in fields])

    def says(self, name: str) -> str:
        """Say in words what a field holds; made once, as several rules look at the same fields."""
        said = self._said.get(name)
        if said is None:
            value = self.fields.get(name)
            what = "empty" if value is None or is_empty(value) else quote(value)
            said = f"{field_names(self.process, self.language)[name]} is {what}"
            self._said[name] = said
        return said

    def says_of(self, names: Collection[str]) -> str:
        """Say what several fields hold."""
        known = self._said
        if len(names) == 1:  # the usual case, without a list
            (name,) = names
            return known.get(name) or self.says(name)
        return ", ".join([known.get(name) or self.says(name) for name in names])

    def day(self, value: date | datetime) -> date:
        """Give the day of a date or of a moment."""
        return self.moment.day(value)


class Answer(NamedTuple):
    """What one check found: the judgement, a sentence saying so, and what it was reached from."""

    judgement: Judgement
    message: str
    looked_at: Sequence[str] = ()
    missing: Sequence[str] = ()
    passed: int = 0
    value: Value = None
    seen: Mapping[str, Value] = NOTHING_SEEN  # what it looked at beside the deal's fields


class _Names(dict[str, str]):
    """The names of fields for people, in one language: as declared, else the id in words."""

    def __missing__(self, field: str) -> str:
        return field.replace("_", " ").replace(".", " ")


_names: dict[tuple[int, str], tuple[Process, _Names]] = {}


def field_names(process: Process, language: str) -> Mapping[str, str]:
    """Give the names of all fields for people; those that the process does not declare are named, too."""
    entry = _names.get((id(process), language))
    if entry is None:
        if len(_names) >= 100:
            _names.clear()
        # The process is kept beside its names, so that no other one gets its identity.
        declared = {known.id: known.name.in_language(language) for known in reversed(process.fields)}
        entry = _names[id(process), language] = (process, _Names(declared))
    return entry[1]


def field_name(name: str, process: Process, language: str) -> str:
    """Give a field's name for people: the one the process declares, else its id in words."""
    return field_names(process, language)[name]


def quote(value: Value) -> str:
    """Show a value in a message."""
    if type(value) is str:
        return plain(value or show(value), SHOWN)
    if type(value) is bool:
        return "yes" if value else "no"
    number = value.amount if isinstance(value, Money) else value
    if isinstance(number, (int, Decimal)) and abs(Decimal(number).adjusted()) > _MOST_DIGITS:
        # Spelt out, it could fill the memory.
        return f"{Decimal(number):.3E}" + (f" {plain(value.currency, 8)}" if isinstance(value, Money) else "")
    return plain(show(value), SHOWN)


def undecided(names: Sequence[str], why: str) -> Answer:
    """Say that a check can't be decided; the names are what it would take."""
    return Answer(judgement=Judgement.UNKNOWN, message=why, looked_at=names, missing=names)
