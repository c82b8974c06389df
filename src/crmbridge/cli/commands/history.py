"""`crmbridge history`: the runs, and what one of them wrote."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from crmbridge.cli.call import Call, Reply
from crmbridge.cli.grammar import as_command
from crmbridge.cli.output import Line, Part, Tinted, Tone, cut, dim, plural, strong, table

if TYPE_CHECKING:
    from collections.abc import Mapping

    from crmbridge.model.changes import JournalEntry
    from crmbridge.ports import Run
    from crmbridge.services.workspace import Workspace

_FIGURES = (("records", "record"), ("findings", "finding"), ("planned", "change"), ("blocked", "question"))
SEARCHED = 10_000  # newest runs among which one is looked for


@as_command(
    "history",
    examples=[("history", "the newest runs"), ("history 20260610T1200", "one run, by the start of its id")],
)
@click.argument("run", required=False)
@click.option("--limit", type=click.IntRange(1, SEARCHED), default=20, show_default=True, help="How many runs to list.")
def command(call: Call, run: str | None, limit: int) -> Reply:
    """List the runs, or everything that one run wrote: each intent, and what became of it."""
    from crmbridge.services.scheduling import TOLD  # noqa: PLC0415  imports are paid by the commands that use them

    with call.workspace() as workspace:
        if run is None:
            noted = workspace.store.runs.runs(SEARCHED)
            return _list(tuple(one for one in noted if not one.command.startswith(TOLD))[:limit])
        return _one(workspace, run)


def _list(runs: tuple[Run, ...]) -> Reply:
    from crmbridge.cli.forms import run_form  # noqa: PLC0415  imports are paid by the commands that use them

    rows: list[list[Part]] = [[strong(run.id), run.command, _ended(run), _took(run), dim(_said(run))] for run in runs]
    lines: list[Line] = list(table(rows, heads=("run", "command", "ended", "took", "did")))
    return Reply(result={"runs": [run_form(run) for run in runs]}, lines=lines or ["No runs yet."])


def _one(workspace: Workspace, text: str) -> Reply:
    from crmbridge.cli.forms import run_form  # noqa: PLC0415  imports are paid by the commands that use them
    from crmbridge.model.codec import entry_to_json  # noqa: PLC0415  the same
    from crmbridge.services.undoing import find_run  # noqa: PLC0415  the same

    run = find_run(workspace, text)
    entries = list(workspace.store.journal.entries(run.id))
    rows: list[list[Part]] = [
        [
            entry.at.strftime("%H:%M:%S"),
            entry.change.connection,
            entry.change.action.value,
            str(entry.ref or entry.change.target or f"a new {entry.change.kind}"),
            _outcome(entry),
            entry.message or entry.change.reason,
        ]
        for entry in entries
    ]
    head: Line = [strong(run.id), f"  {run.command}, started {run.started_at:%Y-%m-%d %H:%M} UTC, ", _ended(run)]
    lines: list[Line] = [head, *_failures(run), ""]
    lines += table(rows) if rows else ["It wrote nothing."]
    return Reply(result={"run": run_form(run), "journal": [entry_to_json(e) for e in entries]}, lines=lines)


def _failures(run: Run) -> list[Line]:
    """Say what kept the run, or a connection of it, from its work."""
    error = run.summary.get("error")
    found: list[Line] = [str(error)] if error else []
    for name, text in _errors(run).items():
        found.append([Tinted(f"{name}: ", Tone.BAD), str(text).removeprefix(f"{name}: ")])
    return found


def _errors(run: Run) -> Mapping[str, object]:
    errors = run.summary.get("errors")
    return errors if isinstance(errors, dict) else {}


def _ended(run: Run) -> Part:
    if run.exit_code is None:
        return Tinted("not finished", Tone.WARN)
    from crmbridge.cli.exits import exit_of  # noqa: PLC0415  imports are paid by the commands that use them

    name = exit_of(run.exit_code).name.replace("_", " ")
    return Tinted(name, Tone.GOOD if run.exit_code == 0 else Tone.BAD)


def _took(run: Run) -> str:
    return f"{(run.finished_at - run.started_at).total_seconds():.0f} s" if run.finished_at else "-"


def _said(run: Run) -> str:
    """Give the figures of a run's summary that are not zero."""
    summary = run.summary
    if error := summary.get("error"):
        return cut(str(error), 120)
    counted = [plural(summary[name], word) for name, word in _FIGURES if summary.get(name)]
    outcomes = summary.get("outcomes")
    counted += [f"{count} {name}" for name, count in outcomes.items()] if isinstance(outcomes, dict) else []
    counted += [f"{name} failed" for name in _errors(run)]
    return ", ".join(counted)


def _outcome(entry: JournalEntry) -> Part:
    if entry.outcome is None:
        return dim("intended")
    return Tinted(entry.outcome.value, Tone.GOOD if entry.outcome.value == "applied" else Tone.BAD)
