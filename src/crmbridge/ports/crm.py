"""What the engine needs of a CRM: the adapter, and the data that goes in and out of it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, MutableMapping, Sequence
from datetime import date, datetime, timedelta
from typing import Protocol

from msgspec import Struct, field

from crmbridge.model.changes import Action, Change, Receipt
from crmbridge.model.records import Kind, Move, Record, Ref, Status, Tombstone
from crmbridge.model.replacing import replace
from crmbridge.model.values import FieldType
from crmbridge.ports.clock import Clock
from crmbridge.ports.rates import RateLedger


class Capabilities(Struct, frozen=True, kw_only=True):
    """What an adapter can do, as data: printed by `connections`, proved by the AdapterSuite."""

    kinds: frozenset[Kind]  # what `pull` and `read` know
    actions: frozenset[Action]  # what `write` knows
    batch: Mapping[Action, int]  # how many changes of one action fit in one write call
    external_key: bool  # a created deal can carry a key that the CRM keeps unique
    history: bool  # `pull` of deals yields moves
    tombstones: bool  # `pull` reports records that are gone
    status_in_stage: bool  # won and lost are stages (HubSpot, Salesforce), not a status beside them (Pipedrive)
    lag: timedelta = timedelta(0)  # how late a change may show up in `pull`
    # For how long `pull` tells that a record of a kind is gone, where the CRM forgets it then: as often, what is known
    # is looked for by its ids. Where nothing tells of it, how often that shall be.
    forgets: Mapping[Kind, timedelta] = field(default_factory=dict)
    names_all: frozenset[Kind] = frozenset()  # of which kinds it can name all that are there (`ports.listing`)
    merges: bool = False  # the tombstone of a record that was merged away names the survivor
    conditional_write: bool = False  # the CRM itself refuses an update of a record that changed since `expects`
    slices: bool = False  # a big first pull reads parts of a list side by side
    creates: frozenset[Kind] = frozenset(
        {Kind.DEAL}
    )  # what Action.CREATE can make: deals, companies, contacts, figures
    # What hangs on a deal and can be written with it, and by an update: `company`, `contacts`.
    associates: frozenset[str] = frozenset()
    # On which records, of companies and users, an update can write numbers into fields of the account's own: the edits
    # of such an update, and `fields` of `read`, name them as the CRM does.
    figures: frozenset[Kind] = frozenset()
    # Of how many deals a run may ask what their fields held before (`ports.field_history`); 0: the CRM can't tell.
    field_history: int = 0
    ahead: bool = False  # it can be told what is pulled next (`ports.ahead`)
    bound: bool = False  # it tells which of the account's fields the bound ones stand for (`ports.bound`)
    writers: int = 1  # how many batches may be written side by side, none of them with a record of another


class NativeStage(Struct, frozen=True, kw_only=True):
    """A stage of a CRM's pipeline. Labels are for people; the id is what counts."""

    id: str
    label: str
    status: Status
    probability: float | None = None  # 0 to 1
    writable: bool = True  # False: the CRM itself brings deals there (Tryton: when the sales are confirmed)


class Pipeline(Struct, frozen=True, kw_only=True):
    """A CRM's pipeline with its stages in the order the CRM shows them."""

    id: str
    label: str
    stages: tuple[NativeStage, ...]


class NativeField(Struct, frozen=True, kw_only=True):
    """A field that the account's deals have."""

    name: str  # what the API calls it
    label: str
    type: FieldType | None  # None: a type that crmbridge does not read
    options: tuple[str, ...] = ()  # the values that can be written
    option_labels: Mapping[str, str] = field(default_factory=dict)  # what people see of a value, where it differs
    writable: bool = True
    unique: bool = False
    percent: bool = False  # a number of hundredths: the CRM's own formulas may count 10 % as 0.1


class FieldWish(Struct, frozen=True, kw_only=True):
    """A field that an account should have: what `connections setup` creates, or tells an admin to create.

    `on` is deals, or the companies or users that a report writes its figures to.
    """

    name: str  # what the API shall call it, where the CRM lets us choose
    label: str
    type: FieldType
    options: tuple[str, ...] = ()
    unique: bool = False
    why: str = ""  # what it is for, in a few words
    on: Kind = Kind.DEAL

    @property
    def key(self) -> str:
        """What it is found again by: its name, behind the kind of record where that is no deal."""
        return self.name if self.on is Kind.DEAL else f"{self.on}:{self.name}"


class Credential(Struct, frozen=True, kw_only=True):
    """What a connection is signed in with. Never the secret itself."""

    way: str  # as the vendor calls it: service key, OAuth, API token, client credentials, JWT bearer
    user: str = ""  # who it acts as, where the CRM says
    issued_at: datetime | None = None  # of what people keep, not of the sessions that the adapter gets by it
    expires_at: datetime | None = None  # when a person must issue a new one; None: never, or the CRM does not say
    scopes: frozenset[str] | None = None  # None: the CRM does not say
    needed: frozenset[str] = frozenset()  # the scopes that this adapter uses
    needed_for: Mapping[Kind, frozenset[str]] = field(default_factory=dict)  # and those for kinds that not all use

    def reading(self, kinds: Collection[Kind]) -> Credential:
        """Give it with what is needed to read these kinds; of `field`, to keep a report's figures in fields."""
        more = (scopes for kind, scopes in self.needed_for.items() if kind in kinds)
        return replace(self, needed=self.needed.union(*more))

    @property
    def missing(self) -> frozenset[str]:
        """The scopes that are needed and not there; empty where the CRM does not say."""
        return frozenset() if self.scopes is None else self.needed - self.scopes

    @property
    def superfluous(self) -> frozenset[str]:
        """The scopes that are there and not needed."""
        return frozenset() if self.scopes is None else self.scopes - self.needed


class Description(Struct, frozen=True, kw_only=True):
    """What an account looks like now."""

    account: str  # a name people recognise: portal id, company domain, org name
    pipelines: tuple[Pipeline, ...]
    fields: tuple[NativeField, ...]
    users: tuple[Record, ...]
    currencies: tuple[str, ...] = ()
    api_version: str = ""
    api_supported_until: date | None = None  # when the vendor's support of that version ends, as far as it is known
    key_field: NativeField | None = None  # the external key field, if the account has it
    key_wish: FieldWish | None = None  # what that field should be like; None: this CRM needs none
    credential: Credential | None = None


class Page(Struct, frozen=True, kw_only=True):
    """Part of what `pull` found. `cursor` is where a later pull continues once this page is stored.

    The moves of a deal come all together, in the page of its record; they replace what was known. A deal that did not
    move since the cursor may come without them, and keeps what was known.
    """

    records: tuple[Record, ...] = ()
    moves: tuple[Move, ...] = ()
    tombstones: tuple[Tombstone, ...] = ()
    cursor: str
    total: int | None = None  # about how many records this pull brings in all, where the CRM says; for people only
    begun: datetime | None = None  # since when it is asked for, where that was before `pull`; for people only


class FieldBinding(Struct, frozen=True, kw_only=True):
    """A process field and the CRM's own field that holds it."""

    name: str  # the process's name, such as bant.budget
    native: str  # the CRM's name, such as bant_budget
    type: FieldType


class AdapterContext(Struct, frozen=True, kw_only=True):
    """What an adapter is opened with beside its own settings."""

    connection: str
    clock: Clock
    fields: tuple[FieldBinding, ...] = ()
    ledger: RateLedger | None = None  # where requests are counted; None: by this adapter alone
    # What the adapter may keep between runs, such as an account's set-up: never a secret, and nothing it can't do
    # without. A connection has its own; it may be emptied at any time.
    memory: MutableMapping[str, str] = field(default_factory=dict)


class Adapter(Protocol):
    """Speaks one CRM for one connection. Thread-safe; raises only the errors of `crmbridge.errors`.

    Reads may be repeated at will. Of the writes, only what the CRM answered clearly is `applied` or `refused`;
    a time-out or a cut reply after the request was sent is `unknown`, and is never sent again by the adapter.
    """

    @property
    def capabilities(self) -> Capabilities:
        """What this adapter can do."""
        ...

    def describe(self) -> Description:
        """Read the account's pipelines, stages, fields, users and currencies."""
        ...

    def pull(self, kind: Kind, since: str | None) -> Iterator[Page]:
        """Yield pages of what changed since a cursor, or everything when there is none.

        The last page is the only one that may be empty, and there is always at least one. Deliver a change twice
        rather than never: re-read the CRM's lag. A cursor is only good for what is in its page and the ones before.
        Of files, what is told of them is read, never what stands in them. NotGrantedError: the account does not let us
        read this kind, and its advice names what to grant; it is only raised for files, and all else can be pulled.
        """
        ...

    def read(self, refs: Sequence[Ref], *, fields: Collection[str] | None = None) -> Mapping[Ref, Record]:
        """Read records as they are now, past any index; the ones that are gone are left out.

        With `fields`, only these and the position are needed: what costs requests of its own may be left out. Of the
        kinds in `capabilities.figures`, names that are no field of ours are the CRM's own fields, and are read too.
        """
        ...

    def find(self, kind: Kind, key: str, near: Ref | None) -> Ref | None:
        """Find a record past any index.

        A deal by its external key; the task or note with this marker on the deal `near`; a company or contact, where
        it can be created, by its natural key: `domain:acme.example`, `name:Acme Ltd` (where it has no domain) or
        `email:ann@acme.example`, compared without case. A field by its name, of a company or user by `company:NAME`.

        None means that it is certainly not there. Raises RetryLaterError when the CRM can't say yet.
        """
        ...

    def write(self, changes: Sequence[Change]) -> Sequence[Receipt]:
        """Make changes of one action, at most `capabilities.batch` of them; one receipt each, in order.

        Raises only when nothing at all was sent or everything was clearly refused (AuthenticationError,
        RetryLaterError); anything else is in the receipts.
        """
        ...

    def close(self) -> None:
        """Give back connections; the adapter is not used again."""
        ...
