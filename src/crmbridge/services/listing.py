"""List the findings with their deals and owners, filtered the way people ask for them."""

from __future__ import annotations

import fnmatch
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from crmbridge.model.findings import Finding, Severity
from crmbridge.model.records import Kind, Record, Ref
from crmbridge.services.workspace import Workspace

RANK = {Severity.ERROR: 0, Severity.WARNING: 1, Severity.INFO: 2}


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedFinding:
    """An open finding with what people call its deal and its deal's owner."""

    finding: Finding
    opened_at: datetime
    deal: str
    owner: str  # e-mail or name; empty when the deal has none


@dataclass(frozen=True, slots=True, kw_only=True)
class FindingFilter:
    """Which findings are wanted; what is not said lets all through.

    `owner` is a part of an owner's e-mail or name, `rule` may hold `*`, `severity` is the least one.
    """

    owner: str | None = None
    stage: str | None = None
    rule: str | None = None
    severity: Severity | None = None

    def wants(self, one: ListedFinding, owner: str) -> bool:
        """Tell whether a finding passes; `owner` is everything that the owner is called."""
        finding = one.finding
        return (
            (self.owner is None or self.owner.casefold() in owner.casefold())
            and self.stage in {None, finding.stage}
            and (self.rule is None or fnmatch.fnmatchcase(finding.rule, self.rule))
            and (self.severity is None or RANK[finding.severity] <= RANK[self.severity])
        )


def list_findings(workspace: Workspace, wanted: FindingFilter) -> tuple[ListedFinding, ...]:
    """Give the open findings that are wanted: the gravest first, then the oldest."""
    stored = workspace.store.findings.findings()
    deals = workspace.store.records.get([s.finding.deal for s in stored])
    users = {
        user.ref: user for name in workspace.connections for user in workspace.store.records.records(name, Kind.USER)
    }
    found = []
    for finding, opened_at, _ in stored:
        user = _owner(deals.get(finding.deal), users)
        shown, called = _called(user)
        deal = deals.get(finding.deal)
        name = str(deal.fields.get("name") or "") if deal else ""
        one = ListedFinding(finding=finding, opened_at=opened_at, deal=name, owner=shown)
        if wanted.wants(one, called):
            found.append(one)
    return tuple(sorted(found, key=lambda one: (RANK[one.finding.severity], one.opened_at, one.finding.id)))


def _owner(deal: Record | None, users: Mapping[Ref, Record]) -> Record | None:
    if deal is None or not deal.fields.get("owner"):
        return None
    return users.get(Ref(deal.ref.connection, Kind.USER, str(deal.fields["owner"])))


def _called(user: Record | None) -> tuple[str, str]:
    """Give what an owner is shown as, and everything that they are called."""
    if user is None:
        return "", ""
    name, email = str(user.fields.get("name") or ""), str(user.fields.get("email") or "")
    return email or name, f"{email} {name}"
