"""Histories of one field, many of them: what merging wants is what was promised, and it would show if it were not."""

from __future__ import annotations

import pytest

from crmbridge.engine.sync.sameness import altered, same
from crmbridge.testing.merge_cases.__main__ import main
from crmbridge.testing.merge_cases.bugs import BUGS, buggy, hunt
from crmbridge.testing.merge_cases.history import failures, play
from crmbridge.testing.merge_cases.pools import POOLS
from crmbridge.testing.simulation.bugs import Bug

SHARE = 4_000
MOST = 15_000  # histories until a planted bug has survived


@pytest.mark.parametrize("first", range(1, 20_001, SHARE))
def test_merging_does_what_was_promised(first: int) -> None:
    """Whoever types what where, whichever policy counts, whatever a CRM makes of it, and whichever writes fail."""
    assert [] == [error for _, error in failures(range(first, first + SHARE))]


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
def test_a_planted_bug_is_caught(bug: Bug) -> None:
    """What reads otherwise does otherwise, and somebody notices."""
    assert hunt(bug, MOST)


def test_a_bug_is_gone_after_the_hunt() -> None:
    """The next history is played without it."""
    with buggy(BUGS[0]):
        pass

    assert [] == list(failures(range(1, 50)))


def test_a_seed_makes_one_history() -> None:
    """So that a failure can be looked at again."""
    logs: tuple[list[str], list[str]] = ([], [])
    for log in logs:
        play(7, log)

    assert logs[0] == logs[1]
    assert len(logs[0]) > 3


def test_what_crms_make_of_values_is_known_to_be_that() -> None:
    """Or these histories would take it for edits."""
    for pool in POOLS:
        for form in pool.forms:
            for value in pool.values:
                kept = form(value)

                assert same(value, kept) or altered(value, kept), (pool.name, value, kept)


def test_the_command_tells_how_many_went_well(capsys: pytest.CaptureFixture[str]) -> None:
    """And shows one of them."""
    assert (0, 0) == (main(["40", "7", "--jobs", "1"]), main(["1", "7", "--show"]))
    told = capsys.readouterr().out
    assert "40 histories" in told
    assert "as promised" in told


def test_the_command_names_what_fails(capsys: pytest.CaptureFixture[str]) -> None:
    """With everything that happened, and the seed to play it again."""
    bug = next(bug for bug in BUGS if bug.name == "one way is both ways")
    with buggy(bug):
        assert 1 == main(["1", str(hunt(bug, MOST)), "--show"])
    assert "promised was" in capsys.readouterr().out
