"""What the demo makes of its runs: it went as it should, or it says so with its exit code."""

from __future__ import annotations

import pytest

from crmbridge.cli.commands.demo import judged, told_of, what_they_hold
from crmbridge.model.changes import Change
from crmbridge.services.runs.cycle import Cycle
from crmbridge.services.runs.running import Ran
from crmbridge.testing.factories import make_change, make_plan


def make_ran(exit_code: int = 0, *changes: Change) -> Ran:
    return Ran(command="cycle", exit_code=exit_code, cycle=Cycle(run="r", plan=make_plan(*changes)))


@pytest.mark.parametrize(
    ("codes", "expected"),
    [([0, 0], 0), ([7, 0], 0), ([0, 7], 0), ([6, 0], 6), ([0, 5], 5), ([6, 4, 7], 4), ([1, 3], 1)],
)
def test_the_demo_ends_with_the_worst_of_its_runs(codes: list[int], expected: int) -> None:
    """Values that need a person are part of the play; anything else is not."""
    reply = judged([make_ran(code) for code in codes])

    assert expected == reply.exit_code
    assert (expected == 0) == (reply.error is None)
    assert (expected == 0) == (not reply.shown)


def test_changes_without_an_end_fail_the_demo() -> None:
    """Nobody edits anything before the last run, so it has nothing to write."""
    reply = judged([make_ran(0, make_change()), make_ran(7, make_change())])

    assert 1 == reply.exit_code
    assert reply.error is not None
    assert "still planned 1 change," in reply.error["message"]
    assert 0 == judged([make_ran(0, make_change()), make_ran()]).exit_code


def test_a_sandbox_alone_is_spoken_of_as_one() -> None:
    """No other CRM has its deals, so nobody edits one on two sides."""
    assert "overlapping" not in what_they_hold(1)
    assert "overlapping" in what_they_hold(2)
    assert ["  Nobody edits anything here, as no deal stands in two CRMs."] == told_of([])
    assert ["  in hs, deal 1"] == told_of(["in hs, deal 1"])
