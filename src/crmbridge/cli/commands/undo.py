"""`crmbridge undo`: restore what a run changed, after asking."""

from __future__ import annotations

from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING

import click

from crmbridge.cli.call import Call, Reply, error_part
from crmbridge.cli.choices import choice_of, choice_options, chosen_lines, wait_option
from crmbridge.cli.grammar import as_command
from crmbridge.cli.output import Line, dim

if TYPE_CHECKING:
    from crmbridge.cli.speech import Speech
    from crmbridge.model.changes import Plan
    from crmbridge.ports import Run
    from crmbridge.services.apply.choosing import Choice
    from crmbridge.services.workspace import Workspace

NEEDS_PERSON, DECLINED = 7, 10
BY_HAND = {"conflicts", "links", "findings"}  # the runs by which people say something, and no CRM is written to


@as_command(
    "undo",
    examples=[
        ("undo 20260610T1200", "show what would be restored, ask, and write it; runs are in `crmbridge history`"),
        ("undo 20260610T1200 --out undo.json", "only save the plan, for `crmbridge apply undo.json`"),
        ("undo 20260610T1200 --yes --max-deletes 10", "without asking; nothing if more than 10 records would go"),
    ],
)
@click.argument("run")
@click.option("--yes", "-y", is_flag=True, help="Don't ask.")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE", help="Only save it as a plan.")
@choice_options
@wait_option
def command(
    call: Call,
    *,
    run: str,
    yes: bool,
    out: Path | None,
    select: tuple[str, ...],
    max_changes: int | None,
    max_deletes: int | None,
) -> Reply:
    """Restore what a run changed in the CRMs: fields get their values from before, what was created is archived.

    What somebody changed since stays as it is, and is shown with what is there now. The next sync carries what was
    restored to the other CRMs, as any edit. It is a run like any other, and can itself be undone.
    """
    from crmbridge.cli.answers import answer_run  # noqa: PLC0415  imports are paid by the commands that use them
    from crmbridge.cli.asking import ask, must_be_able_to_ask  # noqa: PLC0415  the same
    from crmbridge.cli.speech import speech_of  # noqa: PLC0415  the same
    from crmbridge.services.apply.choosing import choose  # noqa: PLC0415  the same
    from crmbridge.services.by_hand.undoing import find_run, plan_undo  # noqa: PLC0415  the same
    from crmbridge.services.runs.running import run_apply  # noqa: PLC0415  the same

    if not (yes or out):
        must_be_able_to_ask("The undo must be confirmed")
    choice = choice_of(select, max_changes, max_deletes)
    with call.workspace() as workspace:
        found = find_run(workspace, run)
        plan = plan_undo(workspace, found)
        lines, say = _shown(workspace, found, plan, choice), speech_of(workspace)
        nothing = not choose(workspace, plan, choice).plan.changes
    if out is not None or nothing:
        return _answer(plan, lines, out, say)
    if not (yes and (call.json or call.quiet)):
        call.err.show(lines) if call.json else call.out.show(lines)
    if not yes and not ask(say("may_write")):
        return Reply(result={"applied": False}, lines=[say("no_writing")], exit_code=DECLINED)
    with call.workspace() as workspace:
        return answer_run(workspace, run_apply(workspace, plan, choice, "undo"))


def _answer(plan: Plan, lines: list[Line], out: Path | None, say: Speech) -> Reply:
    """Answer with the plan alone, saved where that was asked for."""
    from crmbridge.cli.answers import NOT_UNDONE, NOT_UNDONE_ADVICE  # noqa: PLC0415  imports are paid by their users
    from crmbridge.cli.plan_files import save_plan  # noqa: PLC0415  imports are paid by the commands that use them
    from crmbridge.model.codec import plan_to_json  # noqa: PLC0415  the same

    if out is not None:
        save_plan(plan, out)
        lines = [*lines, [say("plan_saved"), dim(f"crmbridge apply {quote(str(out))}"), say("plan_saved_for")]]
    code = NEEDS_PERSON if plan.blocked else 0
    return Reply(
        result={"plan": plan_to_json(plan), "saved": str(out) if out else None},
        lines=lines,
        exit_code=code,
        error=error_part(code, message=NOT_UNDONE, advice=NOT_UNDONE_ADVICE) if code else None,
    )


def _shown(workspace: Workspace, run: Run, plan: Plan, choice: Choice) -> list[Line]:
    from crmbridge.cli.speech import speech_of  # noqa: PLC0415  the same
    from crmbridge.services.answers.naming import names_for  # noqa: PLC0415  the same
    from crmbridge.services.apply.choosing import choose  # noqa: PLC0415  the same

    names = names_for(workspace, plan.changes, plan.blocked)
    chosen, say = choose(workspace, plan, choice), speech_of(workspace)
    if not plan.changes and not plan.blocked:
        if any(True for _ in workspace.store.journal.entries(run.id)):
            return [say("undone_already")]
        return [say("undo_nothing"), *([say("undo_by_hand")] if run.command in BY_HAND else [])]
    return chosen_lines(chosen, names, say)
