"""Another run beside one that is at work: it is turned away, or takes over what was left too long."""

from __future__ import annotations

import contextlib
import random
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from msgspec import Struct

from crmbridge.errors import LockedError
from crmbridge.ports import Clock
from crmbridge.services.runs.cycle import LEASE
from crmbridge.testing.simulation.fuse import Fuse, burning_at_commits
from crmbridge.testing.simulation.process import Process
from crmbridge.testing.simulation.state import Watch

if TYPE_CHECKING:
    from crmbridge.testing.simulation.play import Play

OFTEN = 0.12  # in how many plays runs meet
KILLED = 0.3  # how many of those that take over are killed
MEETS, SLEPT, WRONG_CLOCK = "meets", "slept", "wrong clock"
LATE = LEASE + timedelta(minutes=1)  # when nobody holds any more what was held at first
MOST = 30  # requests before the other run begins


class _Ahead(Struct, frozen=True):
    """A clock that is ahead of the right one."""

    clock: Clock
    by: timedelta

    def now(self) -> datetime:
        """Give the time, as this clock has it."""
        return self.clock.now() + self.by

    def sleep(self, seconds: float) -> None:
        """Let time pass."""
        self.clock.sleep(seconds)


class Beside:
    """Lets another run begin at one of the requests of a run.

    While the first one is alive, the other is turned away. It takes over from one whose machine slept, and whoever has
    a wrong clock takes over from one that is at work. Then the first one neither writes nor saves anything more.
    """

    def __init__(self, play: Play, rng: random.Random) -> None:
        self._play = play
        self._rng = rng
        self._is_played = rng.random() < OFTEN
        self._left: int | None = None  # requests of the first run until the other begins
        self._way = ""
        self._watch: Watch | None = None
        self._watching = contextlib.ExitStack()
        self._saved: object = None

    def prepare(self) -> None:
        """Let another run begin in the next one, perhaps."""
        if self._is_played and self._rng.random() < 0.5:
            self._left = self._rng.randint(0, MOST)
            self._way = self._rng.choice((MEETS, SLEPT, WRONG_CLOCK))

    def asked(self, *, writes: bool) -> None:
        """Let the other run begin, if this request is the one; whoever was outdone must not send one that writes."""
        if writes:
            outdone = self._play.process.was_outdone
            assert not outdone, "P5: a run goes on writing that another one had taken over from"
        else:
            self._pass()

    def answered(self) -> None:
        """Let the other run begin after a request that writes, before whatever follows it."""
        self._pass()

    def _pass(self) -> None:
        if self._left is None:
            return
        self._left -= 1
        if self._left < 0:
            self._left = None
            with contextlib.ExitStack() as accounts:
                for account in self._play.scene.accounts.values():
                    accounts.enter_context(account.counting_others())
                if self._way == MEETS:
                    self._meet()
                else:
                    self._take_over()

    def judge(self) -> None:
        """Check the first run when it is over: once it was outdone it saved nothing more, and it says so."""
        self._left = None
        if self._watch is None:
            return
        with self._watching:
            is_changed = self._watch.seen() != self._saved
        self._watch = None
        process = self._play.process
        assert not is_changed, "P5: a run went on saving that another one had taken over from"
        assert process.was_killed or process.was_locked_out, "P5: a run does not say that another one took over"

    def _meet(self) -> None:
        play, now = self._play, self._play.scene.clock.now()
        if play.process.workspace is not None:  # as a thread does that each run has for as long as it lives
            play.process.workspace.store.runs.renew(now)
        with play.scene.state.beside() as state, burning_at_commits(Fuse()):
            try:
                with state.runs.lease("another run", now, LEASE):
                    raise AssertionError("P5: two runs hold the state at once")
            except LockedError as error:
                play.diary.note("another run", f"finds the state locked: {error.message}")

    def _take_over(self) -> None:
        play, first = self._play, self._play.process
        clock: Clock = play.scene.clock
        if self._way == SLEPT:
            play.scene.clock.advance(LATE)
        else:
            clock = _Ahead(clock, LATE)
        play.diary.note("another run", f"takes over ({self._way})")
        with play.scene.state.beside() as state:
            play.process = other = Process(clock, state)
            if self._way == SLEPT and self._rng.random() < KILLED:  # by a wrong clock, its hold would last for long
                other.fuse.light(self._rng.randint(0, MOST))
            try:
                play.run_at_once()
            finally:
                other.end()
                play.process = first
        assert not other.was_locked_out, "P5: a hold on the state lasts longer than it may"
        if other.has_held:  # else it was killed before
            first.was_outdone = True
            self._watch = self._watching.enter_context(play.scene.state.watch())
            self._saved = self._watch.seen()
