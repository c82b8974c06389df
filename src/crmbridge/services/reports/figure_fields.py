"""The fields of a CRM that reports write their figures to: what the settings say of them, and which are missing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from crmbridge.errors import ConfigurationError
from crmbridge.model.records import Kind
from crmbridge.model.values import FieldType
from crmbridge.ports import Adapter, FieldWish
from crmbridge.services.workspace import Workspace
from crmbridge.sink_settings import CrmEntry


def holds_figures(adapter: Adapter, entry: CrmEntry) -> None:
    """Raise ConfigurationError where a CRM has no fields of one's own on such a record."""
    if entry.kind in adapter.capabilities.figures:
        return
    able = ", ".join(sorted(adapter.capabilities.figures))
    also = f"Write them to a {able} instead" if able else "Write a note instead, without `fields`"
    what = {Kind.USER: "users", Kind.COMPANY: "companies"}[entry.kind]
    raise ConfigurationError(f"{entry.connection} can't keep figures on its {what}.", advice=f"{also}.")


def wanted_figures(workspace: Workspace, connection: str) -> Iterator[FieldWish]:
    """Give the fields that the reports write to and the account lacks; what is wrong in them is told by the report."""
    adapter = workspace.adapter(connection)
    for wish in {wish.key: wish for wish in _wishes(workspace, connection)}.values():
        if wish.on in adapter.capabilities.figures and adapter.find(Kind.FIELD, wish.key, None) is None:
            yield wish


def writes_figures(workspace: Workspace, connection: str) -> bool:
    """Tell whether a report writes figures into fields of a connection's records."""
    return any(True for _ in _wishes(workspace, connection))


def _wishes(workspace: Workspace, connection: str) -> Iterator[FieldWish]:
    for report in workspace.project.settings.reports:
        for value in (sink.get("crm") for sink in report.sinks):
            if isinstance(value, Mapping) and value.get("connection") == connection:
                yield from _wishes_of(report.name, value)


def _wishes_of(report: str, value: Mapping[str, Any]) -> Iterator[FieldWish]:
    fields = value.get("fields")
    on = Kind.USER if "user" in value else Kind.COMPANY
    for figure, native in fields.items() if isinstance(fields, Mapping) else ():
        if isinstance(native, str):
            label = figure.replace("_", " ").capitalize()
            why = f"holds {figure} of the report {report}"
            yield FieldWish(name=native, label=label, type=FieldType.NUMBER, why=why, on=on)
