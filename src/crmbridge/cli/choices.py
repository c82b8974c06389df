"""Options that several commands share: how much of a plan is written, and how long to wait for another run."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import click

from crmbridge.cli.call import Call
from crmbridge.cli.output import Line, dim, strong

if TYPE_CHECKING:
    from crmbridge.cli.speech import Speech
    from crmbridge.services.answers.naming import Names
    from crmbridge.services.apply.choosing import Choice, Chosen

UNITS = {"s": 1, "m": 60, "h": 3600}
USUAL_WAIT = "10m"  # as long as a lease lasts

_DURATION = re.compile(r"(\d{1,5})([smh])")


def choice_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options of a choice: `select`, `max_changes`, `max_deletes`."""
    counted = click.IntRange(min=0)
    for option in (
        click.option(
            "--select",
            multiple=True,
            metavar="WHAT",
            help="Write only this part: a connection, a record (hs:123), an action, or the id of a link or change. "
            "Repeatable.",
        ),
        click.option("--max-deletes", type=counted, metavar="N", help="Write nothing if more than N records would go."),
        click.option(
            "--max-changes", type=counted, metavar="N", help="Write nothing if there are more than N changes."
        ),
    ):
        function = option(function)
    return function


def choice_of(select: tuple[str, ...], max_changes: int | None, max_deletes: int | None) -> Choice:
    """Make the choice that these options stand for."""
    from crmbridge.services.apply.choosing import Choice  # noqa: PLC0415  imports are paid by the commands that use them

    return Choice(select=select, max_changes=max_changes, max_deletes=max_deletes)


def _set_patience(context: click.Context, _parameter: click.Parameter, value: str | None) -> None:
    if value is not None:
        context.ensure_object(Call).patience = _duration(value)


def _duration(text: str) -> timedelta:
    found = _DURATION.fullmatch(text)
    if found is None:
        raise click.UsageError(
            f"--wait takes a time such as 90s, 10m or 1h, not {text!r}. Write it as --wait=10m where more follows."
        )
    return timedelta(seconds=int(found[1]) * UNITS[found[2]])


wait_option = click.option(
    "--wait",
    is_flag=False,
    flag_value=USUAL_WAIT,
    metavar="[TIME]",
    expose_value=False,
    callback=_set_patience,
    help=f"Wait while another run holds the state, such as --wait=90s; {USUAL_WAIT} when no time is said.",
)


def chosen_lines(chosen: Chosen, names: Names, say: Speech) -> list[Line]:
    """Show what is chosen of a plan, and what of it is left out; a choice that nothing fits is told as that."""
    from crmbridge.cli.plan_view import plan_lines  # noqa: PLC0415  imports are paid by the commands that use them

    left = left_lines(chosen, names, say)
    if chosen.unselected and not chosen.plan.changes and not chosen.left:
        return [strong(say("plan_not_selected")), *left]
    return [*plan_lines(chosen.plan, names, say), *left]


def left_lines(chosen: Chosen | None, names: Names, say: Speech) -> list[Line]:
    """Say what of a plan is left out, and stays pending."""
    from crmbridge.cli.plan_view import deal_name  # noqa: PLC0415  imports are paid by the commands that use them

    if chosen is None:
        return []
    lines: list[Line] = [
        [
            f"  {say('run_left')}  {say.named('wrote', change.action)} {deal_name(change.target, names.deals, say)}  ",
            dim(f"{change.id}  {say('run_left_because', change=needed)}"),
        ]
        for change, needed in chosen.left
    ]
    if chosen.unselected:
        lines.append(dim(say.counted("run_unselected", chosen.unselected)))
    return lines
