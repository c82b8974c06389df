"""The simulation can fail: bugs that are planted on purpose break a promise.

A few that are caught soon are planted here; `crmbridge-sim plant` plants all, as docs/promises.md tells.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from crmbridge.testing.simulation import fakes, play
from crmbridge.testing.simulation.bugs import BUGS, Bug
from crmbridge.testing.simulation.oracle import Oracle
from crmbridge.testing.simulation.planting import hunt, planted

SOON = {  # by the seed from which on it is caught at once
    "outcomes are not journaled": 1,
    "an echo is not recognised": 9,
    "money is a float": 1,
    "what is not finished is forgotten": 27,
}
MOST = 60  # seeds


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
def test_a_bug_can_be_planted(bug: Bug) -> None:
    """The line that it changes is there, once, and what takes its place is Python."""
    compile(planted(bug), bug.module, "exec")


@pytest.mark.parametrize(("name", "first"), SOON.items())
def test_a_planted_bug_is_caught(name: str, first: int) -> None:
    """A promise breaks within a few seeds; playing on with the bug and noticing nothing is the failure."""
    bug = next(bug for bug in BUGS if bug.name == name)

    assert hunt(bug, MOST, first).promise, f"it survived {MOST} seeds"


def test_a_merged_deal_that_is_not_followed_is_caught() -> None:
    """It takes two linked deals that become a third one, under a name that nobody can find its counterpart by."""
    bug = next(bug for bug in BUGS if bug.name == "a merged deal is not followed")

    assert "P2" == hunt(bug, 11, first=70).promise


@pytest.mark.parametrize(
    ("name", "seed", "promise"),
    [
        ("a cut is never an edit", 43, "P1"),
        ("of two deals of one name one is taken", 2, "P2"),
        ("an undo writes over what people changed since", 272, "P7"),
        ("an undo takes away a deal that people edited since", 119, "P7"),
        ("a connection that is left out stops the others", 13, "stops: KeyError"),
        ("a deletion is not carried on", 21, "P1"),
        ("a deletion beats an edit whose write failed", 755, "P1"),
        ("a field that is named later is not read", 43, "P3"),
        ("zero is an amount where nobody entered any", 266, "P4"),
        ("what was agreed on without a connection counts for nothing", 726, "P1"),
        ("what somebody enters before a new deal is read counts as given by its CRM", 288, "P1"),
        ("what a CRM gave a deal is missed in one that is made anew", 1538, "P4"),
        ("a note that comes after its deal is not copied", 43, "P1"),
        ("a stage that means something else moves its deals", 48, "P4"),
        ("a contact that two CRMs have linked is not found in a third", 113, "P6"),
        ("the cap on deletions is ignored", 87, "P7"),
        ("a move that the process forbids is not taken back", 244, "P7"),
        ("a deal is moved back as often as somebody moves it on", 244, "P7"),
        ("two moves that sync follows in one are taken back", 81, "P7"),
        ("nobody looks for what a CRM may have forgotten", 16, "P1"),
        ("what a CRM may have forgotten is looked for too seldom", 218, "P1"),
        ("a run that another one took over from goes on", 35, "P5"),
        ("a run that another one took over from goes on sending", 754, "P5"),
        ("a second run begins though another one holds the state", 38, "P5"),
        ("a deletion beats that somebody brought a deal back", 777057, "P1"),
        ("what a later pull brought counts as what a saved plan knew", 4024, "P1"),
        ("what a person told apart is linked again", 5, "P2"),
        ("what a deal agreed on with others counts where it is joined", 97, "P1"),
        ("an edit gets to nobody any more once its deal is split off", 498, "P1"),
        ("what fell due is forgotten by a run that is killed", 16, "P1"),
        ("a step that falls due does nothing", 3, "P1"),
        ("a webhook that comes again is noted again", 23, "P4"),
        ("what somebody enters is written over by what a finding sets", 9, "P1"),
        ("a notice that may have arrived is sent again", 18, "P2"),
    ],
)
def test_what_few_plays_come_to_is_caught(name: str, seed: int, promise: str) -> None:
    """Somebody goes on when all is calm, edits what is undone then, changes the settings, or begins another run."""
    bug = next(bug for bug in BUGS if bug.name == name)

    assert promise == hunt(bug, 1, first=seed).promise


def test_what_breaks_in_a_call_of_an_adapter_is_caught() -> None:
    """The engine takes it for a bug of one connection and goes on; a play does not."""
    bug = next(bug for bug in BUGS if bug.name == "intents are not journaled")
    broken = Bug(
        "a key is missing", "crmbridge_pipedrive.bodies", "        if change.key is not None:\n", "        if {}[0]:\n"
    )

    assert "P6" == hunt(bug, 3).promise
    assert "stops: KeyError" == hunt(broken, MOST).promise


@pytest.mark.parametrize("simulate", [play.simulate, fakes.simulate], ids=["wire", "memory"])
def test_what_the_oracle_says_of_a_write_is_heard(
    simulate: Callable[[int], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It speaks in the middle of a call of the adapter, before anything is sent."""

    def object_to(_oracle: Oracle, _changes: object) -> None:
        raise AssertionError("P6: nothing may be written")

    monkeypatch.setattr(Oracle, "before_write", object_to)
    with pytest.raises(AssertionError, match="P6: nothing may be written"):
        simulate(1)


def test_without_a_bug_nothing_is_caught() -> None:
    """A bug that changes nothing survives."""
    harmless = Bug("nothing", "crmbridge.engine.sync.merge", "ONLY_IF_EMPTY = ", "ONLY_IF_EMPTY  = ")

    assert ("nothing", 2, "", "") == hunt(harmless, 2)


def test_a_bug_whose_line_is_gone_is_no_bug() -> None:
    """It is an error, or the table would tell of bugs that nobody planted."""
    with pytest.raises(ValueError, match="has 0 times"):
        planted(Bug("gone", "crmbridge.engine.sync.merge", "no such line", ""))


def test_a_bug_that_names_what_is_not_there_is_no_bug() -> None:
    """Whatever stops at it would be caught, and prove nothing."""
    broken = Bug(
        "no name",
        "crmbridge.engine.sync.merge",
        "    winner = _winner(name, changed, policy)\n",
        "    winner = nobody\n",
    )

    with pytest.raises(RuntimeError, match="name 'nobody' is not defined"):
        hunt(broken, MOST)
