"""`crmbridge apply`: write a plan to the CRMs, after asking."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import click

from crmbridge.cli.call import Call, Reply
from crmbridge.cli.choices import choice_of, choice_options, chosen_lines, wait_option
from crmbridge.cli.grammar import as_command
from crmbridge.cli.output import Line

if TYPE_CHECKING:
    from crmbridge.model.changes import Plan
    from crmbridge.services.apply.choosing import Choice
    from crmbridge.services.workspace import Workspace

DECLINED = 10  # the changes are still pending


@as_command(
    "apply",
    examples=[
        ("apply", "pull, plan, show it, ask, write"),
        ("apply plan.json", "write exactly the plan that was saved"),
        ("apply --yes --max-deletes 5", "without asking, for scripts; nothing if more than 5 records would go"),
        ("apply --select hs --select update", "only what goes to hs, and all updates"),
    ],
)
@click.argument("plan_file", required=False, metavar="[PLAN.json]", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--yes", "-y", is_flag=True, help="Don't ask.")
@choice_options
@wait_option
def command(
    call: Call,
    *,
    plan_file: Path | None,
    yes: bool,
    select: tuple[str, ...],
    max_changes: int | None,
    max_deletes: int | None,
) -> Reply:
    """Write a plan to the CRMs: exactly what it says, after showing it and asking.

    A change whose record was edited since the plan was made is skipped and named. Nothing is ever sent twice.
    Without a terminal to ask at, give --yes. A plan that is over a limit is not written at all.
    """
    from crmbridge.cli.answers import answer_run  # noqa: PLC0415  imports are paid by the commands that use them
    from crmbridge.cli.asking import ask, must_be_able_to_ask  # noqa: PLC0415  the same
    from crmbridge.cli.speech import speech_of  # noqa: PLC0415  the same
    from crmbridge.services.runs.running import run_apply  # noqa: PLC0415  the same

    if not yes:
        must_be_able_to_ask("The plan must be confirmed")
    choice = choice_of(select, max_changes, max_deletes)
    with call.workspace() as workspace:
        prepared = _from_file(workspace, plan_file, choice) if plan_file is not None else _fresh(workspace, choice)
        say = speech_of(workspace)
    if isinstance(prepared, Reply):
        return prepared
    if not (yes and (call.json or call.quiet)):
        call.err.show(prepared.lines) if call.json else call.out.show(prepared.lines)
    if not yes and not ask(say("may_write")):
        return Reply(result={"applied": False}, lines=[say("no_writing")], exit_code=DECLINED)
    with call.workspace() as workspace:
        return answer_run(workspace, run_apply(workspace, prepared.plan, choice))


class _Prepared(NamedTuple):
    """A plan, and how what is chosen of it is shown before the question."""

    plan: Plan
    lines: list[Line]


def _from_file(workspace: Workspace, path: Path, choice: Choice) -> _Prepared | Reply:
    """Read a saved plan; raises PlanStaleError when it was made with other settings."""
    from crmbridge.cli.plan_files import load_plan  # noqa: PLC0415  imports are paid by the commands that use them
    from crmbridge.errors import PlanStaleError  # noqa: PLC0415  the same

    plan = load_plan(path)
    if plan.settings != workspace.project.digest:
        raise PlanStaleError(
            f"The plan in {path} was made with other settings or another process",
            advice="Make a new one with `crmbridge plan --out FILE`.",
        )
    return _prepared(workspace, plan, choice) or _nothing(workspace, plan, choice)


def _fresh(workspace: Workspace, choice: Choice) -> _Prepared | Reply:
    """Make a plan now; with nothing in it, that is the answer."""
    from crmbridge.cli.answers import answer_plan  # noqa: PLC0415  imports are paid by the commands that use them
    from crmbridge.cli.run_view import error_lines  # noqa: PLC0415  the same
    from crmbridge.services.apply.choosing import choose  # noqa: PLC0415  the same
    from crmbridge.services.runs.running import run_plan  # noqa: PLC0415  the same

    ran = run_plan(workspace)
    plan = ran.cycle.plan if ran.cycle else None
    if ran.cycle is None or plan is None or not plan.changes:
        if plan is not None:
            choose(workspace, plan, choice)  # a selection that can't be read is said also where there is nothing
        return answer_plan(workspace, ran, saved=None, exit_code=ran.exit_code)
    prepared = _prepared(workspace, plan, choice)
    if prepared is None:
        return _nothing(workspace, plan, choice)
    failed = [line for connection, error in ran.cycle.errors for line in error_lines(connection, error)]
    return prepared._replace(lines=[*prepared.lines, *failed])


def _nothing(workspace: Workspace, plan: Plan, choice: Choice) -> Reply:
    """Answer that there is nothing to write, in the plan or in what is selected of it."""
    from crmbridge.cli.answers import answer_nothing  # noqa: PLC0415  imports are paid by the commands that use them

    return answer_nothing(workspace, plan, _shown(workspace, plan, choice))


def _prepared(workspace: Workspace, plan: Plan, choice: Choice) -> _Prepared | None:
    """Give a plan ready to be asked about; None when nothing of it is to be written. Raises OverLimitError."""
    from crmbridge.services.apply.choosing import choose  # noqa: PLC0415  imports are paid by the commands that use them

    chosen = choose(workspace, plan, choice)
    return _Prepared(plan, _shown(workspace, plan, choice)) if chosen.plan.changes else None


def _shown(workspace: Workspace, plan: Plan, choice: Choice) -> list[Line]:
    from crmbridge.cli.speech import speech_of  # noqa: PLC0415  the same
    from crmbridge.services.answers.naming import names_for  # noqa: PLC0415  the same
    from crmbridge.services.apply.choosing import choose  # noqa: PLC0415  the same

    names = names_for(workspace, plan.changes, plan.blocked)
    chosen = choose(workspace, plan, choice)
    say = speech_of(workspace, chosen.plan.changes)
    return chosen_lines(chosen, names, say)
