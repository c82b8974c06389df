"""Plans that somebody saves and applies later: whole or in part, once or twice, whatever went on meanwhile."""

from __future__ import annotations

import random
from typing import NamedTuple, Protocol

from crmbridge.model.changes import Plan
from crmbridge.services.apply.choosing import ALL, Choice

OFTEN = 0.03  # in how many plays plans are saved
OFTEN_ON_FAKES = 0.1  # the same on CRMs in memory


class Saved(NamedTuple):
    """A plan that was saved, and the number of the last edit that it could know of."""

    plan: Plan
    began: int


class Stage(Protocol):
    """A play in which plans are saved."""

    def act(self) -> None:
        """Do one thing that a person would do in a CRM."""

    def disturb(self) -> None:
        """Prepare what goes wrong in the next run."""

    def run(self) -> Plan | None:
        """Run one cycle."""

    def save_plan(self) -> Saved | None:
        """Make a plan and write nothing; no plan when that was killed."""

    def apply_saved(self, saved: Saved, choice: Choice) -> None:
        """Apply a plan that was saved, or what is chosen of it."""


class Saving:
    """Who saves plans, and when they are applied. The rest of a history does not depend on it."""

    def __init__(self, seed: int, often: float = OFTEN) -> None:
        self.rng = random.Random(f"saving {seed}")  # noqa: S311  a seeded play, not a secret
        self.is_played = self.rng.random() < often
        self._saved: list[Saved] = []

    def go_on(self, play: Stage) -> None:
        """Save plans and apply them, while people and other runs go on."""
        for _ in range(self.rng.randint(2, 5)):
            for _ in range(self.rng.choice((0, 1, 1, 2))):
                play.act()
            play.disturb()
            drawn = self.rng.random()
            if not self._saved or drawn < 0.3:
                saved = play.save_plan()
                self._saved += [saved] if saved is not None and saved.plan.changes else []
            elif drawn < 0.7:
                saved = self.rng.choice(self._saved)
                play.apply_saved(saved, self._choice(saved.plan))
            else:
                play.run()

    def apply_all(self, play: Stage) -> None:
        """Apply everything once more: whoever finds an old file can do no harm with it."""
        for saved in self._saved:
            play.apply_saved(saved, ALL)

    def _choice(self, plan: Plan) -> Choice:
        """Choose all of a plan, or a part by one of the words that name changes."""
        change = self.rng.choice(plan.changes)
        words = [change.connection, str(change.action), change.id, *filter(None, [change.link])]
        return ALL if self.rng.random() < 0.5 else Choice(select=(self.rng.choice(words),))
