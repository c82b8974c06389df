"""A state that is put back from a backup: what was in step is left alone, and nothing is made a second time."""

from __future__ import annotations

import random
from datetime import timedelta
from typing import TYPE_CHECKING

from crmbridge.engine.views import STAGE
from crmbridge.testing.simulation.people import EDITED, People

if TYPE_CHECKING:
    from crmbridge.testing.simulation.play import Play

OFTEN = 0.04  # in how many plays somebody puts back a backup
RUNS = 2  # after it: the second one reads on from where the first one got to


class Restoring:
    """Who edits and makes deals after a backup. The rest of a history does not depend on it.

    Nobody deletes any: that a deal which was made since had a counterpart once, and lost it, nobody knows afterwards.
    """

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(f"restoring {seed}")  # noqa: S311  a seeded play, not a secret
        self.is_played = self.rng.random() < OFTEN

    def work(self, play: Play) -> None:
        """Let people edit deals and make some."""
        people = People(play.scene.accounts, play.seen, play.scene.clock, self.rng, play.diary)
        for number in range(self.rng.randint(1, 5)):
            deals = sorted(play.seen.deals())
            if deals and self.rng.random() < 0.7:
                people.edit(self.rng.choice(deals), self.rng.choice((*EDITED, STAGE)))
            else:
                account = play.scene.accounts[self.rng.choice(sorted(play.scene.accounts))]
                people.create(account, f"Deal since the backup {play.runs}.{number}")
            play.scene.clock.advance(timedelta(seconds=self.rng.randint(0, 200)))


def judge_put_back(play: Play) -> None:
    """Run on a state that was just put back, while all that it does not know of is in step.

    The oracle is not asked: it knows links by their ids, and one that is found again may have another.
    """
    writes = play.writes
    for _ in range(RUNS):
        cycle = play.run_unjudged()
        planned = cycle.plan.changes if cycle.plan else ()
        assert writes == play.writes, f"P3: a state that was put back writes to CRMs that are in step, {planned}"
        assert () == planned, f"P3: a state that was put back plans {planned}"
        play.scene.clock.advance(timedelta(minutes=15))
    for account in play.scene.accounts.values():
        assert not account.doubled(), f"P2: {', '.join(account.doubled())} is doubled after a state was put back"
