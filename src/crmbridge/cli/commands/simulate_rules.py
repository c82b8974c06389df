"""`crmbridge simulate-rules`: what a changed process would have found."""

from __future__ import annotations

from pathlib import Path

import click

from crmbridge.cli.call import Call, Reply
from crmbridge.cli.grammar import as_command


@as_command(
    "simulate-rules",
    examples=[
        ("simulate-rules", "what the process found in the last 90 days"),
        ("simulate-rules --process new.yaml --since 180d", "and what a changed one would have found instead"),
    ],
)
@click.option("--since", default="90d", show_default=True, metavar="TIME", help="From when on: 90d, or a day.")
@click.option(
    "--process", "file", type=click.Path(path_type=Path), metavar="FILE", help="A changed process, to compare with."
)
def command(call: Call, *, since: str, file: Path | None) -> Reply:
    """Play the stored moves and visits again, and show per rule how many it judged, how many failed, and which deals.

    Each rule is judged as of the move that it is about: by the moves and activities up to it, and by the values of
    then where they were seen. With --process, a changed process is tried beside the one of the project, and the deals
    are named that it would newly find, or no longer. No CRM is asked, and nothing is saved or written.
    """
    from crmbridge.cli.moments import earlier  # noqa: PLC0415  imports are paid by the commands that use them
    from crmbridge.cli.simulation_view import simulation_form, simulation_lines  # noqa: PLC0415  the same
    from crmbridge.services.answers.simulating import read_candidate, simulate  # noqa: PLC0415  the same

    candidate = read_candidate(file) if file else None
    with call.workspace() as workspace:
        said = simulate(workspace, earlier(workspace, since, "--since"), candidate)
    return Reply(result=simulation_form(said), lines=list(simulation_lines(said)))
