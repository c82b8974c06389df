"""Walking a v2 list: small changes in one page, large ones by id, and a first pull in parts side by side."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any, NamedTuple

from crmbridge.errors import RefusedError
from crmbridge.http import side_by_side, together
from crmbridge.model.replacing import replace
from crmbridge_pipedrive.api import IDS, LIMIT, Api, Params, Row
from crmbridge_pipedrive.cursors import OVERLAP, Cursor, Part, read_cursor
from crmbridge_pipedrive.cutting import Newest, cut
from crmbridge_pipedrive.lists import highest_in, last_id, rows_by_ids, times
from crmbridge_pipedrive.met import Met
from crmbridge_pipedrive.prints import SECONDS
from crmbridge_pipedrive.sharing import Board, RangesError, Reader
from crmbridge_pipedrive.values import moment, query_time

PARTS = 6  # a first pull is cut in so many, and in what changed last; each costs half a page more
MOST_SAMPLES = 3  # requests of a hundred ids each
A_SAMPLE_FOR = 10_000  # ids
GUESSED = 0.8  # of the highest id, at least, must be the highest one among the newest changes

Prepare = Callable[[Sequence[Row]], Mapping[int, Row]]


class Found(NamedTuple):
    """A page of one part of a list: where the walk stood before it, and where it goes on after it.

    Whoever takes it empties `rows` as it goes: they are large, and readers hold on to the page until their next one.
    The last one of each reader `ends`, and may have no rows.
    """

    number: int
    rows: list[Row]
    around: Mapping[int, Row]
    here: Part
    then: Part
    is_backwards: bool = False
    ends: bool = False


class Sample(NamedTuple):
    """Some rows of a list, evenly spread, and the highest id there is."""

    highest: int
    rows: Sequence[Row]


class Survey(NamedTuple):
    """What a big list is planned by, and how many rows of the sample were asked for."""

    sample: Sample
    asked: int
    aside: Any


class Ahead(NamedTuple):
    """What was asked for before a first walk began: the page of the newest changes, by `params`, and a survey.

    Either may be missing.
    """

    began: datetime
    params: Params
    page: tuple[list[Row], bool] | None
    survey: Survey | None


class Walk:
    """One pull of a list, from a cursor on.

    The first request asks for the newest changes. If that one page holds them all, it is the whole pull. If there are
    more, they are read in the order of their ids, because a list in the order of its changes shifts while people work;
    whatever changes after that first page is for the next pull. In a first pull that page comes first, and what changes
    until all else is read comes last. `prepare` reads what belongs to a page, in the thread that reads the page.
    `beside` is done beside the planning of a big first pull; `aside` is what it gave. Of a first pull, what was found
    `ahead` is not asked for again.
    """

    def __init__(
        self,
        api: Api,
        call: str,
        params: Params,
        since: str | None,
        *,
        prepare: Prepare | None = None,
        beside: Callable[[], Any] | None = None,
        ahead: Ahead | None = None,
    ) -> None:
        self._api = api
        self._call = call
        self._params = params
        self._prepare: Prepare = prepare or (lambda _rows: {})
        self._beside = beside or (lambda: None)
        self.aside: Any = None
        self.begun = ahead.began if ahead is not None else None
        self.sample = Sample(0, ())
        self.total: int | None = None  # about how many rows there are, where that is known
        self._newest: Newest | None = None  # until it is delivered
        self._marks: Mapping[int, Sequence[int]] = {}  # ids of the sample, by the number of their part
        self._board = Board({}, {})
        self.cursor, self._only_page = self._begin(read_cursor(since), ahead)
        self.met = Met(self.cursor)

    @property
    def is_first(self) -> bool:
        """Tell whether everything is read, not only what changed."""
        return self.cursor.since is None

    @property
    def only_page(self) -> Sequence[Row] | None:
        """Give all there is, if one page held it."""
        return self._only_page

    def pages(self) -> Iterator[Found]:
        """Yield what was found, page by page; `stand` notes that a page, or a part of it, was taken."""
        self.sample = Sample(self.sample.highest, ())
        try:
            yield from self._read()
            gaps = self._has_gaps()
        except RangesError:
            gaps = True
        if gaps:  # in one piece, then
            self.cursor = replace(self.cursor, parts=(Part(),), owed=frozenset())
            self._marks = {}
            yield from self._read()

    def stand(self, found: Found, ids: Sequence[int], *, is_last: bool) -> str:
        """Note that these rows of a page were taken, and give the cursor from which a later pull goes on."""
        self.cursor = self.cursor.with_part(found.number, self._stood(found, ids, is_last=is_last))
        self.met.take(ids)
        if self.cursor.owed:
            self.cursor = replace(self.cursor, owed=self.cursor.owed.difference(ids))
        return self.met.midway(self.cursor)

    def _stood(self, found: Found, ids: Sequence[int], *, is_last: bool) -> Part:
        known = self.cursor.parts[found.number]
        if found.is_backwards:
            part = replace(known, before=ids[-1]) if ids else known
        else:
            part = replace(found.then if is_last else replace(found.here, after=ids[-1]), before=known.before)
        return replace(part, done=self._board.end(found.number)) if found.ends and is_last else part

    def _begin(self, cursor: Cursor, ahead: Ahead | None) -> tuple[Cursor, list[Row] | None]:
        """Read the newest page and plan the walk by it; a walk that goes on has its plan already.

        Pipedrive's own times are taken, so that no two clocks need agree.
        """
        if cursor.parts:
            return cursor, None
        ahead = ahead if cursor.since is None else None
        page = ahead.page if ahead is not None and ahead.params == self._params else None
        rows, more = page or newest_page(self._api, self._call, self._params, cursor.asked_since)
        if (caught_up := cursor.caught_up(self._api.heard)) != cursor:
            cursor = caught_up
            rows, more = newest_page(self._api, self._call, self._params, cursor.asked_since)
        cursor = replace(cursor.begun(rows, self._api.heard), parts=(Part(since=cursor.asked_since),))
        if not more:
            self.total = len(rows)
            return cursor, sorted(rows, key=_by_id)
        if cursor.since is not None or cursor.next is None:
            return cursor, None
        survey = ahead.survey if ahead is not None else None
        return self._cut(cursor, survey or self._survey(highest_in(rows)), rows), None

    def _survey(self, known: int) -> Survey:
        """Read rows with ids at even distances.

        `known` is the highest id so far. The last one is asked for as well, and mostly near that, so that neither of
        the two is waited for.
        """
        asked = _evenly(known)
        last = partial(last_id, self._api, self._call, self._params)
        rows, aside, highest = together([partial(self._some, asked), self._beside, last])
        highest = max(known, highest)
        if known < highest * GUESSED:
            asked = _evenly(highest)
            rows = self._some(asked)
        return Survey(Sample(highest, rows), len(asked), aside)

    def _cut(self, cursor: Cursor, survey: Survey, first_page: Sequence[Row]) -> Cursor:
        """Cut a whole list in parts, and remember the rows of the sample: all must turn up in one of them."""
        self.sample, self.aside = survey.sample, survey.aside
        highest, sample = survey.sample
        self.total = highest * len(sample) // max(1, survey.asked)
        made = cut(sample, first_page, most=PARTS, rows=self.total, page=LIMIT)
        self._marks, self._newest = made.marks, made.newest
        return replace(cursor, parts=made.parts, owed=frozenset(row["id"] for row in sample))

    def _some(self, ids: set[int]) -> list[Row]:
        return list(rows_by_ids(self._api, self._call, self._params, ids))

    def _read(self) -> Iterator[Found]:
        if self._only_page is not None:
            rows, part = list(self._only_page), self.cursor.parts[0]
            yield Found(0, rows, self._prepare(rows), part, replace(part, done=True))
            return
        newest, self._newest = self._newest, None
        read = None if newest is None else newest.number
        parts = {number: part for number, part in enumerate(self.cursor.parts) if not part.done and number != read}
        marks = sum(map(len, self._marks.values()))
        self._board = Board(parts, self._marks, stands_for=(self.total or 0) / max(1, marks), page=LIMIT)
        readers = self._api.readers if marks else min(self._api.readers, len(parts))
        ahead = (
            [] if newest is None else [partial(_read_before, newest, self.cursor.parts[newest.number], self._prepare)]
        )
        # What is edited meanwhile goes over into the last part. Read after all others, it brings those deals too: with
        # the next pull they would come without the moves that they had made before.
        last = len(self.cursor.parts) - 1
        for but in (last, None) if last else (None,):
            jobs: list[Callable[[], Iterator[Found]]] = [*ahead, *[partial(self._run, but)] * readers]
            ahead = []
            for _, found in side_by_side(jobs, workers=len(jobs)):
                yield found

    def _run(self, but: int | None) -> Iterator[Found]:
        """Read as one of the readers, as long as there are parts, but for one."""
        for reader in self._board.readers(but=but):
            yield from self._pages_of(reader)

    def _pages_of(self, reader: Reader) -> Iterator[Found]:
        """Read one part from where it stands, or from its end."""
        number, part, board, back = reader.number, reader.part, self._board, reader.is_backwards
        in_order: dict[str, str | int] = {"sort_by": "id", "sort_direction": "desc" if back else "asc", "limit": LIMIT}
        asked = {**self._params, **in_order, **times(part.since, part.until)}
        steps = self._marked(asked, None if back else part.page)
        while board.begins(reader):
            marker, rows, following = next(steps)
            here = replace(part, page=marker)
            if len(self.cursor.parts) > 1 and not _in_range(rows, part):
                raise RangesError
            came = len(rows)
            rows[:] = board.take(reader, rows, is_last=following is None)
            # A page that meets what the other reader has read is read again by a pull that goes on: not all of that
            # may have been delivered.
            page = following if following is not None and len(rows) == came else marker
            part = replace(part, page=page, after=rows[-1]["id"] if rows else part.after)
            ends = reader.is_done
            yield Found(number, rows, self._prepare(rows), here, part, back, ends)
            if ends:
                return
        yield Found(number, [], {}, part, part, back, ends=True)

    def _marked(self, asked: Params, start: str | None) -> Iterator[tuple[str | None, list[Row], str | None]]:
        """Yield each page with its own marker and the next one's.

        Pipedrive promises nothing about how long its markers live, so one that is refused means walking again from the
        first page; rows up to the last one delivered are passed over.
        """
        try:
            marker = start
            for rows, following in self._api.walk(self._call, asked, start):
                yield marker, rows, following
                marker = following
        except RefusedError:
            if start is None:
                raise
            yield from self._marked(asked, None)

    def _has_gaps(self) -> bool:
        """Tell whether rows of the sample never came although nobody touched them meanwhile."""
        if not self.cursor.owed or self.cursor.next is None:
            return False
        quiet = self.cursor.next - OVERLAP
        late = self._some(set(self.cursor.owed))
        return any((at := moment(row.get("update_time"))) is not None and at < quiet for row in late)


def newest_page(api: Api, call: str, params: Params, since: datetime | None) -> tuple[list[Row], bool]:
    """Ask for what changed last since a time, and whether there is more."""
    newest_first: dict[str, str | int] = {"sort_by": "update_time", "sort_direction": "desc", "limit": LIMIT}
    return api.page(call, {**params, **newest_first, **times(since, None)})


def _read_before(newest: Newest, here: Part, prepare: Prepare) -> Iterator[Found]:
    """Give what the first page held, while readers ask for the next ones."""
    yield Found(newest.number, newest.rows, prepare(newest.rows), here, replace(here, done=True))


def _in_range(rows: Sequence[Row], part: Part) -> bool:
    """Tell whether rows lie in the range they were asked for; where not, parts would overlap or leave gaps."""
    start = query_time(part.since)[:SECONDS] if part.since else ""
    end = query_time(part.until)[:SECONDS] if part.until else "~"
    return all(start <= str(row.get("update_time") or "")[:SECONDS] < end for row in rows)


def _evenly(highest: int) -> set[int]:
    """Give ids at even distances up to the highest one, more of them where there are many."""
    count = IDS * min(MOST_SAMPLES, highest // A_SAMPLE_FOR + 1)
    return {highest * n // count for n in range(1, count + 1)} - {0}


def _by_id(row: Row) -> Any:
    return row["id"]
