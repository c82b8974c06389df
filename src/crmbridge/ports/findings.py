"""What the engine needs of a state store for findings: their life, what was accepted, and looking for them."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from datetime import datetime
from typing import Literal, NamedTuple, Protocol

from msgspec import Struct

from crmbridge.model.findings import Evaluation, Finding, Severity, SlaClock, Visit, Waiver
from crmbridge.model.lives import FindingEvent, Known
from crmbridge.model.records import Ref


class StoredFinding(NamedTuple):
    """A finding and its life so far."""

    finding: Finding
    opened_at: datetime
    cleared_at: datetime | None


State = Literal["open", "waived", "cleared"]


class FindingQuery(Struct, frozen=True, kw_only=True):
    """Which findings are looked for; what is not said lets all through.

    `states` are those they may be in, `rule` may hold `*` and `?`, `severity` is the least one, `opened_before` the
    newest opening, `id_begins` the start of the id. `skip` of them are left out, and no more than `limit` are given.
    """

    states: frozenset[State] = frozenset({"open", "waived"})
    connection: str | None = None
    stage: str | None = None
    rule: str | None = None
    severity: Severity | None = None
    opened_before: datetime | None = None
    id_begins: str | None = None
    skip: int = 0
    limit: int | None = None


class FindingStore(Protocol):
    """What evaluating said."""

    def save(self, evaluations: Sequence[Evaluation], at: datetime) -> None:
        """Replace what is known of these deals: their visits, SLA clocks and findings.

        New findings are opened, known ones keep their opening time, ones that no longer hold are cleared. What happens
        to a finding is noted once (`crmbridge.model.lives`).
        """
        ...

    def known(self, deals: Collection[Ref]) -> dict[Ref, tuple[Known, ...]]:
        """Give all findings that these deals have or had, ordered by id; deals without any are left out."""
        ...

    def search(self, query: FindingQuery) -> Iterator[StoredFinding]:
        """Give the findings looked for: the gravest, found first and wrong for longest come first; then by id."""
        ...

    def total(self, query: FindingQuery) -> int:
        """Count the findings looked for, whatever the query skips and limits."""
        ...

    def deals(self, query: FindingQuery) -> int:
        """Count the open deals that have such findings, whatever the query skips and limits."""
        ...

    def events(self, deal: Ref, rule: str) -> tuple[FindingEvent, ...]:
        """Give what happened to the findings of one rule on one deal, in the order it happened."""
        ...

    def open_deals(self) -> int:
        """Count the deals that were evaluated and are open."""
        ...

    def forget(self, deals: Collection[Ref], at: datetime) -> None:
        """Clear the findings of these deals, and drop their visits and clocks."""
        ...

    def due(self, now: datetime) -> tuple[Ref, ...]:
        """Give the deals whose evaluation was good until now or earlier, ordered."""
        ...

    def counts(self) -> dict[Severity, int]:
        """Count the open findings by severity; waived ones are left out."""
        ...

    def findings(self, *, cleared: bool = False) -> tuple[StoredFinding, ...]:
        """Give the open findings, with the cleared ones too if asked, oldest first."""
        ...

    def visits(self) -> Iterator[Visit]:
        """Give all visits."""
        ...

    def clocks(self) -> Iterator[SlaClock]:
        """Give all SLA clocks."""
        ...

    def clocks_of(self, deals: Collection[Ref]) -> dict[Ref, tuple[SlaClock, ...]]:
        """Give the SLA clocks of these deals, in the order of their visits; deals without any are left out."""
        ...


class WaiverStore(Protocol):
    """What was accepted, and by whom. One that ran out stays until another takes its place."""

    def put(self, waiver: Waiver) -> None:
        """Keep a waiver in the place of the one that the deal's rule had, which is of the past from `waiver.at` on.

        Findings of it that are open are waived from `waiver.at` on, and the deal falls due at once.
        """
        ...

    def drop(self, deal: Ref, rule: str, at: datetime, by: str) -> bool:
        """Take back a waiver, which is of the past from then on, and tell whether there was one.

        Findings of it are open again, and the deal falls due.
        """
        ...

    def all(self) -> tuple[Waiver, ...]:
        """Give all waivers, ordered by deal and rule."""
        ...

    def at(self, moment: datetime) -> tuple[Waiver, ...]:
        """Give all waivers as they were at a moment, ordered by deal and rule: also those that are of the past now."""
        ...
