"""`crmbridge schema`: the JSON Schema of a file that people write."""

from __future__ import annotations

import json

import click

from crmbridge.cli.call import Call, Reply
from crmbridge.cli.grammar import as_command


@as_command(
    "schema",
    examples=[("schema process", "of the process file"), ("schema crmbridge > crmbridge.json", "of the settings file")],
)
@click.argument("name", type=click.Choice(["process", "process_tests", "crmbridge"]))
def command(call: Call, name: str) -> Reply:  # noqa: ARG001  every command is given its call
    """Print the JSON Schema of the process file, of a file of its cases, or of crmbridge.yaml, for editors.

    `crmbridge init` puts all beside a new project's files already.
    """
    from crmbridge.files.schema import schema_text  # noqa: PLC0415  imports are paid by the commands that use them

    text = schema_text(name)
    return Reply(result=json.loads(text), lines=text.splitlines())
