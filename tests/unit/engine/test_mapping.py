"""Positions and places stand for each other."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crmbridge.engine.mapping import StageMapper, stage_mapper
from crmbridge.model.findings import Place
from crmbridge.model.records import Position, Status
from crmbridge.settings import StageMap
from crmbridge.testing.factories import STAGES, make_position, make_process, make_settings, make_stage

OPEN, WON, LOST = Status.OPEN, Status.WON, Status.LOST


def mapper(**natives: str | list[str]) -> StageMapper:
    """Make the usual mapper, or one with just these native stages."""
    stages = StageMap.model_validate({"pipeline": "sales", "map": natives}) if natives else usual_map()
    return stage_mapper("north", make_process(), stages)


def usual_map() -> StageMap:
    """Give the stage map of the usual settings."""
    return make_settings().stages["north"]


@pytest.mark.parametrize(
    ("position", "place"),
    [
        (make_position("proposal"), Place("proposal", OPEN)),
        (make_position("care"), Place("care", WON)),
        (make_position("won"), Place("care", WON)),
        (make_position("proposal", status=WON), Place("care", WON)),
        (make_position("proposal", status=LOST), Place(None, LOST)),
        (make_position("lost", status=OPEN), Place(None, LOST)),
        (make_position("care", status=OPEN), Place("care", WON)),
        (make_position("elsewhere"), Place(None, OPEN)),
        (make_position("proposal", pipeline="renewals"), Place(None, OPEN)),
        (make_position("proposal", pipeline="renewals", status=WON), Place("care", WON)),
        (None, Place(None, OPEN)),
    ],
)
def test_a_position_has_a_place(position: Position | None, place: Place) -> None:
    """Lost beats won beats the stage, and only mapped stages of the mapped pipeline count."""
    assert place == mapper().place(position)


def test_only_open_deals_outside_of_the_map_are_not_covered() -> None:
    """Won and lost need no stage; an open deal does."""
    usual = mapper()

    assert usual.covers(make_position("elsewhere", status=LOST))
    assert usual.covers(make_position("elsewhere", status=WON))
    assert not usual.covers(make_position("elsewhere"))
    assert not usual.covers(None)


def test_the_first_native_stage_is_written_and_the_current_one_is_kept() -> None:
    """Several native stages stand for one; a deal that is in any of them stays there."""
    several = mapper(proposal=["draft", "sent"], qualification="new")

    assert Position("sales", "draft", OPEN) == several.position("proposal")
    assert Position("sales", "draft", OPEN) == several.position("proposal", Position("sales", "new", OPEN))
    assert Position("sales", "sent", OPEN) == several.position("proposal", Position("sales", "sent", LOST))
    assert Position("sales", "draft", OPEN) == several.position("proposal", Position("other", "sent", OPEN))


def test_without_stages_for_won_and_lost_only_the_status_changes() -> None:
    """A CRM that keeps won and lost beside the stage gets the stage where the deal is."""
    beside = mapper(qualification="1", proposal="2", closing="3")

    assert Position("sales", "2", WON) == beside.position("won", Position("sales", "2", OPEN))
    assert Position("sales", "2", LOST) == beside.position("lost", Position("sales", "2", OPEN))
    assert Position("sales", "2", WON) == beside.position("care", Position("sales", "2", OPEN))
    assert Position("sales", "3", WON) == beside.position("won")
    assert Position("sales", "2", OPEN) == beside.position("proposal", Position("sales", "2", WON))


def test_the_won_stage_and_won_are_two_names_for_one_thing() -> None:
    """Whichever of the two is mapped is written for both; each one's own mapping goes first."""
    assert Position("sales", "w", WON) == mapper(won="w").position("care")
    assert Position("sales", "c", WON) == mapper(care="c").position("won")
    assert Position("sales", "c", WON) == mapper(care="c", won="w").position("care")


def test_a_stage_without_a_native_one_can_not_be_written() -> None:
    """Nothing is guessed."""
    assert None is mapper(proposal="2").position("closing", Position("sales", "2", OPEN))
    assert None is mapper(care="c").position("lost")


def test_a_connection_without_a_map_knows_only_won_and_lost() -> None:
    """Its open deals stand nowhere, and nothing can be written into it but a status."""
    bare = stage_mapper("north", make_process(), None)

    assert Place(None, OPEN) == bare.place(make_position("proposal"))
    assert Place("care", WON) == bare.place(make_position("won"))
    assert None is bare.position("proposal")
    assert None is bare.position("won")


def test_a_process_without_a_won_stage_has_won_deals_without_a_stage() -> None:
    """They are won all the same."""
    process = make_process(stages=[make_stage("qualification"), make_stage("closing")])
    short = stage_mapper("north", process, usual_map())

    assert Place(None, WON) == short.place(make_position("won"))
    assert Position("sales", "n_won", WON) == short.position("won")


@given(
    natives=st.dictionaries(st.sampled_from([*STAGES, "won", "lost"]), st.integers(1, 3), min_size=1),
    stage=st.sampled_from([*STAGES, "won", "lost"]),
    current=st.sampled_from(STAGES),
    status=st.sampled_from(Status),
)
def test_what_is_written_for_a_stage_is_read_back_as_that_stage(
    natives: dict[str, int], stage: str, current: str, status: Status
) -> None:
    """There and back again, for every map, wherever the deal was."""
    some = mapper(**{name: [f"{name}{i}" for i in range(count)] for name, count in natives.items()})
    written = some.position(stage, Position("sales", f"{current}0", status))
    expected = {"won": Place("care", WON), "care": Place("care", WON), "lost": Place(None, LOST)}

    assert written is None or expected.get(stage, Place(stage, OPEN)) == some.place(written)
    assert (written is None) == (stage not in natives and stage not in expected)
