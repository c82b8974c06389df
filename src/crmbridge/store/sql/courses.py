"""What CRMs recorded themselves of the fields of deals, field by field."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from crmbridge.model.courses import Course, Held, joined
from crmbridge.model.records import Kind, Ref
from crmbridge.model.values import from_json, iso, to_json
from crmbridge.store.refs import by_kind
from crmbridge.store.sql import schema
from crmbridge.store.sql.database import Database, upsert_written
from crmbridge.store.sql.typed import typed_among
from crmbridge.store.texts import moment_text, storable


class SqlCourses:
    """What CRMs recorded of fields, on SQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def save(self, courses: Sequence[Course]) -> None:
        """Save what was read, each course joined with what is known of the same field."""
        with self._database.write() as open_:
            known = _known(open_, {course.deal for course in courses})
            rows = []
            for course in courses:
                before = known[course.deal].get(course.field)
                rows.append(_row(joined(before, course) if before else course))
            upsert_written(open_, schema.courses, rows)

    def of(self, deals: Collection[Ref]) -> dict[Ref, dict[str, Course]]:
        """Give the courses of those of these deals that have any, by their fields."""
        with self._database.read() as open_:
            return dict(_known(open_, deals))


def _known(open_: Connection, deals: Collection[Ref]) -> defaultdict[Ref, dict[str, Course]]:
    found: defaultdict[Ref, dict[str, Course]] = defaultdict(dict)
    for connection, _, ids in by_kind(deals):
        for row in typed_among(open_, schema.courses, "deal", ids, {"connection": connection}):
            course = _read(row)
            found[course.deal][course.field] = course
    return found


def _row(course: Course) -> tuple[Any, ...]:
    """Write a course in the order of the table's columns."""
    held = [[iso(one.at), to_json(one.value), one.by, one.problem] for one in course.held]
    return (
        course.deal.connection,
        storable(course.deal.id),
        storable(course.field),
        moment_text(course.until),
        moment_text(course.asked) if course.asked else None,
        json.dumps(held, separators=(",", ":")),
        storable(course.why),
        course.reading,
    )


def _read(row: Any) -> Course:
    return Course(
        deal=Ref(row.connection, Kind.DEAL, row.deal),
        field=row.field,
        until=row.until,
        asked=row.asked,
        held=tuple(Held(datetime.fromisoformat(at), from_json(value), by, wrong) for at, value, by, wrong in row.held),
        why=row.why,
        reading=row.reading,
    )
