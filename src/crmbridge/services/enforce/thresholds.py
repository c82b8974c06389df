"""Thresholds: how many open findings are too many, and which of the settings' limits were reached."""

from __future__ import annotations

from typing import Literal, NamedTuple

from crmbridge.ports import FindingQuery
from crmbridge.services.workspace import Workspace
from crmbridge.settings import Amount, Threshold


class Crossed(NamedTuple):
    """A threshold that was reached: which limit of it, and what was found."""

    threshold: Threshold
    limit: Literal["warn_if", "error_if"]
    findings: int
    deals: int  # that have such a finding
    open_deals: int

    @property
    def amount(self) -> Amount:
        """The limit itself."""
        amount: Amount = getattr(self.threshold, self.limit)
        return amount

    @property
    def in_words(self) -> str:
        """Say what was found and which limit it reaches."""
        amount = self.amount
        what, limit = f"{self.deals:,} of {self.open_deals:,} open deals", f"{amount.percent} %"
        if amount.count is not None:
            what, limit = f"{self.findings:,} open finding{'' if self.findings == 1 else 's'}", f"{amount.count:,}"
        grave = "" if self.threshold.severity == "info" else f" ({self.threshold.severity} or graver)"
        return f"{self.threshold.rule}{grave}: {what}, {self.limit} says {limit}"


def crossed(workspace: Workspace) -> tuple[Crossed, ...]:
    """Give the thresholds that are reached now, each by its graver limit. Waived findings don't count."""
    return tuple(found for threshold in workspace.project.settings.thresholds if (found := _look(workspace, threshold)))


def _look(workspace: Workspace, threshold: Threshold) -> Crossed | None:
    store = workspace.store.findings
    query = FindingQuery(states=frozenset({"open"}), rule=threshold.rule, severity=threshold.severity)
    counts = (store.total(query), store.deals(query), store.open_deals())
    if threshold.error_if and _reaches(threshold.error_if, *counts):
        return Crossed(threshold, "error_if", *counts)
    if threshold.warn_if and _reaches(threshold.warn_if, *counts):
        return Crossed(threshold, "warn_if", *counts)
    return None


def _reaches(amount: Amount, findings: int, deals: int, open_deals: int) -> bool:
    if amount.count is not None:
        return findings >= amount.count
    return bool(deals) and deals * 100 >= (amount.percent or 0) * open_deals
