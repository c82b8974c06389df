"""`crmbridge plan`: what would be written to the CRMs, and why."""

from __future__ import annotations

from pathlib import Path

import click

from crmbridge.cli.call import Call, Reply
from crmbridge.cli.choices import wait_option
from crmbridge.cli.grammar import as_command

PENDING = 10


@as_command(
    "plan",
    examples=[
        ("plan", "pull, then show what would be written"),
        ("plan --out plan.json", "save it, for `crmbridge apply plan.json`"),
        ("plan --detailed-exitcode", "for scripts: 10 when there is something to do"),
    ],
)
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE", help="Save the plan to a file.")
@click.option("--no-pull", is_flag=True, help="Plan from the state as it is, without asking the CRMs.")
@click.option("--detailed-exitcode", is_flag=True, help="End with 10 when changes are pending.")
@wait_option
def command(call: Call, out: Path | None, no_pull: bool, detailed_exitcode: bool) -> Reply:  # noqa: FBT001  click's flags
    """Show what would be written to the CRMs, and why. Nothing is written.

    + creates a record, a task or a note, ~ updates a deal, - archives a record, ! needs a person: the values on each
    side are shown.
    """
    from crmbridge.cli.answers import answer_plan  # noqa: PLC0415  imports are paid by the commands that use them
    from crmbridge.cli.plan_files import save_plan  # noqa: PLC0415  the same
    from crmbridge.services.runs.running import run_plan  # noqa: PLC0415  the same

    with call.workspace() as workspace:
        ran = run_plan(workspace, refresh=not no_pull)
        if ran.cycle is None or ran.cycle.plan is None:
            raise TypeError("planning gives a plan")
        if out is not None:
            save_plan(ran.cycle.plan, out)
        pending = PENDING if detailed_exitcode and ran.cycle.plan.changes else 0
        return answer_plan(workspace, ran, saved=out, exit_code=ran.exit_code or pending)
