"""Moves from revisions: right ones, with few questions."""

from __future__ import annotations

from datetime import datetime, timedelta

from crmbridge.adapting import Place, moves_from_revisions, walk_with_history
from crmbridge.model.records import Position, Record
from crmbridge.ports import Page
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


# ── Walks ───────────────────────────────────────────────────────────────────────────────────────────────


class Told:
    """A CRM that tells of its deals at any time; `gone` has when each that is gone was deleted."""

    connection = "hs"

    def __init__(self, story: Story) -> None:
        self.past, self.gone, self.listed = Past(story), dict[str, datetime](), 0

    def newest(self) -> datetime | None:
        return max(self._times(), default=None)

    def revisions(self, deals: list[str]) -> list[tuple[str, datetime]]:
        told = [(deal, at) for deal in deals for at, _ in self.past.story[deal]]
        return told + [(deal, self.gone[deal]) for deal in deals if deal in self.gone]

    def as_of(self, at: datetime, deals: list[str]) -> dict[str, Position]:
        return self.past.as_of(at, deals)

    def ids(self, made_by: datetime, at: datetime | None = None) -> list[str]:
        self.listed += 1
        return self._there(made_by, at)

    def count(self, made_by: datetime, at: datetime | None = None) -> int:
        return len(self._there(made_by, at))

    def pull(self, since: str | None) -> list[Page]:
        def fetch(place: Place | None) -> list[Record]:
            here = sorted((told[-1][0], deal) for deal, told in self.past.story.items() if deal not in self.gone)
            later = [deal for at, deal in here if place is None or (at, deal) > place][:2]
            return [self._record(deal) for deal in later]

        return list(walk_with_history(since, fetch, limit=2, overlap=HOUR, history=self))

    def _record(self, deal: str) -> Record:
        told = self.past.story[deal]
        stage = make_position(told[-1][1])
        return make_deal(deal, created_at=told[0][0], updated_at=told[-1][0], version=str(len(told)), position=stage)

    def _there(self, made_by: datetime, at: datetime | None) -> list[str]:
        now = at or NOON + 99 * HOUR
        made = [deal for deal, told in self.past.story.items() if told[0][0] <= made_by]
        return [deal for deal in made if self.gone.get(deal, now + HOUR) > now]

    def _times(self) -> list[datetime]:
        return [told[-1][0] for told in self.past.story.values()]


def told() -> Told:
    moved = [(NOON, "qualification"), (NOON + HOUR, "closing")]
    return Told({"1": moved, "2": [(NOON, "qualification")], "3": moved})


def test_each_page_has_all_moves_of_its_deals() -> None:
    """And of no others."""
    pages = told().pull(None)

    assert [["2", "1"], ["3"]] == [[record.ref.id for record in page.records] for page in pages]
    assert [["2", "1", "1"], ["3", "3"]] == [[move.deal.id for move in page.moves] for page in pages]


def test_a_deal_that_is_gone_comes_as_a_tombstone() -> None:
    """With the time at which it was deleted; once something else has changed since, no more."""
    crm = told()
    cursor = crm.pull(None)[-1].cursor
    crm.gone["2"] = NOON + 2 * HOUR
    pages = crm.pull(cursor)

    assert [("hs", "2", NOON + 2 * HOUR)] == [(t.ref.connection, t.ref.id, t.at) for p in pages for t in p.tombstones]
    crm.past.story["4"] = [(NOON + 3 * HOUR, "qualification")]
    pages = crm.pull(pages[-1].cursor)
    assert [] == [tombstone for page in crm.pull(pages[-1].cursor) for tombstone in page.tombstones]


def test_ids_are_listed_only_where_a_deal_is_gone() -> None:
    """As a rule none is, and two counts say so."""
    crm = told()
    crm.pull(crm.pull(None)[-1].cursor)

    assert 0 == crm.listed
