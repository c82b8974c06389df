"""`crmbridge slas`: how SLAs were kept, and how they would be under the process and calendars of today."""

from __future__ import annotations

from crmbridge.cli.call import Call, Reply
from crmbridge.cli.grammar import as_command


@as_command(
    "slas",
    examples=[
        ("slas", "each SLA: how often it was kept, as it was judged and as it would be today"),
        ("slas --json", "the same, with every cycle that would be judged otherwise"),
    ],
)
def command(call: Call) -> Reply:
    """Count how often each SLA was kept, and judge what ended once more by the process and calendars of today.

    What ended is judged once, by the process and the calendar of then, and stays so in reports. Here both stand side by
    side, with the deals of which today would say something else. No CRM is asked, and nothing is saved or written.
    """
    from crmbridge.cli.slas_view import slas_form, slas_lines  # noqa: PLC0415  imports are paid by their users
    from crmbridge.services.answers.judging_again import compare  # noqa: PLC0415  the same

    with call.workspace() as workspace:
        said = compare(workspace)
    return Reply(result=slas_form(said), lines=list(slas_lines(said)))
