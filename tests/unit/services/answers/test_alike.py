"""What is so for many deals is said once, and what a person decides deal by deal is not."""

from __future__ import annotations

import pytest

from crmbridge.model.changes import Blocked, Cause
from crmbridge.model.records import Kind, Ref
from crmbridge.services.answers.alike import FEW, sameness_of, together


def blocked(
    number: int, cause: Cause = Cause.COUNTERPART, reason: str = "north has no user", stage: str = ""
) -> Blocked:
    values = {"north": stage} if stage else {"north": str(number)}
    return Blocked(
        link="", deal=Ref("north", Kind.DEAL, str(number)), name="owner", reason=reason, cause=cause, values=values
    )


def test_more_than_a_few_of_one_sort_stand_together_where_the_first_was() -> None:
    """The rest keep their order."""
    items = [1, 10, 2, 11, 12, 20, 13, 3]
    tens = together(items, lambda item: item // 10 or None)

    assert [[1], [10, 11, 12, 13], [2], [20], [3]] == tens
    assert [[number] for number in range(FEW)] == together(range(FEW), lambda _: "same")
    assert [] == together([], lambda _: "same")


@pytest.mark.parametrize("cause", Cause)
def test_what_one_setting_settles_is_the_same_for_all_deals(cause: Cause) -> None:
    """A conflict, a link, a move and a deletion are decided on one by one."""
    alone = {Cause.CONFLICT, Cause.LINK, Cause.MOVE, Cause.DELETE, Cause.UNCLEAR, Cause.CHANGED}
    one, other = (sameness_of(blocked(number, cause, stage="proposal")) for number in (1, 2))

    assert (one is None) == (cause in alone)
    assert one == other


def test_other_reasons_and_other_stages_are_not_the_same() -> None:
    """What differs is said."""
    assert sameness_of(blocked(1)) != sameness_of(blocked(1, reason="south has no user"))
    apart = [sameness_of(blocked(1, Cause.APART, stage=stage)) for stage in ("proposal", "closing")]
    assert apart[0] != apart[1]
