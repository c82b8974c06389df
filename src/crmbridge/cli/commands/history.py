"""`crmbridge history`: the runs, what one of them wrote, and what was written to one deal."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import click

from crmbridge.cli.call import Call, Reply
from crmbridge.cli.grammar import as_command
from crmbridge.cli.output import Line, Part, Tinted, Tone, cut, dim, strong, table

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime

    from crmbridge.cli.speech import Speech
    from crmbridge.model.changes import JournalEntry
    from crmbridge.model.records import Ref
    from crmbridge.ports import Run
    from crmbridge.services.answers.naming import Names
    from crmbridge.services.workspace import Workspace

_FIGURES = {
    "records": "run_records",
    "findings": "log_findings",
    "planned": "run_changes",
    "resolved": "log_resolved",
    "retried": "log_retried",
}
_BY_HAND = {"waived": "log_waived", "unwaived": "log_unwaived", "joined": "log_joined", "split": "log_split"}
STOPPED = {130, 143}  # the exit codes of runs that somebody stopped
LONGEST = 1000  # columns of what one write says: each field before and after
RUN = re.compile(r"\d{8}T\d*(-[\da-f]*)?")  # the id of a run, or how it begins
SEARCHED = 10_000  # newest runs that are looked through


@as_command(
    "history",
    examples=[
        ("history", "the newest runs"),
        ("history 20260610T1200", "one run, by the start of its id"),
        ("history hs:1234", "one deal: all that was written to it and its counterparts, why, and who decided"),
    ],
)
@click.argument("what", metavar="[RUN|DEAL]", required=False)
@click.option("--limit", type=click.IntRange(1, SEARCHED), default=20, show_default=True, help="How many runs to list.")
def command(call: Call, what: str | None, limit: int) -> Reply:
    """List the runs, or everything that one run wrote: each intent with its values, and what became of it.

    Of a deal, named as for `crmbridge explain`: each write to it and to its counterparts, with the values before and
    after, the reason and the run, and what people decided about it. One that is gone goes by its ref.
    """
    from crmbridge.cli.speech import speech_of  # noqa: PLC0415  imports are paid by the commands that use them
    from crmbridge.services.reports.told import TOLD  # noqa: PLC0415  the same

    with call.workspace() as workspace:
        if what is None:
            noted = workspace.store.runs.runs(SEARCHED)
            listed = tuple(one for one in noted if not one.command.startswith(TOLD))[:limit]
            return _list(workspace, listed, speech_of(workspace))
        if RUN.fullmatch(what) or workspace.store.runs.runs(1, what):
            return _one(workspace, what)
        return _about(workspace, what)


def _list(workspace: Workspace, runs: tuple[Run, ...], say: Speech) -> Reply:
    from crmbridge.cli.forms import run_form  # noqa: PLC0415  imports are paid by the commands that use them
    from crmbridge.services.answers.overview import outcomes_of, under_way  # noqa: PLC0415  the same

    now = under_way(workspace, runs)
    rows: list[list[Part]] = [
        [
            strong(run.id),
            run.command,
            _ended(run, now, say),
            _took(run, say),
            dim(_said(run, outcomes_of(workspace, run), say)),
        ]
        for run in runs
    ]
    heads = (say("log_run"), say("log_command"), say("log_ended"), say("log_took"), say("log_did"))
    lines: list[Line] = list(table(rows, heads=heads))
    forms = [run_form(run, under_way=run is now) for run in runs]
    return Reply(result={"runs": forms}, lines=lines or [say("log_empty")])


def _one(workspace: Workspace, text: str) -> Reply:
    from crmbridge.cli.forms import run_form  # noqa: PLC0415  imports are paid by the commands that use them
    from crmbridge.cli.speech import speech_of  # noqa: PLC0415  the same
    from crmbridge.model.changes import Outcome  # noqa: PLC0415  the same
    from crmbridge.model.codec import entry_to_json  # noqa: PLC0415  the same
    from crmbridge.services.answers.naming import names_for  # noqa: PLC0415  the same
    from crmbridge.services.answers.overview import entries_of, under_way  # noqa: PLC0415  the same
    from crmbridge.services.by_hand.undoing import find_run  # noqa: PLC0415  the same

    run = find_run(workspace, text)
    now = under_way(workspace, [run])
    entries = list(entries_of(workspace, run))
    changes = [entry.change for entry in entries]
    say, names = speech_of(workspace, changes), names_for(workspace, changes)
    rows: list[list[Part]] = [
        [
            entry.at.strftime("%H:%M:%S"),
            entry.change.connection,
            say.named("wrote", entry.change.action),
            str(entry.ref or entry.change.target or say("log_new", kind=say.named("kind", str(entry.change.kind)))),
            _outcome(entry, say),
            _told(entry, names, say),
        ]
        for entry in entries
    ]
    started = say("log_started", command=run.command, when=f"{run.started_at:%Y-%m-%d %H:%M}")
    head: Line = [strong(run.id), started, _ended(run, now, say)]
    killed = [say("log_killed_why")] if run.finished_at is None and now is None else []
    lines: list[Line] = [head, *killed, *_failures(run), *_decided(workspace, run, say), ""]
    lines += table(rows, longest=LONGEST) if rows else [say("log_no_write")]
    lines += [dim(say("log_refused"))] if any(entry.outcome is Outcome.REFUSED for entry in entries) else []
    form = run_form(run, under_way=now is not None)
    return Reply(result={"run": form, "journal": [entry_to_json(e) for e in entries]}, lines=lines)


def _about(workspace: Workspace, text: str) -> Reply:
    """Answer with the log of one deal."""
    from crmbridge.cli.forms import run_form  # noqa: PLC0415  imports are paid by the commands that use them
    from crmbridge.cli.plan_view import written_in_words  # noqa: PLC0415  the same
    from crmbridge.cli.rules_view import moment  # noqa: PLC0415  the same
    from crmbridge.cli.speech import speech_of  # noqa: PLC0415  the same
    from crmbridge.model.codec import entry_to_json, ref_to_json  # noqa: PLC0415  the same
    from crmbridge.services.answers.deal_log import log_of  # noqa: PLC0415  the same
    from crmbridge.services.answers.naming import names_for  # noqa: PLC0415  the same

    log = log_of(workspace, text)
    changes = [entry.change for entry in log.written]
    say, names = speech_of(workspace, changes), names_for(workspace, changes)
    rows: list[tuple[datetime, list[Part]]] = [
        (
            entry.at,
            [
                entry.run,
                entry.change.connection,
                say.named("wrote", entry.change.action),
                _outcome(entry, say),
                written_in_words(entry, names, say),
            ],
        )
        for entry in log.written
    ]
    rows += [
        (run.started_at, [run.id, "", run.command, "", line])
        for run in log.by_hand
        for line in _by_hand(workspace, run, log.refs, say)
    ]
    told: list[list[Part]] = [[moment(at), *row] for at, row in sorted(rows, key=lambda row: row[0])]
    lines: list[Line] = [[strong(", ".join(map(str, log.refs)))], ""]
    lines += table(told, longest=LONGEST) if told else [say("log_deal_untouched")]
    result = {
        "deals": [ref_to_json(ref) for ref in log.refs],
        "journal": [entry_to_json(entry) for entry in log.written],
        "by_hand": [run_form(run, under_way=False) for run in log.by_hand],
    }
    return Reply(result=result, lines=lines)


def _by_hand(workspace: Workspace, run: Run, refs: Sequence[Ref], say: Speech) -> Iterator[str]:
    """Say what people did by a run about one of these deals: each decision with its value, and by whom."""
    from crmbridge.cli.plan_view import value_shown  # noqa: PLC0415  imports are paid by the commands that use them
    from crmbridge.services.answers.naming import names_for  # noqa: PLC0415  the same
    from crmbridge.services.by_hand.resolving import decided_by  # noqa: PLC0415  the same

    decided = [one for one in decided_by(run) if one.item.deal in refs]
    names = names_for(workspace, [], [one.item for one in decided])
    who = [say("log_by", name=run.summary["by"])] if run.summary.get("by") else []
    for one in decided:
        chosen = f"{say.field(one.item.name)}: {value_shown(one.item, one.value, names, say)}"
        yield say("run_and").join([chosen, *who])
    if not decided:
        yield _said(run, {}, say)


def _decided(workspace: Workspace, run: Run, say: Speech) -> Iterator[Line]:
    """Say what a person decided, linked or waived by a run; it is in no journal, as no CRM was written to."""
    from crmbridge.cli.waiting_view import decided_lines  # noqa: PLC0415  imports are paid by the commands that use them
    from crmbridge.services.by_hand.resolving import decided_by  # noqa: PLC0415  the same

    if run.summary.keys() & {"resolved", "retried", *_BY_HAND}:
        yield _said(run, {}, say)
        yield from decided_lines(workspace, decided_by(run))


def _told(entry: JournalEntry, names: Names, say: Speech) -> str:
    """Say of an intent what is written and why; of an outcome what the CRM said, or what a new record is called."""
    from crmbridge.cli.plan_view import edits_in_full  # noqa: PLC0415  imports are paid by the commands that use them
    from crmbridge.model.values import show  # noqa: PLC0415  the same

    if entry.outcome is not None:
        made = entry.change.after.get("name") if entry.change.action == "create" else None
        return say.reason(entry.message) or (f'"{cut(show(made), 60)}"' if made else "")
    return say("semicolon").join(filter(None, [edits_in_full(entry.change, names, say), say.because(entry.change)]))


def _failures(run: Run) -> list[Line]:
    """Say what kept the run, or a connection of it, from its work."""
    error = _error(run)
    found: list[Line] = [error] if error else []
    for name, text in _errors(run).items():
        found.append([Tinted(f"{name}: ", Tone.BAD), str(text).removeprefix(f"{name}: ")])
    return found


def _error(run: Run) -> str:
    """Say what ended a run; of one that somebody stopped, how it ended says all."""
    return "" if run.exit_code in STOPPED else str(run.summary.get("error") or "")


def _errors(run: Run) -> Mapping[str, object]:
    errors = run.summary.get("errors")
    return errors if isinstance(errors, dict) else {}


def _ended(run: Run, now: Run | None, say: Speech) -> Part:
    """Say how a run ended; `now` is the one that is under way."""
    if run.exit_code is None:
        return dim(say("log_running")) if run is now else Tinted(say("killed"), Tone.BAD)
    from crmbridge.cli.exits import exit_of  # noqa: PLC0415  imports are paid by the commands that use them

    known = exit_of(run.exit_code)
    name = known.name.replace("_", " ") if say.language == "en" else say(f"exit_{known.code}")
    return Tinted(name, Tone.GOOD if run.exit_code == 0 else Tone.BAD)


def _took(run: Run, say: Speech) -> str:
    if run.finished_at is None:
        return "-"
    return say("short_s", n=f"{(run.finished_at - run.started_at).total_seconds():.0f}")


def _said(run: Run, outcomes: Mapping[str, int], say: Speech) -> str:
    """Give the figures of a run that are not zero."""
    summary = run.summary
    if error := _error(run):
        return cut(error, 120)
    counted = [say.counted(key, summary[name]) for name, key in _FIGURES.items() if summary.get(name)]
    if left := summary.get("blocked"):  # what an undo leaves waits nowhere
        counted.append(say.counted("log_not_undone" if run.command == "undo" else "log_questions", left))
    counted += [say.ended(name, count) for name, count in outcomes.items()]
    if before := summary.get("before"):
        counted.append(say.counted("log_before", before))
    if (waiting := summary.get("waiting", 0)) > summary.get(
        "blocked", 0
    ):  # with what was refused, as conflicts lists it
        counted.append(say.counted("log_waiting", waiting))
    counted += [say(key, what=_list_of(summary[name], say)) for name, key in _BY_HAND.items() if name in summary]
    counted += [say("log_by", name=summary["by"])] if summary.get("by") else []
    counted += [say("log_failed", name=name) for name in _errors(run)]
    return say("run_and").join(counted)


def _list_of(named: object, say: Speech) -> str:
    return say("list").join(map(str, named)) if isinstance(named, list | tuple) else str(named)


def _outcome(entry: JournalEntry, say: Speech) -> Part:
    from crmbridge.services.answers.overview import INTENDED  # noqa: PLC0415  imports are paid by their users

    if entry.outcome is None:
        return dim(say.named("outcome", INTENDED))
    return Tinted(say.named("outcome", entry.outcome), Tone.GOOD if entry.outcome.value == "applied" else Tone.BAD)
