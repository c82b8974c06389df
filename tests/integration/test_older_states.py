"""A state that was put back from a backup, or lost: what was made since is found again in the CRMs, and not doubled."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import pytest
from tests.integration.two_way import add, entry, run
from tests.unit.services.able import able_bench

from crmbridge.errors import RefusedError
from crmbridge.model.changes import FOUND, Action, Change, Outcome, Receipt
from crmbridge.model.records import Kind, Ref
from crmbridge.services.runs.cycle import Cycle
from crmbridge.services.workspace import Workspace
from crmbridge.store import open_store
from crmbridge.testing.fake_adapter import FakeAdapter
from crmbridge.testing.workspaces import Bench, fake_plugins

KINDS = {"adapter": "fake", "kinds": ["user", "company", "contact", "deal", "note"]}
WRITTEN = (Action.TASK, Action.NOTE)


class Refusing(FakeAdapter):
    """Refuses to look for anything on a record that it refuses to write to as well; notes what is looked for."""

    refused: str = ""
    looked: list[Kind]

    def find(self, kind: Kind, key: str, near: Ref | None) -> Ref | None:
        self.looked.append(kind)
        if near is not None and near.id == self.refused:
            raise RefusedError("gone")
        return super().find(kind, key, near)

    def write(self, changes: Sequence[Change]) -> Sequence[Receipt]:
        refused = [c for c in changes if c.action in WRITTEN and c.target and c.target.id == self.refused]
        done = {each.change: each for each in super().write([c for c in changes if c not in refused])}
        return [done.get(c.id) or Receipt(change=c.id, outcome=Outcome.REFUSED, message="gone") for c in changes]


def shop(action: str = "task") -> Bench:
    """Make two CRMs in step, of which one's notes are copied, and whose deals get a task where BANT is lacking."""
    return able_bench(
        **entry(notes="from: north"),
        connections={"north": KINDS, "south": KINDS},
        enforce=[{"rule": "qualification.bant", "action": action}],
    )


def on(bench: Bench, state: Path, refused: str = "", looked: list[Kind] | None = None) -> Bench:
    """Open the same project on a state; the CRMs refuse what is written on one deal, where it is named.

    What kinds of records they are asked to look for is added to `looked`.
    """

    def refusing(_: FakeAdapter, connection: str) -> FakeAdapter:
        made = Refusing(bench.crms[connection])
        made.refused, made.looked = refused, [] if looked is None else looked
        return made

    bench.workspace.store.close()
    workspace = Workspace(
        project=bench.workspace.project,
        store=open_store(f"sqlite:///{state}"),
        clock=bench.clock,
        plugins=fake_plugins(bench.crms, wrap=refusing),
    )
    return Bench(workspace=workspace, crms=bench.crms, clock=bench.clock)


def broken_deals(bench: Bench, *names: str) -> list[str]:
    """Make deals that are in step, that went on without BANT since, and that somebody wrote a note on."""
    crm = bench.crms["north"]
    deals = [crm.create_deal(name, stage="qualification", owner="1").id for name in names]
    run(bench)
    for deal in deals:
        crm.move_deal(deal, "proposal")
        add(bench, "north", Kind.NOTE, f"n{deal}", body="They want it in May", deals=(deal,))
    return deals


def written(bench: Bench) -> list[Ref]:
    """Give the tasks and notes that crmbridge made in both CRMs."""
    return sorted(ref for crm in bench.crms.values() for ref, (_, marker) in crm.attached.items() if marker)


def said(cycle: Cycle) -> list[tuple[Action, Outcome, str]]:
    return [(c.action, receipt.outcome, receipt.message) for c, receipt in cycle.applied.done if c.action in WRITTEN]


@pytest.mark.parametrize("state", ["backup.db", "new.db"])
def test_tasks_and_notes_are_not_written_once_more(tmp_path: Path, state: str) -> None:
    """Those that were written after the backup was made, or before the state was lost."""
    bench = on(shop(), tmp_path / "state.db")
    broken_deals(bench, "Rollout")
    bench.workspace.store.close()
    shutil.copy(tmp_path / "state.db", tmp_path / "backup.db")
    bench = on(bench, tmp_path / "state.db")
    run(bench)
    before = written(bench)
    bench.clock.advance(timedelta(hours=1))
    bench = on(bench, tmp_path / state)
    cycles = [run(bench), run(bench)]

    assert [Kind.TASK, Kind.NOTE] == [ref.kind for ref in before]
    assert before == written(bench)
    assert [(Action.TASK, Outcome.APPLIED, FOUND), (Action.NOTE, Outcome.APPLIED, FOUND)] == said(cycles[0])
    assert [] == said(cycles[1])


def test_what_a_new_state_comes_to_later_is_not_written_once_more(tmp_path: Path) -> None:
    """As where rules are bound again only after its first cycle, or histories are read some a day."""
    bench = on(shop(), tmp_path / "state.db")
    broken_deals(bench, "Rollout")
    run(bench)
    before = written(bench)
    audited = Bench(workspace=shop("audit").workspace, crms=bench.crms, clock=bench.clock)
    run(on(audited, tmp_path / "new.db"))
    cycle = run(on(bench, tmp_path / "new.db"))

    assert before == written(bench)
    assert [(Action.TASK, Outcome.APPLIED, FOUND)] == said(cycle)


def test_nothing_is_looked_for_where_a_cycle_has_just_come_to_its_end(tmp_path: Path) -> None:
    """That state is no older copy, and looking costs requests. After hours without one it may be."""
    looked: list[Kind] = []
    bench = on(shop(), tmp_path / "state.db", looked=looked)
    run(bench)
    bench.clock.advance(timedelta(days=30))
    found = []
    for hours in (0, 2):
        broken_deals(bench, f"Rollout {hours}")
        bench.clock.advance(timedelta(hours=hours))
        looked.clear()
        run(bench)
        found.append(set(looked))

    assert [set(), {Kind.TASK, Kind.NOTE}] == found
    assert len(written(bench)) == 4


def test_a_deal_that_nothing_can_be_looked_for_on_keeps_no_other_from_its_task(tmp_path: Path) -> None:
    """It was deleted a moment ago, for one: writing on it is refused, and that is said of it alone."""
    bench = on(shop(), tmp_path / "state.db")
    gone, _ = broken_deals(bench, "Rollout", "Renewal")
    bench.clock.advance(timedelta(hours=1))
    bench = on(bench, tmp_path / "state.db", refused=gone)
    cycle = run(bench)

    assert [Outcome.REFUSED, Outcome.APPLIED] == [o for action, o, _ in said(cycle) if action is Action.TASK]
