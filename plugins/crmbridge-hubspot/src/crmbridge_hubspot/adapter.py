"""The HubSpot adapter: crmbridge's port, made of the parts of this package."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence

from pydantic import SecretStr

from crmbridge.model.changes import DEAL_ACTIONS, Change, Receipt
from crmbridge.model.records import Kind, Record, Ref
from crmbridge.ports import AdapterContext, Capabilities, Description, Page
from crmbridge_hubspot.account import Account, read_account, read_owners
from crmbridge_hubspot.api import HubSpotApi
from crmbridge_hubspot.cursor import OVERLAP
from crmbridge_hubspot.mapping import OBJECTS, Terms, Words, to_user
from crmbridge_hubspot.pulling import Reader, pull_pages
from crmbridge_hubspot.settings import HubSpotSettings
from crmbridge_hubspot.values import Codec
from crmbridge_hubspot.writing import ATTACHMENTS, BATCH, Writer, find_attachment, find_deal

CAPABILITIES = Capabilities(
    kinds=frozenset({Kind.USER, Kind.COMPANY, Kind.CONTACT, Kind.DEAL}),
    actions=DEAL_ACTIONS,
    batch=dict.fromkeys(DEAL_ACTIONS, BATCH),
    external_key=True,
    history=True,
    tombstones=True,
    status_in_stage=True,
    lag=OVERLAP,
)


class HubSpotAdapter:
    """Speaks to one HubSpot account. Opening it touches no network."""

    def __init__(self, settings: HubSpotSettings, context: AdapterContext, token: SecretStr) -> None:
        self._settings = settings
        self._clock = context.clock
        self._api = HubSpotApi(settings, context.connection, context.clock, token)
        self._words = Words(settings, context)
        self._lock = threading.Lock()
        self._account: Account | None = None

    @property
    def capabilities(self) -> Capabilities:
        """What this adapter can do."""
        return CAPABILITIES

    def describe(self) -> Description:
        """Read the account's pipelines, stages, properties, owners and currencies."""
        account = self._read_account(afresh=True)
        return Description(
            account=account.portal,
            pipelines=account.pipelines,
            fields=tuple(account.fields.values()),
            users=tuple(to_user(owner, self._words) for owner in account.owners),
            currencies=account.currencies,
            api_version=self._settings.api_version,
            key_field=account.fields.get(self._words.key_field),
        )

    def pull(self, kind: Kind, since: str | None) -> Iterator[Page]:
        """Yield pages of what changed since a cursor, or everything. Owners are few and come whole each time."""
        if kind is Kind.USER:
            yield Page(records=tuple(self._users()), cursor="all")
        else:
            yield from pull_pages(self._reader(kind, afresh=True), since)

    def read(self, refs: Sequence[Ref]) -> Mapping[Ref, Record]:
        """Read records as they are now, past the search index."""
        found: dict[Ref, Record] = {}
        for kind in sorted({ref.kind for ref in refs}):
            ids = [ref.id for ref in refs if ref.kind is kind]
            if kind is Kind.USER:
                records = [user for user in self._users() if user.ref.id in ids]
            else:
                reader = self._reader(kind)
                records = reader.records(reader.raws(ids, history=False))
            found |= {record.ref: record for record in records}
        return found

    def find(self, kind: Kind, key: str, near: Ref | None) -> Ref | None:
        """Find a deal by its key, or a task or note by its marker among those on the record `near`."""
        if kind is Kind.DEAL:
            known = self._read_account().fields.get(self._words.key_field)
            return find_deal(self._api, self._words, key) if known is not None and known.unique else None
        if near is None or kind not in ATTACHMENTS or near.kind not in OBJECTS:
            return None
        return find_attachment(self._api, self._words, kind, key, near)

    def write(self, changes: Sequence[Change]) -> Sequence[Receipt]:
        """Make changes of one action, at most `capabilities.batch` of them."""
        if not changes:
            return []
        return Writer(api=self._api, terms=self._terms(), now=self._clock.now).write(changes)

    def close(self) -> None:
        """Give back the connections."""
        self._api.close()

    def _users(self) -> Iterator[Record]:
        return (to_user(owner, self._words) for owner in read_owners(self._api))

    def _reader(self, kind: Kind, *, afresh: bool = False) -> Reader:
        return Reader(api=self._api, kind=kind, terms=self._terms(afresh=afresh), now=self._clock.now)

    def _terms(self, *, afresh: bool = False) -> Terms:
        account = self._read_account(afresh=afresh)
        return Terms(self._words, account, Codec(account.zone, account.home))

    def _read_account(self, *, afresh: bool = False) -> Account:
        """Give the account's set-up, as it was last read unless it is wanted afresh."""
        with self._lock:
            if afresh or self._account is None:
                self._account = read_account(self._api, self._settings)
            return self._account
