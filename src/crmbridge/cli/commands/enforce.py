"""`crmbridge enforce`: act on findings, and keep nothing in step."""

from __future__ import annotations

from crmbridge.cli.call import Call, Reply
from crmbridge.cli.choices import wait_option
from crmbridge.cli.grammar import as_command, fail_on_option


@as_command("enforce", examples=[("enforce", "for cron, where another tool keeps the CRMs in step")])
@fail_on_option
@wait_option
def command(call: Call, fail_on: str | None) -> Reply:
    """Pull, hold every deal against the process, and do what the bindings in `enforce:` say.

    Tasks, notes, fields and stages are written without asking; `crmbridge plan` shows them before.
    """
    from crmbridge.cli.answers import answer_run  # noqa: PLC0415  imports are paid by the commands that use them
    from crmbridge.model.findings import Severity  # noqa: PLC0415  the same
    from crmbridge.services.runs.running import ENFORCE, run_steps  # noqa: PLC0415  the same

    severity = Severity(fail_on) if fail_on else None
    with call.workspace() as workspace:
        return answer_run(workspace, run_steps(workspace, "enforce", parts=ENFORCE, fail_on=severity))
