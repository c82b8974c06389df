"""`crmbridge report`: the indicators, to read, to save or to push."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from crmbridge.cli.call import Call, Reply
from crmbridge.cli.grammar import as_command

if TYPE_CHECKING:
    from crmbridge.ports import Document
    from crmbridge.services.workspace import Workspace
    from crmbridge.settings import Report

DEFAULT = "indicators"


@as_command(
    "report",
    examples=[
        ("report", "read the indicators here, now"),
        ("report --out reports", "save them as HTML and Markdown"),
        ("report weekly --push", "send one report to its sinks"),
    ],
)
@click.argument("name", required=False)
@click.option(
    "--out", type=click.Path(path_type=Path, file_okay=False), metavar="FOLDER", help="Save HTML and Markdown."
)
@click.option("--push", is_flag=True, help="Send to the sinks in the settings; to people at most once a day.")
def command(call: Call, name: str | None, out: Path | None, push: bool) -> Reply:  # noqa: FBT001  click's flag
    """Compute the indicators from the state and show them, save them, or push them to their sinks.

    NAME is a report of the settings; without it, all of them. No CRM is asked: the figures are as of the last pull.
    """
    from crmbridge.services.publishing import make_document, reports  # noqa: PLC0415  imports are paid by their users

    with call.workspace() as workspace:
        chosen = reports(workspace, name)
        if push:
            return _push(workspace, chosen, name)
        documents = [make_document(workspace, report, None) for report in chosen or (_default(),)]
    if out is not None:
        return _saved(documents, out)
    lines = "\n\n".join(document.markdown for document in documents).splitlines()
    facts = [{"name": document.name, "title": document.title, "facts": document.facts} for document in documents]
    return Reply(result={"reports": facts}, lines=lines)


def _default() -> Report:
    from crmbridge.settings import Report  # noqa: PLC0415  imports are paid by the commands that use them

    return Report(name=DEFAULT)


def _push(workspace: Workspace, chosen: tuple[Report, ...], name: str | None) -> Reply:
    from crmbridge.cli.answers import answer_run  # noqa: PLC0415  imports are paid by the commands that use them
    from crmbridge.errors import ConfigurationError  # noqa: PLC0415  the same
    from crmbridge.services.running import run_reports  # noqa: PLC0415  the same

    if not chosen:
        raise ConfigurationError("The settings have no reports to push", advice="Add one under `reports:`.")
    return answer_run(workspace, run_reports(workspace, chosen, name))


def _saved(documents: list[Document], folder: Path) -> Reply:
    from crmbridge.cli.plan_files import write_file  # noqa: PLC0415  imports are paid by the commands that use them

    files = []
    for document in documents:
        for suffix, text in ((".html", document.html), (".md", document.markdown)):
            path = folder / f"{document.name}{suffix}"
            write_file(path, text)
            files.append(str(path))
    return Reply(result={"files": files}, lines=[f"Saved {path}" for path in files])
