"""`crmbridge connections`: what is connected, and what one account has."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from crmbridge.cli.call import Call, Reply
from crmbridge.cli.grammar import as_command
from crmbridge.cli.output import Line, Part, plural, strong, table

if TYPE_CHECKING:
    from crmbridge.ports import Capabilities, Description
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
        adapter = workspace.adapter(str(name))
        return _describe(str(name), adapter.describe(), adapter.capabilities)


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


def _describe(name: str, account: Description, can: Capabilities) -> Reply:
    result: dict[str, Any] = {
        "name": name,
        "account": account.account,
        "api_version": account.api_version or None,
        "currencies": list(account.currencies),
        "key_field": account.key_field.name if account.key_field else None,
        "pipelines": [
            {
                "id": pipeline.id,
                "label": pipeline.label,
                "stages": [{"id": s.id, "label": s.label, "status": s.status.value} for s in pipeline.stages],
            }
            for pipeline in account.pipelines
        ],
        "fields": [
            {
                "name": field.name,
                "label": field.label,
                "type": field.type.value if field.type else None,
                "options": list(field.options),
                "writable": field.writable,
            }
            for field in account.fields
        ],
        "users": len(account.users),
        "capabilities": {
            "kinds": sorted(kind.value for kind in can.kinds),
            "actions": sorted(action.value for action in can.actions),
            "external_key": can.external_key,
            "history": can.history,
            "tombstones": can.tombstones,
        },
    }
    return Reply(result=result, lines=list(_lines(name, account, can)))


def _lines(name: str, account: Description, can: Capabilities) -> Iterator[Line]:
    version = f", API {account.api_version}" if account.api_version else ""
    yield [strong(name), f": {account.account}{version}"]
    yield f"{plural(len(account.users), 'user')}; amounts in {', '.join(account.currencies) or 'one currency'}"
    yield f"can: {', '.join(sorted(can.actions))}; history {_yes(can.history)}, deletions {_yes(can.tombstones)}"
    yield f"external key: {account.key_field.name if account.key_field else 'no field for it in this account'}"
    for pipeline in account.pipelines:
        yield ""
        yield [strong(f"pipeline {pipeline.id}"), f"  {pipeline.label}"]
        yield from table([[s.id, s.status.value, s.label] for s in pipeline.stages], indent=2)
    yield ""
    yield strong("fields")
    rows = [[f.name, f.type.value if f.type else "not read", f.label] for f in account.fields]
    yield from table(rows, indent=2)


def _yes(can: bool) -> str:  # noqa: FBT001  one word for one answer
    return "yes" if can else "no"
