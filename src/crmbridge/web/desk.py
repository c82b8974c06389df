"""The desk: what visitors set to work, one thing at a time, in a thread and a workspace of its own."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Any, Literal

from msgspec import Struct

from crmbridge.errors import CrmbridgeError, LockedError, PlanStaleError
from crmbridge.model.changes import Plan
from crmbridge.model.replacing import replace
from crmbridge.services.apply.choosing import Choice
from crmbridge.services.runs.running import Ran, run_apply, run_plan
from crmbridge.services.workspace import Workspace

log = logging.getLogger(__name__)

Opens = Callable[..., AbstractContextManager[Workspace]]  # takes how progress is told
What = Literal["plan", "apply"]


class Job(Struct, frozen=True, kw_only=True):
    """Something that was set to work, and how far it is. Over, it has what came of it, or what went wrong."""

    what: What
    by: str
    started_at: datetime
    step: str = ""
    about: str = ""
    finished_at: datetime | None = None
    ran: Ran | None = None
    error: CrmbridgeError | None = None


class Made(Struct, frozen=True, kw_only=True):
    """A plan that was made here, for whom, and what could not be read for it. `applied` once it was set to work."""

    plan: Plan
    by: str
    errors: tuple[tuple[str, str], ...] = ()
    applied: bool = False


class Desk:
    """Makes plans and applies them, through the same use cases as the command line."""

    def __init__(self, opens: Opens, now: Callable[[], datetime], done: Callable[[], None]) -> None:
        self._opens = opens
        self._now = now
        self._done = done
        self._lock = threading.Lock()
        self._job: Job | None = None
        self._made: Made | None = None
        self._thread: threading.Thread | None = None

    @property
    def job(self) -> Job | None:
        """Give what is at work, or was last."""
        return self._job

    @property
    def made(self) -> Made | None:
        """Give the plan that was made last."""
        return self._made

    @property
    def is_busy(self) -> bool:
        """Tell whether something is at work."""
        return self._job is not None and self._job.finished_at is None

    def plan(self, by: str, *, refresh: bool) -> None:
        """Begin to make a plan, after a pull if that is asked for. Raises LockedError while something is at work."""
        self._begin("plan", by, lambda workspace: self._make(workspace, by, refresh=refresh))

    def apply(self, by: str, plan_id: str, choice: Choice) -> None:
        """Begin to apply the plan that was made last; `choice` has the most that it may write and archive.

        Raises PlanStaleError when that is another plan than the one meant, or was applied already, and LockedError
        while something is at work.
        """
        self._begin("apply", by, lambda workspace: self._apply(workspace, by, choice), plan_id)

    def close(self) -> None:
        """Wait for what is at work."""
        if self._thread is not None:
            self._thread.join()

    def _begin(self, what: What, by: str, work: Callable[[Workspace], Ran], plan_id: str | None = None) -> None:
        with self._lock:
            if self.is_busy:
                raise LockedError("Something else is at work here", advice="Wait until it is done.")
            # Asked only now: what was at work a moment ago may have made or applied another plan.
            if plan_id is not None and not self._stands(plan_id):
                raise PlanStaleError(
                    "The plan that was shown is not the one that stands now", advice="Look at it again."
                )
            self._job = Job(what=what, by=by, started_at=self._now())
        self._thread = threading.Thread(target=self._work, args=(work,), name="crmbridge-desk", daemon=True)
        self._thread.start()

    def _stands(self, plan_id: str) -> bool:
        made = self._made
        return made is not None and made.plan.id == plan_id and not made.applied

    def _work(self, work: Callable[[Workspace], Ran]) -> None:
        ran, error = None, None
        try:
            with self._opens(self._tell) as workspace:
                ran = work(workspace)
            self._done()
        except CrmbridgeError as found:
            error = found
        except Exception as found:  # the visitor must hear that it ended; the log says how
            log.exception("what was set to work on the page failed")
            error = CrmbridgeError(f"A bug in crmbridge ({type(found).__name__})")
        except BaseException:  # noqa: BLE001  the process is about to end, and nobody above this thread would hear it
            error = CrmbridgeError("It was interrupted", advice="The next run goes on from there.")
        finally:
            self._note(finished_at=self._now(), ran=ran, error=error)

    def _make(self, workspace: Workspace, by: str, *, refresh: bool) -> Ran:
        ran = run_plan(workspace, refresh=refresh)
        if ran.cycle is None or ran.cycle.plan is None:
            raise TypeError("planning gives a plan")
        errors = tuple((connection, error.message) for connection, error in ran.cycle.errors)
        self._made = Made(plan=ran.cycle.plan, by=by, errors=errors)
        return ran

    def _apply(self, workspace: Workspace, by: str, choice: Choice) -> Ran:
        made = self._made  # nothing else is at work, so it is the one that was meant
        if made is None:
            raise TypeError("applying needs a plan")
        if made.plan.settings != workspace.project.digest:
            raise PlanStaleError(
                "The settings or the process changed since the plan was made", advice="Make a new plan."
            )
        log.info("%s applies the plan %s", by, made.plan.id)
        self._made = replace(made, applied=True)
        return run_apply(workspace, made.plan, choice)

    def _tell(self, step: str, about: str) -> None:
        self._note(step=step, about=about)

    def _note(self, **changes: Any) -> None:
        if self._job is not None:
            self._job = replace(self._job, **changes)
