"""What CRMs recorded themselves of the fields of deals, in memory."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from crmbridge.model.courses import Course, joined
from crmbridge.model.records import Ref
from crmbridge.store.memory.state import Opened


class MemoryCourses:
    """What CRMs recorded of fields, in memory."""

    def __init__(self, memory: Opened) -> None:
        self._memory = memory

    def save(self, courses: Sequence[Course]) -> None:
        """Save what was read, each course joined with what is known of the same field."""
        with self._memory.write() as state:
            for course in courses:
                own = state.courses.setdefault(course.deal, {})
                before = own.get(course.field)
                own[course.field] = joined(before, course) if before else course

    def of(self, deals: Collection[Ref]) -> dict[Ref, dict[str, Course]]:
        """Give the courses of those of these deals that have any, by their fields."""
        with self._memory.read() as state:
            return {deal: dict(state.courses[deal]) for deal in deals if deal in state.courses}
