"""`crmbridge conflicts`: what waits for a person, and deciding on it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from crmbridge.cli.call import Call, Reply
from crmbridge.cli.choices import wait_option
from crmbridge.cli.grammar import as_command
from crmbridge.cli.output import Line, dim

if TYPE_CHECKING:
    from crmbridge.ports import Waiting
    from crmbridge.services.by_hand.resolving import Decision
    from crmbridge.services.workspace import Workspace

DECLINED = 10  # they still wait


@as_command(
    "conflicts",
    examples=[
        ("conflicts", "everything that waits for a person, the longest first"),
        ("conflicts show 4f2a", "one in full, by the start of its id"),
        ("conflicts resolve 4f2a --take hs --by 'Ann Lee'", "what hs holds is right, and who says so"),
        ("conflicts resolve 4f2a --value '12000 EUR'", "something else is right; '' empties the field"),
        ("conflicts resolve --all --take hs", "hs is right in all of them, after asking"),
        ("conflicts retry 4f2a", "its CRM would take now what it refused: the next run sends it again"),
        ("conflicts retry --all", "the same of all that was refused"),
    ],
)
@click.argument("action", type=click.Choice(["list", "show", "resolve", "retry"]), default="list")
@click.argument("conflict", required=False, metavar="[ID]")
@click.option("--take", metavar="CONNECTION", help="For resolve: the value of this side.")
@click.option("--value", metavar="TEXT", help="For resolve: this value, written as the plan shows such values.")
@click.option("--all", "every", is_flag=True, help="For resolve: all that this side has a value in. For retry: all.")
@click.option("--by", metavar="WHO", help="For resolve: who decides, for the history.")
@click.option("--yes", "-y", is_flag=True, help="Don't ask.")
@wait_option
def command(
    call: Call,
    *,
    action: str,
    conflict: str | None,
    take: str | None,
    value: str | None,
    every: bool,
    by: str | None,
    yes: bool,
) -> Reply:
    """List what waits for a person, show one in full, decide on a value that several CRMs changed, or try again.

    A decision writes to no CRM: the next plan carries it out, and shows it like any other change. As long as nothing is
    decided, all sides keep what they have.
    """
    _check_typed(action, conflict, take, value, by, every=every)
    if action == "resolve":
        if every:
            return _resolve_all(call, str(take), by or "", yes=yes)
        return _resolve(call, str(conflict), take, value, by or "")
    if action == "retry":
        return _retry(call, conflict)
    with call.workspace() as workspace:
        return _show(workspace, str(conflict)) if action == "show" else _list(workspace)


def _check_typed(
    action: str, conflict: str | None, take: str | None, value: str | None, by: str | None, *, every: bool
) -> None:
    """Raise a usage error for options that do not go together."""
    if action != "resolve" and (take, value, by) != (None, None, None):
        raise click.UsageError("--take, --value and --by are for `conflicts resolve`.")
    several = action in {"resolve", "retry"}
    if every and not several:
        raise click.UsageError("--all is for `conflicts resolve` and `conflicts retry`.")
    if action != "list" and (conflict is None) != every:
        raise click.UsageError(f"Name the one to {action} by its id" + (", or give --all." if several else "."))
    if action == "resolve" and (take is None) == (value is None):
        raise click.UsageError("Say what is right: --take CONNECTION or --value TEXT.")
    if action == "resolve" and every and take is None:
        raise click.UsageError("With --all, say which side is right: --take CONNECTION.")


def _list(workspace: Workspace) -> Reply:
    from crmbridge.cli.speech import speech_of  # noqa: PLC0415  imports are paid by their users
    from crmbridge.cli.waiting_view import waiting_form, waiting_lines  # noqa: PLC0415  the same

    say = speech_of(workspace)
    found = sorted(workspace.store.waiting.all(), key=lambda one: (one.since, one.item.deal, one.item.name))
    now = workspace.clock.now()
    lines: list[Line] = list(waiting_lines(workspace, found, now))
    lines += [say.counted("things_wait", len(found)), dim(say("how_settled"))]
    forms = [waiting_form(workspace, one, now) for one in found]
    return Reply(result={"waiting": forms}, lines=lines if found else [say("none_waiting")])


def _show(workspace: Workspace, text: str) -> Reply:
    from crmbridge.cli.waiting_view import full_lines, waiting_form  # noqa: PLC0415  imports are paid by their users
    from crmbridge.services.by_hand.resolving import find_waiting  # noqa: PLC0415  the same

    one, now = find_waiting(workspace, text), workspace.clock.now()
    return Reply(result=waiting_form(workspace, one, now), lines=list(full_lines(workspace, one, now)))


def _resolve(call: Call, text: str, side: str | None, value: str | None, by: str) -> Reply:
    from crmbridge.services.by_hand.resolving import find_waiting, give, resolve, take  # noqa: PLC0415  imports are paid late

    with call.workspace() as workspace:
        item = find_waiting(workspace, text).item
        decision = take(item, side) if side is not None else give(workspace, item, value or "")
        return _answer(workspace, resolve(workspace, [decision], by=by), [decision], [])


def _retry(call: Call, text: str | None) -> Reply:
    from crmbridge.cli.speech import speech_of  # noqa: PLC0415  imports are paid by their users
    from crmbridge.services.by_hand.resolving import find_waiting  # noqa: PLC0415  the same
    from crmbridge.services.by_hand.retrying import refused, retry  # noqa: PLC0415  the same

    with call.workspace() as workspace:
        say = speech_of(workspace)
        items = [one.item for one in ([find_waiting(workspace, text)] if text is not None else refused(workspace))]
        run = retry(workspace, items) if items else None
        lines = [say.counted("tried_next", len(items)), say("decided_next")] if items else [say("nothing_refused")]
        return Reply(result={"run": run, "retried": [item.id for item in items]}, lines=lines)


def _resolve_all(call: Call, side: str, by: str, *, yes: bool) -> Reply:
    from crmbridge.cli.asking import ask, must_be_able_to_ask  # noqa: PLC0415  imports are paid by their users
    from crmbridge.cli.speech import speech_of  # noqa: PLC0415  the same
    from crmbridge.cli.waiting_view import waiting_lines  # noqa: PLC0415  the same
    from crmbridge.services.by_hand.resolving import conflicts, resolve, take  # noqa: PLC0415  the same

    if not yes:
        must_be_able_to_ask("The decisions must be confirmed")
    with call.workspace() as workspace:
        found = conflicts(workspace)
        some = [one for one in found if side in one.item.values]
        say = speech_of(workspace)
        shown = list(waiting_lines(workspace, some, workspace.clock.now()))
    left = [one for one in found if one not in some]
    if some and not yes:
        call.err.show(shown) if call.json else call.out.show(shown)
        if not ask(say.counted("may_take", len(some), side=side)):
            return Reply(result={"resolved": []}, lines=[say("none_decided")], exit_code=DECLINED)
    with call.workspace() as workspace:
        decisions = [take(one.item, side) for one in some]
        run = resolve(workspace, decisions, by=by) if decisions else None
        return _answer(workspace, run, decisions, left)


def _answer(workspace: Workspace, run: str | None, decisions: Sequence[Decision], left: Sequence[Waiting]) -> Reply:
    from crmbridge.cli.speech import speech_of  # noqa: PLC0415  imports are paid late
    from crmbridge.cli.waiting_view import decided_lines  # noqa: PLC0415  the same
    from crmbridge.services.by_hand.resolving import decision_form  # noqa: PLC0415  the same

    say = speech_of(workspace)
    lines: list[Line] = list(decided_lines(workspace, decisions))
    lines += [say("decided_next" if decisions else "no_such_side")]
    if left:
        lines.append(dim(say.counted("other_sides", len(left))))
    resolved = [decision_form(one) for one in decisions]
    return Reply(result={"run": run, "resolved": resolved, "left": [one.item.id for one in left]}, lines=lines)
