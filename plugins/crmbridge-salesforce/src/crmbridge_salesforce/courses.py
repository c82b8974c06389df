"""What deals' fields held before: from the snapshots that every org keeps, and the history of the fields it tracks."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from msgspec import Struct

from crmbridge.adapting import course_of
from crmbridge.model.courses import Course, Held, untold
from crmbridge.model.records import Record
from crmbridge.model.values import FieldType, Money
from crmbridge.ports import FieldBinding
from crmbridge_salesforce.ids import is_id, to_18
from crmbridge_salesforce.mapping import Shape
from crmbridge_salesforce.org import Org, Row
from crmbridge_salesforce.schema import Column
from crmbridge_salesforce.setup import Setup
from crmbridge_salesforce.soql import moment, select, text
from crmbridge_salesforce.values import decode, read_moment

SNAPSHOTS, TRACKED = "OpportunityHistory", "OpportunityFieldHistory"
IN_SNAPSHOTS = ("Amount", "CloseDate", "Probability")  # one snapshot per change of these, or of the stage
CURRENCY = "CurrencyIsoCode"
# Of these the history says that they changed, and not what they held (Object Reference, "EntityHistory").
WORDLESS = frozenset({"multipicklist", "encryptedstring"})
LONGEST = 255  # characters; what longer texts held is not kept either


class _Asked(NamedTuple):
    """A field that is asked for, and the column that holds it."""

    binding: FieldBinding
    column: Column

    @property
    def names(self) -> tuple[str, ...]:
        """The names that the history can have for it: a reference is called by its relationship."""
        name = self.column.name
        return (name, name.removesuffix("Id")) if self.column.references and name.endswith("Id") else (name,)


class Courses(Struct, frozen=True, kw_only=True):
    """Reads what fields of deals held before."""

    org: Org
    setup: Setup
    shape: Shape

    def read(self, deals: Sequence[Record], fields: Collection[str], since: datetime) -> Iterator[Course]:
        """Yield a course for each deal and field."""
        asked = {name: self._asked(name) for name in sorted(fields)}
        found = [each for each in asked.values() if each is not None]
        ids = [deal.ref.id for deal in deals]
        snapshots = self._snapshots([each for each in found if each.column.name in IN_SNAPSHOTS], ids)
        tracked = [each for each in found if each.column.name not in IN_SNAPSHOTS]
        begun = {each.column.name: self.setup.tracked_since(each.names) for each in tracked}
        rows = self._tracked([each for each in tracked if begun[each.column.name]], ids, since)
        for deal in deals:
            for name, each in asked.items():
                if each is None:
                    yield untold(deal, name, "Salesforce keeps no history of it")
                elif each.column.name in IN_SNAPSHOTS:
                    yield self._of_snapshots(deal, each, snapshots.get(deal.ref.id, ()), since)
                else:
                    own = [row for row in rows.get(deal.ref.id, ()) if row.get("Field") in each.names]
                    yield self._of_tracked(deal, each, own, begun[each.column.name], since)

    def _asked(self, name: str) -> _Asked | None:
        binding = self.shape.binding(name)
        column = self.setup.table(self.shape.object).find(binding.native) if binding else None
        return _Asked(binding, column) if binding and column else None

    def _snapshots(self, asked: Sequence[_Asked], deals: Sequence[str]) -> Mapping[str, Sequence[Row]]:
        if not asked:
            return {}
        table = self.setup.table(SNAPSHOTS)
        names = table.having("OpportunityId", "CreatedDate", "Id", "CreatedById", *IN_SNAPSHOTS, CURRENCY)
        template = select(names, SNAPSHOTS, where="OpportunityId IN ({})")
        return _by_deal(self.org.query_in(template, deals))

    def _tracked(self, asked: Sequence[_Asked], deals: Sequence[str], since: datetime) -> Mapping[str, Sequence[Row]]:
        if not asked:
            return {}
        fields = ",".join(text(name) for each in asked for name in each.names)
        columns = ("OpportunityId", "CreatedDate", "Id", "CreatedById", "Field", "OldValue", "NewValue")
        where = f"Field IN ({fields}) AND CreatedDate >= {moment(since)} AND OpportunityId IN ({{}})"
        return _by_deal(self.org.query_in(select(columns, TRACKED, where=where), deals))

    def _of_snapshots(self, deal: Record, asked: _Asked, rows: Sequence[Row], since: datetime) -> Course:
        """Read a course off snapshots: there is one of each change since the deal was made."""
        name = asked.binding.name
        if not rows or asked.column.name not in rows[0]:
            return untold(deal, name, f"the user may not see {asked.column.name} in {SNAPSHOTS}")
        usual = self._currency(asked, deal)
        held = [_held(asked, row, asked.column.name, row.get(CURRENCY) or usual) for row in rows]
        return course_of(deal, name, held, since)

    def _of_tracked(
        self, deal: Record, asked: _Asked, rows: Sequence[Row], begun: datetime | None, since: datetime
    ) -> Course:
        """Read a course off the history of a tracked field, which is whole since the org is known to track it."""
        name, column = asked.binding.name, asked.column
        if begun is None:
            return untold(deal, name, f"the org has no history of {column.name}: it may not track the field")
        tracked = self.setup.tracked()
        if tracked is not None and tracked.isdisjoint(asked.names):
            return untold(deal, name, f"the org does not track {column.name} any more")
        if tracked is None and not rows:
            return untold(deal, name, f"the user may not see whether the org still tracks {column.name}")
        start = max(begun, since)
        told = [row for row in rows if not column.references or _names_ids(row)]
        held = [Held(start, deal.fields.get(name))]
        currency = self._currency(asked, deal)
        for row in told:
            old, new = (_held(asked, row, part, currency) for part in ("OldValue", "NewValue"))
            if _is_wordless(column):
                held = [new._replace(value=deal.fields.get(name))]
            elif len(held) == 1 and row is told[0]:
                held = [Held(start, old.value, None, old.problem), new]
            elif (held[-1].value, held[-1].problem) == (old.value, old.problem):
                held.append(new)
            else:  # a gap, or two of one second out of order: what was before is not known
                held = [new]
        return course_of(deal, name, held, since)

    def _currency(self, asked: _Asked, deal: Record) -> str | None:
        """Give the currency of a deal's amounts today: a change of it is not recorded."""
        if asked.binding.type is not FieldType.MONEY:
            return None
        amounts = (value for value in deal.fields.values() if isinstance(value, Money))
        first = next(amounts, None)
        return first.currency if first else self.shape.currency


def _held(asked: _Asked, row: Row, part: str, currency: str | None) -> Held:
    """Read one value of a row of history, which holds since the row was made."""
    at, by = read_moment(row["CreatedDate"]), to_18(str(row["CreatedById"])) if row.get("CreatedById") else None
    try:
        return Held(at, decode(row.get(part), asked.binding.type, currency), by)
    except ValueError as error:
        return Held(at, None, by, str(error))


def _by_deal(rows: Iterator[Row]) -> dict[str, list[Row]]:
    """Sort rows by deal, each deal's oldest first; ids keep those of one second in order."""
    found: dict[str, list[Row]] = defaultdict(list)
    for row in sorted(rows, key=lambda row: (read_moment(row["CreatedDate"]), str(row["Id"]))):
        found[to_18(str(row["OpportunityId"]))].append(row)
    return found


def _names_ids(row: Row) -> bool:
    """Tell a reference's row with ids from the one with names: each change makes both."""
    values = [str(value) for value in (row.get("OldValue"), row.get("NewValue")) if value]
    return bool(values) and all(map(is_id, values))


def _is_wordless(column: Column) -> bool:
    return column.type in WORDLESS or column.length > LONGEST
