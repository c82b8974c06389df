"""What is said of a finding in a task, a note or a notice: in English, or in the language that the settings name."""

from __future__ import annotations

from datetime import datetime
from typing import Final, Protocol

from crmbridge.model.findings import Finding, FindingKind
from crmbridge.model.values import show


class Voice(Protocol):
    """Says of a finding what people read of it where they work."""

    @property
    def language(self) -> str:
        """The language that it speaks."""
        ...

    def finding(self, finding: Finding) -> str:
        """Say what does not hold."""
        ...

    def label(self, kind: FindingKind) -> str:
        """Name a kind of finding, as a title begins."""
        ...

    def advice(self, kind: FindingKind) -> str:
        """Say what to do about a kind of finding."""
        ...

    def line(self, name: str, **values: str) -> str:
        """Say one of the LINES, with its values filled in."""
        ...

    def at(self, moment: datetime) -> str:
        """Write a moment."""
        ...


LABELS = {
    FindingKind.EXIT_RULE: "Exit rule not met",
    FindingKind.ENTRY_RULE: "Entry rule not met",
    FindingKind.SLA_AT_RISK: "SLA at risk",
    FindingKind.SLA_BREACHED: "SLA breached",
    FindingKind.ILLEGAL_MOVE: "Move not allowed",
    FindingKind.UNREADABLE: "Value not readable",
    FindingKind.UNDECIDED: "Exit rule not decided",
}
ADVICE = {
    FindingKind.EXIT_RULE: "Complete what the stage asks for, or move the deal back.",
    FindingKind.ENTRY_RULE: "Complete what the stage asks for, or move the deal back.",
    FindingKind.SLA_AT_RISK: "Take the next step now, or move the deal to where it belongs.",
    FindingKind.SLA_BREACHED: "Take the next step now, or move the deal to where it belongs.",
    FindingKind.ILLEGAL_MOVE: "Move the deal to the stage where it belongs.",
    FindingKind.UNREADABLE: "Correct the value.",
    FindingKind.UNDECIDED: "Fill in what is missing, so that the rule can be decided.",
}
LINES = {
    "to_do": "What to do: {advice}",
    "rule": "Rule: {rule} of the process {process}",
    "for_whom": "For: {to}",
    "escalated": "Escalated on {when}, as it was still open.",
    "fill_in": "Fill in: {fields}.",
    "gone": "The deal is gone; the next run clears it.",
    "owner": "the owner of the deal",
}


class _English:
    """Says it as it is stored."""

    language = "en"

    def finding(self, finding: Finding) -> str:
        return finding.message

    def label(self, kind: FindingKind) -> str:
        return LABELS[kind]

    def advice(self, kind: FindingKind) -> str:
        return ADVICE[kind]

    def line(self, name: str, **values: str) -> str:
        return LINES[name].format_map(values)

    def at(self, moment: datetime) -> str:
        return show(moment)


ENGLISH: Final[Voice] = _English()
