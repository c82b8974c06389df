"""Walks what changed by `last_modified_at`, with how opportunities moved and which are gone, from true history."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any, NamedTuple

from crmbridge.model.records import Kind, Move, Position, Tombstone
from crmbridge.model.values import iso, parse_iso
from crmbridge.ports import Page
from crmbridge_tryton.mapping import MODELS, Mapper, position
from crmbridge_tryton.server import Server, every

PAGE = 100
# A change has the time at which its transaction began, and is seen when that ends: this much is read again.
OVERLAP = timedelta(seconds=60)
BLINK = timedelta(microseconds=1)
ORDER = [["last_modified_at", "ASC"], ["id", "ASC"]]
Row = Mapping[str, Any]


class Stay(NamedTuple):
    """One revision of an opportunity that later ones followed: what it says holds from its time to the next one's."""

    start: datetime
    end: datetime
    deal: int


class Walk:
    """One pull of one kind."""

    def __init__(self, server: Server, mapper: Mapper, kind: Kind) -> None:
        self._server, self._mapper, self._kind, self._model = server, mapper, kind, MODELS[kind]
        self._scope: list[Any] = []

    def pages(self, since: str | None) -> Iterator[Page]:
        """Yield pages from a cursor on: the last time, the versions near it, and since when deletions are told."""
        mark = json.loads(since) if since and self._kind is not Kind.USER else {"at": None, "seen": {}, "gone": None}
        seen, at, last = dict(mark["seen"]), parse_iso(mark["at"]) if mark["at"] else None, 0
        newest, gone = self._newest(), self._gone(mark["gone"])
        self._scope = self._server.scope(self._model)
        begin: list[Any] = [["last_modified_at", ">=", at - OVERLAP]] if at else []
        while True:
            rows = self._rows(begin)
            fresh = [row for row in rows if seen.get(str(row["id"])) != row["_timestamp"]]
            if rows:
                at, last = rows[-1]["last_modified_at"], rows[-1]["id"]
                seen |= {str(row["id"]): row["_timestamp"] for row in rows}
                seen = {k: stamp for k, stamp in seen.items() if float(stamp) >= (at - OVERLAP).timestamp()}
            more = len(rows) == PAGE
            if fresh or not more:
                told = {"at": iso(at) if at else None, "seen": seen, "gone": mark["gone"] if more else newest}
                yield self._page(fresh, gone, json.dumps(told))
                gone = ()
            if not more:
                return
            later = [["last_modified_at", "=", at], ["id", ">", last]]
            begin = [["OR", [["last_modified_at", ">", at]], later]]

    def _rows(self, domain: list[Any]) -> list[Any]:
        wanted = {**every(self._mapper.fields(self._kind), [*self._scope, *domain]), "limit": PAGE}
        return list(self._server.ask(self._model, "search_read", **{**wanted, "order": ORDER}))

    def _page(self, rows: Sequence[Row], gone: tuple[Tombstone, ...], cursor: str) -> Page:
        return Page(
            records=tuple(self._mapper.record(self._kind, row) for row in rows),
            moves=tuple(self._moves(rows)) if rows and self._kind is Kind.DEAL else (),
            tombstones=gone,
            cursor=cursor,
        )

    # ── Moves ───────────────────────────────────────────────────────────────────────────────────────────

    def _moves(self, rows: Sequence[Row]) -> Iterator[Move]:
        """Give the moves of opportunities; what was changed since they were read comes with the next pull."""
        times: dict[int, set[datetime]] = {row["id"]: set() for row in rows}
        for at, deal, *_ in self._server.ask(self._model, "history_revisions", ids=list(times)):
            times[deal].add(at)
        known = {
            row["id"]: sorted(at for at in times[row["id"]] if at <= row["last_modified_at"]) or [row["create_date"]]
            for row in rows
        }
        states = self._states([Stay(*pair, deal) for deal, found in known.items() for pair in pairwise(found)])
        for row in rows:
            before: Position | None = None
            for at in known[row["id"]]:
                after = position(states.get((row["id"], at)) or row["state"])
                if after != before:
                    deal = self._mapper.ref(Kind.DEAL, row["id"])
                    yield Move(deal=deal, id=iso(at), at=at, before=before, after=after)
                before = after

    def _states(self, stays: list[Stay]) -> dict[tuple[int, datetime], str]:
        """Read the state in each stay, with as few times asked for as there can be: one serves all that it falls in."""
        found: dict[tuple[int, datetime], str] = {}
        left = sorted(stays, key=lambda stay: stay.end)
        while left:
            at = left[0].end - BLINK
            inside = {stay.deal: stay for stay in left if stay.start <= at}
            rows = self._server.ask(self._model, "read", {"_datetime": at}, ids=list(inside), fields_names=["state"])
            found |= {(row["id"], inside[row["id"]].start): row["state"] for row in rows}
            left = [stay for stay in left if stay.start > at]
        return found

    # ── Deletions ───────────────────────────────────────────────────────────────────────────────────────

    def _newest(self) -> str | None:
        """Give the time of the last change there is, by the server's clock, before anything is read."""
        wanted = {**every(["last_modified_at"]), "limit": 1, "order": [["last_modified_at", "DESC"]]}
        rows = self._server.ask(self._model, "search_read", **wanted) if self._kind is Kind.DEAL else []
        return iso(rows[0]["last_modified_at"]) if rows else None

    def _gone(self, since: str | None) -> tuple[Tombstone, ...]:
        """Find the opportunities that were there at a time and are not any more."""
        if since is None:
            return ()
        at = parse_iso(since)
        old, then = [["create_date", "<=", at]], {"_datetime": at}
        counts = [self._server.ask(self._model, "search_count", when, domain=old) for when in ({}, then)]
        if counts[0] == counts[1]:
            return ()
        all_ = {"domain": old, "offset": 0, "limit": None, "order": None}
        now, before = (set(self._server.ask(self._model, "search", when, **all_)) for when in ({}, then))
        ended: dict[int, datetime] = dict.fromkeys(sorted(before - now), datetime.min.replace(tzinfo=UTC))
        for when, deal, *_ in self._server.ask(self._model, "history_revisions", ids=list(ended)):
            ended[deal] = max(ended[deal], when)
        return tuple(Tombstone(ref=self._mapper.ref(Kind.DEAL, deal), at=when) for deal, when in ended.items())
