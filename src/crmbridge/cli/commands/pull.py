"""`crmbridge pull`: bring the state up to date."""

from __future__ import annotations

import click

from crmbridge.cli.call import Call, Reply
from crmbridge.cli.choices import wait_option
from crmbridge.cli.grammar import as_command


@as_command(
    "pull",
    examples=[
        ("pull", "everything that changed since the last pull"),
        ("pull hs", "one connection only"),
        ("pull --hinted", "only what webhooks said has changed: a few requests"),
    ],
)
@click.argument("connections", nargs=-1, metavar="[CONNECTION]...")
@click.option("--hinted", is_flag=True, help="Re-read only what webhooks said has changed.")
@wait_option
def command(call: Call, connections: tuple[str, ...], hinted: bool) -> Reply:  # noqa: FBT001  click's flag
    """Bring the state up to date with the CRMs. Nothing is written to them.

    The first pull brings everything, later ones what changed. What was pulled before an interruption is kept.
    """
    with call.workspace() as workspace:  # before the imports, so that people see early that it starts
        from crmbridge.cli.answers import answer_run  # noqa: PLC0415  imports are paid by the commands that use them
        from crmbridge.services.runs.running import run_hinted, run_pull  # noqa: PLC0415  the same

        return answer_run(workspace, (run_hinted if hinted else run_pull)(workspace, connections))
