"""Reading deals with what is around them: activities, contacts and moves."""

from __future__ import annotations

from collections.abc import Callable, Collection, Generator, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial

from msgspec import Struct

from crmbridge.errors import RefusedError
from crmbridge.http import together
from crmbridge.model.records import Move, Record, Tombstone
from crmbridge.model.replacing import replace
from crmbridge.ports import Clock, Page
from crmbridge_pipedrive.account import MOST_KEYS, Account, DealFields
from crmbridge_pipedrive.api import LIMIT, Api, Params, Row, is_id
from crmbridge_pipedrive.changelogs import ChangeLogs
from crmbridge_pipedrive.contacts import participants
from crmbridge_pipedrive.cursors import OVERLAP, Cursor, Part, read_cursor
from crmbridge_pipedrive.history import (
    History,
    Log,
    is_new_and_still,
    last_moved,
    may_have_moved,
    needs_log,
    told_moves,
)
from crmbridge_pipedrive.limits import Limits
from crmbridge_pipedrive.lists import ids_of, lots, rows_by_ids, times
from crmbridge_pipedrive.mapping import ALL_STATUSES, AROUND, DealReader, tombstone
from crmbridge_pipedrive.met import Met
from crmbridge_pipedrive.prints import digest
from crmbridge_pipedrive.products import Products
from crmbridge_pipedrive.reading import is_gone
from crmbridge_pipedrive.standard import TIMES, Surroundings
from crmbridge_pipedrive.verdicts import ForbiddenError
from crmbridge_pipedrive.walking import Ahead, Found, Walk

LOT = 50  # deals that are read one by one between two cursors; a log costs 20 tokens or more
MOST = 250  # deals of a page
A_LOG = 20  # tokens
NAMES = tuple(name for name, _ in TIMES)
CONTACTS = "contacts"
_TIMED = frozenset(name for _, name in TIMES)


class DealSource(Struct, frozen=True, kw_only=True):
    """Reads the deals of one account. `history_days` is how far back the moves of a first pull reach."""

    api: Api
    changelogs: ChangeLogs
    account: Account
    connection: str
    limits: Limits
    clock: Clock
    make_reader: Callable[[DealFields], DealReader]
    take_ahead: Callable[[], Ahead | None]
    products: Products
    history_days: int

    def pull(self, since: str | None) -> Iterator[Page]:
        """Yield the deals that changed since a cursor, the deals around which something changed, and what is gone.

        Then, where a first pull put the moves of many deals off, as many of them as today's tokens allow.
        """
        yield from _Pull(self, since).pages()

    def read(self, ids: Collection[int], fields: Collection[str] | None = None) -> list[Record]:
        """Read deals by id, as they are now. A list asked for ids is no search index.

        With `fields`, contacts and the times of activities, which cost requests of their own, are there only if named.
        """
        params = deal_params(self.account.deal_fields)
        rows = self.products.read(lambda asked: [*rows_by_ids(self.api, "deals", asked, ids)], params)
        found = [row for row in rows if not is_gone(row)]
        timed = found if fields is None or not _TIMED.isdisjoint(fields) else []
        if fields is None or CONTACTS in fields:
            return self.with_contacts(found, self.activities(timed))
        return [
            _without_contacts(deal) for deal in self._records(found, Surroundings(activities=self.activities(timed)))
        ]

    def with_contacts(self, rows: Sequence[Row], activities: Mapping[int, Row]) -> list[Record]:
        """Make records, after reading all contacts of the deals that have several."""
        several = [row["id"] for row in rows if _has_several(row)]
        people = dict(zip(several, together([partial(self._people, deal) for deal in several]), strict=True))
        return self._records(rows, Surroundings(activities=activities, contacts=people))

    def _records(self, rows: Sequence[Row], around: Surroundings) -> list[Record]:
        """Make records; where a row knows more, or less, of the account than we do, the account is read anew first."""
        reader, stages = self.make_reader(self.account.deal_fields), self.account.setup.pipeline_of
        made = reader.records(rows, around)
        strange = any(r.problems or (r.position and r.position.stage not in stages) for r in made)
        if (strange or _lacks_fields(rows, self.account.deal_fields)) and self.account.renew():
            reader = self.make_reader(self.account.deal_fields)
            made = reader.records(rows, around)
        return made

    def activities(self, rows: Sequence[Row], known: Collection[int] = ()) -> dict[int, Row]:
        """Read the last and next activities of these deals, but for the known ones."""
        naming = [row for row in rows if any(map(row.get, NAMES)) and not is_gone(row)]
        named = {number for row in naming for name in NAMES if is_id(number := row.get(name))}
        return {row["id"]: row for row in rows_by_ids(self.api, "activities", {}, named.difference(known))}

    def logs(self, rows: Sequence[Row]) -> dict[int, Log]:
        """Read the logs of these deals."""
        found = together([partial(self.history.read, row) for row in rows])
        return dict(zip((row["id"] for row in rows), found, strict=True))

    @property
    def history(self) -> History:
        """Give what reads logs."""
        return History(api=self.api, logs=self.changelogs, pipeline_of=self.account.setup.pipeline_of)

    def _people(self, deal: int) -> list[int] | None:
        """Read a deal's contacts; of one deleted or merged meanwhile they can't be read."""
        try:
            return [person for _, person in participants(self.api, deal)]
        except (RefusedError, ForbiddenError):
            return None


class _Pull:
    """One pull of deals."""

    def __init__(self, source: DealSource, since: str | None) -> None:
        self._source = source
        self._params = deal_params(source.account.deal_fields)
        cursor = read_cursor(since)
        self._goes_on, self._since = bool(cursor.parts), cursor.asked_since
        self._known: dict[int, Row] = {}
        ahead = source.take_ahead()
        begun = ahead.began if ahead is not None else source.clock.now()
        self._walk = Walk(
            source.api,
            "deals",
            listed(self._params),
            since,
            prepare=self._activities,
            beside=lambda: next(archived(source.api, self._since)),
            ahead=ahead,
        )
        if not self._goes_on:
            self._since = self._walk.cursor.asked_since  # further back where a clock was put to another time
        self._archived_before: list[Row] | None = None  # where that is all there is
        rows, more = self._walk.aside or ([], "")
        if more is None and source.clock.now() - begun < OVERLAP:  # the next pull asks no further back
            self._archived_before = rows
        self._old = source.clock.now() - timedelta(days=source.history_days)
        if self._walk.is_first and not self._goes_on and not self._is_small():
            self._walk.cursor = replace(self._walk.cursor, puts_off=True)
        self._puts_off = self._walk.cursor.puts_off
        self._has_put_off = self._puts_off and self._goes_on

    def pages(self) -> Iterator[Page]:
        """Yield what changed, then what is gone, then what was put off."""
        walk, met = self._walk, self._walk.met
        around = list(self._around_only_page())
        yield from self._gone_before()
        for found in walk.pages():
            yield from self._pages_of(found)
        for rows in around or self._disturbed(met.ids):
            print_ = partial(_print, self._activities(rows))
            fresh = [row for row in rows if met.is_fresh(row, print_, always=True)]
            for lot in lots(fresh, LOT):
                met.take(ids_of(lot))
                yield self._page(lot, self._activities(lot), met.midway(walk.cursor))
        yield from self._gone()
        backlog = walk.cursor.backlog
        if self._has_put_off:
            backlog = Part()
        if backlog is not None:
            backlog = yield from self._put_off(backlog)
        yield Page(cursor=met.finished(backlog))

    # ── What changed ────────────────────────────────────────────────────────────────────────────────────

    def _pages_of(self, found: Found) -> Iterator[Page]:
        """Cut a page in lots; its rows are let go as they are read."""
        rows, ids = found.rows, ids_of(found.rows)
        print_ = partial(_print, found.around)
        rows[:] = [row for row in rows if self._walk.met.is_fresh(row, print_)]
        is_last = False
        while not is_last:
            lot = self._take_lot(rows)
            is_last = not rows
            page = self._page(lot, found.around, "") if lot else None
            text = self._walk.stand(found, ids if is_last else ids_of(lot), is_last=is_last)
            lot.clear()
            if page is not None:
                yield replace(page, cursor=text, total=self._walk.total, begun=self._walk.begun)

    def _take_lot(self, rows: list[Row]) -> list[Row]:
        """Take the first rows off a list: no more than a page has, or may be read one by one between two cursors."""
        place = asked = 0
        while place < min(MOST, len(rows)) and asked < LOT:
            row = rows[place]
            asked += not is_gone(row) and (self._needs_log(row) or _has_several(row))
            place += 1
        lot = rows[:place]
        del rows[:place]
        return lot

    def _page(self, rows: Sequence[Row], activities: Mapping[int, Row], cursor: str) -> Page:
        """Read what deals need one by one, and make their page."""
        live = [row for row in rows if not is_gone(row)]
        logs = self._source.logs([row for row in live if self._needs_log(row)])
        records = self._source.with_contacts(live, activities)
        history = self._source.history
        moves: list[Move] = []
        for row, record in zip(live, records, strict=True):
            if row["id"] in logs:
                moves += history.moves(record, row, logs[row["id"]])
            elif self._is_told(row):
                moves += told_moves(record, row)
                self._has_put_off = self._has_put_off or (self._puts_off and self._is_recent(row))
        met = self._walk.met
        met.gone.difference_update(ids_of(live))
        met.lost.difference_update(ids_of(live))
        met.lost.update(row["id"] for row in live if row.get("status") == "lost")
        gone = _tombstones(self._source, met, [row for row in rows if is_gone(row)])
        return Page(records=tuple(records), moves=tuple(moves), tombstones=gone, cursor=cursor)

    def _needs_log(self, row: Row) -> bool:
        """Tell whether a deal's log is worth its tokens now; of one that is gone there is nothing to read."""
        if self._since is None:
            return not self._puts_off and self._is_recent(row)
        met = self._walk.met
        moved = row["id"] in met.gone or may_have_moved(row, self._since, met.lost)
        return moved and not is_new_and_still(row, self._since)

    def _is_told(self, row: Row) -> bool:
        """Tell whether a deal comes with the moves that it tells of by itself."""
        return self._since is None or is_new_and_still(row, self._since)

    def _is_recent(self, row: Row) -> bool:
        """Tell whether only its log says how a deal moved, and it moved within the days that history reaches back."""
        return needs_log(row) and ((at := last_moved(row)) is None or at >= self._old)

    def _is_small(self) -> bool:
        """Tell whether a first pull costs so few tokens that nothing need be put off."""
        rows, sample = self._walk.only_page, self._walk.sample
        if rows is not None:
            logs = sum(map(self._is_recent, rows))
        elif sample.rows:
            logs = sample.highest * sum(map(self._is_recent, sample.rows)) // len(sample.rows)
        else:
            return False
        return self._source.limits.are_few(A_LOG * logs)

    def _around_only_page(self) -> Iterator[list[Row]]:
        """Read the disturbed deals before the others, where all is one page: their activities then come in one go."""
        page = self._walk.only_page
        if page is not None and self._since is not None:
            rows = [row for lot in self._disturbed({row["id"] for row in page}) for row in lot]
            self._known |= self._source.activities([*page, *rows], self._known)
            yield rows

    def _disturbed(self, met: Collection[int]) -> Iterator[list[Row]]:
        """Find the deals whose activities changed; whether that counts as an edit of the deal is not documented."""
        if self._since is None:
            return
        changed = list(self._source.api.rows("activities", times(self._since, None)))
        self._known |= {row["id"]: row for row in changed}
        ids = {row["deal_id"] for row in changed if is_id(row.get("deal_id"))} - set(met)
        for lot in lots(sorted(ids), LIMIT):
            found = rows_by_ids(self._source.api, "deals", self._params, lot)
            yield [row for row in found if not is_gone(row)]

    def _activities(self, rows: Sequence[Row]) -> Mapping[int, Row]:
        """Give the last and next activities of deals, the ones that are read already among them."""
        return {**self._known, **self._source.activities(rows, self._known)}

    def _gone_before(self) -> Iterator[Page]:
        """Yield the deals that were archived, where they were read before the walk: one that comes back comes later.

        The next pull tells of the newest of them again: the list, read after them, may show them late as they were.
        """
        if self._archived_before:
            gone = _tombstones(self._source, self._walk.met, self._archived_before)
            yield Page(tombstones=gone, cursor=self._walk.met.midway(self._walk.cursor))

    def _gone(self) -> Iterator[Page]:
        """Yield the deals that were archived: they vanish from the list ("Archived deals and leads", changelog)."""
        met = self._walk.met
        for rows, _ in archived(self._source.api, self._since) if self._archived_before is None else ():
            fresh = [row for row in rows if met.is_fresh(row, digest)]
            if fresh:
                met.take(ids_of(fresh))
                yield Page(tombstones=_tombstones(self._source, met, fresh), cursor=met.midway(self._walk.cursor))

    # ── What was put off ────────────────────────────────────────────────────────────────────────────────

    def _put_off(self, backlog: Part) -> Generator[Page, None, Part | None]:
        """Read the logs that a first pull put off, by id, until they are done or have had their share of the day.

        Gives what is left. The deals come again with their moves, as they are now.
        """
        start = Cursor(parts=(backlog,)).text()
        for found in Walk(self._source.api, "deals", self._params, start, prepare=self._source.activities).pages():
            due = [row for row in found.rows if self._is_recent(row) and not is_gone(row)]
            for lot in lots(due, LOT):
                if not self._source.limits.spare(A_LOG * len(lot)):
                    return backlog
                logs = self._source.logs(lot)
                records = self._source.with_contacts(lot, found.around)
                pairs = zip(lot, records, strict=True)
                moves = [move for row, deal in pairs for move in self._source.history.moves(deal, row, logs[row["id"]])]
                backlog = replace(found.here, after=lot[-1]["id"])
                yield Page(records=tuple(records), moves=tuple(moves), cursor=self._walk.met.finished(backlog))
            backlog = found.then
        return None


def deal_params(fields: DealFields) -> dict[str, str | int]:
    """Give the parameters that make every deal list and every single read send the same fields."""
    return asked_with(fields.optional_codes, fields.custom_codes)


def asked_with(optional: Sequence[str], custom: Sequence[str]) -> dict[str, str | int]:
    """Give the parameters that ask for deals with these fields."""
    params: dict[str, str | int] = {"include_fields": ",".join((*AROUND, "first_won_time", *optional))}
    if 0 < len(custom) <= MOST_KEYS:
        params["custom_fields"] = ",".join(custom)
    return params


def listed(params: Params) -> Params:
    """Give the parameters of a list that tells of deleted deals as well."""
    return {**params, "status": ALL_STATUSES}


def archived(api: Api, since: datetime | None) -> Iterator[tuple[list[Row], str | None]]:
    """Read the pages of deals that were archived since, each with the token of the next one."""
    return api.walk("deals.archived", {"limit": LIMIT, **times(since, None)})


def _tombstones(source: DealSource, met: Met, rows: Sequence[Row]) -> tuple[Tombstone, ...]:
    """Tell of deals that are gone. One that comes back may have moved before anybody pulled it."""
    met.gone.update(ids_of(rows))
    return tuple(tombstone(row, source.connection) for row in rows)


def _lacks_fields(rows: Sequence[Row], fields: DealFields) -> bool:
    """Tell whether deals come without a custom field that was asked for: it was deleted, and would seem to be empty."""
    custom = rows[0].get("custom_fields") if rows else None
    return isinstance(custom, dict) and not custom.keys() >= set(fields.custom_codes)


def _without_contacts(deal: Record) -> Record:
    return replace(deal, fields={name: value for name, value in deal.fields.items() if name != CONTACTS})


def _print(activities: Mapping[int, Row], row: Row) -> str:
    """Give the fingerprint of a deal together with its activities, which may change without it."""
    return digest([row, [activities.get(row.get(name) or 0) for name in NAMES]])


def _has_several(row: Row) -> bool:
    """Tell whether there are participants beside the main contact, who is counted as one."""
    count = row.get("participants_count")
    return is_id(count) and count > int(is_id(row.get("person_id")))
