"""`crmbridge manual`: the process as pages that people work from."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from crmbridge.cli.call import Call, Reply
from crmbridge.cli.grammar import as_command
from crmbridge.cli.output import plural
from crmbridge.languages import LANGUAGES

if TYPE_CHECKING:
    from crmbridge.model.process import Process


@as_command(
    "manual",
    examples=[
        ("manual", "write the manual to the folder manual; open manual/index.html"),
        ("manual --out site --language pt --language en", "elsewhere, in two languages"),
        ("manual --since 2026-03.yaml", "with what changed since an earlier version"),
        ("manual --format mmd", "print the flow chart for Mermaid"),
    ],
)
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="FOLDER",
    help="Where to write it.  [default: manual, charts are printed]",
)
@click.option(
    "--language",
    "languages",
    type=click.Choice(list(LANGUAGES)),
    multiple=True,
    help="May be repeated; those of the process when not said.",
)
@click.option(
    "--format", "form", type=click.Choice(("html", "mmd", "dot")), default="html", show_default=True,
    help="The site, or the flow chart alone for Mermaid or Graphviz.",
)  # fmt: skip
@click.option(
    "--since",
    type=click.Path(path_type=Path, exists=True),
    multiple=True,
    metavar="PATH",
    help="An earlier process file, or a folder of dated copies; may be repeated, oldest first.",
)
def command(call: Call, *, out: Path | None, languages: tuple[str, ...], form: str, since: tuple[Path, ...]) -> Reply:
    """Build the manual from the process file: a site of static pages that works from a folder, without a server.

    It has a page for each stage and each role with a first week, the flow chart, the indicators, the glossary, the
    calendars, what changed, a search, and everything on one page to print. No CRM is asked and no state is read.

    What changed is told from earlier process files: those named by --since, else those in the folder beside the
    process file that is called like it, such as processes/b2b.versions for processes/b2b.yaml.
    """
    from crmbridge.clock import SystemClock  # noqa: PLC0415  imports are paid by the commands that use them
    from crmbridge.services.projects.writing_manual import (  # noqa: PLC0415  the same
        earlier_versions,
        make_manual,
        read_versions,
        write_site,
    )

    process, file = _process(call)
    if form != "html":
        return _chart(process, form, languages, out)
    versions = read_versions(since or earlier_versions(file))
    today = (call.clock or SystemClock()).now().date()
    site = make_manual(process, today, languages=languages, earlier=versions)
    folder = out or Path("manual")
    written = write_site(site, folder)
    spoken = sorted({name.split("/")[0] for name in site if "/" in name})
    result = {
        "folder": str(folder),
        "start": str(folder / "index.html"),
        "files": written,
        "languages": spoken,
        "versions": [version.name for version in versions],
    }
    return Reply(
        result=result, lines=[f"Wrote {plural(written, 'file')} ({', '.join(spoken)}): open {folder / 'index.html'}"]
    )


def _process(call: Call) -> tuple[Process, Path]:
    from crmbridge.plugins import load_plugins  # noqa: PLC0415  imports are paid by the commands that use them
    from crmbridge.services.projects.checking import load_project, models_of  # noqa: PLC0415  the same

    project = load_project(call.project, *models_of(load_plugins()))
    return project.process, project.path.parent / project.settings.process


def _chart(process: Process, form: str, languages: tuple[str, ...], out: Path | None) -> Reply:
    from crmbridge.cli.plan_files import write_file  # noqa: PLC0415  imports are paid by the commands that use them
    from crmbridge.manual import Speech, dot, languages_of, mermaid, words_of  # noqa: PLC0415  the same

    language = (languages or languages_of(process))[0]
    text = (mermaid if form == "mmd" else dot)(Speech(process, words_of(language)))
    if out is None:
        return Reply(result={"format": form, "language": language, "chart": text}, lines=text.splitlines())
    file = out / f"flow.{form}"
    write_file(file, text)
    return Reply(result={"format": form, "language": language, "file": str(file)}, lines=[f"Wrote {file}"])
