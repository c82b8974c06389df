"""Moves become visits."""

from datetime import datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from crmbridge.engine.deals.visits import in_order, visits_of
from crmbridge.engine.mapping import StageMapper, stage_mapper
from crmbridge.model.findings import Place, Visit
from crmbridge.model.records import Move, Status
from crmbridge.settings import StageMap
from crmbridge.testing.factories import NOON, make_deal, make_move, make_moves, make_process, make_settings

DAY = timedelta(days=1)
CREATED = NOON - 9 * DAY


def day(number: int) -> datetime:
    """Give the time this many days after the deal was created."""
    return CREATED + number * DAY


def usual() -> StageMapper:
    """Give the mapper of the usual settings."""
    return stage_mapper("north", make_process(), make_settings().stages["north"])


def short(visits: tuple[Visit, ...]) -> list[tuple[str, int, datetime, datetime | None]]:
    """Show visits without what is the same in all of them."""
    return [(v.stage, v.number, v.entered_at, v.left_at) for v in visits]


def test_each_stay_is_a_visit() -> None:
    """A visit ends where the next begins, and says what it was left for."""
    moves = make_moves((day(0), "qualification"), (day(2), "proposal"))
    visits = visits_of(make_deal(stage="proposal"), moves, usual())

    assert [("qualification", 1, day(0), day(2)), ("proposal", 1, day(2), None)] == short(visits)
    assert [Place("proposal", Status.OPEN), None] == [visit.to for visit in visits]


def test_coming_back_is_a_visit_with_the_next_number() -> None:
    """A deal that is sent back and forth shows each stay."""
    moves = make_moves((day(0), "qualification"), (day(1), "proposal"), (day(2), "qualification"), (day(3), "proposal"))
    visits = visits_of(make_deal(stage="proposal"), moves, usual())

    assert [("qualification", 1), ("proposal", 1), ("qualification", 2), ("proposal", 2)] == [
        (visit.stage, visit.number) for visit in visits
    ]


def test_moves_within_one_stage_make_one_visit() -> None:
    """Two native stages that stand for one stage are one stay, as are repeated moves to the same."""
    stages = StageMap.model_validate({"pipeline": "sales", "map": {"proposal": ["n_draft", "n_proposal"]}})
    moves = make_moves((day(0), "draft"), (day(1), "proposal"), (day(2), "draft"))
    visits = visits_of(make_deal(stage="draft"), moves, stage_mapper("north", make_process(), stages))

    assert [("proposal", 1, day(0), None)] == short(visits)


def test_time_in_places_without_a_stage_is_between_visits() -> None:
    """Being lost ends a visit and coming back begins one, in the same stage too."""
    moves = make_moves((day(0), "proposal"), (day(1), "lost"), (day(4), "proposal"))
    visits = visits_of(make_deal(stage="proposal"), moves, usual())

    assert [("proposal", 1, day(0), day(1)), ("proposal", 2, day(4), None)] == short(visits)
    assert Place(None, Status.LOST) == visits[0].to


def test_a_deal_without_moves_has_been_where_it_is_since_its_creation() -> None:
    """Nothing says otherwise."""
    assert [("proposal", 1, CREATED, None)] == short(visits_of(make_deal(stage="proposal"), (), usual()))


def test_a_deal_without_moves_or_creation_is_there_since_its_last_update() -> None:
    """It is the earliest time that is known."""
    deal = make_deal(stage="proposal", created_at=None)

    assert [("proposal", 1, deal.updated_at, None)] == short(visits_of(deal, (), usual()))


def test_a_lost_deal_without_moves_has_no_visits() -> None:
    """It stands in no stage."""
    assert () == visits_of(make_deal(stage="lost"), (), usual())


def test_a_history_that_begins_late_is_filled_up_from_the_creation() -> None:
    """The oldest move says where the deal was before."""
    moves = [make_move("qualification", "proposal", at=day(3))]

    assert [("qualification", 1, day(0), day(3)), ("proposal", 1, day(3), None)] == short(
        visits_of(make_deal(stage="proposal"), moves, usual())
    )
    assert [("proposal", 1, day(3), None)] == short(
        visits_of(make_deal(stage="proposal", created_at=None), moves, usual())
    )


def test_a_history_that_is_older_than_the_deal_begins_with_its_first_move() -> None:
    """So it is where deals were brought in with their history: no visit ends before it begins."""
    moves = [make_move("qualification", "proposal", at=day(3))]

    assert [("proposal", 1, day(3), None)] == short(
        visits_of(make_deal(stage="proposal", created_at=day(4)), moves, usual())
    )


def test_the_record_is_right_when_the_history_lags() -> None:
    """The deal came to where it stands at the record's last update."""
    moves = make_moves((day(0), "qualification"))
    deal = make_deal(stage="closing", updated_at=day(5))

    assert [("qualification", 1, day(0), day(5)), ("closing", 1, day(5), None)] == short(
        visits_of(deal, moves, usual())
    )


def test_a_record_older_than_its_history_does_not_turn_time_around() -> None:
    """No visit ends before it began."""
    moves = make_moves((day(0), "qualification"), (day(6), "proposal"))
    deal = make_deal(stage="lost", updated_at=day(5))

    assert [("qualification", 1, day(0), day(6)), ("proposal", 1, day(6), day(6))] == short(
        visits_of(deal, moves, usual())
    )


def test_moves_at_the_same_time_follow_their_ids() -> None:
    """The lower id came first, 9 before 10, in whatever order they are given."""
    ninth = make_move("qualification", "proposal", at=day(1), id="9")
    tenth = make_move("proposal", "closing", at=day(1), id="10")

    assert (ninth, tenth) == in_order([tenth, ninth])
    assert ["qualification", "proposal", "closing"] == [
        visit.stage for visit in visits_of(make_deal(stage="closing"), [tenth, ninth], usual())
    ]


def test_moves_in_the_future_stay() -> None:
    """A CRM's clock may be ahead of ours."""
    moves = make_moves((day(0), "qualification"), (NOON + DAY, "proposal"))

    assert NOON + DAY == visits_of(make_deal(stage="proposal"), moves, usual())[-1].entered_at


PLACES = ("qualification", "proposal", "closing", "care", "won", "lost", "elsewhere")


@st.composite
def histories(draw: st.DrawFn) -> tuple[str, list[Move]]:
    """Draw a record's stage and moves that may hang together badly and come in any order."""
    steps = draw(st.lists(st.tuples(st.integers(0, 12), st.sampled_from(PLACES)), max_size=9))
    moves = [
        make_move(draw(st.sampled_from(PLACES)) if index else None, stage, at=day(number), id=str(index))
        for index, (number, stage) in enumerate(sorted(steps, key=lambda step: step[0]))
    ]
    return draw(st.sampled_from(PLACES)), draw(st.permutations(moves))


@given(histories())
def test_visits_are_whole_whatever_the_history(history: tuple[str, list[Move]]) -> None:
    """They are in order, apart, numbered without gaps, and end where the record says the deal stands."""
    stage, moves = history
    mapper = usual()
    deal = make_deal(stage=stage)
    visits = visits_of(deal, moves, mapper)
    place = mapper.place(deal.position)
    numbers: dict[str, int] = {}
    for visit, following in zip(visits, [*visits, None][1:], strict=True):
        numbers[visit.stage] = numbers.get(visit.stage, 0) + 1

        assert numbers[visit.stage] == visit.number
        assert visit.left_at is None or visit.entered_at <= visit.left_at
        assert following is None or (visit.left_at is not None and visit.left_at <= following.entered_at)
        assert following is None or visit.to != Place(visit.stage, Status.OPEN)
    running = [visit.stage for visit in visits if visit.left_at is None]

    assert ([place.stage] if place.stage else []) == running
    assert visits == visits_of(deal, in_order(moves), mapper)
