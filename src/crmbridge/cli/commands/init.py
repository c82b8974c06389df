"""`crmbridge init`: start a project."""

from __future__ import annotations

import shlex
from pathlib import Path

import click

from crmbridge.cli.call import Call, Reply
from crmbridge.cli.grammar import as_command
from crmbridge.cli.output import Line, dim, strong


@as_command(
    "init",
    examples=[("init shop", "a project in the new folder shop"), ("init --language pt", "here, in Portuguese")],
)
@click.argument("folder", required=False, type=click.Path(path_type=Path))
@click.option("--language", default="en", show_default=True, metavar="en|pt|zh", help="Of the README and the reports.")
def command(call: Call, folder: Path | None, language: str) -> Reply:
    """Start a project: commented settings, the seven-stage process, schemas for your editor and a README.

    FOLDER is made if it isn't there. Files that are there already stay as they are.
    """
    from crmbridge.services.projects.creating import create_project  # noqa: PLC0415  imports are paid by the commands that use them

    target = folder or call.project
    written = create_project(target, language)
    lines: list[Line] = [["A project in ", strong(str(target)), ":"]]
    lines += [["  ", str(path)] for path in written]
    step = f"cd {shlex.quote(str(target))} && crmbridge check" if target != Path() else "crmbridge check"
    lines += ["", "Next:", f"  {step}", [dim("  "), "then write your connections into crmbridge.yaml"]]
    return Reply(result={"folder": str(target), "files": [str(path) for path in written]}, lines=lines)
