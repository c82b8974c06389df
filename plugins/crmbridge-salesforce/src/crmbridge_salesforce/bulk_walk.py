"""Reading one big source by bulk jobs: its rows part by part, and for deals what lies beside them from jobs of its own.

The cursor names the jobs and the part, so that a walk that was cut short goes on with it; the org keeps jobs for seven
days ("Get Results for a Query Job").
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing
from datetime import timedelta
from functools import partial
from itertools import islice

from crmbridge.http import side_by_side, together
from crmbridge.model.records import Kind
from crmbridge.model.replacing import replace
from crmbridge.ports import Clock, Page
from crmbridge_salesforce.bulk import BulkUnavailableError, Part, QueryJobs, rows_of
from crmbridge_salesforce.cursor import Cursor
from crmbridge_salesforce.details import ROLE, Asked, Details
from crmbridge_salesforce.moves import SNAPSHOT, TRACKED
from crmbridge_salesforce.org import Org
from crmbridge_salesforce.rows import Cells
from crmbridge_salesforce.soql import select
from crmbridge_salesforce.sources import Source, Span, page_of, tracks_stages
from crmbridge_salesforce.spool import Spool
from crmbridge_salesforce.values import Cell

PAGE = 500  # rows, so that memory stays flat whatever there is; as many as are saved at a time
SMALL_ROWS = 10_000  # of the jobs beside, whose rows are short
SEEN = timedelta(seconds=3)  # so often, somebody who watches sees deals come while details are put down
_HISTORY = ("OpportunityId", *SNAPSHOT)
_TRACKED = ("OpportunityId", *TRACKED)
Add = Callable[[Iterable[Sequence[Cell]]], None]


class Beside:
    """What lies beside all deals, from jobs of its own, which is put down in a file as the deals go by.

    The jobs are read side by side while the first deals are. An org's history may take minutes: until it is all there,
    a page now and then is given the details that the org is asked for, so that a walk moves on in sight of whoever
    waits for it.
    """

    def __init__(self, jobs: QueryJobs, clock: Clock, asked: Asked, place: Cursor, *, begun: bool) -> None:
        self._jobs = jobs
        self._clock = clock
        self._spool = Spool()
        self._loading = self._load(place)
        self._latest = clock.now() + (SEEN if begun else timedelta(0))  # where nothing came yet, nobody waits
        self._details: Details = asked
        next(self._loading, None)

    def details(self) -> Details:
        """Give what knows the details of the next page."""
        for _ in self._loading:
            if self._clock.now() >= self._latest:
                break
        self._latest = self._clock.now() + SEEN
        return self._details

    def close(self) -> None:
        """Take the file away."""
        self._loading.close()
        self._spool.close()

    def _load(self, place: Cursor) -> Generator[None, None, None]:
        """Put everything down, part by part; where the jobs do not give it, the org is asked for it page by page."""
        if not place.history:
            return
        beside: list[tuple[str, Sequence[str], Add]] = [
            (place.history, _HISTORY, self._spool.add_history),
            (place.roles, ROLE, self._spool.add_roles),
            (place.tracked, _TRACKED, self._spool.add_history),
        ]
        try:
            yield from self._put([each for each in beside if each[0]])
        except BulkUnavailableError:
            return
        self._spool.seal()
        self._details = self._spool

    def _put(self, beside: Sequence[tuple[str, Sequence[str], Add]]) -> Iterator[None]:
        """Put the rows of jobs down: side by side of those that are complete already, then of the others."""
        early = side_by_side([partial(self._early, job) for job, _, _ in beside], workers=len(beside))
        late = set(range(len(beside)))
        with closing(early):
            for number, part in early:
                if part is not None:
                    late.discard(number)
                    beside[number][2](rows_of(part, beside[number][1]))
                yield
        for job, columns, add in (beside[number] for number in sorted(late)):
            yield from self._jobs.waiting(job)
            for part in self._jobs.parts(job, size=SMALL_ROWS):
                add(rows_of(part, columns))
                yield

    def _early(self, job: str) -> Iterator[Part | None]:
        """Give the parts of a job if it is complete; nothing comes first, so that nobody waits for the look at it."""
        yield None
        if self._jobs.is_complete(job):
            yield from self._jobs.read(job, size=SMALL_ROWS)


class BulkWalk:
    """One source, read in bulk. Raises BulkUnavailableError where it must be read page by page instead."""

    def __init__(self, org: Org, clock: Clock, source: Source) -> None:
        self._org = org
        self._clock = clock
        self._source = source
        self._jobs = QueryJobs(org, clock)

    def pages(self, place: Cursor, span: Span, *, begun: bool = False) -> Iterator[Page]:
        """Yield the rows of the job that the cursor names; `begun` says that people have seen some already."""
        self._jobs.wait(place.job)
        with closing(self._beside(place, begun=begun)) as beside:
            for part in self._jobs.parts(place.job, place.locator):
                for rows, cursor in self._cut(part, place):
                    page = page_of(self._source, rows, span, cursor.dump(), beside.details())
                    if page.records:
                        yield page
        done = [job for job in (place.job, place.history, place.roles, place.tracked) if job]
        together([partial(self._jobs.drop, job) for job in done])

    def ordered(self, place: Cursor, where: str) -> Cursor:
        """Order the rows that hold a condition, and for a first walk through deals what lies beside them.

        The org works on all these jobs at a time. What is given names them.
        """
        form = self._source.form
        statement = select(form.columns, form.table.name, where=where)
        order = partial(self._jobs.order, statement, deleted_too=self._source.deleted_too)
        if self._source.kind is not Kind.DEAL or not place.whole:
            return replace(place, job=order())
        beside = [select(_HISTORY, "OpportunityHistory"), select(ROLE, "OpportunityContactRole")]
        if tracks_stages(self._source):
            beside.append(select(_TRACKED, "OpportunityFieldHistory", where="Field = 'StageName'"))
        # One that can't be ordered leaves the others without use; the org takes them away after seven days.
        job, history, roles, *tracked = together([order, *(partial(self._ordered_beside, each) for each in beside)])
        return replace(place, job=job, history=history, roles=roles, tracked="".join(tracked))

    def _ordered_beside(self, statement: str) -> str:
        try:
            return self._jobs.order(statement)
        except BulkUnavailableError:
            return ""

    def _beside(self, place: Cursor, *, begun: bool) -> Beside:
        asked, tracked = Asked(self._org, tracked=partial(tracks_stages, self._source)), tracks_stages(self._source)
        whole = place.history and place.roles and (place.tracked or not tracked)
        return Beside(self._jobs, self._clock, asked, place if whole else Cursor(), begun=begun)

    def _cut(self, part: Part, place: Cursor) -> Iterator[tuple[list[Cells], Cursor]]:
        """Cut a part in pages. Only its last page leads on to the next: rows come twice rather than never."""
        form = self._source.form
        rows = rows_of(part, form.columns)
        first = next(rows, None)
        while first is not None:
            page = form.tidied([first, *islice(rows, PAGE - 1)])
            first = next(rows, None)
            yield page, _after(part, place) if first is None else replace(place, locator=part.locator)


def _after(part: Part, place: Cursor) -> Cursor:
    return place.at_end if part.following is None else replace(place, locator=part.following)
