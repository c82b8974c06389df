"""`crmbridge findings`: what does not hold, what was accepted, and accepting it."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import click

from crmbridge.cli.call import Call, Reply
from crmbridge.cli.choices import wait_option
from crmbridge.cli.grammar import SEVERITIES, as_command, fail_on_option
from crmbridge.cli.output import Line

if TYPE_CHECKING:
    from crmbridge.ports import FindingQuery
    from crmbridge.services.workspace import Workspace

FOUND = 9
MOST = 200  # findings shown when nothing else is said
FAR = 1_000_000_000  # the highest number of a finding that can be asked for
STATES = ("open", "waived", "cleared")
_AGE = re.compile(r"(\d{1,5})([hd])")
_LISTS = ("owner", "stage", "rule", "severity", "connection", "age", "state", "fail_on")
NOTHING_YET = "No deal was looked at yet: `crmbridge plan` or `crmbridge run` does."
NEXT = "The next `crmbridge run` or `crmbridge enforce` acts on it."


@as_command(
    "findings",
    examples=[
        ("findings --owner rita", "what one seller should look at"),
        ("findings --rule '*.sla' --severity error", "broken SLAs only"),
        ("findings --age 3d --connection hs", "open for three days or longer, in one CRM"),
        ("findings --state waived", "what was accepted, by whom, and until when"),
        ("findings show 4f2a", "one in full: its history, what was done, what would clear it"),
        ("findings waive 4f2a --by 'Ann Lee' --why 'a pilot' --until 30d", "accept it for a month"),
        ("findings unwaive 4f2a --by 'Ann Lee'", "take that back"),
    ],
)
@click.argument("action", type=click.Choice(["list", "show", "waive", "unwaive"]), default="list")
@click.argument("finding", required=False, metavar="[ID]")
@click.option("--owner", metavar="TEXT", help="A part of the owner's e-mail or name.")
@click.option("--stage", metavar="ID", help="A stage of the process, by id.")
@click.option("--rule", metavar="PATTERN", help="A rule such as qualification.bant; * stands for anything.")
@click.option("--severity", type=click.Choice(SEVERITIES), help="At least this grave.")
@click.option("--connection", metavar="NAME", help="Of deals of this connection.")
@click.option("--age", metavar="TIME", help="Open for at least so long, such as 3d or 12h.")
@click.option("--state", type=click.Choice(STATES), multiple=True, help="Open and waived if not said; repeatable.")
@click.option("--limit", type=click.IntRange(1, FAR), default=MOST, show_default=True, help="Show at most so many.")
@click.option("--skip", type=click.IntRange(0, FAR), default=0, help="Leave out so many before them.")
@click.option("--by", metavar="WHO", help="For waive and unwaive: who says so.")
@click.option("--why", metavar="TEXT", help="For waive: why it is accepted.")
@click.option("--until", metavar="DAY|TIME", help="For waive: until when, such as 2026-12-31, 30d or 48h.")
@fail_on_option
@wait_option
def command(call: Call, *, action: str, finding: str | None, **typed: Any) -> Reply:
    """List what does not hold, as the last run found it: broken rules, SLAs at risk, moves that are not allowed.

    The gravest come first, then the oldest. `show` tells the history of one. `waive` accepts one until a day: nothing
    is done about it, and it does not count for --fail-on; by then it comes back by itself.
    `crmbridge explain DEAL` says more about one deal.
    """
    _check_typed(action, finding, typed)
    with call.workspace() as workspace:
        match action:
            case "show":
                return _show(workspace, str(finding))
            case "waive":
                return _waive(workspace, str(finding), typed)
            case "unwaive":
                return _unwaive(workspace, str(finding), typed["by"])
            case _:
                return _list(workspace, typed)


def _check_typed(action: str, finding: str | None, typed: dict[str, Any]) -> None:
    """Raise a usage error for options that do not go together."""
    if (action == "list") != (finding is None):
        raise click.UsageError("Name the finding by its id, as `findings` lists it." if finding is None else LISTS_ALL)
    if action != "list" and (wrong := [name for name in _LISTS if typed[name]]):
        raise click.UsageError(f"--{wrong[0].replace('_', '-')} is for listing findings.")
    given = {name for name in ("by", "why", "until") if typed[name] is not None}
    needed = {"waive": {"by", "why", "until"}, "unwaive": {"by"}}.get(action, set())
    if missing := sorted(needed - given):
        raise click.UsageError(f"`findings {action}` needs --{', --'.join(missing)}.")
    if more := sorted(given - needed):
        raise click.UsageError(f"--{more[0]} is not for `findings {action}`.")


LISTS_ALL = "Listing takes no id; `findings show ID` shows one."


def _list(workspace: Workspace, typed: dict[str, Any]) -> Reply:
    from crmbridge.cli.findings_view import list_lines  # noqa: PLC0415  imports are paid by the commands that use them
    from crmbridge.cli.forms import finding_form  # noqa: PLC0415  the same
    from crmbridge.model.findings import Severity  # noqa: PLC0415  the same
    from crmbridge.model.lives import RANK  # noqa: PLC0415  the same
    from crmbridge.services.answers.listing import check_names, judged_before, list_findings  # noqa: PLC0415  the same
    from crmbridge.services.enforce.surrounding import voice_of  # noqa: PLC0415  the same

    now = workspace.clock.now()
    query = _query(workspace, typed)
    listed = list_findings(workspace, query, typed["owner"])
    limit = RANK[Severity(typed["fail_on"])] if typed["fail_on"] else len(RANK) + 1
    failed = any(one.state == "open" and RANK[one.finding.severity] >= limit for one in listed.found)
    voice = voice_of(workspace.project.process, workspace.project.settings)
    lines: list[Line] = list(list_lines(listed, now, voice, ended=typed["skip"]))
    if not listed.total:
        check_names(workspace, query)
        lines = ["No findings." if judged_before(workspace) else NOTHING_YET]
    soon = sum(one.ends_soon(now) for one in listed.found)
    return Reply(
        result={"findings": [finding_form(one) for one in listed.found], "total": listed.total, "ending_soon": soon},
        lines=lines,
        exit_code=FOUND if failed else 0,
    )


def _query(workspace: Workspace, typed: dict[str, Any]) -> FindingQuery:
    from crmbridge.model.findings import Severity  # noqa: PLC0415  imports are paid by the commands that use them
    from crmbridge.ports import FindingQuery  # noqa: PLC0415  the same

    return FindingQuery(
        states=frozenset(typed["state"] or ("open", "waived")),
        connection=typed["connection"],
        stage=typed["stage"],
        rule=typed["rule"],
        severity=Severity(typed["severity"]) if typed["severity"] else None,
        opened_before=workspace.clock.now() - _age(typed["age"]) if typed["age"] else None,
        skip=typed["skip"],
        limit=typed["limit"],
    )


def _age(text: str) -> timedelta:
    found = _AGE.fullmatch(text)
    if found is None:
        raise click.UsageError(f"--age takes a time such as 3d or 12h, not {text!r}.")
    return int(found[1]) * (timedelta(days=1) if found[2] == "d" else timedelta(hours=1))


def _show(workspace: Workspace, text: str) -> Reply:
    from crmbridge.cli.findings_view import shown_lines  # noqa: PLC0415  imports are paid by the commands that use them
    from crmbridge.cli.forms import shown_finding_form  # noqa: PLC0415  the same
    from crmbridge.services.answers.listing import show_finding  # noqa: PLC0415  the same

    shown = show_finding(workspace, text)
    lines = list(shown_lines(workspace, shown, workspace.clock.now()))
    return Reply(result=shown_finding_form(shown), lines=lines)


def _waive(workspace: Workspace, text: str, typed: dict[str, Any]) -> Reply:
    from crmbridge.cli.forms import waiver_form  # noqa: PLC0415  imports are paid by the commands that use them
    from crmbridge.model.values import show  # noqa: PLC0415  the same
    from crmbridge.services.by_hand.waiving import waive  # noqa: PLC0415  the same

    waiver = waive(workspace, text, by=typed["by"], why=typed["why"], until=typed["until"])
    said = f"{waiver.rule} is waived for {waiver.deal} until {show(waiver.until)}, by {waiver.by}. {NEXT}"
    return Reply(result={"waiver": waiver_form(waiver)}, lines=[said])


def _unwaive(workspace: Workspace, text: str, by: str) -> Reply:
    from crmbridge.cli.forms import waiver_form  # noqa: PLC0415  imports are paid by the commands that use them
    from crmbridge.services.by_hand.waiving import unwaive  # noqa: PLC0415  the same

    waiver = unwaive(workspace, text, by=by)
    said = f"{waiver.rule} is not waived for {waiver.deal} any more. {NEXT}"
    return Reply(result={"waiver": waiver_form(waiver)}, lines=[said])
