"""`crmbridge findings`: what does not hold."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from crmbridge.cli.call import Call, Reply
from crmbridge.cli.grammar import SEVERITIES, as_command, fail_on_option
from crmbridge.cli.output import Line, Part, Tinted, Tone, cut, dim, plural, table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from crmbridge.services.listing import ListedFinding

FOUND = 9
_TONES = {"error": Tone.BAD, "warning": Tone.WARN, "info": Tone.DIM}


@as_command(
    "findings",
    examples=[
        ("findings --owner rita", "what one seller should look at"),
        ("findings --rule '*.sla' --severity error", "broken SLAs only"),
    ],
)
@click.option("--owner", metavar="TEXT", help="A part of the owner's e-mail or name.")
@click.option("--stage", metavar="ID", help="A stage of the process, by id.")
@click.option("--rule", metavar="PATTERN", help="A rule such as qualification.bant; * stands for anything.")
@click.option("--severity", type=click.Choice(SEVERITIES), help="At least this grave.")
@fail_on_option
def command(
    call: Call, *, owner: str | None, stage: str | None, rule: str | None, severity: str | None, fail_on: str | None
) -> Reply:
    """List what does not hold, as the last run found it: broken rules, SLAs at risk, moves that are not allowed.

    The gravest come first, then the oldest. `crmbridge explain DEAL` says more about one deal.
    """
    from crmbridge.cli.forms import finding_form  # noqa: PLC0415  imports are paid by the commands that use them
    from crmbridge.model.findings import Severity  # noqa: PLC0415  the same
    from crmbridge.services.listing import RANK, FindingFilter, list_findings  # noqa: PLC0415  the same

    wanted = FindingFilter(owner=owner, stage=stage, rule=rule, severity=Severity(severity) if severity else None)
    with call.workspace() as workspace:
        found = list_findings(workspace, wanted)
        never_ran = not workspace.store.runs.runs(1)
    limit = RANK[Severity(fail_on)] if fail_on else -1
    failed = any(RANK[one.finding.severity] <= limit for one in found)
    return Reply(
        result={"findings": [finding_form(one) for one in found]},
        lines=_lines(found, never_ran=never_ran),
        exit_code=FOUND if failed else 0,
    )


def _lines(found: Sequence[ListedFinding], *, never_ran: bool) -> list[Line]:
    if never_ran:
        return ["Nothing was looked at yet: `crmbridge plan` or `crmbridge run` does."]
    if not found:
        return ["No findings."]
    rows: list[list[Part]] = [
        [
            Tinted(one.finding.severity.value, _TONES[one.finding.severity.value]),
            cut(one.deal, 32) or "(no name)",
            dim(str(one.finding.deal)),
            cut(one.owner, 28) or "nobody",
            one.opened_at.strftime("%Y-%m-%d"),
            f"{one.finding.rule}: {one.finding.message}",
        ]
        for one in found
    ]
    heads = ("severity", "deal", "ref", "owner", "open since", "rule")
    deals = len({one.finding.deal for one in found})
    return [*table(rows, heads=heads), "", f"{plural(len(found), 'finding')} on {plural(deals, 'deal')}."]
