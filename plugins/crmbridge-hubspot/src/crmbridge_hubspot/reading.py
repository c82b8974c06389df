"""Reads records of one object type whole: their properties, what hangs on them, and for deals how they moved."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple
from urllib.parse import urlencode

from crmbridge.model.records import Kind, Move, Record, Tombstone
from crmbridge_hubspot.api import HubSpotApi
from crmbridge_hubspot.history import HISTORY, moves_of, only_move
from crmbridge_hubspot.links import read_links
from crmbridge_hubspot.mapping import Mapper, Terms, merged_away, stamp_of
from crmbridge_hubspot.objects import ObjectType
from crmbridge_hubspot.setup import SetUp

LONGEST_QUERY = 6_000  # characters; reports put the limit of a whole URL at 8,000 (airbyte#33976, PostHog#31617)
Raw = Mapping[str, Any]


class Found(NamedTuple):
    """Records as they are handed over, with all moves of each deal, and what was merged into them."""

    records: tuple[Record, ...] = ()
    moves: tuple[Move, ...] = ()
    tombstones: tuple[Tombstone, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Reader:
    """Reads records of one object type. Thread-safe."""

    api: HubSpotApi
    type: ObjectType
    setup: SetUp
    connection: str
    now: Callable[[], datetime]
    _mappers: dict[int, tuple[Terms, Mapper]] = field(default_factory=dict)  # of the set-up last used

    # ── By the list ─────────────────────────────────────────────────────────────────────────────────────

    def listed(self, after: str | None) -> tuple[list[Raw], str | None]:
        """Read a page of the list, with the token of the next one. Its records are not whole yet."""
        params = {"properties": ",".join(self._listed_properties())}
        if self.type.linked:
            params["associations"] = ",".join(self.type.linked)
        raws, following = self.api.list_page(self.type.name, after, **params)
        for raw in raws:
            raw.setdefault("associations", {})  # left out where nothing hangs on a record
        return raws, following

    def listed_archived(self, after: str | None) -> tuple[list[Raw], str | None]:
        """Read a page of the list of what was deleted, with the token of the next one."""
        return self.api.list_page(self.type.name, after, properties=self.type.modified, archived="true")

    def whole(self, listed: Sequence[Raw]) -> Found:
        """Complete records of the list."""
        if not listed:
            return Found()
        if not self._whole_in_list(self.setup.terms()):
            links = {str(raw["id"]): raw["associations"] for raw in listed}
            read = self.read_whole(list(links))
            listed = [
                {**raw, "associations": links[str(raw["id"])]} if str(raw["id"]) in links else raw for raw in read
            ]
        elif self._has_history:
            listed = self._with_history(listed)
        return self.found(listed)

    def _listed_properties(self) -> list[str]:
        terms = self.setup.terms()
        return self._properties(terms) if self._whole_in_list(terms) else [self.type.modified]

    def _whole_in_list(self, terms: Terms) -> bool:
        """Tell whether a page of the list can hold all there is to know, but for the history of deals that moved."""
        if self._has_history and not terms.account.entered:
            return False
        return len(urlencode({"properties": ",".join(self._properties(terms))})) <= LONGEST_QUERY

    @property
    def _has_history(self) -> bool:
        return self.type.kind is Kind.DEAL

    def _properties(self, terms: Terms) -> list[str]:
        entered = [each.native for each in terms.account.entered] if self._has_history else []
        return [*terms.words.properties(self.type), *entered]

    def _with_history(self, deals: Sequence[Raw]) -> list[Raw]:
        """Add the history of the deals that moved, which the properties alone don't tell."""
        account = self.setup.terms_for(deals).account
        moved = [raw for raw in deals if only_move(self._ref(raw), raw, account) is None]
        if not moved:
            return list(deals)
        ids = [str(raw["id"]) for raw in moved]
        read = self.api.read(self.type.name, ids, [self.type.modified], propertiesWithHistory=list(HISTORY))
        histories = {str(raw["id"]): raw for raw in read}
        # An edit in between: history and properties would not agree.
        stale = [each for each, raw in zip(ids, moved, strict=True) if self._differs(raw, histories.get(each))]
        afresh = {str(raw["id"]): raw for raw in self.raws(stale, history=True)} if stale else {}
        return list(self._merged(deals, histories, afresh, set(stale)))

    def _differs(self, listed: Raw, read: Raw | None) -> bool:
        return read is None or stamp_of(self.type, listed) != stamp_of(self.type, read)

    def _merged(
        self, deals: Sequence[Raw], histories: Mapping[str, Raw], afresh: Mapping[str, Raw], stale: set[str]
    ) -> Iterable[Raw]:
        for raw in deals:
            record_id = str(raw["id"])
            if record_id in afresh:
                yield afresh[record_id]
            elif record_id in histories and record_id not in stale:
                yield {**raw, "propertiesWithHistory": histories[record_id].get("propertiesWithHistory")}
            elif record_id not in stale:  # else it was deleted meanwhile
                yield raw

    # ── By id ───────────────────────────────────────────────────────────────────────────────────────────

    def raws(self, ids: Sequence[str], *, history: bool) -> list[Raw]:
        """Read records by id, in the order asked for; ids that are gone are left out.

        An id that was merged away leads to the survivor, which comes at the end ("Deals now support merging").
        """
        more: dict[str, Any] = {"propertiesWithHistory": list(HISTORY)} if history else {}
        names = self.setup.terms().words.properties(self.type)
        by_id = {str(raw["id"]): raw for raw in self.api.read(self.type.name, ids, names, **more)}
        asked = dict.fromkeys(ids)
        return [by_id[each] for each in asked if each in by_id] + [by_id[each] for each in by_id if each not in asked]

    def read_whole(self, ids: Sequence[str]) -> list[Raw]:
        """Read records by id, of deals the history too; one read for both, so that they agree."""
        return self.raws(ids, history=self._has_history) if ids else []

    def by_id(self, ids: Sequence[str]) -> Found:
        """Read records by id and turn them into what is handed over."""
        return self.found(self.read_whole(ids))

    def found(self, raws: Sequence[Raw]) -> Found:
        """Turn whole records into what is handed over."""
        if not raws:
            return Found()
        terms = self.setup.terms_for(raws) if self._has_history else self.setup.terms()
        mapper, links, now = self._mapper(terms), read_links(self.api, self.type, raws), self.now()
        return Found(
            records=tuple(mapper.record(raw, links[str(raw["id"])], now) for raw in raws),
            moves=tuple(self._moves(raws, terms)) if self._has_history else (),
            tombstones=tuple(gone for raw in raws for gone in merged_away(self.type, raw, self.connection)),
        )

    def _moves(self, raws: Sequence[Raw], terms: Terms) -> Iterable[Move]:
        for raw in raws:
            ref = self._ref(raw)
            if "propertiesWithHistory" in raw:
                yield from moves_of(ref, raw, terms.account)
            elif (made := only_move(ref, raw, terms.account)) is not None:
                yield made

    def _ref(self, raw: Raw) -> Any:
        return self.type.ref(self.connection, raw["id"])

    def _mapper(self, terms: Terms) -> Mapper:
        kept = self._mappers.get(0)
        if kept is None or kept[0] is not terms:
            kept = self._mappers[0] = (terms, Mapper(self.type, terms))
        return kept[1]
