"""`crmbridge review`: which steps of the process are needed."""

from __future__ import annotations

import click

from crmbridge.cli.call import Call, Reply
from crmbridge.cli.grammar import as_command


@as_command(
    "review",
    examples=[("review", "the last year"), ("review --since 90d --json", "the last quarter, for a program")],
)
@click.option("--since", default="365d", show_default=True, metavar="TIME", help="From when on: 90d, or a day.")
def command(call: Call, *, since: str) -> Reply:
    """Show what the history says of each step, to see which are needed.

    Stages that are skipped, ways there and back, moves that are not allowed, time in which nothing was done, rules
    that never fail or always do, and activities and stages that make no visible difference to winning. Each number has
    its definition and its sample size beside it, and says so where there are too few. No CRM is asked, and nothing is
    saved or written.
    """
    from crmbridge.cli.moments import earlier  # noqa: PLC0415  imports are paid by the commands that use them
    from crmbridge.cli.review_view import review_form, review_lines  # noqa: PLC0415  the same
    from crmbridge.services.answers.reviewing import review  # noqa: PLC0415  the same

    with call.workspace() as workspace:
        said = review(workspace, earlier(workspace, since, "--since"))
    return Reply(result=review_form(said), lines=list(review_lines(said)))
