"""Holding: which deals the process holds up, by which rules, and which of their clocks runs out first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from itertools import groupby
from typing import NamedTuple

from msgspec import Struct

from crmbridge.engine.text import plain
from crmbridge.model.findings import Finding, Place, Severity, SlaClock
from crmbridge.model.lives import RANK
from crmbridge.model.records import Kind, Record, Ref, Status
from crmbridge.model.values import Money
from crmbridge.ports import FindingQuery, StoredFinding
from crmbridge.services.chunks import chunks
from crmbridge.services.workspace import Workspace

OPEN = FindingQuery(states=frozenset({"open"}))
NEVER = datetime.max.replace(tzinfo=UTC)  # where clocks that stand still are sorted


class Hold(NamedTuple):
    """One rule or SLA that holds a deal up, and since when."""

    finding: Finding
    since: datetime

    @property
    def rule(self) -> str:
        """Give the rule's id."""
        return self.finding.rule

    @property
    def severity(self) -> Severity:
        """Say how grave it is."""
        return self.finding.severity


class HeldDeal(Struct, frozen=True, kw_only=True):
    """A deal with open findings that nobody waived. `due_at` is when the first of its running clocks runs out."""

    deal: Ref
    name: str
    owner: str  # a name or e-mail as it is shown; empty when it has none, or nobody knows who that is
    place: Place
    amount: Money | None
    holds: tuple[Hold, ...]  # the gravest first
    due_at: datetime | None = None
    paused: bool = False  # its clocks stand still

    @property
    def severity(self) -> Severity:
        """Give the gravest of what holds it."""
        return self.holds[0].severity

    @property
    def is_open(self) -> bool:
        """Tell whether it is neither won nor lost."""
        return self.place.status is Status.OPEN

    def left(self, now: datetime) -> float | None:
        """Give the seconds until its first clock runs out, negative after that; None where no clock runs."""
        return (self.due_at - now).total_seconds() if self.due_at else None


class HeldQuery(Struct, frozen=True, kw_only=True):
    """Which held deals are looked for; what is not said lets all through. `rule` is the id of one."""

    status: str = "open"  # open, closed, or all
    name: str = ""  # a part of it
    owner: str | None = None  # as it is shown; "" are those without one
    stage: str | None = None  # "" are those in none
    rule: str | None = None
    due_from: datetime | None = None  # when the first of their clocks runs out
    due_before: datetime | None = None

    def fits(self, one: HeldDeal) -> bool:
        """Tell whether a deal is looked for."""
        return (
            (self.status == "all" or one.is_open == (self.status == "open"))
            and (self.owner is None or one.owner == self.owner)
            and (self.stage is None or (one.place.stage or "") == self.stage)
            and (self.rule is None or any(hold.rule == self.rule for hold in one.holds))
            and self.name.casefold() in one.name.casefold()
            and self._in_time(one.due_at)
        )

    def _in_time(self, due_at: datetime | None) -> bool:
        if due_at is None:
            return self.due_from is None and self.due_before is None
        return (self.due_from is None or self.due_from <= due_at) and (
            self.due_before is None or due_at < self.due_before
        )


def held_deals(workspace: Workspace) -> tuple[HeldDeal, ...]:
    """Give all deals that are held, those first whose time runs out first, then the gravest, then by ref.

    Linked deals stand once, as they are evaluated once. Of the findings those are left out whose deal is gone.
    """
    users = _users(workspace)
    found = sorted(workspace.store.findings.search(OPEN), key=lambda one: one.finding.deal)
    groups = [list(together) for _, together in groupby(found, key=lambda one: one.finding.deal)]
    held = [one for part in chunks(groups) for one in _held(workspace, part, users)]
    return tuple(sorted(held, key=lambda one: (one.due_at or NEVER, -RANK[one.severity], one.deal)))


def by_rule(held: Iterable[HeldDeal]) -> list[tuple[str, int]]:
    """Count the deals that each rule holds, the most first."""
    counts = Counter(rule for one in held for rule in {hold.rule for hold in one.holds})
    return sorted(counts.items(), key=lambda each: (-each[1], each[0]))


def _users(workspace: Workspace) -> dict[Ref, str]:
    return {
        user.ref: plain(str(user.fields.get("name") or user.fields.get("email") or ""))
        for name in workspace.connections
        for user in workspace.store.records.records(name, Kind.USER)
    }


def _held(workspace: Workspace, groups: Iterable[list[StoredFinding]], users: Mapping[Ref, str]) -> Iterator[HeldDeal]:
    by_deal = {group[0].finding.deal: group for group in groups}
    deals = workspace.store.records.get(by_deal.keys())
    clocks = workspace.store.findings.clocks_of(by_deal.keys())
    for ref, group in by_deal.items():
        if ref in deals and ref.connection in workspace.connections:
            yield _held_deal(workspace, deals[ref], group, clocks.get(ref, ()), users)


def _held_deal(
    workspace: Workspace,
    deal: Record,
    group: Iterable[StoredFinding],
    clocks: Iterable[SlaClock],
    users: Mapping[Ref, str],
) -> HeldDeal:
    running = [clock for clock in clocks if clock.running]
    amount = deal.fields.get("amount")
    owner = Ref(deal.ref.connection, Kind.USER, str(deal.fields.get("owner") or ""))
    return HeldDeal(
        deal=deal.ref,
        name=str(deal.fields.get("name") or ""),
        owner=users.get(owner, ""),
        place=workspace.mapper(deal.ref.connection).place(deal.position),
        amount=amount if isinstance(amount, Money) else None,
        holds=tuple(sorted((Hold(one.finding, one.opened_at) for one in group), key=_gravest)),
        due_at=min((clock.due_at for clock in running if clock.due_at), default=None),
        paused=bool(running) and all(clock.paused_since for clock in running),
    )


def _gravest(hold: Hold) -> tuple[int, datetime, str]:
    return -RANK[hold.severity], hold.since, hold.rule
