"""`crmbridge doctor`: whether each connection works, and whether its account fits the process."""

from __future__ import annotations

from crmbridge.cli.call import Call, Reply
from crmbridge.cli.grammar import as_command
from crmbridge.cli.output import Line, Part, Tinted, Tone, plural, table
from crmbridge.errors import worst

LONGEST = 2000  # columns of a message: one that lists what an account has is long
_TONES = {"ok": Tone.GOOD, "warning": Tone.WARN, "error": Tone.BAD}


@as_command("doctor", examples=[("doctor", "look at everything the settings name")])
def command(call: Call) -> Reply:
    """See whether each connection works and fits the process. It writes to no CRM.

    Signs in to every CRM and compares its pipelines, stages and fields with the settings, and tries whether the state
    can be written. Warnings don't change the exit code; errors do.
    """
    from crmbridge.services.accounts.examining import examine  # noqa: PLC0415  imports are paid by their users
    from crmbridge.services.accounts.health import Health  # noqa: PLC0415  the same

    with call.workspace() as workspace:
        checks = examine(workspace)
    rows: list[list[Part]] = []
    for check in checks:
        rows.append([Tinted(check.health.value, _TONES[check.health.value]), check.about, check.message])
        if check.advice and check.health is not Health.GOOD:
            rows.append(["", "", check.advice])
    lines: list[Line] = list(table(rows, longest=LONGEST))
    bad = [check for check in checks if check.health is Health.BAD]
    weak = sum(check.health is Health.WEAK for check in checks)
    lines += ["", f"{plural(len(bad), 'error')}, {plural(weak, 'warning')}."]
    result = [
        {"about": c.about, "health": c.health.value, "message": c.message, "advice": c.advice or None} for c in checks
    ]
    return Reply(result={"checks": result}, lines=lines, exit_code=worst(check.exit_code for check in bad))
