"""Reads records of one object type whole: their properties, what hangs on them, and for deals how they moved."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import Any, NamedTuple
from urllib.parse import urlencode

from msgspec import Struct, field

from crmbridge.model.records import Kind, Move, Record, Ref, Tombstone
from crmbridge.model.replacing import replace
from crmbridge_hubspot.api import HISTORY_BATCH, LIST_PAGE, HubSpotApi
from crmbridge_hubspot.history import HISTORY, moves_of, only_move
from crmbridge_hubspot.links import read_links
from crmbridge_hubspot.mapping import MERGED, Linked, Mapper, Terms, archived, merged_away, stamp_of
from crmbridge_hubspot.objects import ObjectType
from crmbridge_hubspot.setup import SetUp

LONGEST_QUERY = 6_000  # characters; reports put the limit of a whole URL at 8,000 (airbyte#33976, PostHog#31617)
Raw = Mapping[str, Any]


class Found(NamedTuple):
    """Records as they are handed over, with all moves of each deal, and what was merged into them."""

    records: tuple[Record, ...] = ()
    moves: tuple[Move, ...] = ()
    tombstones: tuple[Tombstone, ...] = ()


class Asking(NamedTuple):
    """What records are asked for and read with, for one set-up."""

    terms: Terms
    mapper: Mapper
    properties: str  # that the list is asked for
    whole: bool  # whether those are all; a longer URL is refused with 414


def list_page(
    api: HubSpotApi, type_: ObjectType, after: str | None, most: int, params: Mapping[str, str]
) -> tuple[list[Raw], str | None]:
    """Read a page of the list of an object type, with the token of the next one."""
    raws, following = api.list_page(type_.name, after, most, **params)
    for raw in raws:
        raw.setdefault("associations", {})  # left out where nothing hangs on a record
    return raws, following


class Reader(Struct, frozen=True, kw_only=True):
    """Reads records of one object type. Thread-safe."""

    api: HubSpotApi
    type: ObjectType
    setup: SetUp
    connection: str
    now: Callable[[], datetime]
    _kept: dict[str, Asking] = field(default_factory=dict)  # for the set-up last used
    _counts: Counter[str] = field(default_factory=Counter)  # deals that were listed, and that had moved

    # ── By the list ─────────────────────────────────────────────────────────────────────────────────────

    def listed(self, after: str | None) -> tuple[list[Raw], str | None]:
        """Read a page of the list, with the token of the next one. Its records are not whole yet."""
        asking, most = self._asking(self.setup.terms()), LIST_PAGE
        params = {"properties": asking.properties}
        if self.type.linked:
            params["associations"] = ",".join(self.type.linked)
        if asking.whole and self._needs_history(asking):
            params["propertiesWithHistory"], most = ",".join(HISTORY), HISTORY_BATCH
        return list_page(self.api, self.type, after, most, params)

    def listed_archived(self, after: str | None) -> tuple[list[Raw], str | None]:
        """Read a page of the list of what was deleted, with the token of the next one."""
        names = f"{self.type.modified},{MERGED}"
        return self.api.list_page(self.type.name, after, properties=names, archived="true")

    def archived(self, raw: Raw) -> Iterable[Tombstone]:
        """Give what is gone with a record that was deleted: also what had been merged into it, as no list has that."""
        gone = archived(self.type, raw, self.connection)
        return gone, *(replace(each, at=gone.at) for each in merged_away(self.type, raw, self.connection))

    def whole(self, listed: Sequence[Raw]) -> Found:
        """Complete records of the list."""
        if not listed:
            return Found()
        if not self._asking(self.setup.terms()).whole:
            links = {str(raw["id"]): raw["associations"] for raw in listed}
            read = self.read_whole(list(links))
            return self.found(
                [{**raw, "associations": links[i]} if (i := str(raw["id"])) in links else raw for raw in read]
            )
        return self._with_moves(listed) if self._has_history else self.found(listed)

    def _asking(self, terms: Terms) -> Asking:
        """Give what records of this type are asked for and read with; settled once for each set-up."""
        kept = self._kept.get("asking")
        if kept is None or kept.terms is not terms:
            entered = terms.account.entered if self._has_history else ()
            names = ",".join([*terms.words.properties(self.type), *entered])
            # Once settled it stays: a page may be listed with one set-up and completed with the next.
            whole = kept.whole if kept else len(urlencode({"properties": names})) <= LONGEST_QUERY
            kept = Asking(terms, Mapper(self.type, terms), names if whole else self.type.modified, whole)
            self._kept["asking"] = kept
        return kept

    def _needs_history(self, asking: Asking) -> bool:
        """Tell whether the list shall give histories: where all or most of them are needed.

        Such pages hold fifty, which makes two requests for a hundred deals. Reading a hundred and then the histories
        of those that moved makes one where few did, and three where most did.
        """
        if not self._has_history:
            return False
        return not asking.terms.account.entered or self._counts["moved"] * 2 > self._counts["listed"] >= LIST_PAGE

    @property
    def _has_history(self) -> bool:
        return self.type.kind is Kind.DEAL

    def _with_moves(self, deals: Sequence[Raw]) -> Found:
        """Complete deals with how they moved; only those that did need their history for that."""
        account = self.setup.terms_for(deals).account
        made = {str(raw["id"]): only_move(self._ref(raw), raw, account) for raw in deals}
        moved = [raw for raw in deals if made[str(raw["id"])] is None]
        self._counts.update(listed=len(deals), moved=len(moved))
        if all("propertiesWithHistory" in raw for raw in moved):
            return self.found(deals, made)
        ids = [str(raw["id"]) for raw in moved]
        read = self.api.read(self.type.name, ids, [self.type.modified], propertiesWithHistory=list(HISTORY))
        whole = {each: raw for raw in deals if (each := str(raw["id"])) not in ids}
        whole |= self._joined(moved, {str(raw["id"]): raw for raw in read})
        # An edit in between: history and properties would not agree. What was deleted meanwhile is left out.
        whole |= {str(raw["id"]): raw for raw in self.read_whole([each for each in ids if each not in whole])}
        return self.found([whole[each] for each in dict.fromkeys([*made, *whole]) if each in whole], made)

    def _joined(self, deals: Sequence[Raw], histories: Mapping[str, Raw]) -> dict[str, Raw]:
        """Put each deal and its history together, where they are of one moment."""
        joined: dict[str, Raw] = {}
        for raw in deals:
            read = histories.get(str(raw["id"]))
            if read is not None and stamp_of(self.type, raw) == stamp_of(self.type, read):
                joined[str(raw["id"])] = {**raw, "propertiesWithHistory": read.get("propertiesWithHistory")}
        return joined

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

    def found(
        self,
        raws: Sequence[Raw],
        made: Mapping[str, Move | None] = MappingProxyType({}),
        fields: Collection[str] | None = None,
    ) -> Found:
        """Turn whole records into what is handed over; `made` are the moves of deals that need no history.

        With `fields`, links that are not among them may be missing.
        """
        if not raws:
            return Found()
        terms = self.setup.terms_for(raws) if self._has_history else self.setup.terms()
        mapper, links, now = self._asking(terms).mapper, read_links(self.api, self.type, raws, fields), self.now()
        records = mapper.records([Linked(self._ref(raw), raw, links[str(raw["id"])]) for raw in raws], now)
        moves = self._moves(raws, made, terms) if self._has_history else ()
        merged = [raw for raw in raws if raw["properties"].get(MERGED)]
        gone = [each for raw in merged for each in merged_away(self.type, raw, self.connection)]
        return Found(tuple(records), tuple(moves), tuple(gone))

    def _moves(self, raws: Sequence[Raw], made: Mapping[str, Move | None], terms: Terms) -> Iterable[Move]:
        for raw in raws:
            if "propertiesWithHistory" in raw:
                yield from moves_of(self._ref(raw), raw, terms.account)
            elif (creation := made.get(str(raw["id"]))) is not None:
                yield creation

    def _ref(self, raw: Raw) -> Ref:
        return self.type.ref(self.connection, raw["id"])
