"""What applying a plan did; apart from how it is done, as runs that only pull have done none of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from msgspec import Struct, field

from crmbridge.errors import CrmbridgeError
from crmbridge.model.changes import Change, Outcome, Receipt


class Applied(Struct, frozen=True, kw_only=True):
    """What applying a plan did: each change that was tried, with its receipt.

    With errors, by connection, the rest of that connection's changes were not tried; a new plan has them again.
    """

    done: tuple[tuple[Change, Receipt], ...]
    errors: Mapping[str, CrmbridgeError] = field(default_factory=dict)
    vetoed: frozenset[str] = frozenset()  # the changes that a plugin said no to

    def count(self, outcome: Outcome) -> int:
        """Count the changes that ended this way."""
        return sum(receipt.outcome is outcome for _, receipt in self.done)

    @property
    def counts(self) -> dict[str, int]:
        """Count the changes by outcome, the ones that happened only."""
        return dict(sorted(Counter(str(receipt.outcome) for _, receipt in self.done).items()))
