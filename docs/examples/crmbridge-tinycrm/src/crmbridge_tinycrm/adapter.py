"""Speaks to one TinyCRM account."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from pydantic import SecretStr

from crmbridge.adapting import read_in_lots
from crmbridge.errors import CrmbridgeError, RefusedError, StaleError, UnclearError
from crmbridge.http import Dialect, Rate, Reply, StaticToken, open_client, pages
from crmbridge.model.changes import DEAL_ACTIONS, Action, Change, Outcome, Receipt
from crmbridge.model.records import Kind, Record, Ref, Status
from crmbridge.model.values import FieldType
from crmbridge.ports import AdapterContext, Capabilities, Description, NativeField, NativeStage, Page, Pipeline
from crmbridge_tinycrm.mapping import CLOSED, PATHS, PLACES, TYPES, Mapper, on
from crmbridge_tinycrm.settings import TinySettings
from crmbridge_tinycrm.terms import PIPELINE

HOST = "https://api.tinycrm.example"
PAGE, IDS = 20, 100
CHANGED = 412
ACTIONS = DEAL_ACTIONS | {Action.FIELD, Action.ARCHIVE}
CAPABILITIES = Capabilities(
    kinds=frozenset(PATHS),
    actions=ACTIONS,
    batch=dict.fromkeys(ACTIONS, 1),
    external_key=True,
    history=True,
    tombstones=True,
    status_in_stage=True,
    creates=frozenset({Kind.DEAL, Kind.COMPANY, Kind.CONTACT}),
    associates=frozenset({"company", "contacts"}),
    merges=True,
    conditional_write=True,
)


def judge(reply: Reply) -> CrmbridgeError | None:
    """Say what a reply stands for, beyond what its status code says anyway."""
    return StaleError("the deal changed meanwhile") if reply.status == CHANGED else None


class TinyAdapter:
    """The port, over TinyCRM's API. Opening it sends nothing."""

    def __init__(self, settings: TinySettings, context: AdapterContext, token: SecretStr) -> None:
        self._mapper = Mapper(context.connection, context.fields)
        self._client = open_client(
            settings,
            context,
            base_url=HOST,
            dialect=Dialect(judge=judge),
            rates=[Rate(settings.requests_per_second, 1)],
            signer=StaticToken(token),
        )

    @property
    def capabilities(self) -> Capabilities:
        """What this adapter can do."""
        return CAPABILITIES

    def describe(self) -> Description:
        """Read the account's stages, fields and users."""
        about = self._get("about")
        stages = tuple(
            NativeStage(id=stage["id"], label=stage["label"], status=CLOSED.get(stage["id"], Status.OPEN))
            for stage in about["stages"]
        )
        return Description(
            account=about["account"],
            pipelines=(Pipeline(id=PIPELINE, label="Deals", stages=stages),),
            fields=tuple(NativeField(name=f["name"], label=f["label"], type=TYPES[f["type"]]) for f in about["fields"]),
            users=tuple(user for page in self.pull(Kind.USER, None) for user in page.records),
            key_field=NativeField(name="key", label="Key", type=FieldType.TEXT, unique=True),
        )

    def pull(self, kind: Kind, since: str | None) -> Iterator[Page]:
        """Yield the change feed from a cursor on: the number of the last change that was seen."""

        def fetch(token: str | None) -> tuple[list[Any], str | None]:
            body = self._get(PATHS[kind], after=token or "0", limit=PAGE)
            return body["items"], body["next"]

        for items, _ in pages(fetch, start=since):
            since = str(items[-1]["seq"]) if items else since or "0"
            yield self._mapper.page(kind, items, since)

    def read(
        self,
        refs: Sequence[Ref],
        *,
        fields: Collection[str] | None = None,  # noqa: ARG002  none of them costs a request of its own
    ) -> Mapping[Ref, Record]:
        """Read records by id; the ones that are gone are left out."""

        def fetch(kind: Kind, ids: list[str]) -> list[Record]:
            return [self._mapper.record(kind, item) for item in self._get(PATHS[kind], ids=",".join(ids))["items"]]

        return read_in_lots(refs, fetch, lot=IDS)

    def find(self, kind: Kind, key: str, near: Ref | None) -> Ref | None:
        """Find a record by what it is known by; TinyCRM looks in its tables, not in an index."""
        key = key.encode("utf-8", "replace").decode()  # half a surrogate pair can't stand in an address
        match kind:
            case Kind.FIELD:
                items = [{"id": field["name"]} for field in self._get("about")["fields"] if field["name"] == key]
            case Kind.DEAL:
                items = self._get("deals", key=key)["items"]
            case Kind.COMPANY | Kind.CONTACT:
                items = self._get(PATHS[kind], known_by=key)["items"]
            case _:
                items = self._get(PLACES[kind], on=on(near) if near else "", marker=key)["items"]
        return self._mapper.ref(kind, items[0]["id"]) if items else None

    def write(self, changes: Sequence[Change]) -> Sequence[Receipt]:
        """Make changes, one request each."""
        return [self._write_one(change) for change in changes]

    def close(self) -> None:
        """Give back connections."""
        self._client.close()

    def _write_one(self, change: Change) -> Receipt:
        try:
            body = self._send(change)
        except UnclearError as error:
            return Receipt(change=change.id, outcome=Outcome.UNKNOWN, ref=change.target, message=error.message)
        except StaleError as error:
            return Receipt(change=change.id, outcome=Outcome.STALE, ref=change.target, message=error.message)
        except RefusedError as error:
            return Receipt(change=change.id, outcome=Outcome.REFUSED, message=error.message)
        return Receipt(change=change.id, outcome=Outcome.APPLIED, ref=self._mapper.ref(change.kind, body["id"]))

    def _send(self, change: Change) -> Any:
        match change.action:
            case Action.UPDATE if change.target is not None:
                unchanged = {"If-Match": change.expects} if change.expects else None
                body = self._mapper.deal_body(change)
                return self._client.write("PATCH", on(change.target), body=body, headers=unchanged).body
            case Action.ARCHIVE if change.target is not None:
                return self._client.write("DELETE", on(change.target)).body
            case Action.CREATE if change.creates is not Kind.DEAL:
                body = self._mapper.counterpart_body(change)
                return self._client.write("POST", PATHS[change.creates], body=body).body
            case Action.CREATE:
                return self._client.write(
                    "POST", "deals", body={**self._mapper.deal_body(change), "key": change.key}
                ).body
            case Action.FIELD:
                return self._client.write("POST", "fields", body=self._mapper.field_body(change)).body
            case _:
                path = PLACES[change.kind]
                return self._client.write("POST", path, body=self._mapper.attached_body(change)).body

    def _get(self, path: str, **params: Any) -> Any:
        return self._client.read("GET", path, params=params).body
