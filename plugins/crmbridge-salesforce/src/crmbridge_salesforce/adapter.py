"""The Salesforce adapter: crmbridge's port, spoken in SOQL, rows, collections and bulk jobs."""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterator, Mapping, Sequence
from concurrent.futures import Future
from datetime import datetime, timedelta
from functools import partial
from urllib.parse import urlsplit

from crmbridge.adapting import amend_tasks
from crmbridge.errors import RefusedError
from crmbridge.model.changes import DEAL_ACTIONS, Action, Change, Receipt
from crmbridge.model.courses import Course
from crmbridge.model.records import Kind, Record, Ref
from crmbridge.model.replacing import replace
from crmbridge.ports import AdapterContext, BoundTo, Capabilities, Description, Page
from crmbridge.threads import make_pool, started
from crmbridge_salesforce.beginning import MOST, Beginning, begin
from crmbridge_salesforce.currencies import Currencies
from crmbridge_salesforce.cursor import dump_several, parse_several
from crmbridge_salesforce.encode import Encoder, currencies, figure_of
from crmbridge_salesforce.finding import Finder
from crmbridge_salesforce.ids import is_id, to_18
from crmbridge_salesforce.judge import UnknownColumnError
from crmbridge_salesforce.library import KINDS, Library
from crmbridge_salesforce.listing import Pace
from crmbridge_salesforce.mapping import OBJECTS
from crmbridge_salesforce.org import AT_ONCE, COLLECTION, Org
from crmbridge_salesforce.products import Products
from crmbridge_salesforce.pull import Walk
from crmbridge_salesforce.settings import SalesforceSettings
from crmbridge_salesforce.setup import Setup
from crmbridge_salesforce.signin import SignIn
from crmbridge_salesforce.sources import Source
from crmbridge_salesforce.steps import key_wish
from crmbridge_salesforce.versions import supported_until
from crmbridge_salesforce.write import Writer

WALKED = frozenset({Kind.COMPANY, Kind.CONTACT, Kind.DEAL})
_ACTIONS = DEAL_ACTIONS | {Action.ARCHIVE, Action.AMEND}
CAPABILITIES = Capabilities(
    kinds=frozenset(KINDS),
    actions=_ACTIONS,
    batch=dict.fromkeys(_ACTIONS, COLLECTION),
    external_key=True,
    history=True,
    tombstones=True,
    # Then what was deleted leaves the recycle bin; users are never deleted.
    forgets=dict.fromkeys((kind for kind in KINDS if kind is not Kind.USER), timedelta(days=15)),
    status_in_stage=True,
    merges=True,
    conditional_write=True,
    creates=frozenset({Kind.DEAL, Kind.COMPANY, Kind.CONTACT, Kind.FIGURE}),
    associates=frozenset({"company", "contacts"}),
    figures=frozenset({Kind.COMPANY, Kind.USER}),
    ahead=True,
    bound=True,
    field_history=2_000,  # a query or two for a few hundred of them
)


class SalesforceAdapter:
    """Speaks Salesforce for one connection. Opening it sends nothing."""

    def __init__(self, settings: SalesforceSettings, context: AdapterContext, sign_in: SignIn) -> None:
        self._settings = settings
        self._connection = context.connection
        self._clock = context.clock
        self._sign_in = sign_in
        self._org = Org(settings, context, sign_in.signer)
        self._setup = Setup(self._org, context.clock, context.memory)
        self._library = Library(settings, context, self._org, self._setup)
        self._pace = Pace(
            overlap=timedelta(seconds=settings.overlap), page_size=settings.page_size, bulk_above=settings.bulk_above
        )
        self._finder = Finder(self._org, self._setup, settings.key_name)
        self._ahead: dict[Kind, Future[Beginning | None]] = {}
        deals = self._org, self._setup, self._library.shape(Kind.DEAL)
        self._writer = Writer(
            self._org,
            Encoder(self._setup, self._library.shape),
            self._library,
            context.clock,
            key_field=settings.key_name,
            finder=self._finder,
            looks=(Currencies(*deals).turning, Products(*deals).fixing),
        )

    @property
    def capabilities(self) -> Capabilities:
        """What this adapter can do."""
        return CAPABILITIES

    def describe(self) -> Description:
        """Read the org's record types, stages, fields, users and currencies, anew each time."""
        if not self._ahead:  # what was begun has done so, and is of the same moment
            self._setup.forget()
        with make_pool(AT_ONCE) as threads:  # none of these waits for another; each is one query, users with describe
            account, users = (
                threads.submit(_account, self._org, self._settings),
                threads.submit(self._library.everybody),
            )
            threads.submit(self._setup.stages)
            table = self._setup.table("Opportunity")
            pipelines = self._setup.pipelines()
        key = table.columns.get(self._settings.key_name)
        return Description(
            account=account.result(),
            pipelines=pipelines,
            fields=tuple(column.native() for column in table.columns.values()),
            users=tuple(users.result()),
            currencies=currencies(table, self._settings.currency),
            api_version=self._settings.api_version,
            api_supported_until=supported_until(self._settings.api_version),
            key_field=key.native() if key and key.external_id else None,
            key_wish=key_wish(self._settings.key_name),
            credential=self._sign_in.credential(),
        )

    def bound_fields(self) -> Mapping[str, BoundTo]:
        """Give the API names of the columns that the bound fields stand for: a label may be that of another one now."""
        return self._library.bound()

    def ask_ahead(self, kinds: Sequence[Kind]) -> None:
        """Begin the walk through the first of these kinds that has one, whatever its object looks like."""
        kind = next((kind for kind in kinds if kind in WALKED), None)
        most = min(MOST, self._pace.bulk_above, self._pace.page_size)
        if kind is not None and most:
            self._setup.forget()
            self._ahead[kind] = started(partial(begin, self._org, self._setup, kind, most, self._clock.now()))

    def pull(self, kind: Kind, since: str | None) -> Iterator[Page]:
        """Yield pages of what changed since a cursor, in the order of change; a big first pull comes in bulk."""
        begun, ahead = False, self._ahead.pop(kind, None)
        try:
            for page in self._pull(kind, since, ahead):
                begun = True
                yield page
        except UnknownColumnError:  # what we remember of the org may be old
            if begun:
                raise
            self._setup.forget()
            yield from self._pull(kind, since)

    def read(
        self,
        refs: Sequence[Ref],
        *,
        fields: Collection[str] | None = None,
    ) -> Mapping[Ref, Record]:
        """Read records by their ids, which no index or open transaction stands before."""
        found: dict[Ref, Record] = {}
        for kind in dict.fromkeys(ref.kind for ref in refs):
            wanted = {to_18(ref.id): ref for ref in refs if ref.kind is kind and is_id(ref.id)}
            found.update({wanted[record.ref.id]: record for record in self._read(kind, list(wanted), fields)})
        return self._with_figures(found, fields or ())

    def field_history(self, deals: Sequence[Record], fields: Collection[str], since: datetime) -> Iterator[Course]:
        """Read what fields held from a moment on: amount and close date, and the others that the org tracks."""
        from crmbridge_salesforce.courses import Courses  # noqa: PLC0415  asked for only of deals in doubt

        courses = Courses(org=self._org, setup=self._setup, shape=self._library.shape(Kind.DEAL))
        return courses.read(deals, fields, since)

    def find(self, kind: Kind, key: str, near: Ref | None) -> Ref | None:
        """Find a deal by its external key, a company or contact by its natural one, a task or note by its marker."""
        return self._finder.find(kind, key, near)

    def write(self, changes: Sequence[Change]) -> Sequence[Receipt]:
        """Make up to 200 changes of one action, and read the result of each row.

        An update or archive that names the version it expects is only made if the record is still as it was.
        """
        if changes and changes[0].action is Action.AMEND:
            return amend_tasks(changes, self._finder.find, self._writer.amend)
        return self._writer.write(changes)

    def close(self) -> None:
        """Give back the connections."""
        self._org.close()

    def _with_figures(self, found: Mapping[Ref, Record], names: Collection[str]) -> Mapping[Ref, Record]:
        """Give accounts and users with the fields of the org's own that are asked for beside ours."""
        made = dict(found)
        for kind in CAPABILITIES.figures:
            refs = {to_18(ref.id): ref for ref in found if ref.kind is kind}
            table = self._setup.table(OBJECTS[kind]) if refs and names else None
            columns = [table.columns[name] for name in sorted(names) if name in table.columns] if table else []
            if columns:
                for row in self._org.rows(OBJECTS[kind], list(refs), ["Id", *(column.name for column in columns)]):
                    ref = refs[to_18(str(row["Id"]))]
                    own = {column.name: figure_of(column, row.get(column.name)) for column in columns}
                    made[ref] = replace(made[ref], fields={**made[ref].fields, **own})
        return made

    def _pull(self, kind: Kind, since: str | None, ahead: Future[Beginning | None] | None = None) -> Iterator[Page]:
        sources = self._library.sources(kind)
        if len(sources) == 1 and kind is not Kind.FILE:  # where there is one object of files, there may be two later
            yield from self._walk(sources[0], since, ahead)
            return
        cursors = parse_several(since)
        for source in sources:
            name = source.form.table.name
            for page in self._walk(source, cursors.get(name)):
                cursors[name] = page.cursor
                if page.records or page.tombstones:
                    yield replace(page, cursor=dump_several(cursors))
        yield Page(cursor=dump_several(cursors))

    def _read(self, kind: Kind, ids: Sequence[str], fields: Collection[str] | None) -> list[Record]:
        try:
            return list(self._library.read(kind, ids, fields))
        except UnknownColumnError:  # what we remember of the org may be old
            self._setup.forget()
            return list(self._library.read(kind, ids, fields))

    def _walk(self, source: Source, since: str | None, ahead: Future[Beginning | None] | None = None) -> Iterator[Page]:
        # Whether a bulk job takes the condition that ties of files must be asked for with is not documented.
        pace = replace(self._pace, bulk_above=sys.maxsize) if source.kind is Kind.FILE else self._pace
        return Walk(self._org, self._clock, source, pace, ahead).pages(since)


def _account(org: Org, settings: SalesforceSettings) -> str:
    try:
        rows = org.query("SELECT Name FROM Organization LIMIT 1")
    except RefusedError:  # the integration user may not see it, and the host names the org as well
        rows = []
    return str(rows[0]["Name"]) if rows else urlsplit(settings.org or settings.address).hostname or ""
