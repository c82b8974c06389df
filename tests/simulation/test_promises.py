"""The promises hold whatever people do, whatever goes wrong, and wherever the process dies.

CRMBRIDGE_SIM_SEEDS=5000 plays that many seeds instead of the usual number; a failure names its seed.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from crmbridge.store import open_store
from crmbridge.testing.simulation import acting, beside, by_hand, by_hand_on_sandboxes, fakes, play
from crmbridge.testing.simulation.acting_oracle import Oracle
from crmbridge.testing.simulation.cli import main
from crmbridge.testing.simulation.saving import Saving

SEEDS = int(os.environ.get("CRMBRIDGE_SIM_SEEDS", "500"))
FAKES = 60
BY_HAND = 100
BY_HAND_ON_SANDBOXES = 12
ACTING = 11
SHARES = 10  # so that several workers can play side by side


@pytest.mark.parametrize("share", range(SHARES))
def test_every_promise_holds(share: int) -> None:
    """No edit is lost, nothing is doubled, all becomes quiet, and the journal accounts for every write."""
    kills = writes = 0
    for seed in range(1 + share, SEEDS + 1, SHARES):
        played = play.simulate(seed)
        kills += played.kills
        writes += sum(account.writes for account in played.scene.accounts.values())

    assert (True, True) == (kills > 0, writes > 0)


@pytest.mark.parametrize("share", range(2))
def test_every_promise_holds_on_crms_in_memory(share: int) -> None:
    """The same without a wire."""
    kills = 0
    for seed in range(1 + share, FAKES + 1, 2):
        kills += fakes.simulate(seed).kills

    assert kills > 0


@pytest.mark.parametrize(
    "seed", [578, 3988, 5964, 6233, 7050, 9591, 10502, 77008, 400097, 401506, 777057, 777328, 777345, 777951]
)
def test_what_once_failed_holds(seed: int) -> None:
    """Writes that nobody could read back for several runs, and a deal whose stage only one of its sides can tell.

    And somebody who enters just what was meant to be sent; and a counterpart that is made where a forbidden move led;
    and somebody who edits what was just pulled as it was sent, before it is read back. And deals that are brought back
    or moved into the process while their counterparts are deleted; and tasks that a CRM refused right before a kill.
    And a new counterpart that a person deleted before anybody could read it, until its CRM told of that no more.
    """
    fakes.simulate(seed)


@pytest.mark.parametrize(
    "seed", [5160, 8852, 52064, 82553, 131168, 300725, 300905, 400169, 500547, 650249, 777647, 777923]
)
def test_what_once_seemed_to_fail_holds(seed: int) -> None:
    """A refused field that goes in a part of its own, and what follows from it.

    And sides that happen to be in step while a run could not look at all of them; and somebody who brings back what was
    just taken away, before anybody could read that back. And deals that are deleted when the others hold the same, as
    far as anybody could see. And a field that is emptied while nobody knows whether what was sent to it arrived. And
    somebody who puts a value back in the midst of a run, which sees nothing else there. And the preferred deal, made
    anew, that is emptied before all agreed again. And a field that is emptied while what it held is sent to the others,
    and wins as its deal is moved later. And an edit that gave way to another one, of whose write nothing arrived before
    its deal was deleted.
    """
    fakes.simulate(seed)


@pytest.mark.parametrize(
    "seed",
    [
        486,
        782,
        927,
        1233,
        3446,
        4152,
        7048,
        8211,
        10738,
        11662,
        15105,
        16048,
        16747,
        17622,
        30650,
        31396,
        40218,
        43002,
        70130,
        912033,
    ],
)
def test_what_once_failed_on_sandboxes_holds(seed: int) -> None:
    """Edits of one moment and right after a creation, merges of merges, who is outdone, decisions and deletions."""
    play.simulate(seed)


@pytest.mark.parametrize("seed", [13, 59, 189, 224, 1652, 1744, 2079, 2182, 2223, 2334, 2682, 3608, 6623])
def test_what_once_failed_under_other_settings_holds(seed: int) -> None:
    """A connection that is left out of three, an emptied amount, and a deal that goes before all is read anew.

    And a refused note; a contact that two CRMs have linked while the third was left out, and one that no other CRM took
    before its deal was deleted; and an edit that may stay where it is, as only what is empty is filled. And moves where
    stages are left out, mean something else, or change twice in one instant, or in that of the deal's creation, as
    other edits may; or were carried on before they were taken back or their deal was deleted.
    """
    play.simulate(seed)


def test_what_once_failed_with_another_run_in_every_history_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    """What somebody undoes is the run that came to its end, and not one that was killed beside it."""
    monkeypatch.setattr(beside, "OFTEN", 1)
    play.simulate(30201)


@pytest.mark.parametrize(
    ("stage", "seed"), [(fakes, seed) for seed in (910194, 910249, 910705, 920018, 920761, 920950)] + [(play, 72)]
)
def test_what_once_failed_with_saved_plans_in_every_history_holds(
    stage: ModuleType, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Deals that are made by an old plan, edits that a pull saw before it was applied, and what was not selected of it.

    And what seemed to fail: a deal that an earlier plan took away, a rounded value, and a move that was taken back.
    """
    monkeypatch.setattr(stage, "Saving", lambda seed, often=1: Saving(seed, max(often, 1)))
    stage.simulate(seed)


@pytest.mark.parametrize("seed", range(1, 9))
def test_the_promises_hold_on_disk(seed: int, tmp_path: Path) -> None:
    """The state on disk gives the same journal as the one in memory."""
    store = open_store(f"sqlite:///{tmp_path / 'state.db'}")
    on_disk = fakes.journal_of(fakes.simulate(seed, store))
    store.close()

    assert fakes.journal_of(fakes.simulate(seed)) == on_disk


def test_every_promise_holds_where_people_decide_by_hand() -> None:
    """They join and split, settle what waits, undo runs, delete deals and bring them back."""
    for seed in range(1, BY_HAND + 1):
        by_hand.simulate(seed)


def test_every_promise_holds_where_people_decide_by_hand_on_sandboxes() -> None:
    """They are cut off in the middle of it, as are runs, and undo older runs as well."""
    for seed in range(1, BY_HAND_ON_SANDBOXES + 1):
        by_hand_on_sandboxes.simulate(seed)


@pytest.mark.parametrize("share", range(2))
def test_every_promise_holds_where_findings_act(share: int) -> None:
    """Each has its task, note or field, once, whatever people, time, kills and webhooks do."""
    kills = sum(acting.simulate(seed).kills for seed in range(1 + share, ACTING + 1, 2))

    assert kills > 0


def test_what_once_seemed_to_fail_on_sandboxes_holds() -> None:
    """Somebody moves a deal that was just made before it is read back, so nobody can tell who entered its owner."""
    play.simulate(70012)


@pytest.mark.parametrize("seed", [1, 2, 3, 4, 5, 6, 8, 9, 38])
def test_a_seed_plays_the_same_each_time(seed: int) -> None:
    """Same edits, same faults: the same journal, to the byte. In seed 7 there is nothing to write."""
    first = play.simulate(seed).journal

    assert b"" != first
    assert first == play.simulate(seed).journal
    assert fakes.journal_of(fakes.simulate(seed)) == fakes.journal_of(fakes.simulate(seed))


def test_another_process_plays_a_seed_the_same() -> None:
    """Python puts texts in sets and dicts of its own in another order there: none of that is to be seen."""
    play_some = "import sys; from crmbridge.testing.simulation.play import simulate as s; "
    play_some += "sys.stdout.write(repr([s(seed).journal for seed in (2, 3)]))"
    told = [
        subprocess.run(  # noqa: S603  our own interpreter
            [sys.executable, "-c", play_some],
            capture_output=True,
            check=True,
            env={**os.environ, "PYTHONHASHSEED": order},
        ).stdout
        for order in ("1", "2")
    ]

    assert told[0] == told[1]
    assert b"applied" in told[0]


@pytest.mark.parametrize("more", [[], ["--fakes"]])
def test_the_command_says_how_many_seeds_failed(more: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """It ends with 0 when none did."""
    assert 0 == main(["run", "2", "--first", "40", *more])
    assert ", 0 failed" in capsys.readouterr().out


def test_a_seed_is_shown_step_by_step(capsys: pytest.CaptureFixture[str]) -> None:
    """What people did, what was written, and how it ended."""
    assert 0 == main(["replay", "2"])
    shown = capsys.readouterr().out

    for word in ("a person sets", "run001 begins", "applied", "exit code", "every promise held"):
        assert word in shown


@pytest.mark.parametrize("stage", ["acting", "by-hand", "by-hand-on-sandboxes"])
def test_a_seed_of_plays_of_their_own_is_shown_step_by_step(stage: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The same where findings act and where people decide by hand; what went wrong on the wire is shown, too."""
    assert 0 == main(["replay", "5", "--stage", stage])
    shown = capsys.readouterr().out

    for word in ("a person sets", " begins", "applied", "exit code", "every promise held"):
        assert word in shown
    assert ("GET" in shown) == (stage == "by-hand-on-sandboxes")


def test_a_seed_that_fails_is_shown_with_what_the_oracle_says(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """And whoever runs many is told how to see that one."""

    def object_to(_oracle: Oracle, _plan: object) -> None:
        raise AssertionError("P1: nothing is as it should be")

    monkeypatch.setattr(Oracle, "judge", object_to)

    assert (1, 1) == (main(["replay", "5", "--stage", "acting"]), main(["run", "1", "--stage", "acting"]))
    shown = capsys.readouterr().out
    assert "oracle      P1: nothing is as it should be" in shown
    assert "again: crmbridge-sim replay 1 --stage acting" in shown
