"""`crmbridge run`: the whole cycle, or what is due, for people and for cron."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from crmbridge.cli.call import Call, Reply
from crmbridge.cli.choices import choice_of, choice_options, wait_option
from crmbridge.cli.grammar import as_command, fail_on_option

if TYPE_CHECKING:
    from crmbridge.model.findings import Severity
    from crmbridge.services.apply.choosing import Choice
    from crmbridge.services.workspace import Workspace


@as_command(
    "run",
    examples=[
        ("run", "pull, keep in step, enforce, write, report: once, now"),
        ("run --due --quiet", "what the schedule says is due: the one line for cron"),
        ("run --due --max-changes 500 --wait", "nothing is written if it is suspiciously much; wait for another run"),
    ],
)
@click.option("--due", is_flag=True, help="Run only what `schedule:` and the reports' times say is due.")
@fail_on_option
@choice_options
@wait_option
def command(
    call: Call,
    *,
    due: bool,
    fail_on: str | None,
    select: tuple[str, ...],
    max_changes: int | None,
    max_deletes: int | None,
) -> Reply:
    """Do the whole cycle without asking: pull, keep in step, enforce, write, report.

    A connection that fails is left out and named; the others go on. Reports without a time of their own are pushed
    too, to people at most once a day. A second run right after finds nothing to write. A plan that is over a limit
    is not written at all.
    """
    with call.workspace() as workspace:  # before the imports, so that people see early that it starts
        from crmbridge.cli.answers import answer_run  # noqa: PLC0415  imports are paid by the commands that use them
        from crmbridge.model.findings import Severity  # noqa: PLC0415  the same
        from crmbridge.services.runs.running import run_steps  # noqa: PLC0415  the same

        severity = Severity(fail_on) if fail_on else None
        choice = choice_of(select, max_changes, max_deletes)
        if due:
            return _run_due(workspace, severity, choice)
        return answer_run(workspace, run_steps(workspace, "cycle", fail_on=severity, choice=choice))


def _run_due(workspace: Workspace, fail_on: Severity | None, choice: Choice) -> Reply:
    from crmbridge.cli.answers import answer_runs  # noqa: PLC0415  imports are paid by the commands that use them
    from crmbridge.cli.speech import speech_of_runs  # noqa: PLC0415  the same
    from crmbridge.services.runs.running import run_due  # noqa: PLC0415  the same
    from crmbridge.services.runs.scheduling import due  # noqa: PLC0415  the same

    items = due(workspace.project.settings, workspace.store.runs, workspace.clock.now())
    if not items:
        return Reply(result={"runs": []}, lines=[speech_of_runs(workspace)("run_none_due")])
    return answer_runs(workspace, [run_due(workspace, item, fail_on, choice) for item in items])
