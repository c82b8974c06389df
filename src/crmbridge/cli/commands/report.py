"""`crmbridge report`: the indicators, to read, to save or to push."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from crmbridge.cli.call import Call, Reply
from crmbridge.cli.grammar import as_command

if TYPE_CHECKING:
    from crmbridge.cli.output import Line
    from crmbridge.ports import Document
    from crmbridge.services.workspace import Workspace
    from crmbridge.settings import Report

DEFAULT = "indicators"
SUFFIXES = {"html": ".html", "markdown": ".md", "json": ".json", "csv": ".csv"}
USUAL_FILES = ("html", "markdown")
TABLES = {"xlsx": ".xlsx", "parquet": ".parquet"}  # files only
FILES = SUFFIXES | TABLES


@as_command(
    "report",
    examples=[
        ("report", "read the indicators here, now"),
        ("report --by owner --period quarter", "by owner, and over the quarters"),
        ("report --measure win_rate --measure open_findings", "only some of them"),
        ("report --out reports", "save them as HTML and Markdown in the folder reports"),
        ("report weekly --out weekly.html", "save one as this file; its ending says the form"),
        ("report --format csv", "every figure as a line, for a spreadsheet"),
        ("report --format xlsx --out reports", "a workbook with a sheet for each measure"),
        ("report weekly --push", "send one report to its sinks"),
    ],
)
@click.argument("name", required=False)
@click.option(
    "--format",
    "form",
    type=click.Choice(["terminal", *SUFFIXES, *TABLES]),
    help="How it is written.  [default: terminal; html and markdown with --out]",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    metavar="PATH",
    help="Save it there: in a folder, or as r.html, r.csv and so on.",
)
@click.option(
    "--by", "segment", metavar="FIELD", help="Group by owner, team, connection, or a deal's field such as source."
)
@click.option("--period", type=click.Choice(["month", "quarter", "year"]), help="Cut time into these.")
@click.option(
    "--horizon", type=click.IntRange(1, 1830), metavar="DAYS", help="How far the forecast looks.  [default: 90]"
)
@click.option("--measure", "measures", multiple=True, metavar="ID", help="Only this measure. Repeatable.")
@click.option("--push", is_flag=True, help="Send to the sinks in the settings; to people at most once a day.")
def command(
    call: Call,
    name: str | None,
    form: str | None,
    out: Path | None,
    *,
    push: bool,
    **figures: Any,
) -> Reply:
    """Compute the indicators from the state and show them, save them, or push them to their sinks.

    NAME is a report of the settings; without it, all of them. No CRM is asked: the figures are as of the last pull.
    """
    if form in TABLES and out is None:
        raise click.UsageError(f"--format {form} needs --out: it is a file, not text.")
    if push and (form is not None or out is not None or any(figures.values())):
        raise click.UsageError("--push sends reports as the settings have them; it takes no other options.")
    file = _file_of(out, form) if out is not None else None
    from crmbridge.services.reports.measuring import language_of  # noqa: PLC0415  imports are paid by those who use them
    from crmbridge.services.reports.publishing import make_document, reports  # noqa: PLC0415  the same

    with call.workspace() as workspace:
        chosen = reports(workspace, name)
        if push:
            return _push(workspace, chosen, name)
        if file and len(chosen) > 1:
            several = f"there are {len(chosen)} reports: name one of them, or give a folder."
            raise click.UsageError(f"{file[0].name} is one file, and {several}")
        asked = [_asked(report, **figures) for report in chosen or (_default(),)]
        languages = [language_of(workspace, report) for report in asked]
        documents = [make_document(workspace, report, None) for report in asked]
    if file is not None:
        path, only = file
        return _saved([(documents[0], only, path)])
    if out is not None:
        forms = USUAL_FILES if form in {None, "terminal"} else (str(form),)
        return _saved([(each, one, out / f"{each.name}{FILES[one]}") for each in documents for one in forms])
    facts = [{"name": document.name, "title": document.title, "facts": document.facts} for document in documents]
    return Reply(result={"reports": facts}, lines=_lines(documents, languages, form))


def _file_of(out: Path, form: str | None) -> tuple[Path, str] | None:
    """Give the file that a path names by its ending, and the form of it; None where it is a folder."""
    if out.is_dir():
        return None
    named = next((name for name, suffix in FILES.items() if out.suffix.lower() == suffix), None)
    if named is None and out.exists():
        raise click.UsageError(
            f"{out.name} is a file; --out takes a folder, or a name that ends in {', '.join(FILES.values())}."
        )
    if named is None:
        return None
    if form not in {None, named}:
        message = f"--format {form} is not what {out.name} is called; leave --format out, or name the file otherwise."
        raise click.UsageError(message)
    return out, named


def _lines(documents: Sequence[Document], languages: Sequence[str], form: str | None) -> list[Line]:
    """Give what is shown: a view for people, or the text of a form."""
    from crmbridge.cli.report_view import report_lines  # noqa: PLC0415  imports are paid by the commands that use them

    if form in SUFFIXES:
        return [line for document in documents for line in _text(document, form).splitlines()]
    views = [list(report_lines(*each)) for each in zip(documents, languages, strict=True)]
    return [line for number, view in enumerate(views) for line in (["", *view] if number else view)]


def _text(document: Document, form: str) -> str:
    """Give a report in one of the forms that files have."""
    from crmbridge.report import csv_text  # noqa: PLC0415  imports are paid by the commands that use them

    match form:
        case "html":
            return document.html
        case "markdown":
            return document.markdown
        case "csv" if document.scorecard is not None:
            return csv_text(document.scorecard)
        case _:
            return json.dumps(document.facts, ensure_ascii=False, indent=1) + "\n"


def _asked(
    report: Report, segment: str | None, period: str | None, horizon: int | None, measures: tuple[str, ...]
) -> Report:
    """Lay what the command asks for over what the settings say of a report."""
    wanted = {"by": segment, "period": period, "horizon": horizon, "measures": measures}
    return report.model_copy(update={name: value for name, value in wanted.items() if value})


def _default() -> Report:
    from crmbridge.settings import Report  # noqa: PLC0415  imports are paid by the commands that use them

    return Report(name=DEFAULT)


def _push(workspace: Workspace, chosen: tuple[Report, ...], name: str | None) -> Reply:
    from crmbridge.cli.answers import answer_run  # noqa: PLC0415  imports are paid by the commands that use them
    from crmbridge.errors import ConfigurationError  # noqa: PLC0415  the same
    from crmbridge.services.runs.running import run_reports  # noqa: PLC0415  the same

    if not chosen:
        raise ConfigurationError("The settings have no reports to push", advice="Add one under `reports:`.")
    return answer_run(workspace, run_reports(workspace, chosen, name))


def _saved(wanted: Sequence[tuple[Document, str, Path]]) -> Reply:
    files = [_save(*each) for each in wanted]
    return Reply(result={"files": files}, lines=[f"Saved {path}" for path in files])


def _save(document: Document, form: str, path: Path) -> str:
    """Save a report in one form and give the path."""
    from crmbridge.cli.plan_files import write_file  # noqa: PLC0415  imports are paid by the commands that use them
    from crmbridge.report.csv_form import MARK  # noqa: PLC0415  the same
    from crmbridge.services.reports.querying import export_whole  # noqa: PLC0415  the same

    if form in TABLES and document.scorecard is not None:
        export_whole(document.scorecard, path)
    else:
        write_file(path, (MARK if form == "csv" else "") + _text(document, form))
    return str(path)
