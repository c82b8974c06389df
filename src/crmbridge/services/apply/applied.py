"""What applying a plan did; apart from how it is done, as runs that only pull have done none of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from msgspec import Struct, field

from crmbridge.errors import CrmbridgeError
from crmbridge.model.changes import Change, Origin, Outcome, Receipt

_PLANNED = {Origin.SYNC, Origin.ENFORCE}  # the next plan tells anew whether these still wait
_WAIT = {Outcome.REFUSED, Outcome.UNKNOWN}


class Applied(Struct, frozen=True, kw_only=True):
    """What applying a plan did: each change that was tried, with its receipt.

    With errors, by connection, the rest of that connection's changes were not tried; a new plan has them again.
    """

    done: tuple[tuple[Change, Receipt], ...]
    errors: Mapping[str, CrmbridgeError] = field(default_factory=dict)
    vetoed: frozenset[str] = frozenset()  # the changes that a plugin said no to
    before: frozenset[str] = frozenset()  # the ones that an earlier run wrote: not sent again

    def count(self, outcome: Outcome) -> int:
        """Count the changes that ended this way."""
        return sum(receipt.outcome is outcome for _, receipt in self.done)

    @property
    def planned(self) -> list[tuple[Change, Receipt]]:
        """Give what was done of a plan to keep records in step and to enforce, which plans of later runs go on with."""
        return [(change, receipt) for change, receipt in self.done if change.origin in _PLANNED]

    @property
    def waiting(self) -> list[tuple[Change, Receipt]]:
        """Give of these what was refused, or may not have arrived: it waits for a person, beside what the plan left."""
        return [(change, receipt) for change, receipt in self.planned if receipt.outcome in _WAIT]

    @property
    def counts(self) -> dict[str, int]:
        """Count the changes by outcome, the ones that happened only."""
        return dict(sorted(Counter(str(receipt.outcome) for _, receipt in self.done).items()))
