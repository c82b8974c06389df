"""The cycle: pull, reconcile, plan, apply, as one run under one lease."""

from __future__ import annotations

import contextlib
import logging
import os
import secrets
import socket
import threading
from collections.abc import Collection, Iterator, Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from msgspec import Struct, field

from crmbridge.errors import CrmbridgeError, LockedError, worst
from crmbridge.model.changes import Origin, Outcome, Plan, Receipt
from crmbridge.model.findings import Severity
from crmbridge.model.lives import RANK
from crmbridge.ports import Run
from crmbridge.services.apply.applied import Applied
from crmbridge.services.apply.choosing import ALL, Choice, Chosen, choose
from crmbridge.services.enforce.thresholds import Crossed, crossed
from crmbridge.services.exit_codes import FINDINGS, NEEDS_PERSON, PARTLY, STALE
from crmbridge.services.pull.half_read import half_read
from crmbridge.services.pull.pulling import ConnectionPull, pull
from crmbridge.services.workspace import Workspace

if TYPE_CHECKING:
    from crmbridge.services.runs.planning import Part

# Renewed for as long as the run lives. A killed run frees the state after this, and on its own machine at once.
LEASE = timedelta(minutes=10)
ASKS = timedelta(seconds=1)  # how often one that waits looks whether the state is free
RENEWALS = 3  # within the time of one lease: two may fail before another run can take it over

log = logging.getLogger(__name__)


class Cycle(Struct, frozen=True, kw_only=True):
    """What one run did, step by step; the steps that were not asked for are empty."""

    run: str
    pulled: tuple[ConnectionPull, ...] = ()
    reconciled: tuple[Receipt, ...] = ()
    plan: Plan | None = None
    judged: int = 0  # deals that were evaluated, as they changed or fell due
    findings: Mapping[Severity, int] = field(default_factory=dict)  # all that are open now
    applied: Applied = field(default_factory=lambda: Applied(done=()))
    crossed: tuple[Crossed, ...] = ()  # the thresholds that the open findings reach
    chosen: Chosen | None = None  # what of the plan was to be written, where that is not all of it

    @property
    def errors(self) -> tuple[tuple[str, CrmbridgeError], ...]:
        """Give the connections that failed, with why."""
        failed = {one.connection: one.error for one in self.pulled if one.error is not None}
        return tuple({**failed, **self.applied.errors}.items())

    def exit_code(self, fail_on: Severity | None = None) -> int:
        """Give the exit code: the first of these that is true, else 0.

        Connections failed (the worst of their codes) · some changes failed, 6 · something needs a person, 7 ·
        the plan was stale in part, 8 · findings at or above `fail_on`, or more than an `error_if` allows, 9.
        """
        if self.errors:
            return worst(error.exit_code for _, error in self.errors)
        if self.applied.count(Outcome.FAILED):
            return PARTLY
        unknown = self.applied.count(Outcome.UNKNOWN) + sum(r.outcome is Outcome.UNKNOWN for r in self.reconciled)
        if unknown or self.applied.count(Outcome.REFUSED) or (self.plan and self.plan.blocked):
            return NEEDS_PERSON
        if self.applied.count(Outcome.STALE):
            return STALE
        too_many = any(one.limit == "error_if" for one in self.crossed)
        return FINDINGS if too_many or (fail_on and _worst(self.findings) >= RANK[fail_on]) else 0

    @property
    def waiting(self) -> int:
        """Count what this run leaves to a person: what its plan left alone, and what was refused or is unclear.

        What an undo leaves waits nowhere.
        """
        undoes = self.plan is None or any(change.origin is Origin.UNDO for change in self.plan.changes)
        return len(self.applied.waiting) + (len(self.plan.blocked) if self.plan and not undoes else 0)

    def summary(self) -> dict[str, Any]:
        """Give the figures of the run as plain JSON, for the record of runs and for reports."""
        return {
            "records": sum(one.records for one in self.pulled),
            "moves": sum(one.moves for one in self.pulled),
            "deals": self.judged,
            "findings": sum(self.findings.values()),
            "planned": len(self.plan.changes) if self.plan else 0,
            "blocked": len(self.plan.blocked) if self.plan else 0,
            "waiting": self.waiting,
            "outcomes": self.applied.counts,
            "errors": {connection: error.message for connection, error in self.errors},
            **({"before": len(self.applied.before)} if self.applied.before else {}),
            **({"thresholds": [one.in_words for one in self.crossed]} if self.crossed else {}),
        }


def _worst(findings: Mapping[Severity, int]) -> int:
    return max((RANK[severity] for severity, count in findings.items() if count), default=0)


@contextlib.contextmanager
def writing(workspace: Workspace, command: str) -> Iterator[str]:
    """Hold the state for one run, and note how it began. The caller notes how it ended by `finish`.

    It is held however long a CRM takes to answer. Raises LockedError when another run holds it for longer than the
    workspace has patience, and at the next write to the state after another run took it over, as it may when this
    machine slept.
    """
    now = workspace.clock.now()
    run = f"{now:%Y%m%dT%H%M%S}-{secrets.token_hex(3)}"
    holder = f"{command} {run} (process {os.getpid()} on {socket.gethostname()})"
    with _lease(workspace, holder), _renewing(workspace):
        workspace.store.runs.start(Run(id=run, command=command, started_at=now))
        try:
            yield run
        except BaseException as error:
            code = 130 if isinstance(error, KeyboardInterrupt) else getattr(error, "exit_code", 1)
            with contextlib.suppress(CrmbridgeError):  # what went wrong inside matters more
                finish(workspace, run, command, code, {"error": _said(error)})
            raise


@contextlib.contextmanager
def _lease(workspace: Workspace, holder: str) -> Iterator[None]:
    """Take the lease, now or once whoever holds it is done with it."""
    until, told = workspace.clock.now() + workspace.patience, ""
    with contextlib.ExitStack() as held:
        while True:
            now = workspace.clock.now()
            try:
                held.enter_context(workspace.store.runs.lease(holder, now, LEASE))
                break
            except LockedError as error:
                if now >= until:
                    raise
                if error.message != told:  # it names the holder and when its lease ends, which is renewed
                    workspace.progress("wait", error.message)
                    told = error.message
                workspace.clock.sleep(min(ASKS, until - now).total_seconds())
        yield


@contextlib.contextmanager
def _renewing(workspace: Workspace) -> Iterator[None]:
    """Renew the lease again and again from a thread of its own, which ends with the block or with the process."""
    every = LEASE.total_seconds() / RENEWALS
    over = threading.Event()

    def renew() -> None:
        while not over.wait(every):
            _renew(workspace)

    thread = threading.Thread(target=renew, name="crmbridge-lease", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _renew(workspace: Workspace) -> None:
    """Renew the lease once. When it is lost, the run hears of it at its next write to the state."""
    try:
        workspace.store.runs.renew(workspace.clock.now())
    except Exception as error:  # noqa: BLE001  nobody above would hear of it, and the next try may succeed
        log.warning("the lease could not be renewed: %s", _said(error))


def _said(error: BaseException) -> str:
    """Give what may be shown of an error: only our own are known to hold no secret."""
    return error.message if isinstance(error, CrmbridgeError) else type(error).__name__


def finish(workspace: Workspace, run: str, command: str, exit_code: int, summary: dict[str, Any]) -> None:
    """Note how a run ended, and tell the observers."""
    now = workspace.clock.now()
    workspace.store.runs.finish(run, now, exit_code, summary)
    ended = workspace.store.runs.last(command, now)
    if ended is not None:
        workspace.plugins.finished(ended)


def run_cycle(
    workspace: Workspace,
    run: str,
    *,
    parts: Collection[Part] = ("sync", "enforce"),
    refresh: bool = True,
    write: bool = True,
    choice: Choice = ALL,
) -> Cycle:
    """Do one cycle within a run: with `refresh` it pulls first, with `write` it applies what it planned.

    A connection that fails is left out of the plan, and without a pull one that was not read to its end; the others go
    on. Of the plan, what `choice` says is written.
    Raises OverLimitError, having written nothing, when that is more than it allows.
    """
    from crmbridge.services.runs.planning import make_plan  # noqa: PLC0415  half of the product, which a pull does without

    # Who asks for a plan looks at it; a run that writes comes again.
    pulled = pull(workspace, whole=not write) if refresh else _not_pulled(workspace)
    failed = {one.connection for one in pulled if one.error is not None}
    fresh = [name for name in workspace.connections if name not in failed]
    reconciled = _reconcile(workspace, run) if write else ()
    planned = make_plan(workspace, parts, fresh, ask=refresh)
    chosen = choose(workspace, planned.plan, choice) if write else Chosen(plan=planned.plan)
    applied = _apply(workspace, chosen.plan, run, planned.plan) if write else Applied(done=())
    return Cycle(
        run=run,
        pulled=pulled,
        reconciled=reconciled,
        plan=planned.plan,
        judged=planned.judged.deals,
        findings=workspace.store.findings.counts() if "enforce" in parts else {},
        applied=applied,
        crossed=crossed(workspace) if write and "enforce" in parts else (),
        chosen=chosen,
    )


def _not_pulled(workspace: Workspace) -> tuple[ConnectionPull, ...]:
    """Give the connections that need a pull before anything can be planned with them."""
    return tuple(ConnectionPull(connection=name, error=error) for name, error in half_read(workspace))


def _reconcile(workspace: Workspace, run: str) -> tuple[Receipt, ...]:
    if not workspace.store.journal.unsettled():
        return ()
    from crmbridge.services.apply.reconciling import reconcile  # noqa: PLC0415  what an idle cycle does without

    return reconcile(workspace, run)


def _apply(workspace: Workspace, plan: Plan, run: str, whole: Plan) -> Applied:
    if not plan.changes:
        return Applied(done=())
    from crmbridge.services.apply.applying import apply_plan  # noqa: PLC0415  what an idle cycle does without
    from crmbridge.services.apply.unmade import note_unmade  # noqa: PLC0415  the same

    applied = apply_plan(workspace, plan, run, whole)
    note_unmade(workspace, applied)
    return applied
