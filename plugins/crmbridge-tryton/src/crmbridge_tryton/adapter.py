"""The Tryton adapter: one database behind the port that crmbridge knows."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from crmbridge import adapting, ports
from crmbridge.model.changes import Action, Change, Receipt
from crmbridge.model.records import Kind, Move, Position, Record, Ref, Tombstone
from crmbridge_tryton.mapping import DEALS, PIPELINE, position
from crmbridge_tryton.server import Server
from crmbridge_tryton.settings import TrytonSettings
from crmbridge_tryton.writing import Writer

ACTIONS = (Action.CREATE, Action.UPDATE, Action.NOTE)  # the modules of opportunities have no tasks
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
        fields = {name: _field(name, about) for name, about in asked.items()}
        stages = [
            ports.NativeStage(id=state, label=label, status=position(state).status, writable=state != "won")
            for state, label in asked["state"]["selection"]
        ]
        way = "session" if settings.user else "application key"
        return ports.Description(
            account=f"{self._server.preferences.get('company.rec_name', '')} {settings.database}".strip(),
            pipelines=(ports.Pipeline(id=PIPELINE, label="Opportunities", stages=tuple(stages)),),
            fields=tuple(fields.values()),
            users=tuple(user for page in self.pull(Kind.USER, None) for user in page.records),
            currencies=tuple(self._server.currencies),
            key_field=fields.get(settings.key_field or ""),
            credential=ports.Credential(way=way, user=settings.user),
        )

    def pull(self, kind: Kind, since: str | None) -> Iterator[ports.Page]:
        """Yield pages of what changed since a cursor; employees come all, as their e-mail is another record's."""
        scope = self._scope(kind)

        def fetch(place: adapting.Place | None) -> Sequence[Record]:
            return self._server.records(kind, [*scope, *_after(place)], limit=PAGE, order=ORDER)

        deal, since = kind is Kind.DEAL, None if kind is Kind.USER else since
        deletions = adapting.Deletions(self._newest, self._gone) if deal else None
        for page in adapting.walk_by_time(since, fetch, limit=PAGE, overlap=OVERLAP, deletions=deletions):
            yield replace(page, moves=self._moves(page.records)) if deal else page

    def read(self, refs: Sequence[Ref], *, fields: Collection[str] | None = None) -> Mapping[Ref, Record]:  # noqa: ARG002  none costs a request of its own
        """Read records by their ids; the ones that are gone are left out."""

        def fetch(kind: Kind, ids: list[str]) -> list[Record]:
            numbers = [int(number) for number in ids if number.isdecimal() and len(number) < 19]
            return self._server.records(kind, [*self._scope(kind), ["id", "in", numbers]])

        return adapting.read_in_lots(refs, fetch, lot=IDS)

    def find(self, kind: Kind, key: str, near: Ref | None) -> Ref | None:
        """Find a deal or company by its key, or a note on `near` by its marker; the server looks in its tables."""
        return self._writer.find(kind, key, near)

    def write(self, changes: Sequence[Change]) -> Sequence[Receipt]:
        """Make changes, one call each; raises what means that nothing was sent."""
        return [adapting.receipt_of(change, self._writer.make) for change in changes]

    def close(self) -> None:
        """Give back connections."""
        self._server.close()

    def _scope(self, kind: Kind) -> list[Any]:
        """Give the domain of the records that are read; only an administrator may list notes without their records."""
        if kind is Kind.NOTE:
            return [["resource", "in", [f"{DEALS.model},{deal}" for deal in self._server.ids(DEALS.model, [])]]]
        return [["type", "!=", "website"]] if kind is Kind.CONTACT else []

    def _revisions(self, deals: list[int]) -> dict[str, list[datetime]]:
        times: dict[str, list[datetime]] = {str(deal): [] for deal in deals}
        for at, deal, *_ in self._server.ask(DEALS.model, "history_revisions", ids=deals):
            times[str(deal)].append(at)
        return times

    def _moves(self, deals: Sequence[Record]) -> tuple[Move, ...]:
        def as_of(at: datetime, ids: list[str]) -> dict[str, Position]:
            rows = self._server.ask(DEALS.model, "read", at, ids=[int(deal) for deal in ids], fields_names=["state"])
            return {str(row["id"]): position(row["state"]) for row in rows}

        revisions = self._revisions([int(deal.ref.id) for deal in deals]) if deals else {}
        return tuple(adapting.moves_from_revisions(deals, revisions, as_of))

    def _newest(self) -> datetime | None:
        rows = self._server.rows(DEALS.model, ["last_modified_at"], [], limit=1, order=[["last_modified_at", "DESC"]])
        return rows[0]["last_modified_at"] if rows else None

    def _gone(self, at: datetime) -> list[Tombstone]:
        """Find the opportunities that were there at a time and are not any more."""
        old = [["create_date", "<=", at]]
        if self._server.ask(DEALS.model, "search_count", domain=old) == self._server.ask(
            DEALS.model, "search_count", at, domain=old
        ):
            return []
        ended = self._revisions(
            sorted({*self._server.ids(DEALS.model, old, at)} - {*self._server.ids(DEALS.model, old)})
        )
        return [
            Tombstone(ref=Ref(self._server.connection, Kind.DEAL, deal), at=max([at, *when]))
            for deal, when in ended.items()
        ]


def _field(name: str, about: Mapping[str, Any]) -> ports.NativeField:
    type_ = adapting.TYPE_NAMES.get(about["type"])
    return ports.NativeField(name=name, label=about["string"], type=type_, writable=not about["readonly"])


def _after(place: adapting.Place | None) -> list[Any]:
    if place is None:
        return []
    later = [["last_modified_at", "=", place.at], ["id", ">", int(place.id or 0)]]
    return [["OR", [["last_modified_at", ">", place.at]], later]]
