"""Running: each command that writes, as one noted run under the lease, with the reports that belong to it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from crmbridge.errors import CrmbridgeError, worst
from crmbridge.model.changes import Plan
from crmbridge.model.findings import Severity
from crmbridge.services.apply.choosing import ALL, Choice, choose
from crmbridge.services.pull.pulling import pull, pull_hinted
from crmbridge.services.runs.cycle import Cycle, finish, run_cycle, writing
from crmbridge.services.runs.scheduling import Due, command_of
from crmbridge.services.workspace import Workspace
from crmbridge.settings import Report

if TYPE_CHECKING:
    from crmbridge.services.reports.publishing import Delivery
    from crmbridge.services.runs.planning import Part

BOTH: tuple[Part, ...] = ("sync", "enforce")
ENFORCE: tuple[Part, ...] = ("enforce",)


class Ran(Struct, frozen=True, kw_only=True):
    """One noted run and what came of it. `error` is what stopped it, where something did."""

    command: str
    exit_code: int
    cycle: Cycle | None = None
    delivered: tuple[Delivery, ...] = ()
    error: CrmbridgeError | None = None


def run_pull(workspace: Workspace, connections: Sequence[str] = (), *, whole: bool = True) -> Ran:
    """Pull all connections, or the ones named, as one run; unless `whole`, what was read a short time ago rests."""
    with writing(workspace, "pull") as run:
        cycle = Cycle(run=run, pulled=pull(workspace, connections, whole=whole))
        return _finished(workspace, "pull", cycle)


def run_hinted(workspace: Workspace, connections: Sequence[str] = ()) -> Ran:
    """Re-read only what webhooks said has changed, as one run; for a quick look between two pulls."""
    with writing(workspace, "pull") as run:
        return _finished(workspace, "pull", Cycle(run=run, pulled=pull_hinted(workspace, connections)))


def run_plan(workspace: Workspace, *, refresh: bool = True) -> Ran:
    """Compute the plan as one run, after a pull unless said otherwise; no CRM is written to."""
    with writing(workspace, "plan") as run:
        return _finished(workspace, "plan", run_cycle(workspace, run, refresh=refresh, write=False))


def run_steps(
    workspace: Workspace,
    command: str,
    *,
    parts: Collection[Part] = BOTH,
    fail_on: Severity | None = None,
    choice: Choice = ALL,
) -> Ran:
    """Pull, plan and apply as one run; of all parts that is the cycle, which pushes the reports without a time."""
    with writing(workspace, command) as run:
        cycle = run_cycle(workspace, run, parts=parts, choice=choice)
        whole = set(parts) == set(BOTH)
        reports = [report for report in workspace.project.settings.reports if report.cron is None and whole]
        delivered = _push(workspace, run, reports, cycle.summary())
        return _finished(workspace, command, cycle, delivered, fail_on)


def run_apply(workspace: Workspace, plan: Plan, choice: Choice = ALL, command: str = "apply") -> Ran:
    """Apply exactly this plan, or what is chosen of it, as one run; what earlier runs left unclear is looked up first.

    Raises OverLimitError, having written nothing, when there is more to write than the choice allows.
    """
    with writing(workspace, command) as run:
        return _finished(workspace, command, apply_made(workspace, plan, run, choice))


def apply_made(workspace: Workspace, plan: Plan, run: str, choice: Choice = ALL) -> Cycle:
    """Do the same within a run."""
    from crmbridge.services.apply.applying import apply_plan  # noqa: PLC0415  half of the product, which a pull does without
    from crmbridge.services.apply.reconciling import reconcile  # noqa: PLC0415  the same
    from crmbridge.services.apply.unmade import note_unmade, still_asked  # noqa: PLC0415  the same

    plan = still_asked(workspace, plan)
    chosen = choose(workspace, plan, choice)
    reconciled = reconcile(workspace, run)
    applied = apply_plan(workspace, chosen.plan, run, plan)
    note_unmade(workspace, applied)
    return Cycle(run=run, reconciled=reconciled, plan=plan, applied=applied, chosen=chosen)


def run_reports(workspace: Workspace, reports: Sequence[Report], name: str | None) -> Ran:
    """Push reports to their sinks as one run; `name` is the one asked for, None stands for all."""
    command = command_of("report", name)
    with writing(workspace, command) as run:
        return _finished(workspace, command, Cycle(run=run), _push(workspace, run, reports, None))


def run_due(workspace: Workspace, item: Due, fail_on: Severity | None = None, choice: Choice = ALL) -> Ran:
    """Run one thing that is due. What stops it is in the answer, so that the next one has its turn."""
    try:
        if item.step == "report":
            chosen = tuple(r for r in workspace.project.settings.reports if item.report in {None, r.name})
            return run_reports(workspace, chosen, item.report)
        if item.step == "pull":
            return run_pull(workspace, whole=False)
        parts = ENFORCE if item.step == "enforce" else BOTH
        return run_steps(workspace, item.command, parts=parts, fail_on=fail_on, choice=choice)
    except CrmbridgeError as error:
        return Ran(command=item.command, exit_code=error.exit_code, error=error)


def _push(
    workspace: Workspace, run: str, reports: Sequence[Report], summary: Mapping[str, Any] | None
) -> tuple[Delivery, ...]:
    """Push reports; one that can't be made costs only itself."""
    if not reports:
        return ()
    from crmbridge.services.reports.publishing import Delivery, publish  # noqa: PLC0415  DuckDB and templates, for reports only

    delivered: list[Delivery] = []
    for report in reports:
        try:
            delivered += publish(workspace, run, report, summary)
        except CrmbridgeError as error:  # it could not be made; the run and the other reports go on
            delivered.append(Delivery(report=report.name, sink="", error=error))
    return tuple(delivered)


def _finished(
    workspace: Workspace,
    command: str,
    cycle: Cycle,
    delivered: tuple[Delivery, ...] = (),
    fail_on: Severity | None = None,
) -> Ran:
    code, summary = cycle.exit_code(fail_on), cycle.summary()
    if delivered:
        from crmbridge.services.reports.publishing import exit_code  # noqa: PLC0415  DuckDB and templates, for reports only

        code = worst([code, exit_code(delivered)])
        failed = [one.error for one in delivered if one.error is not None]
        summary["reports"] = [place for one in delivered if (place := one.place)]
        summary["report_errors"] = [error.message for error in failed]
    finish(workspace, cycle.run, command, code, summary)
    return Ran(command=command, exit_code=code, cycle=cycle, delivered=delivered)
