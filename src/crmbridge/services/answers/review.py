"""What a review says of a process, as values with their definitions: skips, loops, times, idle rules, effects."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from math import sqrt
from types import MappingProxyType

from msgspec import Struct

from crmbridge.indicators.counting import wilson
from crmbridge.model.figures import Interval

FEW = 30  # closed deals on either side, or judgements of a rule, below which nothing is said of them

DEFINITIONS = MappingProxyType(
    {
        "skipped": "Of the times that a deal went forward past the stage, those in which it was never in it.",
        "rework": "A deal left a stage for another one and came straight back; days are those in the other stage.",
        "illegal": "Moves that the process does not allow, judged as of each move; of all moves between stages.",
        "time": "Visits that lasted into this time, in days of 24 hours counted from entering. In a working day at "
        "least one activity was done on the deal; the others are waiting. Deals whose activities are not pulled are "
        "left out.",
        "rules": f"Rules judged at least {FEW} times, as of the move they are about, that never failed or always did.",
        "effects": "Deals that ended in this time: the win rate of those with it and of those without. An activity "
        "of the CRM counts when it was done before the end, one of the process when its outputs are filled in, on "
        "deals that came as far as its stage. With 95 % intervals (Wilson; of the difference, Newcombe). Below "
        f"{FEW} deals on either side there are too few to say. "
        "A difference is no cause: deals that go well also get more attention.",
        "stages": "The same, of the deals that came as far as the stage: those that were in it, and those that "
        "skipped it.",
    }
)


class Says(StrEnum):
    """What a comparison of two win rates comes to."""

    TOO_FEW = "too_few"
    NO_DIFFERENCE = "no_difference"  # the interval of the difference has 0 in it
    MORE = "more"  # deals with it are won more often
    LESS = "less"


class Sample(Struct, frozen=True, kw_only=True):
    """Of how many deals how many were won."""

    won: int
    deals: int

    @property
    def rate(self) -> float | None:
        """Give the win rate; of nothing, there is none."""
        return self.won / self.deals if self.deals else None

    @property
    def interval(self) -> Interval | None:
        """Give its Wilson interval at 95 %."""
        return wilson(self.won, self.deals)


class Effect(Struct, frozen=True, kw_only=True):
    """The win rate of deals with something beside that of deals without it."""

    about: str  # activity, output or stage
    id: str
    name: str
    having: Sample
    lacking: Sample

    @property
    def difference(self) -> Interval | None:
        """Give the interval of how much higher the win rate is with it (Newcombe's hybrid score interval, 95 %)."""
        a, b = self.having, self.lacking
        ia, ib = a.interval, b.interval
        if ia is None or ib is None or a.rate is None or b.rate is None:
            return None
        diff = a.rate - b.rate
        low = diff - sqrt((a.rate - ia.low) ** 2 + (ib.high - b.rate) ** 2)
        high = diff + sqrt((ia.high - a.rate) ** 2 + (b.rate - ib.low) ** 2)
        return Interval(low, high)

    @property
    def says(self) -> Says:
        """Say what it comes to."""
        if min(self.having.deals, self.lacking.deals) < FEW or self.difference is None:
            return Says.TOO_FEW
        if self.difference.low > 0:
            return Says.MORE
        return Says.LESS if self.difference.high < 0 else Says.NO_DIFFERENCE


class Skips(Struct, frozen=True, kw_only=True):
    """How often a stage was gone past, and skipped."""

    stage: str
    name: str
    passed: int
    skipped: int


class Loop(Struct, frozen=True, kw_only=True):
    """A way there and back, how often it was gone and by how many deals; days are the median of the way."""

    first: str
    second: str
    times: int
    deals: int
    median_days: float


class IllegalMoves(Struct, frozen=True, kw_only=True):
    """How often one kind of move that is not allowed was made, and by how many deals."""

    kind: str
    moves: int
    deals: int


class StageUse(Struct, frozen=True, kw_only=True):
    """How the time in a stage was used, over all its visits."""

    stage: str
    name: str
    visits: int
    working_days: float
    waiting_days: float


class IdleRule(Struct, frozen=True, kw_only=True):
    """A rule that told nothing apart."""

    rule: str
    place: str
    judged: int
    always: bool  # it always failed; else it never did


class Review(Struct, frozen=True, kw_only=True):
    """What the history says of a process since a moment."""

    since: datetime
    until: datetime
    deals: int  # that moved, ended or were open in this time
    closed: int  # of these, that ended in it
    moves: int
    skips: tuple[Skips, ...]
    loops: tuple[Loop, ...]
    illegal: tuple[IllegalMoves, ...]
    time: tuple[StageUse, ...]
    without_activities: int  # deals of which nobody knows the activities
    rules: tuple[IdleRule, ...]
    rarely_judged: int  # rules that were judged too seldom to say
    effects: tuple[Effect, ...]
    stages: tuple[Effect, ...]
