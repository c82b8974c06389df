"""The Tryton adapter: one database behind the port that crmbridge knows."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from crmbridge import adapting, ports
from crmbridge.model.changes import Action, Change, Receipt
from crmbridge.model.records import Kind, Position, Record, Ref
from crmbridge_tryton.mapping import DEALS, PIPELINE, position
from crmbridge_tryton.server import Server
from crmbridge_tryton.settings import TrytonSettings
from crmbridge_tryton.writing import Writer

ACTIONS = {Action.CREATE, Action.UPDATE, Action.NOTE}  # the modules of opportunities have no tasks
IDS, PAGE = 500, 100
# A change has the time at which its transaction began, and is seen when that ends: this much is read again.
OVERLAP = timedelta(seconds=60)
ORDER = [["last_modified_at", "ASC"], ["id", "ASC"]]


class TrytonAdapter:
    """The port, over a server's remote calls. Opening it sends nothing."""

    def __init__(self, settings: TrytonSettings, context: ports.AdapterContext) -> None:
        self._server = Server(settings, context)
        self._writer = Writer(self._server)
        actions = frozenset(ACTIONS if settings.key is None else ())
        self.capabilities = ports.Capabilities(
            kinds=frozenset(self._server.tables),
            actions=actions,
            batch=dict.fromkeys(actions, 1),
            external_key=False,  # the field may be any, and Tryton keeps none of its own unique
            history=True,
            tombstones=True,
            status_in_stage=True,
            conditional_write=True,
            creates=frozenset({Kind.DEAL, Kind.COMPANY}),
            associates=frozenset({"company"}),  # of contacts, it holds one
        )

    def describe(self) -> ports.Description:
        """Read the opportunities' states and fields, the employees and the currencies."""
        settings, asked = self._server.settings, self._server.ask(DEALS.model, "fields_get", fields_names=None)
        fields = adapting.native_fields(asked)
        stages = [
            ports.NativeStage(id=state, label=label, status=position(state).status, writable=state != "won")
            for state, label in asked["state"]["selection"]
        ]
        return ports.Description(
            account=f"{self._server.preferences.get('company.rec_name', '')} {settings.database}".strip(),
            pipelines=(ports.Pipeline(id=PIPELINE, label="Opportunities", stages=tuple(stages)),),
            fields=tuple(fields.values()),
            users=tuple(user for page in self.pull(Kind.USER, None) for user in page.records),
            currencies=tuple(self._server.currencies),
            key_field=fields.get(settings.key_field or ""),
            credential=ports.Credential(way="session" if settings.user else "application key", user=settings.user),
        )

    def pull(self, kind: Kind, since: str | None) -> Iterator[ports.Page]:
        """Yield pages of what changed since a cursor; employees come all, as their e-mail is another record's."""
        scope = self._scope(kind)

        def fetch(place: adapting.Place | None) -> Sequence[Record]:
            return self._server.records(kind, [*scope, *_after(place)], limit=PAGE, order=ORDER)

        if kind is not Kind.DEAL:
            return adapting.walk_by_time(None if kind is Kind.USER else since, fetch, limit=PAGE, overlap=OVERLAP)
        history = OpportunityHistory(self._server)
        return adapting.walk_with_history(since, fetch, limit=PAGE, overlap=OVERLAP, history=history)

    def read(self, refs: Sequence[Ref], *, fields: Collection[str] | None = None) -> Mapping[Ref, Record]:  # noqa: ARG002  none costs a request of its own
        """Read records by their ids; the ones that are gone are left out."""

        def fetch(kind: Kind, ids: list[str]) -> list[Record]:
            return self._server.records(kind, [*self._scope(kind), ["id", "in", adapting.numbered(ids)]])

        return adapting.read_in_lots(refs, fetch, lot=IDS)

    def find(self, kind: Kind, key: str, near: Ref | None) -> Ref | None:
        """Find a deal or company by its key, or a note on `near` by its marker; the server looks in its tables."""
        return self._writer.find(kind, key, near)

    def write(self, changes: Sequence[Change]) -> Sequence[Receipt]:
        """Make changes, one call each; raises what means that nothing was sent."""
        there = adapting.there_already(
            changes,
            key_of=lambda change: adapting.natural_key(change.creates, change.after),
            find=partial(self._writer.find, near=None),
        )
        return [there.get(change.id) or adapting.receipt_of(change, self._writer.make) for change in changes]

    def close(self) -> None:
        """Give back connections."""
        self._server.close()

    def _scope(self, kind: Kind) -> list[Any]:
        """Give the domain of the records that are read; only an administrator may list notes without their records."""
        if kind is Kind.NOTE:
            deals = self._server.ask(DEALS.model, "search", domain=[])
            return [["resource", "in", [f"{DEALS.model},{deal}" for deal in deals]]]
        return [["type", "!=", "website"]] if kind is Kind.CONTACT else []


class OpportunityHistory:
    """What the server tells of opportunities at any time."""

    def __init__(self, server: Server) -> None:
        self.connection, self._ask = server.connection, partial(server.ask, DEALS.model)

    def newest(self) -> datetime | None:
        """Give the time of the last change."""
        order = [["last_modified_at", "DESC"]]
        rows = self._ask("search_read", domain=[], offset=0, limit=1, order=order, fields_names=["last_modified_at"])
        return rows[0]["last_modified_at"] if rows else None

    def revisions(self, deals: list[str]) -> list[tuple[str, datetime]]:
        """Give the times of all changes."""
        return [(str(deal), at) for at, deal, *_ in self._ask("history_revisions", ids=adapting.numbered(deals))]

    def as_of(self, at: datetime, deals: list[str]) -> dict[str, Position]:
        """Read the states at a time."""
        rows = self._ask("read", at, ids=adapting.numbered(deals), fields_names=["state"])
        return {str(row["id"]): position(row["state"]) for row in rows}

    def ids(self, made_by: datetime, at: datetime | None = None) -> list[str]:
        """Search those made by a time."""
        return [str(deal) for deal in self._ask("search", at, domain=[["create_date", "<=", made_by]])]

    def count(self, made_by: datetime, at: datetime | None = None) -> int:
        """Count them."""
        return int(self._ask("search_count", at, domain=[["create_date", "<=", made_by]]))


def _after(place: adapting.Place | None) -> list[Any]:
    if place is None:
        return []
    later = [["last_modified_at", "=", place.at], ["id", ">", int(place.id or 0)]]
    return [["OR", [["last_modified_at", ">", place.at]], later]]
