"""Processes whose exit rules are exported to Salesforce, the account that they are for, and deals as it saves them."""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree as ET

from crmbridge.model.process import Process
from crmbridge.model.values import FieldType
from crmbridge.ports import Description, FieldBinding, GuardRequest, Guards, NativeField
from crmbridge.testing.factories import (
    NOON,
    make_process,
    make_settings,
    make_stage,
)

from .formula_reader import Cell, Save

SPACE = "{http://soap.sforce.com/2006/04/metadata}"
ORDER = ("qualification", "proposal", "closing", "care")
TODAY = NOON.date()
# Field of the process -> its type there, and the column that holds it: type in the account, kind, percentage.
COLUMNS: dict[str, tuple[FieldType, FieldType, str, bool]] = {
    "text": (FieldType.TEXT, FieldType.TEXT, "text", False),
    "number": (FieldType.NUMBER, FieldType.NUMBER, "number", False),
    "share": (FieldType.NUMBER, FieldType.NUMBER, "number", True),
    "amount": (FieldType.MONEY, FieldType.MONEY, "number", False),
    "day": (FieldType.DATE, FieldType.DATE, "date", False),
    "ticked": (FieldType.BOOL, FieldType.BOOL, "checkbox", False),
    "answer": (FieldType.BOOL, FieldType.BOOL, "picklist", False),
    "said": (FieldType.BOOL, FieldType.TEXT, "text", False),
    "choice": (FieldType.CHOICE, FieldType.CHOICE, "picklist", False),
    "choices": (FieldType.CHOICES, FieldType.CHOICES, "multipicklist", False),
    "listed": (FieldType.TEXT, FieldType.CHOICE, "picklist", False),
    "person": (FieldType.USER, FieldType.USER, "reference", False),
}


def native(name: str) -> str:
    """Name the column of a field."""
    return "Amount" if name == "amount" else f"{name}__c"


def make_account(**more: Any) -> Description:
    """Describe an account that has all columns."""
    fields = tuple(
        NativeField(
            name=native(name),
            label=name.title(),
            type=stored,
            options=("Yes", "No") if kind == "picklist" else (),
            percent=percent,
        )
        for name, (_, stored, kind, percent) in COLUMNS.items()
    )
    return Description(**{"account": "Acme", "pipelines": (), "fields": fields, "users": (), **more})


def make_request(process: Process, **overrides: Any) -> GuardRequest:
    """Make a request for a process whose stages are those of the factories' settings."""
    usual: dict[str, Any] = {
        "connection": "north",
        "process": process,
        "stages": make_settings().stages["north"].map,
        "pipeline": "default",
        "fields": tuple(
            FieldBinding(name=name, native=native(name), type=meant) for name, (meant, *_) in COLUMNS.items()
        ),
        "account": make_account(),
    }
    return GuardRequest(**{**usual, **overrides})


def make_guarded(*rules: dict[str, Any], stage: str = "qualification", **more: Any) -> Process:
    """Make the usual process with these exit rules on one stage."""
    stages = [make_stage(name, exit=list(rules) if name == stage else []) for name in ORDER[:3]]
    fields = [{"id": name, "name": name.title(), "type": meant.value} for name, (meant, *_) in COLUMNS.items()]
    known = [field for field in fields if field["id"] != "amount"]
    care = make_stage("care", status="won")
    return make_process(**{"stages": [*stages, care], "fields": known, **more})


def read_xml(text: str) -> ET.Element:
    """Read what the export wrote."""
    return ET.fromstring(text)  # noqa: S314  the text is ours


def formulas(found: Guards) -> dict[str, str]:
    """Give the formulas of an export by what they are about."""
    if "objects/Opportunity.object" not in found.files:
        return {}
    root = read_xml(found.files["objects/Opportunity.object"])
    about = [item.findtext(f"{SPACE}description", "") for item in root]
    said = [item.findtext(f"{SPACE}errorConditionFormula", "") for item in root]
    return dict(zip((text.removeprefix("crmbridge: ") for text in about), said, strict=True))


def as_saved(deal: dict[str, Any], before: str, after: str, **more: Any) -> Save:
    """Give what a validation rule sees; a formula counts a percentage in hundredths."""
    cells = {
        native(name): Cell(kind, raw / 100 if percent and raw is not None else raw)
        for name, raw in deal.items()
        for _, _, kind, percent in [COLUMNS[name]]
    }
    stages = [{"StageName": Cell("picklist", stage)} for stage in (before, after)]
    return Save({**cells, **stages[0]}, {**cells, **stages[1]}, today=TODAY, **more)
