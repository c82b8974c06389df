"""The oracle's verdicts excuse what nobody could have known, and nothing else."""

from __future__ import annotations

import pytest

from crmbridge.model.records import Kind, Ref
from crmbridge.testing.simulation.verdicts import Edit, judge_members

GONE, THERE = Ref("north", Kind.DEAL, "1"), Ref("south", Kind.DEAL, "1")
BEFORE = ("ann",)
UNSEEN = Edit(1, GONE, "contacts", ("ann", "bob"), BEFORE)
SEEN = Edit(2, THERE, "contacts", ("ann", "eve"), BEFORE)


def test_a_member_that_was_added_where_no_run_could_look_may_be_lost() -> None:
    """Its deal was deleted before."""
    judge_members(("ann", "eve"), BEFORE, [UNSEEN, SEEN], "", [UNSEEN])


@pytest.mark.parametrize(("found", "unseen"), [(("ann", "eve"), []), (("ann", "bob"), [UNSEEN])])
def test_any_other_member_that_was_added_may_not(found: tuple[str, ...], unseen: list[Edit]) -> None:
    """Neither where a run could look, nor the one that somebody else added."""
    with pytest.raises(AssertionError, match="was lost"):
        judge_members(found, BEFORE, [UNSEEN, SEEN], "", unseen)
