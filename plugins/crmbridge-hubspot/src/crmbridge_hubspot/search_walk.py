"""Walks through everything that was modified since a time, by search, past all of search's limits.

Each page asks for what was modified at or after the last time seen, so that records which move to a later time
while we walk shift nothing (offset pages would skip their neighbours). Within one modification time pages go by record
id, also past the 10,000 that search gives by offset.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, NamedTuple

from msgspec import Struct
from msgspec.structs import asdict

from crmbridge.http import pages
from crmbridge_hubspot.api import HubSpotApi
from crmbridge_hubspot.shapes import ShapeError, count_in, next_of, records_in
from crmbridge_hubspot.values import changed_at

PAGE = 200
BY_ID = 100  # as many as one read takes
ID = "hs_object_id"
FURTHEST = 10_000  # `after` + `limit` beyond it is refused with 400 ("Search the CRM")


class Found(NamedTuple):
    """A record that search named, with its modification time in epoch milliseconds."""

    id: str
    stamp: int


class Newest(NamedTuple):
    """The newest modification time in epoch milliseconds, None where there is nothing; and how many records."""

    stamp: int | None
    total: int


class Answer(NamedTuple):
    """A page of a search: how many records there are in all, and at which offset the next page begins, if any does."""

    records: list[Found]
    total: int
    after: int | None


class LostCountError(Exception):
    """More records share one modification time than search would hand out: the walk is not complete."""


class Step(Struct, frozen=True, kw_only=True):
    """The next page to ask for."""

    since: int  # modified at or after
    after: int = 0  # offset
    beyond: str | None = None  # only records with exactly this time and a greater id; None: all
    counted: int = 0  # how many of a tie were handed out already
    total: int = 0  # how many the tie holds


class SearchWalk:
    """One walk; each record comes at most once with one modification time."""

    def __init__(self, api: HubSpotApi, kind: str, modified: str, only: str = "") -> None:
        self._api = api
        self._kind = kind
        self._modified = modified
        self._only = [{"propertyName": only, "operator": "HAS_PROPERTY"}] if only else []
        self._seen: set[Found] = set()

    def since(self, stamp: int) -> Iterator[list[Found]]:
        """Yield pages of what was modified at or after a time, in that order.

        Raises LostCountError when search holds something back.
        """
        for found, _ in pages(self._fetch, start=_token(Step(since=stamp))):
            fresh = [each for each in found if each not in self._seen]
            self._seen.update(fresh)
            yield fresh

    def newest(self) -> Newest:
        """Give the newest modification time there is, by HubSpot's own clock, and how many records there are."""
        found = self._search([], self._modified, "DESCENDING", limit=1)
        return Newest(max((each.stamp for each in found.records), default=None), found.total)

    def highest(self) -> int:
        """Give the highest id there is, or 0; ids may be ordered as text, so it is an estimate."""
        found = self._search([], ID, "DESCENDING", limit=1).records
        return max((int(each.id) for each in found if each.id.isdecimal()), default=0)

    def ids(self, start: int) -> tuple[list[int], int]:
        """Give the first ids from `start` on, and how many there are from there on in all."""
        found = self._search(
            [{"propertyName": ID, "operator": "GTE", "value": str(start)}], ID, "ASCENDING", limit=BY_ID
        )
        return [int(each.id) for each in found.records], found.total

    def _search(self, asked: list[dict[str, str]], order: str, direction: str, **more: Any) -> Answer:
        filters = [*asked, *self._only]
        body = {
            "filterGroups": [{"filters": filters}] if filters else [],
            "sorts": [{"propertyName": order, "direction": direction}],
            "properties": [self._modified],
            "after": "0",
            **more,
        }
        return self._api.search(self._kind, body, self._answer)

    def _fetch(self, token: str | None) -> tuple[list[Found], str | None]:
        step = Step(**json.loads(token or "{}"))
        answer = self._step(step)
        following = self._next(step, answer.records, answer.total, answer.after)
        return answer.records, None if following is None else _token(following)

    def _answer(self, body: Any) -> Answer:
        records = [Found(raw["id"], changed_at(raw, self._modified)) for raw in records_in(body)]
        after = next_of(body)
        if after is not None and not after.isdecimal():
            raise ShapeError("paging.next.after should be an offset")
        return Answer(records, count_in(body, "total"), None if after is None else int(after))

    def _step(self, step: Step) -> Answer:
        filters, order = self._modified_at("GTE", step), self._modified
        if step.beyond is not None:
            beyond = {"propertyName": ID, "operator": "GT", "value": step.beyond}
            filters, order = [*self._modified_at("EQ", step), beyond], ID
        return self._search(filters, order, "ASCENDING", limit=PAGE, after=str(step.after))

    def _modified_at(self, operator: str, step: Step) -> list[dict[str, str]]:
        return [{"propertyName": self._modified, "operator": operator, "value": str(step.since)}]

    def _next(self, step: Step, found: list[Found], total: int, after: int | None) -> Step | None:
        """Tell what to ask next. A short or empty page ends nothing while a next one is named (airbyte PR 80745)."""
        if step.beyond is not None:
            return self._next_in_tie(step, found, total, more=after is not None)
        if after is None:
            return None
        if not found and after + PAGE <= FURTHEST:
            return Step(since=step.since, after=after)
        last = found[-1].stamp if found else step.since
        return Step(since=last) if last > step.since else Step(since=step.since, beyond="0")

    def _next_in_tie(self, step: Step, found: list[Found], total: int, *, more: bool) -> Step | None:
        expected = step.total or total
        counted = step.counted + len(found)
        if found and found[-1].id == step.beyond:
            raise LostCountError(f"pages of what was modified at {step.since} do not go on by id")
        if not counted:  # how exactly a time is compared is not documented
            raise LostCountError(f"none of the records modified at {step.since}, though a page named them")
        if more and found:
            return Step(since=step.since, beyond=found[-1].id, counted=counted, total=expected)
        # Whether ids are ordered as numbers or as text is not documented. What is edited or deleted meanwhile has
        # another time, or none; fewer than at both ends are too few.
        if counted < expected and counted < self._search(self._modified_at("EQ", step), ID, "ASCENDING", limit=1).total:
            raise LostCountError(f"{counted} of {expected} records modified at {step.since}")
        return Step(since=step.since + 1)


def _token(step: Step) -> str:
    return json.dumps(asdict(step), separators=(",", ":"))
