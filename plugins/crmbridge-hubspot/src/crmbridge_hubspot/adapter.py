"""The HubSpot adapter: crmbridge's port, made of the parts of this package."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from concurrent.futures import Future
from datetime import datetime, timedelta
from functools import partial

from crmbridge.http import Signer
from crmbridge.model.changes import DEAL_ACTIONS, Action, Change, Receipt
from crmbridge.model.courses import Course
from crmbridge.model.records import Kind, Record, Ref
from crmbridge.model.values import FieldType
from crmbridge.ports import AdapterContext, BoundTo, Capabilities, Description, FieldWish, Page
from crmbridge.threads import started
from crmbridge_hubspot.account import read_owners
from crmbridge_hubspot.api import BATCH, HubSpotApi
from crmbridge_hubspot.attached import HolderReader, granted, holder_of
from crmbridge_hubspot.beginning import Beginning, begin, listed_early
from crmbridge_hubspot.counterparts import KNOWN_BY, Lookup
from crmbridge_hubspot.cursor import OVERLAP
from crmbridge_hubspot.figures import Figures
from crmbridge_hubspot.mapping import Words, to_user
from crmbridge_hubspot.objects import LINKED, TYPES, ObjectType, by_type
from crmbridge_hubspot.pulling import pull_pages
from crmbridge_hubspot.reading import Reader
from crmbridge_hubspot.search_walk import SearchWalk
from crmbridge_hubspot.settings import HubSpotSettings
from crmbridge_hubspot.setup import SetUp
from crmbridge_hubspot.shapes import named
from crmbridge_hubspot.signing import credential

WALKED = frozenset({Kind.COMPANY, Kind.CONTACT, Kind.DEAL})
WRITTEN = DEAL_ACTIONS | {Action.FIELD, Action.ARCHIVE, Action.AMEND}
CAPABILITIES = Capabilities(
    kinds=frozenset({Kind.USER, *TYPES}),
    actions=WRITTEN,
    batch=dict.fromkeys(WRITTEN, BATCH),
    external_key=True,
    history=True,
    tombstones=True,
    forgets=dict.fromkeys(TYPES, timedelta(days=90)),  # then what is in the recycle bin is gone for good
    status_in_stage=True,
    lag=OVERLAP,
    merges=True,
    slices=True,
    creates=frozenset({Kind.DEAL, *KNOWN_BY}),
    associates=frozenset(LINKED),
    field_history=2_000,  # forty requests
    figures=frozenset({Kind.COMPANY}),  # owners take no properties of one's own ("Owners" guide)
    ahead=True,
    bound=True,
    writers=8,  # at 300 ms an answer, fewer would leave some of the burst limit unused
)


class HubSpotAdapter:
    """Speaks to one HubSpot account. Opening it touches no network."""

    def __init__(self, settings: HubSpotSettings, context: AdapterContext, signer: Signer) -> None:
        self._settings = settings
        self._clock = context.clock
        self._connection = context.connection
        self._signer = signer
        self._api = HubSpotApi(settings, context, signer)
        self._setup = SetUp(self._api, settings, context)
        self._figures = Figures(api=self._api)
        self._ahead: dict[Kind, Future[Beginning]] = {}
        self._lookup = Lookup(api=self._api, connection=context.connection, now=context.clock.now)

    @property
    def capabilities(self) -> Capabilities:
        """What this adapter can do."""
        return CAPABILITIES

    def describe(self) -> Description:
        """Read the account's pipelines, stages, properties, owners and currencies, and what the credential is for."""
        with named(self._connection):
            words, account, _ = self._setup.terms(afresh=True)
            users = tuple(to_user(owner, self._connection) for owner in account.owners)
        return Description(
            account=account.portal,
            pipelines=account.pipelines,
            fields=tuple(account.fields.values()),
            users=users,
            currencies=account.currencies,
            api_version=self._settings.api_version,
            api_supported_until=self._api.paths.supported_until,
            key_field=account.fields.get(words.key_field),
            key_wish=_key_wish(words),
            credential=credential(self._signer, self._settings, self._api),
        )

    def pull(self, kind: Kind, since: str | None) -> Iterator[Page]:
        """Yield pages of what changed since a cursor, or everything. Owners are few and come whole each time."""
        ahead = self._ahead.pop(kind, None)
        with named(self._connection), granted(self._connection, kind):
            if kind is Kind.USER:
                yield Page(records=tuple(_users(self._api, self._connection)), cursor="all")
            else:
                yield from pull_pages([self._reader(type_) for type_ in TYPES[kind]], since, None if since else ahead)

    def bound_fields(self) -> Mapping[str, BoundTo]:
        """Give the properties that fields stand for, and the zone or currency that they are read by.

        A label may be that of another property now, and the same time be another day.
        """
        with named(self._connection):
            return self._setup.terms().sources

    def ask_ahead(self, kinds: Sequence[Kind]) -> None:
        """Begin the walk through the first of these kinds that has one, whatever the account's set-up is."""
        for kind in kinds:
            if kind in WALKED:
                reader = self._reader(TYPES[kind][0])
                search = SearchWalk(self._api, reader.type.name, reader.type.modified)
                self._ahead[kind] = started(partial(begin, reader, search, listed_early))
                break

    def read(self, refs: Sequence[Ref], *, fields: Collection[str] | None = None) -> Mapping[Ref, Record]:
        """Read records as they are now, past the search index; links, which cost requests, only if they are wanted.

        One that was merged away is left out; the record that it was merged into comes in its place.
        """
        found: list[Record] = []
        for kind in sorted({ref.kind for ref in refs}):
            with named(self._connection), granted(self._connection, kind):
                found += self._read_kind(kind, [ref.id for ref in refs if ref.kind is kind], fields)
        return self._figures.added({record.ref: record for record in found}, fields)

    def field_history(self, deals: Sequence[Record], fields: Collection[str], since: datetime) -> Iterator[Course]:
        """Read what fields held from a moment on, by the histories that HubSpot keeps of each property."""
        from crmbridge_hubspot.courses import Courses  # noqa: PLC0415  asked for only of deals in doubt

        return Courses(api=self._api, terms=self._setup.terms()).read(deals, fields, since)

    def find(self, kind: Kind, key: str, near: Ref | None) -> Ref | None:
        """Find a deal by its key, a deal property by its name, a task or note by its marker on the record `near`.

        A company or contact is found by its natural key, without case; the oldest where there are several.
        """
        from crmbridge_hubspot.writing import ATTACHMENTS, find_attachment, find_deal  # noqa: PLC0415  as for `write`

        if kind is Kind.DEAL:
            words, account, _ = self._setup.terms()
            known = account.fields.get(words.key_field)
            return find_deal(self._api, words, key) if known is not None and known.unique else None
        if kind is Kind.FIELD:
            from crmbridge_hubspot.fields import find_property  # noqa: PLC0415  as for `write`

            return find_property(self._api, self._setup, self._connection, key)
        if kind in KNOWN_BY:
            return self._lookup.afresh().find(kind, key)
        if near is None or kind not in ATTACHMENTS or near.kind not in {Kind.DEAL, Kind.COMPANY, Kind.CONTACT}:
            return None
        return find_attachment(self._api, self._setup.terms().words, kind, key, near)

    def write(self, changes: Sequence[Change]) -> Sequence[Receipt]:
        """Make changes of one action, at most `capabilities.batch` of them."""
        from crmbridge_hubspot.changing import Changing  # noqa: PLC0415  what a pull does without

        return Changing(
            api=self._api,
            setup=self._setup,
            figures=self._figures,
            lookup=self._lookup,
            connection=self._connection,
            now=self._clock.now,
            find=self.find,
        ).write(changes)

    def close(self) -> None:
        """Give back the connections."""
        self._api.close()

    def _files(self, ids: Sequence[str]) -> list[Record]:
        """Read files by what holds them, which may hold others, too."""
        holders = by_type(Kind.FILE, list(dict.fromkeys(map(holder_of, ids))))
        found = [self._reader(type_).by_id(known).records for type_, known in holders.items()]
        return [record for records in found for record in records if record.ref.id in ids]

    def _read_kind(self, kind: Kind, ids: list[str], fields: Collection[str] | None) -> list[Record]:
        if kind is Kind.FILE:
            return self._files(ids)
        if kind is Kind.USER:
            return [user for user in _users(self._api, self._connection) if user.ref.id in ids]
        return [record for type_, known in by_type(kind, ids).items() for record in self._read(type_, known, fields)]

    def _read(self, type_: ObjectType, ids: Sequence[str], fields: Collection[str] | None) -> Sequence[Record]:
        reader = self._reader(type_)
        return reader.found(reader.raws(ids, history=False), fields=fields).records

    def _reader(self, type_: ObjectType) -> Reader:
        kind = HolderReader if type_.kind is Kind.FILE else Reader
        return kind(api=self._api, type=type_, setup=self._setup, connection=self._connection, now=self._clock.now)


def _users(api: HubSpotApi, connection: str) -> Iterator[Record]:
    return (to_user(owner, connection) for owner in read_owners(api))


def _key_wish(words: Words) -> FieldWish:
    return FieldWish(
        name=words.key_field,
        label="crmbridge key",
        type=FieldType.TEXT,
        unique=True,
        why="so that no deal is made twice",
    )
