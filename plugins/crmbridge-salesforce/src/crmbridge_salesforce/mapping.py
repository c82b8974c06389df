"""Rows of an org turned into canonical records."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from functools import lru_cache, partial
from itertools import repeat
from types import MappingProxyType
from typing import NamedTuple, NoReturn, TypeAlias

from msgspec import Struct

from crmbridge.adapting import KNOWN, WRITERS, domain_of, put_together, read_at_once
from crmbridge.errors import RetryLaterError
from crmbridge.http.replies import UNREADABLE, tidy
from crmbridge.model.records import Kind, Position, Problem, Record, Ref
from crmbridge.model.values import Fields, FieldType, Value
from crmbridge.ports import FieldBinding
from crmbridge_salesforce.columns import Field, ids, moments, written, written_amounts
from crmbridge_salesforce.rows import BY, Cells, Form
from crmbridge_salesforce.schema import Table, pipeline_of, status_of
from crmbridge_salesforce.values import COMPOUND, COMPOUNDS, Cell, decoder, money

OBJECTS: Mapping[Kind, str] = MappingProxyType(
    {Kind.USER: "User", Kind.COMPANY: "Account", Kind.CONTACT: "Contact", Kind.DEAL: "Opportunity"}
)
_PLACE = ("StageName", "IsClosed", "IsWon", "RecordTypeId", "CurrencyIsoCode", "LastStageChangeDate")
# What sync keeps alike of every deal: where one of them is hidden from the user, it is not empty.
AGREED_ON = frozenset({"name", "amount", "close_date", "owner", "company"})
Beside: TypeAlias = Mapping[str, Sequence[tuple[str, ...]]]
_NOTHING: Beside = MappingProxyType({})
_Wrong: TypeAlias = tuple[Problem, ...]
_Row: TypeAlias = tuple[Cells, tuple[tuple[str, ...], ...]]  # a row, and what was read beside it
_Read: TypeAlias = tuple[Fields, _Wrong]

_COLUMNS: Mapping[Kind, Mapping[str, tuple[str, FieldType]]] = MappingProxyType(
    {
        Kind.USER: {
            "name": ("Name", FieldType.TEXT),
            "email": ("Email", FieldType.TEXT),
            "active": ("IsActive", FieldType.BOOL),
        },
        Kind.COMPANY: {"name": ("Name", FieldType.TEXT), "domain": ("Website", FieldType.TEXT)},
        Kind.CONTACT: {
            "name": ("Name", FieldType.TEXT),
            "email": ("Email", FieldType.TEXT),
            "title": ("Title", FieldType.TEXT),
            "company": ("AccountId", FieldType.USER),  # an id, as a user's is
        },
        Kind.DEAL: {
            "name": ("Name", FieldType.TEXT),
            "amount": ("Amount", FieldType.MONEY),
            "close_date": ("CloseDate", FieldType.DATE),
            "owner": ("OwnerId", FieldType.USER),
            "company": ("AccountId", FieldType.USER),
            "source": ("LeadSource", FieldType.TEXT),
            # A day without a time. It costs nothing; counts come from the activities themselves.
            "last_activity_at": ("LastActivityDate", FieldType.DATETIME),
        },
    }
)


class Shape(Struct, frozen=True, kw_only=True):
    """Which columns stand for which fields of one kind, in one connection."""

    connection: str
    kind: Kind
    currency: str | None  # of amounts in an org with one currency, which does not say it
    key_field: str
    bindings: tuple[FieldBinding, ...]
    own: frozenset[str]  # the fields that the connection binds, which must be there

    @classmethod
    def of(
        cls,
        kind: Kind,
        *,
        connection: str,
        currency: str | None,
        key_field: str = "",
        lost_reason: str = "",
        bindings: Sequence[FieldBinding] = (),
    ) -> Shape:
        """Put together the standard fields of a kind, and for deals the process's own."""
        standard = [
            FieldBinding(name=name, native=native, type=type_) for name, (native, type_) in _COLUMNS[kind].items()
        ]
        own = frozenset(one.name for one in bindings) if kind is Kind.DEAL else frozenset()
        if kind is Kind.DEAL:
            standard.append(FieldBinding(name="lost_reason", native=lost_reason, type=FieldType.TEXT))
            standard = [one for one in standard if one.name not in own] + list(bindings)
        return cls(
            connection=connection,
            kind=kind,
            currency=currency,
            key_field=key_field if kind is Kind.DEAL else "",
            bindings=tuple(standard),
            own=own,
        )

    @property
    def object(self) -> str:
        """The org's name of the object."""
        return OBJECTS[self.kind]

    def binding(self, name: str) -> FieldBinding | None:
        """Find which column holds a field."""
        return next((binding for binding in self.bindings if binding.name == name), None)

    def missing(self, table: Table) -> tuple[FieldBinding, ...]:
        """Give the bound fields that the org does not have, or the user may not see."""
        return tuple(one for one in self.bindings if one.name in self.own and table.find(one.native) is None)


class _Plan(NamedTuple):
    """How one field is read from a row."""

    field: Field
    at: int  # the column's place
    native: str


class Reader:
    """Reads the rows of one object as records of one kind. What can be worked out before is worked out here."""

    def __init__(self, shape: Shape, table: Table) -> None:
        self._shape = shape
        self._page_of = table.page_of
        bound = [(binding, table.find(binding.native)) for binding in shape.bindings]
        wanted = [column.name for _, column in bound if column is not None and column.type not in COMPOUNDS]
        place = (*_PLACE, shape.key_field) if shape.kind is Kind.DEAL else ()
        self.form = Form(table, (*place, *wanted))
        self._plans: list[_Plan] = []
        self._amounts: list[_Plan] = []
        self._lacking: _Wrong = ()
        for binding, column in bound:
            self._plan(binding, column.name if column else None)
        self._empty: dict[str, Value] = dict.fromkeys(plan.field.name for plan in (*self._plans, *self._amounts))
        self._code = self.form.place("CurrencyIsoCode")
        self._created = self.form.place("CreatedDate")
        self._by = self.form.place(BY)
        self._key = self.form.place(shape.key_field)
        self._place = [self.form.place(name) for name in _PLACE[:4]] if shape.kind is Kind.DEAL else None

    def _plan(self, binding: FieldBinding, native: str | None) -> None:
        at = self.form.place(native) if native is not None else None
        if native is None:
            if binding.name in self._shape.own or binding.name in AGREED_ON:
                self._lacking += (
                    Problem(binding.native, "is not a field here, or the user may not see it", binding.name),
                )
        elif at is None:
            self._lacking += (Problem(binding.native, "holds a compound value", binding.name),)
        elif binding.type is FieldType.MONEY:
            self._amounts.append(_Plan(Field(binding.name, binding.type, None), at, native))
        else:
            read = domain_of if (self._shape.kind, binding.name) == (Kind.COMPANY, "domain") else decoder(binding.type)
            self._plans.append(_Plan(Field(binding.name, binding.type, read), at, native))

    def records(self, rows: Sequence[Cells], beside: Beside = _NOTHING) -> list[Record]:
        """Read rows; `beside` are fields that were read beside them, such as contacts: a value for each row."""
        columns = list(zip(*rows, strict=True))
        if not columns:
            return []
        fields = self._read(rows, beside)
        # Where the org has no such column, nothing stands beside each row.
        stamps = self._moments(columns[1])
        created = self._moments(columns[self._created]) if self._created is not None else repeat(None)
        authors: Iterable[str] = ids(columns[self._by]) if self._by is not None else repeat("")
        keys = columns[self._key] if self._key is not None else repeat("")
        positions = self._positions(columns) if self._place is not None else repeat(None)
        connection, kind, page_of, version = self._shape.connection, self._shape.kind, self._page_of, self.form.version
        parts = zip(
            rows,
            ids(columns[0]),
            fields,
            stamps,
            created,
            authors,
            keys,
            positions,
            strict=False,
        )
        return [
            Record(
                ref=Ref(connection, kind, row_id),
                fields=found,
                version=version(row),
                created_at=begun,
                updated_at=changed or self._unreadable("says nothing"),
                position=position,
                key=key or None,
                url=page_of.replace("{ID}", row_id) or None,
                updated_by=by or None,
                problems=wrong,
            )
            for row, row_id, (found, wrong), changed, begun, by, key, position in parts
        ]

    def _moments(self, cells: Cells) -> list[datetime | None]:
        try:
            return moments(cells)
        except ValueError as error:
            self._unreadable(str(error))

    def _unreadable(self, why: str) -> NoReturn:
        """Raise RetryLaterError for a row that does not say when it was changed: left out, it would count as gone."""
        said = f"{self._shape.connection}: of a row of {self._shape.object} the time of change can't be read: it {why}"
        raise RetryLaterError(tidy(said), advice=UNREADABLE)

    def _positions(self, columns: Sequence[Cells]) -> Iterable[Position]:
        """Give where deals stand; open, won or lost by the flags that the stage set, never by its name."""
        stages, closed, won, kinds = (repeat("") if at is None else columns[at] for at in self._place or ())
        return map(_position, kinds, stages, closed, won)

    def _read(self, rows: Sequence[Cells], beside: Beside) -> list[_Read]:
        """Read the fields of rows and what is wrong with them: by columns, or row by row where something is."""
        others: Iterable[tuple[tuple[str, ...], ...]] = zip(*beside.values(), strict=True) if beside else repeat(())
        names = tuple(beside)
        together, one = partial(self._at_once, names=names), partial(self._one, names=names)
        return read_at_once([*zip(rows, others, strict=False)], together, one)

    def _at_once(self, found: Sequence[_Row], names: Sequence[str]) -> list[_Read]:
        rows, beside = zip(*found, strict=True)
        if any(COMPOUND in row for row in rows):
            raise ValueError("a value that is several")
        columns = list(zip(*rows, strict=True))
        fields = {plan.field.name: written(plan.field, columns[plan.at]) for plan in self._plans}
        if self._amounts:
            currencies = [self._currency(row) for row in rows]
            each = ((plan.field.name, columns[plan.at]) for plan in self._amounts)
            fields |= {name: written_amounts(name, column, currencies) for name, column in each}
        pieces = {name: field.pieces for name, field in fields.items()}
        others = zip(names, zip(*beside, strict=True), strict=True) if names else ()
        pieces |= {name: WRITERS[FieldType.CHOICES](name, values) for name, values in others}
        nothing: Sequence[Value] = [None] * len(rows)
        known = {name: fields[name].values() if name in fields else nothing for name in KNOWN}
        return [(each, self._lacking) for each in put_together([pieces[name] for name in sorted(pieces)], known)]

    def _one(self, found: _Row, names: Sequence[str]) -> _Read:
        row, beside = found
        fields, problems = self._fields(row)
        return {**fields, **dict(zip(names, beside, strict=True))}, problems

    def _fields(self, cells: Cells) -> tuple[dict[str, Value], _Wrong]:
        fields = self._empty.copy()
        problems: list[Problem] = []
        for (name, _, read), at, native in self._plans:
            if cell := cells[at]:
                try:
                    fields[name] = _single(cell) if read is None else read(cell)
                except ValueError as error:
                    del fields[name]
                    problems.append(Problem(native, str(error), name))
        currency = self._currency(cells)
        for (name, _, _), at, native in self._amounts:
            try:
                fields[name] = money(cells[at], currency) if cells[at] else None
            except ValueError as error:
                del fields[name]
                problems.append(Problem(native, str(error), name))
        return fields, (*self._lacking, *problems)

    def _currency(self, cells: Cells) -> str | None:
        return (cells[self._code] if self._code is not None else "") or self._shape.currency


def _single(cell: Cell) -> Cell:
    """Give a text back; raises ValueError for what stands for several values."""
    if cell == COMPOUND:
        raise ValueError("holds a compound value")
    return cell


@lru_cache(maxsize=4096)
def _position(record_type: Cell, stage: Cell, closed: Cell, won: Cell) -> Position:
    return Position(pipeline_of(record_type), stage, status_of(closed=closed == "true", won=won == "true"))
