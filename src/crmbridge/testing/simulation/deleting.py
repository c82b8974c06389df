"""Deals that people delete though they have counterparts: what few histories would come to by chance."""

from __future__ import annotations

import random
from collections.abc import Mapping

from crmbridge.model.changes import JournalEntry, Outcome
from crmbridge.model.records import Ref
from crmbridge.sandbox import VirtualClock
from crmbridge.testing.simulation.accounts import Account
from crmbridge.testing.simulation.diary import Diary
from crmbridge.testing.simulation.people import EDITED, People
from crmbridge.testing.simulation.witness import Witness

OFTEN = 0.3  # how often somebody deletes a linked deal where others may
CAPPED = 0.9  # the same where a cap is so small that it may hold that back


class Deleting:
    """Somebody who deletes linked deals, now and then, rather those that a run failed to write to.

    What was to get there is an edit, and beats the deletion. The rest of a history does not depend on when they do.
    """

    def __init__(
        self, accounts: Mapping[str, Account], seen: Witness, clock: VirtualClock, diary: Diary, seed: int
    ) -> None:
        self._seen = seen
        self._rng = random.Random(f"deletions {seed}")  # noqa: S311  a seeded play, not a secret
        self._people = People(accounts, seen, clock, self._rng, diary)

    def after(self, run: str, *, edits: float = 0.0) -> None:
        """Delete a deal after this run, or none; `edits` is how often somebody edits a counterpart of it then."""
        if self._rng.random() >= (CAPPED if self._seen.entry.delete_cap.percent == 0 else OFTEN):
            return
        deals = self._seen.deals()
        linked = sorted({ref for refs in self._seen.links().values() if len(refs) > 1 for ref in refs if ref in deals})
        failed = self._failed(run)
        if not linked:
            return
        gone = self._rng.choice([ref for ref in linked if ref in failed] or linked)
        self._people.delete(gone)
        left = [ref for ref in self._seen.linked(gone) if ref in deals and ref != gone]
        if edits and left and self._rng.random() < edits:
            self._people.edit(self._rng.choice(left), self._rng.choice(EDITED))

    def _failed(self, run: str) -> set[Ref | None]:
        """Give the deals to which a run wrote something that is not known to have arrived."""
        last: dict[str, JournalEntry] = {entry.change.id: entry for entry in self._seen.journal.entries(run)}
        return {entry.change.target for entry in last.values() if entry.outcome is not Outcome.APPLIED}
