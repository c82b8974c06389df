"""Moves from revisions: right ones, with few questions."""

from __future__ import annotations

from datetime import datetime, timedelta

from crmbridge.adapting import moves_from_revisions
from crmbridge.model.records import Position
from crmbridge.testing.factories import NOON, make_deal, make_position

HOUR = timedelta(hours=1)
Story = dict[str, list[tuple[datetime, str]]]


class Past:
    """A CRM that shows deals as they were."""

    def __init__(self, story: Story) -> None:
        self.story, self.asked = story, list[datetime]()

    def as_of(self, at: datetime, ids: list[str]) -> dict[str, Position]:
        self.asked.append(at)
        return {deal: make_position([stage for when, stage in self.story[deal] if when <= at][-1]) for deal in ids}

    def moves(self) -> list[tuple[str, datetime, Position | None, Position]]:
        deals = [
            make_deal(deal, created_at=told[0][0], updated_at=told[-1][0], position=make_position(told[-1][1]))
            for deal, told in self.story.items()
        ]
        times = {deal: [at for at, _ in told] for deal, told in self.story.items()}
        found = moves_from_revisions(deals, times, self.as_of)
        return [(m.deal.id, m.at, m.before, m.after) for m in found]


def test_a_revision_that_moved_nothing_is_no_move() -> None:
    """The first one is the creation."""
    stages = ["qualification", "qualification", "closing", "qualification"]
    past = Past({"1": [(NOON + hour * HOUR, stage) for hour, stage in enumerate(stages)]})
    here, there = make_position("qualification"), make_position("closing")

    assert [
        ("1", NOON, None, here),
        ("1", NOON + 2 * HOUR, here, there),
        ("1", NOON + 3 * HOUR, there, here),
    ] == past.moves()


def test_one_time_serves_all_deals_that_it_falls_in() -> None:
    """A hundred deals that were made before noon and moved after it take one question."""
    minute = timedelta(minutes=1)
    past = Past({str(n): [(NOON - n * minute, "qualification"), (NOON + n * minute, "closing")] for n in range(1, 101)})

    assert 200 == len(past.moves())
    assert 1 == len(past.asked)


def test_what_is_later_than_the_record_is_left_to_the_next_pull() -> None:
    """It was changed between the two requests; its position then is not known."""
    deal = make_deal("1", created_at=NOON, updated_at=NOON, position=make_position("qualification"))
    stages = ["qualification", "closing", "won"]
    past = Past({"1": [(NOON + hour * HOUR, stage) for hour, stage in enumerate(stages)]})
    moves = list(moves_from_revisions([deal], {"1": [at for at, _ in past.story["1"]]}, past.as_of))

    assert [make_position("qualification")] == [move.after for move in moves]


def test_a_deal_without_revisions_was_made_where_it_is() -> None:
    """Its history was switched on later."""
    deal = make_deal("1", created_at=NOON, position=make_position("qualification"))

    assert [(NOON, None)] == [(m.at, m.before) for m in moves_from_revisions([deal], {}, Past({}).as_of)]
