"""The fields of a CRM that reports write their figures to: what the settings say of them, and which are missing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Self

from pydantic import Field, model_validator

from crmbridge.errors import ConfigurationError
from crmbridge.model.records import Kind
from crmbridge.model.values import FieldType
from crmbridge.ports import Adapter, FieldWish
from crmbridge.services.gaps import Wanted
from crmbridge.services.workspace import Workspace
from crmbridge.settings import SettingsPart


class CrmEntry(SettingsPart):
    """A report's place in a CRM: a note on a company or deal, or with `fields` figures on a company or user.

    With `rows` it is rows of their own, one for each indicator and period. `fields` has the id of an indicator, or of
    a measure with a figure over all, and the CRM's own field for it.
    """

    connection: str
    company: str | int | None = None  # its domain or its id
    deal: str | int | None = None  # its id
    user: str | int | None = None  # an e-mail or an id
    rows: bool = False
    fields: dict[str, str] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _has_one_place(self) -> Self:
        if sum(place is not None for place in (self.company, self.deal, self.user)) + self.rows != 1:
            raise ValueError("give one of company, deal, user and rows")
        if self.fields and self.rows:
            raise ValueError("`rows` has all indicators, and takes no `fields`")
        if self.fields and self.deal is not None:
            raise ValueError("figures are written to a company or a user; on a deal there is a note only")
        if self.user is not None and not self.fields:
            raise ValueError("`user` needs `fields`: a note hangs on a company or a deal")
        return self

    @property
    def kind(self) -> Kind:
        """What its figures are written to."""
        return Kind.USER if self.user is not None else Kind.COMPANY


def holds_figures(adapter: Adapter, entry: CrmEntry) -> None:
    """Raise ConfigurationError where a CRM has no fields of one's own on such a record."""
    if entry.kind in adapter.capabilities.figures:
        return
    able = ", ".join(sorted(adapter.capabilities.figures))
    also = f"Write them to a {able} instead" if able else "Write a note instead, without `fields`"
    what = {Kind.USER: "users", Kind.COMPANY: "companies"}[entry.kind]
    raise ConfigurationError(f"{entry.connection} can't keep figures on its {what}.", advice=f"{also}.")


def wanted_figures(workspace: Workspace, connection: str) -> Iterator[Wanted]:
    """Give the fields that the reports write to and the account lacks; what is wrong in them is told by the report."""
    adapter = workspace.adapter(connection)
    for wish in {wish.key: wish for wish in _wishes(workspace, connection)}.values():
        if wish.on in adapter.capabilities.figures and adapter.find(Kind.FIELD, wish.key, None) is None:
            yield Wanted(wish=wish)


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
