"""The Pipedrive adapter: one account behind the port that crmbridge knows."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import timedelta

from pydantic import SecretStr

from crmbridge.http import Budget, Dialect, HttpClient, Rate
from crmbridge.model.changes import DEAL_ACTIONS, Change, Receipt
from crmbridge.model.records import Kind, Record, Ref
from crmbridge.ports import Adapter, AdapterContext, Capabilities, Description, NativeField, Page
from crmbridge_pipedrive.account import Account
from crmbridge_pipedrive.api import Api
from crmbridge_pipedrive.finding import find_deal, find_marked
from crmbridge_pipedrive.history import History
from crmbridge_pipedrive.mapping import DealReader
from crmbridge_pipedrive.reading import DealSource, pull_list, pull_users, read_list, users
from crmbridge_pipedrive.settings import PipedriveSettings
from crmbridge_pipedrive.values import FieldDefinition
from crmbridge_pipedrive.verdicts import judge
from crmbridge_pipedrive.writing import Writer

CAPABILITIES = Capabilities(
    kinds=frozenset({Kind.USER, Kind.COMPANY, Kind.CONTACT, Kind.DEAL}),
    actions=DEAL_ACTIONS,
    batch=dict.fromkeys(DEAL_ACTIONS, 1),  # no bulk writes; a list of many would only be sent one by one
    external_key=False,  # the key is kept in a custom field, and Pipedrive keeps none of those unique
    history=True,
    tombstones=True,
    status_in_stage=False,
    lag=timedelta(0),
)
API_VERSION = "v2; v1 for users, notes and history"
# Built-in deal fields that the API reads but does not take.
BUILT_IN_WRITABLE = frozenset(
    {"title", "owner_id", "person_id", "org_id", "pipeline_id", "stage_id", "value", "currency", "status"}
    | {"probability", "lost_reason", "visible_to", "expected_close_date", "label_ids"}
)


class PipedriveAdapter:
    """Speaks with one Pipedrive account. Made by `open_adapter`; nothing is sent before the first call."""

    def __init__(self, settings: PipedriveSettings, api: Api, context: AdapterContext) -> None:
        self._settings = settings
        self._api = api
        self._connection = context.connection
        self._account = Account(api, context.connection, settings.key_field, context.fields)

    @property
    def capabilities(self) -> Capabilities:
        """What this adapter can do."""
        return CAPABILITIES

    def describe(self) -> Description:
        """Read the account's pipelines, stages, fields, users and currencies."""
        me = self._api.get_v1("users/me")
        company = me if isinstance(me, dict) else {}
        key = self._account.key_definition()
        money = (row for row in self._api.get_v1("currencies") or () if isinstance(row, dict))
        return Description(
            account=str(company.get("company_domain") or company.get("company_name") or self._settings.company),
            pipelines=self._account.pipelines,
            fields=tuple(native_field(definition) for definition in self._account.definitions),
            users=tuple(users(self._api, self._connection)),
            currencies=tuple(str(row["code"]) for row in money if row.get("code") and row.get("active_flag")),
            api_version=API_VERSION,
            key_field=native_field(key) if key else None,
        )

    def pull(self, kind: Kind, since: str | None) -> Iterator[Page]:
        """Yield pages of what changed since a cursor."""
        if kind is Kind.DEAL:
            return self._deals().pull(since)
        if kind is Kind.USER:
            return pull_users(self._api, self._connection)
        return pull_list(self._api, kind, self._connection, since)

    def read(
        self,
        refs: Sequence[Ref],
        *,
        fields: Collection[str] | None = None,  # noqa: ARG002  none of them costs a request of its own
    ) -> Mapping[Ref, Record]:
        """Read records as they are now, by their ids; the ones that are gone are left out."""
        wanted: dict[Kind, set[int]] = {}
        for ref in refs:
            if ref.id.isdecimal() and len(ref.id) < 19:
                wanted.setdefault(ref.kind, set()).add(int(ref.id))
        found = {record.ref: record for kind, ids in wanted.items() for record in self._read_kind(kind, ids)}
        return {ref: found[ref] for ref in refs if ref in found}

    def find(self, kind: Kind, key: str, near: Ref | None) -> Ref | None:
        """Find a deal by its key, or a task or note by its marker on `near`, by walking lists."""
        number: int | None = None
        if kind is Kind.DEAL:
            number = find_deal(self._api, self._account.key_definition(), key)
        elif near is not None and near.id.isdecimal():
            number = find_marked(self._api, kind, key, near)
        return None if number is None else Ref(self._connection, kind, str(number))

    def write(self, changes: Sequence[Change]) -> Sequence[Receipt]:
        """Make changes, one request each, and give a receipt for each in order."""
        writer = Writer(
            api=self._api,
            connection=self._connection,
            currency=self._settings.currency,
            task_type=self._settings.task_type,
            fields=self._account.deal_fields,
        )
        return writer.write(changes)

    def close(self) -> None:
        """Give back connections."""
        self._api.close()

    def _read_kind(self, kind: Kind, ids: set[int]) -> list[Record]:
        if kind is Kind.DEAL:
            return self._deals().read(ids)
        if kind is Kind.USER:
            return [user for user in users(self._api, self._connection) if int(user.ref.id) in ids]
        return read_list(self._api, kind, self._connection, ids)

    def _deals(self) -> DealSource:
        fields = self._account.deal_fields
        return DealSource(
            api=self._api,
            reader=DealReader(
                connection=self._connection,
                currency=self._settings.currency,
                fields=fields,
                company=self._settings.company,
            ),
            history=History(api=self._api, pipeline_of=self._account.pipeline_of),
        )


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


def open_adapter(settings: PipedriveSettings, token: SecretStr, context: AdapterContext) -> Adapter:
    """Open a connection; nothing is sent yet. The token goes into a header, because URLs end up in logs."""
    http = HttpClient(
        connection=context.connection,
        base_url=settings.host_url,
        clock=context.clock,
        budget=Budget([Rate(settings.burst, 2.0)], context.clock),
        headers={"x-api-token": token.get_secret_value()},
        dialect=Dialect(judge=judge),
        timeout=settings.timeout,
    )
    return PipedriveAdapter(settings, Api(http, context.clock, settings.v1_path), context)
