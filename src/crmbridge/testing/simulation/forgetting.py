"""Days that pass in a play, so that CRMs tell nothing more of what was deleted before."""

from __future__ import annotations

import random
from collections.abc import Mapping
from datetime import timedelta

from crmbridge.model.records import Kind
from crmbridge.sandbox import VirtualClock
from crmbridge.testing.fake_crm import FakeCrm
from crmbridge.testing.simulation.accounts import Account
from crmbridge.testing.simulation.people import People
from crmbridge.testing.simulation.witness import Witness

OFTEN = 0.03  # in how many plays nobody looks for so long
OFTEN_ON_FAKES = 0.15  # in how many plays CRMs in memory forget
SPANS = (0.3, 0.85, 0.95, 1.05, 1.05, 1.5, 2.5)  # of the time for which a CRM tells of a deletion
ALONE = {"companies": "off", "contacts": "off"}
POLICIES = ("never", "archive", "archive", "unlink")


class Forgetting:
    """Who deletes deals, and stays away until the CRMs forget it. The rest of a history does not depend on it."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(f"forgetting {seed}")  # noqa: S311  a seeded play, not a secret
        self.is_played = self.rng.random() < OFTEN

    def pass_days(self, people: People, seen: Witness, accounts: Mapping[str, Account], clock: VirtualClock) -> None:
        """Delete a deal or two, and let days pass: about as many as one of the CRMs tells of it."""
        for _ in range(self.rng.choice((0, 1, 1, 1, 2))):
            deals = sorted(seen.deals())
            linked = [ref for ref in deals if len(seen.linked(ref)) > 1]
            if deals:
                people.delete(self.rng.choice(linked or deals))
        told_for = [account.capabilities.forgets[Kind.DEAL] for account in accounts.values()]
        clock.advance(self.rng.choice(told_for) * self.rng.choice(SPANS))


class ForgetfulFakes:
    """CRMs in memory that forget, and who deletes deals there and lets days pass. Other histories stay as they are."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(f"forgetting {seed}")  # noqa: S311  a seeded play, not a secret
        self.is_played = self.rng.random() < OFTEN_ON_FAKES
        self._crms: Mapping[str, FakeCrm] = {}

    def entry(self) -> dict[str, str]:
        """Draw what the settings say of deletions; what hangs on deals is left alone, as in all plays."""
        return {"delete": self.rng.choice(POLICIES), **ALONE} if self.is_played else {}

    def begin(self, crms: Mapping[str, FakeCrm]) -> None:
        """Let some of the CRMs forget, each after a time of its own; all take away what is to be archived."""
        self._crms = crms
        for crm in crms.values() if self.is_played else ():
            crm.able = True
            crm.forgets = timedelta(days=self.rng.choice((1, 3, 15))) if self.rng.random() < 0.8 else None

    def pass_days(self, seen: Witness, clock: VirtualClock) -> None:
        """Let somebody delete a deal, or bring one back, and days pass, in some plays."""
        spans = [crm.forgets for crm in self._crms.values() if crm.forgets is not None] if self.is_played else []
        if not spans or self.rng.random() < 0.5:
            return
        for _ in range(self.rng.choice((0, 1, 1, 2))):
            self._delete(seen)
        clock.advance(self.rng.choice(spans) * self.rng.choice(SPANS))
        if self.rng.random() < 0.2:
            self._bring_back(seen)

    def _delete(self, seen: Witness) -> None:
        deals = sorted(seen.deals())
        linked = [ref for ref in deals if len(seen.linked(ref)) > 1]
        if deals:
            ref = self.rng.choice(linked or deals)
            seen.deleted(ref)
            self._crms[ref.connection].delete_deal(ref.id)

    def _bring_back(self, seen: Witness) -> None:
        gone = sorted(ref for crm in self._crms.values() for ref in crm.bin if ref.kind is Kind.DEAL)
        if gone:
            ref = self.rng.choice(gone)
            self._crms[ref.connection].restore_deal(ref.id)
            seen.brought_back(ref)
