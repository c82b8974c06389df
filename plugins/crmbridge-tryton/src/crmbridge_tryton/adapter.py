"""The Tryton adapter: one database behind the port that crmbridge knows."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence

from crmbridge.model.changes import Action, Change, Receipt
from crmbridge.model.records import Kind, Record, Ref
from crmbridge.ports import (
    Adapter,
    AdapterContext,
    Capabilities,
    Credential,
    Description,
    NativeField,
    NativeStage,
    Page,
    Pipeline,
)
from crmbridge_tryton.mapping import MODELS, PIPELINE, Mapper, position
from crmbridge_tryton.pulling import Walk
from crmbridge_tryton.server import Server, every
from crmbridge_tryton.settings import TrytonSettings
from crmbridge_tryton.values import TYPES
from crmbridge_tryton.writing import Writer

ACTIONS = frozenset({Action.CREATE, Action.UPDATE, Action.NOTE})  # the modules of opportunities have no tasks
IDS = 500


class TrytonAdapter:
    """The port, over a server's remote calls. Opening it sends nothing."""

    def __init__(self, settings: TrytonSettings, context: AdapterContext) -> None:
        self._settings, self._connection = settings, context.connection
        self._server = Server(settings, context)
        self._mapper = Mapper(context.connection, context.fields, settings.key_field)
        self._writer = Writer(self._server, self._mapper)
        actions = ACTIONS if settings.key is None else frozenset[Action]()
        self.capabilities = Capabilities(
            kinds=frozenset(MODELS),
            actions=actions,
            batch=dict.fromkeys(actions, 1),
            external_key=False,  # the field may be any, and Tryton keeps none of its own unique
            history=True,
            tombstones=True,
            status_in_stage=True,
            conditional_write=True,
        )

    def describe(self) -> Description:
        """Read the opportunities' states and fields, the employees and the currencies."""
        asked = self._server.ask(MODELS[Kind.DEAL], "fields_get", fields_names=None)
        fields = {name: _field(name, about) for name, about in asked.items()}
        stages = tuple(
            NativeStage(id=state, label=label, status=position(state).status, writable=state != "won")
            for state, label in asked["state"]["selection"]
        )
        return Description(
            account=f"{self._server.preferences.get('company.rec_name', '')} {self._settings.database}".strip(),
            pipelines=(Pipeline(id=PIPELINE, label="Opportunities", stages=stages),),
            fields=tuple(fields.values()),
            users=tuple(user for page in self.pull(Kind.USER, None) for user in page.records),
            currencies=tuple(self._server.currencies),
            key_field=fields.get(self._settings.key_field or ""),
            credential=Credential(
                way="session" if self._settings.user else "application key", user=self._settings.user
            ),
        )

    def pull(self, kind: Kind, since: str | None) -> Iterator[Page]:
        """Yield pages of what changed since a cursor."""
        return Walk(self._server, self._mapper, kind).pages(since)

    def read(
        self,
        refs: Sequence[Ref],
        *,
        fields: Collection[str] | None = None,  # noqa: ARG002  none of them costs a request of its own
    ) -> Mapping[Ref, Record]:
        """Read records by their ids; the ones that are gone are left out."""
        found: dict[Ref, Record] = {}
        for kind in {ref.kind for ref in refs}:
            ids = [int(ref.id) for ref in refs if ref.kind is kind and ref.id.isdecimal() and len(ref.id) < 19]
            for start in range(0, len(ids), IDS):
                these = [*self._server.scope(MODELS[kind]), ["id", "in", ids[start : start + IDS]]]
                wanted = every(self._mapper.fields(kind), these)
                rows = self._server.ask(MODELS[kind], "search_read", **wanted)
                found |= {record.ref: record for record in (self._mapper.record(kind, row) for row in rows)}
        return found

    def find(self, kind: Kind, key: str, near: Ref | None) -> Ref | None:
        """Find a deal by its key, or a note on `near` by its marker; the server looks in its tables."""
        return self._writer.find(kind, key, near)

    def write(self, changes: Sequence[Change]) -> Sequence[Receipt]:
        """Make changes, one call each; raises what means that nothing was sent."""
        return [self._writer.write(change) for change in changes]

    def close(self) -> None:
        """Give back connections."""
        self._server.close()


def _field(name: str, about: Mapping[str, object]) -> NativeField:
    label, type_ = str(about["string"]), TYPES.get(str(about["type"]))
    return NativeField(name=name, label=label, type=type_, writable=not about["readonly"])


def open_adapter(settings: TrytonSettings, context: AdapterContext) -> Adapter:
    """Open a connection; nothing is sent yet."""
    return TrytonAdapter(settings, context)
