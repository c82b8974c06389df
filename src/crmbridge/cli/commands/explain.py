"""`crmbridge explain`: why a deal stands as it does."""

from __future__ import annotations

import click

from crmbridge.cli.call import Call, Reply
from crmbridge.cli.grammar import as_command


@as_command(
    "explain",
    examples=[
        ("explain hs:1234", "by its ref"),
        ("explain acme", "by a part of its name, where it fits only one"),
        ("explain acme --at '7d ago'", "what would have been said a week ago"),
    ],
)
@click.argument("deal")
@click.option("--at", metavar="TIME", help="An earlier moment: 2026-06-10, 2026-06-10T09:30Z, '3d ago'.")
def command(call: Call, deal: str, *, at: str | None) -> Reply:
    """Say why a deal stands as it does: the verdict, each rule with the values it saw, the SLA, the journal.

    It is the very decision that findings and tasks come from, made again from the state. No CRM is asked;
    `crmbridge pull` brings the state up to date. With --at it is made from the moves and activities up to then, and
    from the values of then where they were seen; for which today's stand in is said.
    """
    from crmbridge.cli.explain_view import explanation_lines  # noqa: PLC0415  imports are paid by their users
    from crmbridge.cli.forms import explanation_form  # noqa: PLC0415  the same
    from crmbridge.cli.moments import earlier  # noqa: PLC0415  the same
    from crmbridge.cli.speech import speech_of  # noqa: PLC0415  the same
    from crmbridge.services.answers.explaining import explain  # noqa: PLC0415  the same
    from crmbridge.services.answers.naming import names_for  # noqa: PLC0415  the same

    with call.workspace() as workspace:
        said = explain(workspace, deal, earlier(workspace, at, "--at") if at else None)
        changes = [entry.change for entry in said.journal]
        names = names_for(workspace, changes, fields=said.fields)
        lines = list(explanation_lines(said, workspace.project.process, names, speech_of(workspace, changes)))
    return Reply(result=explanation_form(said, names.stages), lines=lines)
