"""Walking through what changed in an org, page by page, with a cursor that never runs ahead of what was delivered.

Stamps have whole seconds, many rows can share one, and a row can become visible after rows with a later stamp,
because the stamp is set when a transaction starts writing and the row is seen when it commits. So a walk
- goes by (stamp, id) and asks for each page anew from the last row it saw,
- ends at the org's own time at which it began, so that a busy org can't keep it going,
- notes that time, or ours where ours is earlier; the next walk starts an overlap before it,
- carries that note in its cursors, so that a walk that was cut short loses no late rows either.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from crmbridge.adapting import apart, put_back
from crmbridge.http import pages, together
from crmbridge.model.records import Kind, Ref, Tombstone
from crmbridge.model.replacing import replace
from crmbridge.ports import Clock, Page
from crmbridge.threads import make_pool
from crmbridge_salesforce.beginning import STAMP, Beginning
from crmbridge_salesforce.bulk import BulkUnavailableError
from crmbridge_salesforce.bulk_walk import BulkWalk
from crmbridge_salesforce.cursor import Cursor
from crmbridge_salesforce.details import Asked, Details
from crmbridge_salesforce.ids import to_18
from crmbridge_salesforce.listing import Listing, Listings, Pace
from crmbridge_salesforce.org import Org
from crmbridge_salesforce.rows import Cells
from crmbridge_salesforce.soql import moment, select
from crmbridge_salesforce.sources import Deals, Source, Span, Touched, page_of, tracks_stages
from crmbridge_salesforce.values import read_moment

KEPT = timedelta(days=14)  # so long the recycle bin surely holds what was deleted; it does for fifteen
STONES = 2000  # tombstones on a page
EARLY = 400  # rows of a first walk that are asked for at once; the details of so many take one query each


class Walk:
    """One pull of one source."""

    def __init__(
        self, org: Org, clock: Clock, source: Source, pace: Pace, ahead: Future[Beginning | None] | None = None
    ) -> None:
        self._org = org
        self._clock = clock
        self._source = source
        self._form = source.form
        self._table = source.form.table.name
        self._pace = pace
        self._listings = Listings(org, source, pace)
        self._details = Asked(org, tracked=partial(tracks_stages, source))
        self._ahead = ahead  # what a first walk was begun with before
        self._delivered: set[str] = set()

    def pages(self, since: str | None) -> Iterator[Page]:
        """Yield what changed since a cursor; the last page carries what is gone and where the next walk begins."""
        place = _begin(Cursor.parse(since), self._source, self._clock.now())
        early: list[Listing] = []
        total: int | None = None
        big = bool(place.job)
        begun: Beginning | None = None
        if place.at is None and not big:
            begun = self._ahead.result() if self._ahead is not None else None
            place, early, total = self._begun(place) if begun is None else self._begun_before(place, begun)
            big = total > self._pace.bulk_above
        elif not big:
            place, early = self._first(place)
            if early[-1].full:
                total = self._listings.count(place).total
                big = total > self._pace.bulk_above
        for page in self._in_bulk(place, early) if big else self._by_pages(place, early):
            yield replace(page, total=total, begun=begun.at if begun is not None else None)
        yield from self._rest(place)

    def _begun(self, place: Cursor) -> tuple[Cursor, list[Listing], int]:
        """Begin a first walk: count the rows, and read the first of them, which people see while a job is made.

        Whether stages are tracked must be known next, and is asked beside that.
        """
        most = min(EARLY, self._pace.bulk_above)
        jobs: list[Callable[[], Any]] = [partial(self._listings.count, place), partial(tracks_stages, self._source)]
        if most:
            jobs.append(partial(self._listings.ask, place, most))
        counted, _, *asked = together(jobs)
        times = [answer.now for answer in (counted, *asked) if answer.now is not None]
        place = self._noted(place, min(times, default=None))
        # Where the org says no time, the walk begins at the newest stamp, which was asked for after this page.
        early = [self._listings.listing(answer, place, most) for answer in asked if times]
        return place, early, counted.total

    def _begun_before(self, place: Cursor, begun: Beginning) -> tuple[Cursor, list[Listing], int]:
        """Go on from what was asked for before the columns were known."""
        place = self._noted(place, begun.now)
        is_known = begun.now is not None and self._form.stamp == STAMP  # else as in `_begun`
        early = [self._listings.named(begun.first, place, begun.most)] if is_known else []
        return place, early, begun.counted.total

    def _first(self, place: Cursor) -> tuple[Cursor, list[Listing]]:
        """Ask for the first page of a later walk, which most often is all there is; after a full one for the second.

        Only where that is full as well, counting what there is pays. Where the org's clock was put back since the last
        walk, or ours forward, what is new may have older times: so much more is asked for.
        """
        answer = self._listings.ask(place)
        back = timedelta(0) if answer.now is None else put_back(place.apart, apart(self._clock.now(), answer.now))
        if back and place.further_back(back) != place:
            place = place.further_back(back)
            answer = self._listings.ask(place)
        place = self._noted(place, answer.now)
        first = self._listings.listing(answer, place)
        if not first.full:
            return place, [first]
        return place, [first, self._listings.listing(self._listings.ask(first.after), first.after)]

    def _noted(self, place: Cursor, now: datetime | None) -> Cursor:
        """Note when the walk began, unless it is under way: by the org's time, or by ours where ours is earlier.

        A clock ahead of the org's would have rows missed that are still to come; one behind only has some read again.
        """
        self._listings.ceiling = now
        floor, ahead = place.floor, place.apart
        if floor is None:
            known = now or self._listings.newest()
            ours = self._clock.now().replace(microsecond=0)
            floor = min(known, ours) if known else place.at
            ahead = apart(ours, now) if now else None
        whole = place.whole or place.at is None
        return replace(place, floor=floor, gone=place.gone or place.at or floor, whole=whole, apart=ahead)

    def _span(self, place: Cursor) -> Span:
        since = None if place.whole or place.gone is None else place.gone - self._pace.overlap
        return Span(since=since, until=place.floor or self._clock.now(), is_second=place.second)

    # ── Page by page ────────────────────────────────────────────────────────────────────────────────────

    def _by_pages(self, place: Cursor, early: Sequence[Listing] = ()) -> Iterator[Page]:
        """Yield pages by (stamp, id); `early` are the first of them, where they were read already."""
        span = self._span(place)

        def fetch(token: str | None) -> tuple[list[Listing], str | None]:
            now = Cursor.parse(token)
            found = self._listings.listing(self._listings.ask(now), now)
            return [found], found.after.dump() if found.full else None

        for listing in early:
            yield from self._page(listing, span)
        if not early or early[-1].full:
            for listings, _ in pages(fetch, start=(early[-1].after if early else place).dump()):
                for listing in listings:
                    yield from self._page(listing, span)

    def _page(self, listing: Listing, span: Span) -> Iterator[Page]:
        rows, details = self._whole(listing)
        if rows:
            if span.since is not None:
                self._delivered.update(to_18(cells[0]) for cells in rows)
            page = page_of(self._source, rows, span, listing.after.dump(), details)
            if page.records:  # rows that are no records of ours make no page
                yield page

    def _whole(self, listing: Listing) -> tuple[list[Cells], Details]:
        """Give the rows of a listing, and what knows their details; where only ids are known, both are read at once."""
        if not listing.ids:
            return listing.rows, self._details
        jobs: list[Callable[[], Any]] = [partial(self._listings.by_ids, listing.ids)]
        if self._source.kind is Kind.DEAL:
            jobs.append(partial(self._details.ahead, listing.ids))
        rows, *details = together(jobs)
        return rows, details[0] if details else self._details

    # ── In bulk ─────────────────────────────────────────────────────────────────────────────────────────

    def _in_bulk(self, place: Cursor, early: Sequence[Listing]) -> Iterator[Page]:
        """Yield pages from bulk jobs, after the rows read already; where there can be no jobs, page by page.

        The jobs are ordered while the first rows get their details.
        """
        start, span = early[-1].after if early else place.without_job, self._span(place)
        bulk = BulkWalk(self._org, self._clock, self._source)
        try:
            if place.job:
                yield from bulk.pages(place, span)
                return
            with make_pool(max_workers=1) as threads:
                ordered = threads.submit(bulk.ordered, start, self._listings.where(start))
                for listing in early:
                    yield from self._page(listing, span)
            yield from bulk.pages(ordered.result(), span, begun=True)
        except BulkUnavailableError:
            yield from self._by_pages(*self._first(start))  # to an end of its own: one that was cut has none yet

    # ── What else there is ──────────────────────────────────────────────────────────────────────────────

    def _rest(self, place: Cursor) -> Iterator[Page]:
        """Yield rows that others touched, then what is gone, with the cursor of the next walk."""
        span = self._span(place)
        cursor = place.at_end.dump()
        if span.since is not None:
            yield from self._touched(span, cursor)
        stones = tuple(self._tombstones(place.gone))
        *early, last = [stones[start : start + STONES] for start in range(0, len(stones), STONES)] or [()]
        for part in early:
            yield Page(tombstones=part, cursor=cursor)
        yield Page(tombstones=last, cursor=place.finished.dump())

    def _touched(self, span: Span, cursor: str) -> Iterator[Page]:
        if not isinstance(self._source, Touched):
            return
        wanted = sorted(self._source.touched(span) - self._delivered)
        for start in range(0, len(wanted), self._pace.page_size):
            part = wanted[start : start + self._pace.page_size]
            rows = self._listings.by_ids(part)
            page = page_of(self._source, rows, span, cursor, self._details)
            if page.records:
                yield page

    def _tombstones(self, since: datetime | None) -> Iterator[Tombstone]:
        if since is None or "IsDeleted" not in self._form.table.columns:
            return
        stamp = self._form.stamp
        columns = self._form.table.having("Id", stamp, "MasterRecordId")
        where = f"IsDeleted = true AND {stamp} >= {moment(since - self._pace.overlap)}"
        where += f" AND {self._source.where}" if self._source.where else ""
        statement = select(columns, self._table, where=where, order=f"{stamp}, Id")
        for row in self._org.query(statement, deleted_too=True):
            master: Any = row.get("MasterRecordId")
            yield Tombstone(
                ref=self._ref(row["Id"]), at=read_moment(row[stamp]), merged_into=self._ref(master) if master else None
            )

    def _ref(self, row_id: Any) -> Ref:
        return Ref(self._org.connection, self._source.kind, to_18(str(row_id)))


def _begin(place: Cursor, source: Source, now: datetime) -> Cursor:
    """Give the place to walk from: the beginning, where nobody pulled for so long that the org forgot what is owed.

    A contact that left a deal does not change the deal, and its role leaves the recycle bin as well.
    """
    owed = place.gone or place.at
    is_known = owed is None or place.whole or now - owed < KEPT
    return place if is_known or not isinstance(source, Deals) else Cursor(gone=owed)
