"""`crmbridge demo`: three sandbox CRMs, a sales team's deals in them, and whole cycles over them."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from crmbridge.cli import exits
from crmbridge.cli.call import Call, Reply
from crmbridge.cli.failures import BUG, failure
from crmbridge.cli.grammar import as_command
from crmbridge.cli.output import Line, Part, dim, plural, strong, table
from crmbridge.errors import worst
from crmbridge.model.replacing import replace

if TYPE_CHECKING:
    from crmbridge.model.changes import Plan
    from crmbridge.services.projects.demo import DemoCrm
    from crmbridge.services.runs.running import Ran
    from crmbridge.services.workspace import Workspace

FINE = {0, 7}  # the play has values that need a person
SHOWN = 2  # changes of each action and connection that are shown of the first, long plan


@as_command("demo", examples=[("demo", "in the folder .demo"), ("demo --folder /tmp/shop", "in a folder of your own")])
@click.option(
    "--folder",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path(".demo"),
    show_default=True,
    help="Where the demo's project is written; a demo that is there already is replaced.",
)
def command(call: Call, folder: Path) -> Reply:
    """Show what crmbridge does, without a CRM account: it serves its own sandboxes on this machine.

    Pulls, links and syncs them, holds every deal against the bundled process, shows the plan, writes it, lets people
    edit, runs again, and reports. The sandboxes end with it; the project and its state stay in the folder.
    """
    from crmbridge.app import open_workspace  # noqa: PLC0415  imports are paid by the commands that use them
    from crmbridge.cli.progress import patient_clock, showing_progress  # noqa: PLC0415  the same
    from crmbridge.plugins import load_plugins  # noqa: PLC0415  the same
    from crmbridge.services.projects.demo import demo_project  # noqa: PLC0415  the same

    plugins, clock = load_plugins(), call.clock or patient_clock(call.stop)
    with demo_project(folder, plugins, clock) as (settings, crms):
        _say(call, _welcome(crms))
        with (
            showing_progress(call) as progress,
            open_workspace(settings, progress, clock=clock, plugins=plugins) as workspace,
        ):
            return _play(call, workspace, crms, folder)


def _play(call: Call, workspace: Workspace, crms: Sequence[DemoCrm], folder: Path) -> Reply:
    from crmbridge.cli.run_view import ran_lines  # noqa: PLC0415  the same
    from crmbridge.cli.speech import english  # noqa: PLC0415  the same
    from crmbridge.services.answers.naming import names_for  # noqa: PLC0415  imports are paid by the commands that use them
    from crmbridge.services.projects.demo import people_at_work  # noqa: PLC0415  the same
    from crmbridge.services.runs.running import run_apply, run_plan, run_steps  # noqa: PLC0415  the same

    def tell(title: str, ran: Ran, *, whole: bool = True) -> Ran:
        plan = ran.cycle.plan if ran.cycle else None
        names = names_for(workspace, plan.changes if plan else (), plan.blocked if plan else ())
        _say(call, ["", strong(title)])
        if plan is not None and ran.command != "apply":
            _say(call, _plan_lines(workspace, plan, whole=whole))
        _say(call, ran_lines(ran, names, english()))
        return ran

    planned = tell("1. Pull everything, link what is the same deal, and plan. Nothing is written yet.",
                   run_plan(workspace), whole=False)  # fmt: skip
    plan = planned.cycle.plan if planned.cycle else None
    if plan is None or planned.exit_code not in FINE:
        return _failed(planned.exit_code)
    applied = tell("2. Apply exactly this plan; every write is journaled before and after.", run_apply(workspace, plan))
    edits = people_at_work(crms, workspace.store.links.links())
    _say(call, ["", strong("3. Meanwhile people work in their CRMs."), *told_of(edits)])
    second = tell("4. The next run brings the CRMs in step, and reports.", run_steps(workspace, "cycle"))
    third = tell("5. And once more: nothing to write.", run_steps(workspace, "cycle"))
    runs = [planned, applied, second, third]
    return replace(judged(runs), result=_result(workspace, runs), lines=list(_goodbye(workspace, runs, folder)))


def judged(runs: Sequence[Ran]) -> Reply:
    """Judge the play: each run as it should be, and the last one, which comes after nothing happened, without a change.

    The worst exit code of the runs counts, then 1 for changes without an end.
    """
    if code := worst(ran.exit_code for ran in runs if ran.exit_code not in FINE):
        return _failed(code)
    last = runs[-1].cycle
    planned = len(last.plan.changes) if last and last.plan else 0
    if planned:
        message = f"The last run still planned {plural(planned, 'change')}, though nobody had edited anything"
        return failure(BUG, code="not_settled", message=message, advice="Please report it; the folder has the state.")
    return Reply()


def _failed(code: int) -> Reply:
    known = exits.exit_of(code)
    return failure(code, message=f"A run of the demo ended with {code}: {known.means}", advice=known.advice)


def _say(call: Call, lines: Sequence[Line] | Iterator[Line]) -> None:
    """Show a part of the play as it happens; a program that asked for JSON gets one document at the end."""
    if not call.json and not call.quiet:
        call.out.show(lines)


def _welcome(crms: Sequence[DemoCrm]) -> Iterator[Line]:
    yield strong(f"{plural(len(crms), 'sandbox CRM')} on this machine, each speaking its vendor's own API:")
    yield from table([[crm.connection, crm.url, dim(crm.spec.summary)] for crm in crms], indent=2)
    yield dim(f"  {what_they_hold(len(crms))}")


def what_they_hold(crms: int) -> str:
    """Say what is in so many sandboxes; one alone has nothing to be kept in step with."""
    if crms == 1:
        return "It holds one sales team's deals. With a second plugin that has a sandbox, two are kept in step."
    return "They hold overlapping parts of one sales team's deals, as after a merger."


def told_of(edits: Sequence[str]) -> list[Line]:
    """Tell what people did, or why nobody did anything."""
    return [f"  {edit}" for edit in edits] or ["  Nobody edits anything here, as no deal stands in two CRMs."]


def _plan_lines(workspace: Workspace, plan: Plan, *, whole: bool) -> Iterator[Line]:
    """Show a plan whole, or a few changes of each kind and how many more there are."""
    from crmbridge.cli.plan_view import change_lines, plan_lines, summary_line  # noqa: PLC0415  as above
    from crmbridge.cli.speech import english  # noqa: PLC0415  as above
    from crmbridge.services.answers.naming import names_for  # noqa: PLC0415  the same

    names = names_for(workspace, plan.changes, plan.blocked)
    if whole:
        yield from plan_lines(plan, names, english())
        return
    counts: dict[tuple[str, str], int] = {}
    for change in plan.changes:
        kind = (change.connection, change.action.value)
        counts[kind] = counts.get(kind, 0) + 1
        if counts[kind] == 1:
            yield [strong(change.connection), dim(f"  {change.action.value}")]
        if counts[kind] <= SHOWN:
            yield from change_lines(change, names, english())
    hidden = sum(max(0, count - SHOWN) for count in counts.values())
    yield dim(f"  ... and {plural(hidden, 'change')} more like these.")
    yield summary_line(plan, english())


def _goodbye(workspace: Workspace, runs: Sequence[Ran], folder: Path) -> Iterator[Line]:
    found = workspace.store.findings.findings()
    errors = sum(stored.finding.severity.value == "error" for stored in found)
    reports = [delivery.place for ran in runs for delivery in ran.delivered if delivery.place]
    worst = next((s.finding.deal for s in found if s.finding.severity.value == "error"), None)
    example = f'"{worst}"' if worst else "DEAL"
    typed = _typed()
    rows: list[list[Part]] = [
        [strong("found"), f"{plural(len(found), 'thing')} that the process does not allow, {errors} of them errors"],
        [strong("changed"), f"{plural(_written(runs), 'write')} in the CRMs, each journaled"],
        [strong("report"), next(iter(dict.fromkeys(reports)), "none")],
        [strong("next"), f"{typed} --project {folder} explain {example}"],
        ["", f"{typed} --project {folder} findings"],
        ["", f"{typed} --project {folder} history"],
        ["", f"{typed} --project {folder} serve"],
    ]
    yield ""
    yield from table(rows, most=200)


def _typed() -> str:
    """Give what to type for this program: its name where the shell finds it, else the path that it was started by."""
    started = Path(sys.argv[0])
    if shutil.which("crmbridge") or started.name != "crmbridge":
        return "crmbridge"
    here = Path.cwd()
    return str(started.relative_to(here)) if started.is_relative_to(here) else str(started)


def _written(runs: Sequence[Ran]) -> int:
    return sum(ran.cycle.applied.counts.get("applied", 0) for ran in runs if ran.cycle)


def _result(workspace: Workspace, runs: Sequence[Ran]) -> dict[str, Any]:
    return {
        "project": str(workspace.project.path),
        "runs": [{"command": ran.command, **(ran.cycle.summary() if ran.cycle else {})} for ran in runs],
        "reports": sorted({delivery.place for ran in runs for delivery in ran.delivered if delivery.place}),
    }
