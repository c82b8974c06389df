"""Wherever planning is killed, the next run does what it would have done."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

from tests.integration.two_way import add, entry, only, run
from tests.unit.services.able import able_bench

from crmbridge.model.records import Kind, Ref
from crmbridge.services.pull.pulling import pull
from crmbridge.services.runs.planning import make_plan
from crmbridge.store import open_store
from crmbridge.testing.simulation.fuse import Fuse, Killed, burning_at_commits
from crmbridge.testing.workspaces import Bench

MOST = 60  # transactions of a plan of one deal, and some more


def killed_everywhere(
    folder: Path, begin: Callable[[Bench], None], enforce: Sequence[Mapping[str, str]] = (), **more: Any
) -> Iterator[Bench]:
    """Begin on a new bench and plan, killed at each of its transactions in turn and at none; two runs come after."""
    for boundary in range(MOST):
        with contextlib.closing(open_store(f"sqlite:///{folder}/{boundary}.db")) as store:
            asked = entry(delete="archive", match={"deal": ["name"]}, **more)
            bench = able_bench(store=store, enforce=enforce, **asked)
            begin(bench)
            fuse = Fuse()
            fuse.light(boundary)
            with contextlib.suppress(Killed), burning_at_commits(fuse):
                pull(bench.workspace)
                make_plan(bench.workspace)
            bench.clock.advance(timedelta(minutes=10))
            run(bench)
            run(bench)
            yield bench
        if not fuse.burnt:
            return
    raise AssertionError("planning has more transactions than that")


def test_a_counterpart_is_made_anew_whenever_it_was_found_to_be_gone(tmp_path: Path) -> None:
    """It was never given the owner, who has no user there, so the deal is kept: the same creation is made again."""

    def begin(bench: Bench) -> None:
        nobody = add(bench, "north", Kind.USER, "99", name="New", email="new@acme.example", active=True)
        bench.crms["north"].create_deal("Rollout", stage="qualification", owner=nobody)
        run(bench)
        bench.crms["south"].delete_deal(only(bench, "south").ref.id)

    for bench in killed_everywhere(tmp_path, begin):
        assert ["Rollout"] == [deal.fields["name"] for deal in bench.crms["south"].named("Rollout")]


def test_what_is_left_of_a_merge_is_kept_in_step_whenever_it_took_its_place(tmp_path: Path) -> None:
    """It did not change, and differs from the deal whose counterpart it now has."""

    def begin(bench: Bench) -> None:
        north, south = bench.crms["north"], bench.crms["south"]
        first, second = (north.create_deal(name, stage="qualification").id for name in ("Rollout", "Other"))
        south.create_deal("Rollout", stage="qualification")
        run(bench)
        ref = Ref("north", Kind.DEAL, second)
        before = north.records[ref], north.changed[ref]
        north.merge_deals(winner=second, loser=first)
        north.records[ref], north.changed[ref] = before

    for bench in killed_everywhere(tmp_path, begin, create=[]):
        assert "Other" == only(bench, "north").fields["name"] == only(bench, "south").fields["name"]


def test_what_fell_due_is_acted_on_whenever_it_was_found(tmp_path: Path) -> None:
    """The deal did not change, and what is said of it is good for some time from then on."""

    def begin(bench: Bench) -> None:
        bench.crms["north"].create_deal("Rollout", stage="qualification")
        run(bench)
        bench.clock.advance(timedelta(days=8))  # five business days are over

    for bench in killed_everywhere(tmp_path, begin, [{"rule": "*.sla", "action": "task"}], create=[]):
        deal = only(bench, "north").ref.id
        assert 1 == len(bench.crms["north"].hanging_on(deal, Kind.TASK))
