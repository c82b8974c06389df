"""The Pipedrive adapter: one account behind the port that crmbridge knows."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from itertools import islice
from typing import Any

from crmbridge.adapting import amend_tasks
from crmbridge.http import Dialect, HttpClient, together
from crmbridge.model.changes import DEAL_ACTIONS, Action, Change, Receipt
from crmbridge.model.courses import Course
from crmbridge.model.records import Kind, Record, Ref
from crmbridge.model.values import FieldType
from crmbridge.ports import Adapter, AdapterContext, BoundTo, Capabilities, Description, FieldWish, NativeField, Page
from crmbridge_pipedrive.account import Account, DealFields
from crmbridge_pipedrive.ahead import Lookout
from crmbridge_pipedrive.api import IDS, Api
from crmbridge_pipedrive.attached import every_file, pull_files, read_files
from crmbridge_pipedrive.changelogs import ChangeLogs
from crmbridge_pipedrive.courses import Courses
from crmbridge_pipedrive.deals import DealSource
from crmbridge_pipedrive.figures import Figures
from crmbridge_pipedrive.finding import Books, find_marked
from crmbridge_pipedrive.limits import Limits
from crmbridge_pipedrive.making import field_named
from crmbridge_pipedrive.mapping import DealReader
from crmbridge_pipedrive.paths import PATHS
from crmbridge_pipedrive.products import Products
from crmbridge_pipedrive.reading import (
    LISTS,
    every_listed,
    every_note,
    pull_list,
    pull_notes,
    pull_users,
    read_list,
    read_notes,
    users,
)
from crmbridge_pipedrive.settings import PipedriveSettings
from crmbridge_pipedrive.signing import SignIn
from crmbridge_pipedrive.values import FieldDefinition
from crmbridge_pipedrive.verdicts import judge
from crmbridge_pipedrive.writing import Writer

# No list tells which of these were deleted, so they are looked for once a day.
UNTOLD = frozenset({Kind.COMPANY, Kind.CONTACT, Kind.ACTIVITY, Kind.NOTE, Kind.FILE})
ACTIONS = DEAL_ACTIONS | {Action.FIELD, Action.ARCHIVE, Action.AMEND}
CAPABILITIES = Capabilities(
    kinds=frozenset({Kind.USER, Kind.COMPANY, Kind.CONTACT, Kind.DEAL, Kind.ACTIVITY, Kind.NOTE, Kind.FILE}),
    actions=ACTIONS,
    batch=dict.fromkeys(ACTIONS, IDS),  # there are no bulk writes; so many are sent one by one, side by side
    external_key=False,  # the key is kept in a custom field, and Pipedrive keeps none of those unique
    history=True,
    tombstones=True,
    forgets={Kind.DEAL: timedelta(days=30), **dict.fromkeys(UNTOLD, timedelta(days=1))},
    names_all=UNTOLD,
    status_in_stage=False,
    lag=timedelta(0),
    merges=False,  # no answer names the deal that a merged one went into
    slices=True,
    creates=frozenset({Kind.DEAL, Kind.COMPANY, Kind.CONTACT}),
    associates=frozenset({"company", "contacts"}),
    field_history=100,  # twenty tokens each
    ahead=True,
    bound=True,
    figures=frozenset({Kind.COMPANY}),  # users have no custom fields
)
ON_COMPANIES = f"{Kind.COMPANY}:"
API_VERSION = "v2; v1 for users, notes, files and history"
# Built-in deal fields that the API reads but does not take.
BUILT_IN_WRITABLE = frozenset(
    {"title", "owner_id", "person_id", "org_id", "pipeline_id", "stage_id", "value", "currency", "status"}
    | {"probability", "lost_reason", "visible_to", "expected_close_date", "label_ids"}
)


class PipedriveAdapter:
    """Speaks with one Pipedrive account. Made by `open_adapter`; nothing is sent before the first call."""

    def __init__(
        self, settings: PipedriveSettings, api: Api, sign_in: SignIn, limits: Limits, context: AdapterContext
    ) -> None:
        self._settings = settings
        self._api = api
        self._sign_in = sign_in
        self._connection = context.connection
        self._context = context
        self._limits = limits
        self._last_reader: DealReader | None = None
        place = f"{settings.host_url} {settings.oauth.client_id if settings.oauth else ''}"
        self._account = Account(api, context, place.strip(), settings.key_field)
        self._books = Books(api, self._account)
        self._figures = Figures(api=api, connection=context.connection)
        self._logs = ChangeLogs(api, context.memory)
        self._lookout = Lookout(api, context, settings.key_field)
        self._products = Products()
        self._deals = DealSource(
            api=api,
            changelogs=self._logs,
            account=self._account,
            connection=context.connection,
            limits=limits,
            clock=context.clock,
            make_reader=self._reader,
            take_ahead=partial(self._lookout.take, Kind.DEAL),
            products=self._products,
            history_days=settings.history_days,
        )

    @property
    def capabilities(self) -> Capabilities:
        """What this adapter can do."""
        return CAPABILITIES

    def describe(self) -> Description:
        """Read the account's pipelines, stages, fields, users and currencies, and what it is signed in with."""
        asked: list[Callable[[], Any]] = [
            partial(self._api.get, "me"),
            partial(self._api.get, "currencies"),
            partial(users, self._api, self._connection),
            partial(self._account.renew, anyway=True),
        ]
        said, currencies, people, _ = together(asked)
        me = said if isinstance(said, dict) else {}
        key = self._account.key_definition()
        money = (row for row in (currencies if isinstance(currencies, list) else ()) if isinstance(row, dict))
        return Description(
            account=str(me.get("company_domain") or me.get("company_name") or self._settings.company),
            pipelines=self._account.setup.pipelines,
            fields=tuple(native_field(definition) for definition in self._account.setup.definitions),
            users=tuple(people),
            currencies=tuple(str(row["code"]) for row in money if row.get("code") and row.get("active_flag")),
            api_version=API_VERSION,
            api_supported_until=None,  # Pipedrive has named no day for v2, nor for the calls of v1 that are used
            key_field=native_field(key) if key else None,
            key_wish=key_wish(self._settings.key_field),
            credential=self._sign_in.credential(str(me.get("email") or me.get("name") or "")),
        )

    def pull(self, kind: Kind, since: str | None) -> Iterator[Page]:
        """Yield pages of what changed since a cursor."""
        match kind:
            case Kind.DEAL:
                return self._deals.pull(since)
            case Kind.USER:
                return pull_users(self._api, self._connection)
            case Kind.NOTE:
                return pull_notes(self._api, self._connection, since)
            case Kind.FILE:
                return pull_files(self._api, self._connection, since)
            case _:
                return pull_list(self._api, kind, self._connection, since, ahead=self._lookout.take(kind))

    def bound_fields(self) -> Mapping[str, BoundTo]:
        """Give the codes of the fields that the bound ones stand for: one that was made again has another code."""
        return {name: BoundTo(code) for name, code in self._account.bound_codes.items()}

    def ask_ahead(self, kinds: Sequence[Kind]) -> None:
        """Begin the walk through the first of these kinds that has one, whatever the account's fields are."""
        self._lookout.ask(kinds)

    def read(
        self,
        refs: Sequence[Ref],
        *,
        fields: Collection[str] | None = None,
    ) -> Mapping[Ref, Record]:
        """Read records as they are now, by their ids; the ones that are gone are left out.

        Of `fields`, deals' contacts and activities and organizations' own cost requests; the others always come.
        """
        wanted: dict[Kind, set[int]] = {}
        for ref in refs:
            if ref.id.isdecimal() and len(ref.id) < 19:
                wanted.setdefault(ref.kind, set()).add(int(ref.id))
        found = {record.ref: record for kind, ids in wanted.items() for record in self._read_kind(kind, ids, fields)}
        return self._figures.added({ref: found[ref] for ref in refs if ref in found}, fields)

    def name_all(self, kind: Kind) -> Collection[str] | None:
        """Give the ids of all of a kind, unless to list them costs more than a small part of the day's tokens."""
        every, call = self._every(kind)
        most = self._limits.few // PATHS[self._settings.api_version][call].tokens
        pages = list(islice(every, most + 1))
        return {str(number) for page in pages for number in page} if len(pages) <= most else None

    def field_history(self, deals: Sequence[Record], fields: Collection[str], since: datetime) -> Iterator[Course]:
        """Read what fields held from a moment on, by the changelog of each deal."""
        known, currency = self._account.deal_fields, self._settings.currency
        source = Courses(api=self._api, logs=self._logs, limits=self._limits, fields=known, currency=currency)
        return source.read(deals, fields, since)

    def find(self, kind: Kind, key: str, near: Ref | None) -> Ref | None:
        """Find a record by lists, never through search.

        A deal by its key, a company or contact by its natural key, a task or note by its marker on `near`, or a deal
        field by its name.
        """
        found: int | str | None = None
        if kind is Kind.FIELD and key.startswith(ON_COMPANIES):
            return self._figures.find(key.removeprefix(ON_COMPANIES))
        if kind is Kind.FIELD:
            self._account.renew(anyway=True)
            field = field_named(self._account.setup.definitions, key, self._connection)
            found = field.code if field else None
        elif kind in CAPABILITIES.creates:
            found = self._books.find(kind, [key]).get(key)
        elif near is not None and near.id.isdecimal():
            found = find_marked(self._api, kind, key, near)
        return None if found is None else Ref(self._connection, kind, str(found))

    def write(self, changes: Sequence[Change]) -> Sequence[Receipt]:
        """Make changes, one request each and several at a time, and give a receipt for each in order."""
        writer = Writer(
            api=self._api,
            account=self._account,
            books=self._books,
            products=self._products,
            connection=self._connection,
            currency=self._settings.currency,
            task_type=self._settings.task_type,
        )
        if changes and changes[0].action is Action.AMEND:
            return amend_tasks(changes, self.find, writer.amend)
        return writer.write(changes)

    def close(self) -> None:
        """Give back connections."""
        self._api.close()

    def _read_kind(self, kind: Kind, ids: set[int], fields: Collection[str] | None) -> list[Record]:
        match kind:
            case Kind.DEAL:
                return self._deals.read(ids, fields)
            case Kind.USER:
                return [user for user in users(self._api, self._connection) if int(user.ref.id) in ids]
            case Kind.NOTE:
                return read_notes(self._api, self._connection, ids)
            case Kind.FILE:
                return read_files(self._api, self._connection, ids)
            case _:
                return read_list(self._api, kind, self._connection, ids)

    def _every(self, kind: Kind) -> tuple[Iterator[list[int]], str]:
        """Give the ids of all of a kind, page by page, and the call that lists them."""
        match kind:
            case Kind.NOTE:
                return every_note(self._api), "notes"
            case Kind.FILE:
                return every_file(self._api), "files"
            case _:
                return every_listed(self._api, kind), LISTS[kind][0]

    def _reader(self, fields: DealFields) -> DealReader:
        """Give what reads deals; it is made once for as long as the account's fields stay as they are."""
        reader = self._last_reader
        if reader is None or reader.fields is not fields:
            company, currency = self._settings.company, self._settings.currency
            reader = DealReader(connection=self._connection, currency=currency, fields=fields, company=company)
            self._last_reader = reader
        return reader


def key_wish(name: str | None) -> FieldWish | None:
    """Say what the key field should be like; Pipedrive keeps no field unique, and gives it a code of its own."""
    if name is None:
        return None
    why = "crmbridge writes its key there, to find again the deals that it made"
    return FieldWish(name=name, label=name, type=FieldType.TEXT, why=why)


def native_field(definition: FieldDefinition) -> NativeField:
    """Show a field definition as the port does."""
    return NativeField(
        name=definition.code,
        label=definition.label,
        type=definition.type,
        options=tuple(label for _, label in definition.options),
        writable=definition.custom or definition.code in BUILT_IN_WRITABLE,
        unique=False,
    )


def open_adapter(settings: PipedriveSettings, context: AdapterContext) -> Adapter:
    """Open a connection; nothing is sent yet."""
    sign_in, limits = SignIn(settings, context), Limits(settings, context)
    http = HttpClient(
        connection=context.connection,
        base_url=settings.host_url,
        clock=context.clock,
        budget=limits.budget,
        dialect=Dialect(
            judge=partial(judge, sign_in=sign_in.advice),
            expired=lambda reply: reply.status == 401,  # a scope that is missing is a 403
            meter=limits.meter,
        ),
        signer=sign_in.signer,
        timeout=settings.timeout,
    )
    api = Api(http, context.clock, PATHS[settings.api_version], sign_in.v1_path, readers=limits.readers)
    return PipedriveAdapter(settings, api, sign_in, limits, context)
