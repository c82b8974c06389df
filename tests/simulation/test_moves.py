"""What the oracle says of moves that are followed."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from crmbridge.engine.views import STAGE
from crmbridge.model.records import Kind, Ref
from crmbridge.model.values import Value
from crmbridge.testing.factories import make_change
from crmbridge.testing.simulation.moving import check_move
from crmbridge.testing.simulation.scene import STAGES
from crmbridge.testing.simulation.verdicts import Edit

TARGET, OTHER = Ref("south", Kind.DEAL, "1"), Ref("north", Kind.DEAL, "1")
CHANGE = make_change(1, connection="south", target=TARGET)
MADE = datetime(2026, 6, 8, 9, 27, 41, tzinfo=UTC)


def _move(before: Value, after: Value, *, fresh: bool = False, decided: bool = False) -> Edit:
    return Edit(1, OTHER, STAGE, after, before, fresh, decided)


@pytest.mark.parametrize(("before", "after"), [("prospecting", "diagnosis"), ("negotiation", "won")])
def test_a_move_past_a_stage_is_not_to_be_followed(before: str, after: str) -> None:
    """The process of a play allows nobody to skip one."""
    with pytest.raises(AssertionError, match=r"P7: .* which the process forbids"):
        check_move(CHANGE, after, [_move(before, after)], STAGES, {OTHER: MADE})


@pytest.mark.parametrize(
    "edit",
    [
        _move("prospecting", "qualification"),
        _move("closing", "prospecting"),
        _move("closing", "won"),
        _move("lost", "closing"),  # where it stood before that, nobody can tell
        _move(None, "closing", fresh=True),
        _move("prospecting", "closing", decided=True),
    ],
)
def test_any_other_move_may_be(edit: Edit) -> None:
    """One step on, any way back, from a stage that nobody knows, and what a person decided."""
    check_move(CHANGE, edit.value, [_move("prospecting", edit.value), edit], STAGES, {})


def test_what_nobody_moved_is_no_move() -> None:
    """Whether somebody set it at all is judged elsewhere."""
    check_move(CHANGE, "closing", [Edit(1, TARGET, STAGE, "closing", "prospecting")], STAGES, {})


def test_a_deal_that_was_moved_in_the_second_of_its_creation_was_made_there() -> None:
    """Pipedrive keeps whole seconds, and says of such a deal that it changed stage when it was created."""
    skip = _move("prospecting", "closing")._replace(at=MADE)

    check_move(CHANGE, "closing", [skip], STAGES, {OTHER: MADE})
