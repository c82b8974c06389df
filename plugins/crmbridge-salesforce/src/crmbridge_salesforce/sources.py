"""What a walk goes through: one object of the org, with what has to be read beside its rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol, runtime_checkable

from msgspec import Struct

from crmbridge.model.records import Kind, Move, Position, Record
from crmbridge.ports import Page
from crmbridge_salesforce.columns import ids
from crmbridge_salesforce.details import Details
from crmbridge_salesforce.ids import to_18
from crmbridge_salesforce.mapping import Reader
from crmbridge_salesforce.moves import Journeys
from crmbridge_salesforce.org import Org
from crmbridge_salesforce.rows import Cells, Form
from crmbridge_salesforce.setup import Setup
from crmbridge_salesforce.soql import moment, select
from crmbridge_salesforce.values import read_moment

# Deals that did not move are asked for their history as long as that takes no more than one query: among them are those
# that the user could not see before.
FEW = 200


class Span(Struct, frozen=True, kw_only=True):
    """What a walk owes: what happened from `since` on, the overlap included; None means everything there is.

    What was edited while a first walk lasted came without its moves, or not at all: the second one owes them, however
    old.
    """

    since: datetime | None
    until: datetime
    is_second: bool = False


class Source(Protocol):
    """One object whose rows are records of one kind."""

    @property
    def kind(self) -> Kind:
        """What its rows are."""
        ...

    @property
    def form(self) -> Form:
        """The columns that are asked for."""
        ...

    @property
    def where(self) -> str:
        """A condition that all its rows hold; empty for none."""
        ...

    @property
    def deleted_too(self) -> bool:
        """Tell whether the object keeps rows where only a look into the recycle bin finds them: archived ones."""
        ...

    def records(self, rows: Sequence[Cells], details: Details) -> list[Record]:
        """Make the records of rows; those of another kind are left out."""
        ...


@runtime_checkable
class Touched(Protocol):
    """A source whose rows can be other records although their own time of change says nothing of it."""

    def touched(self, span: Span) -> set[str]:
        """Find them."""
        ...


class Plain:
    """Users, companies and contacts: a row is a record, and nothing lies beside it."""

    where = ""
    deleted_too = False

    def __init__(self, kind: Kind, reader: Reader) -> None:
        self.kind = kind
        self._reader = reader

    @property
    def form(self) -> Form:
        """The columns that are asked for."""
        return self._reader.form

    def records(self, rows: Sequence[Cells], details: Details) -> list[Record]:  # noqa: ARG002  nothing lies beside
        """Make the records of rows."""
        return self._reader.records(rows)


class Deals:
    """Opportunities, with their contacts and the moves that their history tells."""

    kind = Kind.DEAL
    where = ""
    deleted_too = False

    def __init__(self, org: Org, setup: Setup, reader: Reader) -> None:
        self._org = org
        self._setup = setup
        self._reader = reader
        self._changed_stage = reader.form.place("LastStageChangeDate")
        self._moved: set[str] | None = None

    @property
    def form(self) -> Form:
        """The columns that are asked for."""
        return self._reader.form

    def tracked(self) -> bool:
        """Tell whether the org keeps a history of its stages beside the usual one."""
        return self._setup.tracks_stages()

    def page(self, rows: Sequence[Cells], span: Span, cursor: str, details: Details) -> Page:
        """Make a page of deals, with the moves of those that moved."""
        if self._owes_all(rows, span):
            details = details.ahead(ids([cells[0] for cells in rows]))
        records = self.records(rows, details)
        moved = self._wanted(rows, records, span)
        return Page(records=tuple(records), moves=tuple(self._moves(moved, details)), cursor=cursor)

    def records(self, rows: Sequence[Cells], details: Details) -> list[Record]:
        """Make the deals of rows."""
        deals = ids([cells[0] for cells in rows])
        contacts = details.contacts(deals)
        return self._reader.records(rows, {"contacts": [contacts.get(deal, ()) for deal in deals]})

    def touched(self, span: Span) -> set[str]:
        """Find the deals whose contacts changed, which need not touch the deal."""
        if span.since is None:
            return set()
        where = f"SystemModstamp >= {moment(span.since)}"
        statement = select(["OpportunityId"], "OpportunityContactRole", where=where)
        rows = self._org.query(statement, deleted_too=True)
        return {to_18(str(row["OpportunityId"])) for row in rows if row["OpportunityId"]}

    def _wanted(self, rows: Sequence[Cells], records: Sequence[Record], span: Span) -> dict[str, Position]:
        """Choose the deals whose moves are owed, and give where each stands."""
        standing = {record.ref.id: record.position for record in records if record.position is not None}
        if self._owes_all(rows, span):
            return standing
        moved = self._moved_since(rows, span)
        return {deal: position for deal, position in standing.items() if deal in moved}

    def _owes_all(self, rows: Sequence[Cells], span: Span) -> bool:
        """Tell whether the moves of all these deals are owed, whether they moved or not."""
        return span.since is None or span.is_second or len(rows) <= FEW

    def _moved_since(self, rows: Sequence[Cells], span: Span) -> set[str]:
        since = span.since or span.until
        if self._changed_stage is None:
            return self._moved_by_history(span)
        created = self.form.place("CreatedDate") or 0
        # The time of the last change of stage is empty until there is one.
        return {to_18(row[0]) for row in rows if read_moment(row[self._changed_stage] or row[created]) >= since}

    def _moved_by_history(self, span: Span) -> set[str]:
        """Ask which deals have new snapshots, where the deals themselves do not say when they moved."""
        if self._moved is None:
            where = f"CreatedDate >= {moment(span.since or span.until)}"
            rows = self._org.query(select(["OpportunityId"], "OpportunityHistory", where=where))
            self._moved = {to_18(str(row["OpportunityId"])) for row in rows}
        return self._moved

    def _moves(self, standing: Mapping[str, Position], details: Details) -> list[Move]:
        history = details.history(list(standing)) if standing else {}
        if not history:
            return []
        journeys = Journeys(self._org.connection, self._setup.stages())
        return list(journeys.moves(standing, history))


def page_of(source: Source, rows: Sequence[Cells], span: Span, cursor: str, details: Details) -> Page:
    """Make a page of rows, reading what lies beside them; only deals owe their moves, too."""
    if isinstance(source, Deals):
        return source.page(rows, span, cursor, details)
    return Page(records=tuple(source.records(rows, details)), cursor=cursor)


def tracks_stages(source: Source) -> bool:
    """Tell whether the org keeps a history of a source's stages beside the usual one."""
    return isinstance(source, Deals) and source.tracked()
