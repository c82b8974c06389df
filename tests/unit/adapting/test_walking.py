"""Walking by time of change: nothing is missed, and nothing comes twice that did not change."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest

from crmbridge.adapting import Deletions, Place, walk_by_time
from crmbridge.errors import RetryLaterError
from crmbridge.model.records import Record
from crmbridge.ports import Page
from crmbridge.testing.factories import NOON, make_deal, make_ref, make_tombstone

MINUTE = timedelta(minutes=1)


class Listed:
    """A CRM's list in the order of time and id."""

    def __init__(self, *rows: tuple[str, datetime, str]) -> None:
        self.rows = list(rows)

    def put(self, number: str, at: datetime, version: str = "1") -> None:
        self.rows = [row for row in self.rows if row[0] != number] + [(number, at, version)]

    def fetch(self, place: Place | None) -> Sequence[Record]:
        later = [r for r in self.rows if place is None or (r[1], r[0]) > place]
        found = sorted(later, key=lambda row: (row[1], row[0]))[:2]
        return [make_deal(number, updated_at=at, version=version) for number, at, version in found]

    def walk(self, since: str | None, **more: Any) -> list[Page]:
        return list(walk_by_time(since, self.fetch, limit=2, overlap=MINUTE, **more))


def ids(pages: list[Page]) -> list[str]:
    return [record.ref.id for page in pages for record in page.records]


def test_records_of_one_time_come_once_each() -> None:
    """A page may end among them."""
    listed = Listed(*((number, NOON, "1") for number in "abcde"))

    assert list("abcde") == ids(listed.walk(None))


def test_every_cursor_goes_on_where_its_page_ended() -> None:
    """Also in the middle of one time."""
    listed = Listed(*((number, NOON, "1") for number in "abcde"))
    first = listed.walk(None)[0]

    assert list("cde") == ids(listed.walk(first.cursor))


def test_what_is_shown_late_is_not_missed() -> None:
    """It may be older than the cursor, by less than the overlap; what is known comes no second time."""
    listed = Listed(("a", NOON, "1"))
    cursor = listed.walk(None)[-1].cursor
    listed.put("b", NOON - MINUTE / 2)

    assert ["b"] == ids(listed.walk(cursor))


def test_another_version_of_the_same_time_comes_again() -> None:
    """Two changes may have one time."""
    listed = Listed(("a", NOON, "1"))
    cursor = listed.walk(None)[-1].cursor
    listed.put("a", NOON, "2")

    assert ["a"] == ids(listed.walk(cursor))


def test_a_list_that_does_not_go_on_is_an_error() -> None:
    """Such as one that is asked by time alone, where more records have one time than fit on a page."""
    listed = Listed(*((number, NOON, "1") for number in "abc"))
    walk = walk_by_time(None, lambda _: listed.fetch(None), limit=2, overlap=MINUTE)

    with pytest.raises(RetryLaterError, match="twice in one walk"):
        list(walk)


def test_an_empty_list_ends_with_a_page() -> None:
    """There is always one, and its cursor is good."""
    (page,) = Listed().walk(None)

    assert () == page.records
    assert ["a"] == ids(Listed(("a", NOON, "1")).walk(page.cursor))


def test_a_cursor_keeps_only_versions_near_it() -> None:
    """Else it would grow with the account."""
    listed = Listed(*((str(n), NOON + n * MINUTE, "1") for n in range(8)))

    assert {"6", "7"} == set(json.loads(listed.walk(None)[-1].cursor)["seen"])


def test_deletions_are_told_from_before_the_last_pull_began() -> None:
    """What is deleted while a pull lasts comes with the next one; a pull that was cut off tells them again."""
    asked: list[datetime] = []

    def gone(at: datetime) -> list[Any]:
        asked.append(at)
        return [make_tombstone("z")]

    listed = Listed(*((number, NOON, "1") for number in "abc"))
    first = listed.walk(None, deletions=Deletions(lambda: NOON - MINUTE, gone))
    second = listed.walk(first[-1].cursor, deletions=Deletions(lambda: NOON, gone))

    assert [NOON - MINUTE] == asked
    assert [make_ref("z")] == [tombstone.ref for page in second for tombstone in page.tombstones]
    assert [True, False] == [json.loads(page.cursor)["gone"] is None for page in first]
