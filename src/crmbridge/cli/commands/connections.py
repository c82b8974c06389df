"""`crmbridge connections`: what is connected, and what one account has."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from crmbridge.cli.call import Call, Reply
from crmbridge.cli.grammar import as_command
from crmbridge.cli.output import Line, Part, strong, table

if TYPE_CHECKING:
    from crmbridge.services.workspace import Workspace


@as_command(
    "connections",
    examples=[
        ("connections", "list them, without a network"),
        ("connections describe hs", "the pipelines, stages and fields of one account, with their ids"),
    ],
)
@click.argument("action", type=click.Choice(["list", "describe"]), default="list")
@click.argument("name", required=False)
def command(call: Call, action: str, name: str | None) -> Reply:
    """List the connections, or describe what one account has.

    The ids that `describe` shows are what the settings take under `stages:` and `fields:`.
    """
    if action == "describe" and name is None:
        raise click.UsageError("Name the connection to describe.")
    with call.workspace() as workspace:
        if action == "list":
            return _list(workspace)
        return _describe(workspace, str(name))


def _list(workspace: Workspace) -> Reply:
    settings = workspace.project.settings
    found = [
        {
            "name": name,
            "adapter": connection.adapter,
            "base_url": connection.options.get("base_url"),
            "stages_mapped": name in settings.stages,
            "fields_bound": len(connection.fields),
            "synced_by": [sync.name for sync in settings.sync if name in sync.between],
        }
        for name, connection in settings.connections.items()
    ]
    rows: list[list[Part]] = [
        [
            strong(name),
            connection.adapter,
            "mapped" if name in settings.stages else "not mapped",
            f"{len(connection.fields)} bound",
            ", ".join(sync.name for sync in settings.sync if name in sync.between) or "-",
            str(connection.options.get("base_url") or "the vendor's own"),
        ]
        for name, connection in settings.connections.items()
    ]
    lines: list[Line] = list(table(rows, heads=("name", "adapter", "stages", "fields", "kept in step by", "host")))
    return Reply(result={"connections": found}, lines=lines or ["The settings file has no connections."])


def _describe(workspace: Workspace, name: str) -> Reply:
    from crmbridge.cli.account_view import account_form, account_lines  # noqa: PLC0415  imports are paid by their users
    from crmbridge.services.signin import sign_in  # noqa: PLC0415  the same

    adapter = workspace.adapter(name)
    account = adapter.describe()
    shown = (name, account, adapter.capabilities, sign_in(workspace, name, account))
    return Reply(result=account_form(*shown), lines=list(account_lines(*shown)))
