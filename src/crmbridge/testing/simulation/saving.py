"""Plans that somebody saves and applies later: whole or in part, once or twice, whatever went on meanwhile."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

from crmbridge.model.changes import Plan
from crmbridge.model.replacing import replace
from crmbridge.services.apply.choosing import ALL, Choice, Chosen
from crmbridge.services.runs.cycle import Cycle, run_cycle
from crmbridge.services.runs.planning import Part
from crmbridge.services.runs.running import apply_made
from crmbridge.services.workspace import Workspace
from crmbridge.testing.simulation.oracle import Oracle

OFTEN = 0.03  # in how many plays plans are saved
OFTEN_ON_FAKES = 0.1  # the same on CRMs in memory


class Saved(NamedTuple):
    """A plan that was saved, and the number of the last edit that it could know of."""

    plan: Plan
    began: int


Does = Callable[[Workspace, str], Cycle]  # what a run does


class Stage(Protocol):
    """A play in which plans are saved."""

    oracle: Oracle
    parts: tuple[Part, ...]

    def act(self) -> None:
        """Do one thing that a person would do in a CRM."""

    def disturb(self) -> None:
        """Prepare what goes wrong in the next run."""

    def run(self) -> Plan | None:
        """Run one cycle."""

    def next_run(self) -> str:
        """Name the next run."""

    def attempt(self, name: str, does: Does) -> Cycle | None:
        """Do what a run does, as a new process would; nothing when it did not get to its end."""


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
                self._save(play)
            elif drawn < 0.7:
                saved = self.rng.choice(self._saved)
                _apply(play, saved, self._choice(saved.plan))
            else:
                play.run()

    def apply_all(self, play: Stage) -> None:
        """Apply everything once more: whoever finds an old file can do no harm with it."""
        for saved in self._saved:
            _apply(play, saved, ALL)

    def _save(self, play: Stage) -> None:
        """Make a plan as a run of its own, which writes nothing."""
        name = play.next_run()
        play.oracle.begin(name)
        began = play.oracle.seen.began
        cycle = play.attempt(name, lambda workspace, run: _plan(workspace, run, play.parts))
        play.oracle.end(None)  # what it has seen it has not dealt with
        if cycle is not None and cycle.plan is not None and cycle.plan.changes:
            self._saved.append(Saved(cycle.plan, began))

    def _choice(self, plan: Plan) -> Choice:
        """Choose all of a plan, or a part by one of the words that name changes."""
        change = self.rng.choice(plan.changes)
        words = [change.connection, str(change.action), change.id, *filter(None, [change.link])]
        return ALL if self.rng.random() < 0.5 else Choice(select=(self.rng.choice(words),))


def _plan(workspace: Workspace, run: str, parts: Sequence[Part]) -> Cycle:
    cycle = run_cycle(workspace, run, parts=parts, write=False)
    return replace(cycle, chosen=Chosen(plan=replace(cycle.plan, changes=()))) if cycle.plan else cycle


def _apply(play: Stage, saved: Saved, choice: Choice) -> None:
    """Apply what is chosen of a plan that was saved, as a run of its own."""
    name = play.next_run()
    play.oracle.begin_late(name, saved.began)
    cycle = play.attempt(name, lambda workspace, run: apply_made(workspace, saved.plan, run, choice))
    play.oracle.end(None)
    if cycle is not None:
        play.oracle.check_outcomes()
