"""The desk: one thing at a time, and a plan is applied once, as it stands."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any, cast

import pytest

from crmbridge.errors import PlanStaleError
from crmbridge.services.apply.choosing import ALL
from crmbridge.services.workspace import Progress, Workspace, silent
from crmbridge.testing.factories import NOON
from crmbridge.web.desk import Desk


class Works:
    """A desk with a plan on it, and how often that was applied."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.applied: list[str] = []
        monkeypatch.setattr("crmbridge.web.desk.run_plan", self._plan)
        monkeypatch.setattr("crmbridge.web.desk.run_apply", self._apply)
        self.desk = Desk(self._opens, lambda: NOON, lambda: None)
        self.desk.plan("anna", refresh=False)
        self.desk.close()

    @contextlib.contextmanager
    def _opens(self, _progress: Progress = silent) -> Iterator[Workspace]:
        yield cast("Workspace", SimpleNamespace(project=SimpleNamespace(digest="d")))

    def _plan(self, *_: object, **__: object) -> Any:
        plan = SimpleNamespace(id="p1", settings="d", changes=())
        return SimpleNamespace(cycle=SimpleNamespace(plan=plan, errors=()))

    def _apply(self, _workspace: object, plan: Any, _choice: object) -> Any:
        self.applied.append(plan.id)
        return SimpleNamespace(cycle=None)


@pytest.fixture
def works(monkeypatch: pytest.MonkeyPatch) -> Works:
    """Give a desk with a plan."""
    return Works(monkeypatch)


class _After:
    """A lock that somebody else had first."""

    def __init__(self, desk: Desk, others: str) -> None:
        self._desk, self._lock, self._others = desk, desk._lock, others

    def __enter__(self) -> None:
        self._desk._lock = self._lock
        self._desk.apply(self._others, "p1", ALL)
        self._desk.close()
        self._lock.acquire()

    def __exit__(self, *_: object) -> None:
        self._lock.release()


def test_a_plan_is_applied_once_even_when_two_confirm_it_together(works: Works) -> None:
    """Whoever comes second is told, although the plan still stood when their request came."""
    works.desk._lock = cast("Any", _After(works.desk, "ben"))

    with pytest.raises(PlanStaleError):
        works.desk.apply("anna", "p1", ALL)
    assert ["p1"] == works.applied


def test_the_log_names_who_applies(works: Works, caplog: pytest.LogCaptureFixture) -> None:
    """Not who made the plan."""
    with caplog.at_level(logging.INFO, "crmbridge.web.desk"):
        works.desk.apply("ben", "p1", ALL)
        works.desk.close()

    assert ["ben applies the plan p1"] == caplog.messages


def test_another_plan_than_the_one_shown_is_refused(works: Works) -> None:
    """Its changes were never seen."""
    with pytest.raises(PlanStaleError):
        works.desk.apply("anna", "p0", ALL)
    assert [] == works.applied
