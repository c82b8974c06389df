"""`crmbridge export-rules`: the exit rules as a CRM's own enforcement."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from crmbridge.cli.call import Call, Reply
from crmbridge.cli.grammar import as_command
from crmbridge.cli.output import Line, dim, plural, strong, table

if TYPE_CHECKING:
    from crmbridge.ports import Guards


@as_command(
    "export-rules",
    examples=[
        ("export-rules sf", "write files to load into the CRM to rules/sf, and say what an admin does"),
        ("export-rules sf --ask --to guards", "with the account's own names; into another folder"),
    ],
)
@click.argument("connection")
@click.option(
    "--to", type=click.Path(path_type=Path, file_okay=False), metavar="DIR", help="[default: rules/CONNECTION]"
)
@click.option("--language", default="en", show_default=True, help="Of what sellers read when a rule is broken.")
@click.option("--ask", is_flag=True, help="Describe the account first, for its own names and options.")
@click.option("--force", is_flag=True, help="Replace files that differ.")
def command(call: Call, connection: str, to: Path | None, force: bool, **wanted: Any) -> Reply:  # noqa: FBT001  click's flag
    """Write the process's exit rules as the CRM's own enforcement, as far as it has one.

    The CRM then blocks at the source what it can, and crmbridge catches the rest: what can't be said there is listed.
    Nothing is sent to the CRM.
    """
    from crmbridge.services.enforce.guard_rails import export_rules, write_files  # noqa: PLC0415  imports are paid by their users

    folder = to or Path("rules") / connection
    with call.workspace() as workspace:
        guards = export_rules(workspace, connection, **wanted)
    written = write_files(guards.files, folder, force=force)
    result = {
        "connection": connection,
        "files": [str(path) for path in written],
        "steps": list(guards.steps),
        "covered": list(guards.covered),
        "left_out": [{"rule": one.rule, "why": one.why} for one in guards.left_out],
    }
    return Reply(result=result, lines=list(_lines(guards, written)))


def _lines(guards: Guards, written: tuple[Path, ...]) -> Iterator[Line]:
    for path in written:
        yield ["wrote ", strong(str(path))]
    if guards.steps:
        yield ""
        yield strong("What an admin does")
        yield from (f"  {number}. {step}" for number, step in enumerate(guards.steps, start=1))
    yield ""
    yield f"{plural(len(guards.covered), 'rule')} held by the CRM: {', '.join(guards.covered) or 'none'}"
    if guards.left_out:
        yield f"{plural(len(guards.left_out), 'rule')} that crmbridge alone goes on checking:"
        yield from table([[one.rule, dim(one.why)] for one in guards.left_out], indent=2)
