"""`crmbridge schedule`: what runs next, and the one crontab line that drives it."""

from __future__ import annotations

import shlex
import shutil
import sys
from pathlib import Path

from crmbridge.cli.call import Call, Reply
from crmbridge.cli.grammar import as_command
from crmbridge.cli.output import Line, Part, Tinted, Tone, dim, strong, table

EVERY = "*/5 * * * *"


@as_command("schedule", examples=[("schedule", "what would run next, and the line for crontab -e")])
def command(call: Call) -> Reply:
    """Show what the settings schedule, when each runs next, and the one crontab line that drives all of it."""
    from zoneinfo import ZoneInfo  # noqa: PLC0415  imports are paid by the commands that use them

    from crmbridge.model.values import iso  # noqa: PLC0415  the same
    from crmbridge.services.runs.scheduling import command_of, due, entries, next_tick  # noqa: PLC0415  the same

    with call.workspace() as workspace:
        settings, runs, now = workspace.project.settings, workspace.store.runs, workspace.clock.now()
        waiting = {item.command for item in due(settings, runs, now)}
        found = []
        for entry in entries(settings):
            name = command_of(entry.step, entry.report)
            found.append((name, entry, runs.last(name, now), next_tick(entry.cron, entry.zone, now)))
        line = crontab_line(workspace.project.folder)
    rows: list[list[Part]] = [
        [
            Tinted("due now", Tone.WARN) if name in waiting else f"{next_:%a %Y-%m-%d %H:%M} UTC",
            strong(name),
            entry.cron,
            entry.zone,
            dim(f"last {last.started_at:%Y-%m-%d %H:%M} UTC" if last else "never ran"),
        ]
        for name, entry, last, next_ in sorted(found, key=lambda one: one[3])
    ]
    lines: list[Line] = list(table(rows, heads=("next", "run", "cron", "zone", "")))
    lines = lines or ["Nothing is scheduled. Add `schedule:` to the settings, or a `cron:` to a report."]
    lines += ["", "One line in your crontab (`crontab -e`) drives all of it:", f"  {line}"]
    result = [
        {
            "run": name,
            "cron": entry.cron,
            "timezone": str(ZoneInfo(entry.zone)),
            "due": name in waiting,
            "next_at": iso(next_),
            "last_at": iso(last.started_at) if last else None,
        }
        for name, entry, last, next_ in found
    ]
    return Reply(result={"schedule": result, "crontab": line}, lines=lines)


def crontab_line(folder: Path) -> str:
    """Write the line for crontab: cron knows no PATH and gives % a meaning of its own."""
    beside = Path(sys.executable).with_name("crmbridge")
    found = str(beside) if beside.is_file() else shutil.which("crmbridge")
    program = [found] if found else [sys.executable, "-m", "crmbridge.cli.main"]
    typed = shlex.join([*program, "run", "--due", "--quiet", "--project", str(folder.resolve())])
    return f"{EVERY} {typed}".replace("%", "\\%")
