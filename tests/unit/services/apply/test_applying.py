"""Applying: batches side by side where the CRM allows it, with the journal as orderly as without."""

from __future__ import annotations

import _thread
import signal
import threading
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

import pytest

from crmbridge.errors import RetryLaterError
from crmbridge.model.changes import Action, Change, FieldEdit, Origin, Outcome, Receipt
from crmbridge.model.records import Edit, Kind, Record, Ref
from crmbridge.model.replacing import replace
from crmbridge.ports import Capabilities
from crmbridge.services.apply.applied import Applied
from crmbridge.services.apply.applying import NEXT_PART, apply_plan
from crmbridge.services.pull.pulling import pull
from crmbridge.services.workspace import Workspace
from crmbridge.testing.factories import make_change, make_plan
from crmbridge.testing.fake_adapter import FakeAdapter
from crmbridge.testing.fake_crm import at
from crmbridge.testing.workspaces import Bench, fake_plugins, make_bench

AT_ONCE = 3


@dataclass
class Seen:
    """What the CRM saw of the write calls."""

    going: int = 0
    most: int = 0
    calls: list[list[Ref | None]] = field(default_factory=list)
    intents: list[int] = field(default_factory=list)  # how many were journaled when each call came
    fails_at: int = 0  # the call, counted from 1, at which the CRM is out of reach
    breaks_at: int = 0  # the call at which the adapter has a bug
    interrupts_at: int = 0  # the call at which somebody types Ctrl-C
    meeting: threading.Barrier | None = None
    lock: threading.Lock = field(default_factory=threading.Lock)


class Wide(FakeAdapter):
    """A fake that takes one change a call, and several calls at a time."""

    def __init__(self, inner: FakeAdapter, seen: Seen, workspace: list[Workspace]) -> None:
        super().__init__(inner._crm)
        self._seen = seen
        self._workspace = workspace

    @property
    def capabilities(self) -> Capabilities:
        """Say so."""
        usual = super().capabilities
        return replace(usual, batch=dict.fromkeys(usual.actions, 1), writers=AT_ONCE)

    def read(self, refs: Sequence[Ref], *, fields: Collection[str] | None = None) -> Mapping[Ref, Record]:
        """Read one at a time: the fake's own state is not made for several."""
        with self._seen.lock:
            return super().read(refs, fields=fields)

    def write(self, changes: Sequence[Change]) -> Sequence[Receipt]:
        """Note who is here, wait for the others if they are to meet, and write."""
        seen = self._seen
        with seen.lock:
            seen.going += 1
            seen.most = max(seen.most, seen.going)
            seen.calls.append([change.target for change in changes])
            seen.intents.append(len([e for e in self._workspace[0].store.journal.entries() if e.outcome is None]))
            number = len(seen.calls)
        if seen.meeting is not None:
            seen.meeting.wait(timeout=10)
        try:
            if number == seen.interrupts_at:
                time.sleep(0.1)  # until the main thread has nothing left but to wait
                _thread.interrupt_main()
            if number == seen.breaks_at:
                raise ZeroDivisionError
            if number == seen.fails_at:
                raise RetryLaterError("out of reach")
            with seen.lock:
                return super().write(changes)
        finally:
            with seen.lock:
                seen.going -= 1


@pytest.fixture
def bench() -> Bench:
    """Give one CRM with six deals named `Before`."""
    made = make_bench(parts={"north": (0, 0)})
    for _ in range(6):
        made.crms["north"].create_deal("Before")
    return made


def applied(bench: Bench, seen: Seen, *changes: Change) -> Applied:
    """Apply a plan of these changes to a CRM that takes several calls at a time."""
    held: list[Workspace] = []
    plugins = fake_plugins(bench.crms, wrap=lambda adapter, _: Wide(adapter, seen, held))
    project = bench.workspace.project
    held.append(Workspace(project=project, store=bench.workspace.store, clock=bench.clock, plugins=plugins))
    return apply_plan(held[0], make_plan(*changes, settings=project.digest), "run")


def updates(bench: Bench, *numbers: int) -> list[Change]:
    """Give one change of the name for each of these deals, by their place."""
    ids = bench.crms["north"].deal_ids()
    return [make_change(ids[n], id=f"change-{place}") for place, n in enumerate(numbers)]


def test_batches_are_written_side_by_side(bench: Bench) -> None:
    """Three calls that wait for each other all come through, and no fourth is under way with them."""
    seen = Seen(meeting=threading.Barrier(AT_ONCE))
    done = applied(bench, seen, *updates(bench, 0, 1, 2, 3, 4, 5))

    assert {"applied": 6} == done.counts
    assert AT_ONCE == seen.most


def test_what_a_deal_held_before_it_was_written_is_remembered(bench: Bench) -> None:
    """Until the write; the CRM's time of the copy that we hold is older than that."""
    (change, *_) = updates(bench, 0)
    pull(bench.workspace)
    bench.clock.advance(timedelta(hours=3))
    written_at = bench.clock.now()
    applied(bench, Seen(), change)
    assert change.target is not None
    held = bench.workspace.store.records.get([change.target])[change.target]

    expected = Edit(field="name", since=held.updated_at, at=written_at, before="Before", after="After")
    assert held.updated_at < written_at
    assert (expected,) == bench.workspace.store.records.edits_for([change.target])[change.target]


def test_what_was_written_is_known_before_the_next_pull(bench: Bench) -> None:
    """A deal stands where it was moved to, and one that was archived is gone: rules are judged by that."""
    bench.crms["north"].able = True
    pull(bench.workspace)
    moved, archived = updates(bench, 0, 1)
    moved = replace(
        moved, edits=(FieldEdit("stage", "qualification", "proposal"),), position=at("proposal"), expects=None
    )
    archived = replace(archived, action=Action.ARCHIVE, edits=(), expects=None)
    done = applied(bench, Seen(), moved, archived)
    held = bench.workspace.store.records.get([change.target for change in (moved, archived) if change.target])

    assert {"applied": 2} == done.counts
    assert {moved.target: at("proposal")} == {ref: record.position for ref, record in held.items()}


def test_one_record_is_never_written_twice_at_a_time(bench: Bench) -> None:
    """Two changes of one deal keep their order: the second waits for the first."""
    seen = Seen()
    changes = updates(bench, 0, 1, 0, 2)
    edit = changes[2].edits[0]._replace(before="After", after="Last")
    later = replace(changes[2], edits=(edit,), origin=Origin.ENFORCE)
    done = applied(bench, seen, changes[0], changes[1], later, changes[3])
    first = bench.crms["north"].deal_ids()[0]

    assert {"applied": 4} == done.counts
    assert "Last" == bench.crms["north"].deal(first).fields["name"]


def test_of_what_sync_wants_of_a_deal_in_parts_a_run_writes_one(bench: Bench) -> None:
    """The next pull must not show what stood there between two writes: it would look like somebody's edit."""
    changes = updates(bench, 0, 1, 0)
    done = applied(bench, Seen(), *changes)

    assert {"applied": 2, "stale": 1} == done.counts
    assert NEXT_PART in {receipt.message for _, receipt in done.done}


def test_every_intent_is_committed_before_the_first_write_of_its_group(bench: Bench) -> None:
    """Killed in the middle of the three, the next run knows of all of them."""
    seen = Seen(meeting=threading.Barrier(AT_ONCE))
    applied(bench, seen, *updates(bench, 0, 1, 2, 3, 4, 5))

    assert [3, 3, 3, 6, 6, 6] == seen.intents


def test_the_journal_is_in_the_order_of_the_plan(bench: Bench) -> None:
    """However the calls end, the same plan leaves the same journal."""
    changes = updates(bench, 0, 1, 2, 3, 4, 5)
    applied(bench, Seen(), *changes)
    entries = list(bench.workspace.store.journal.entries())
    ids = [change.id for change in changes]

    assert [*ids[:3], *ids[:3], *ids[3:], *ids[3:]] == [entry.change.id for entry in entries]
    assert [None] * 3 + [Outcome.APPLIED] * 3 == [entry.outcome for entry in entries[:6]]


def test_an_outage_ends_it_after_the_calls_that_were_under_way(bench: Bench) -> None:
    """The ones beside it have their own outcomes; what comes after is not tried."""
    seen = Seen(fails_at=2)
    done = applied(bench, seen, *updates(bench, 0, 1, 2, 3, 4, 5))

    assert {"applied": 2, "failed": 1} == done.counts
    assert ["north"] == list(done.errors)
    assert 3 == len(seen.calls)


def test_ctrl_c_does_not_take_outcomes_along(bench: Bench) -> None:
    """What was answered is journaled; what is not sent yet is not begun."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a test run in the background ignores it
    try:
        with pytest.raises(KeyboardInterrupt):
            applied(bench, Seen(interrupts_at=3, meeting=threading.Barrier(AT_ONCE)), *updates(bench, 0, 1, 2, 3, 4, 5))
    finally:
        signal.signal(signal.SIGINT, before)
    outcomes = [entry.outcome for entry in bench.workspace.store.journal.entries()]

    assert [None] * 3 + [Outcome.APPLIED] * 3 == outcomes
    assert not bench.workspace.store.journal.unsettled()


def test_a_bug_in_an_adapter_leaves_unclear_what_it_was_writing(bench: Bench) -> None:
    """What was answered beside it is journaled, the rest of its connection is not tried, and the error says where."""
    done = applied(bench, Seen(breaks_at=2, meeting=threading.Barrier(AT_ONCE)), *updates(bench, 0, 1, 2, 3, 4, 5))

    assert {"applied": 2, "unknown": 1} == done.counts
    assert 1 == len(bench.workspace.store.journal.unsettled())
    assert done.errors["north"].message.startswith(
        "north: its adapter stopped at a bug in its write (ZeroDivisionError at "
    )


@pytest.mark.parametrize(("fault", "before"), [("drop_after", Outcome.UNKNOWN), (None, Outcome.APPLIED)])
def test_a_plan_that_is_applied_once_more_sends_nothing_twice(bench: Bench, fault: str | None, before: Outcome) -> None:
    """Also what may have arrived, as long as nobody could read back whether it did: it would be a second task."""
    crm, seen = bench.crms["north"], (Seen(), Seen())
    (number, *_) = crm.deal_ids()
    task = make_change(number, action=Action.TASK, key="k", edits=(FieldEdit("subject", None, "Call"),))
    crm.faults += [fault] if fault else []
    outcomes = [[receipt.outcome for _, receipt in applied(bench, each, task).done] for each in seen]

    assert [[before], [before]] == outcomes
    assert [1, 0] == [len(each.calls) for each in seen]
    assert 1 == len(crm.hanging_on(number, Kind.TASK))


class Taskless(FakeAdapter):
    """A fake of a CRM that has no tasks."""

    @property
    def capabilities(self) -> Capabilities:
        """Say so."""
        usual = super().capabilities
        actions = usual.actions - {Action.TASK}
        return replace(usual, actions=actions, batch=dict.fromkeys(actions, 1))

    def write(self, changes: Sequence[Change]) -> Sequence[Receipt]:
        """Write what there is."""
        assert Action.TASK not in {change.action for change in changes}
        return super().write(changes)


def test_what_a_connection_can_not_write_is_refused() -> None:
    """A rule that is bound to tasks in a CRM without tasks is said, and the rest of the plan is applied."""
    bench = make_bench(deals=0, parts={"north": (0, 0)}, sync=[])
    deal = bench.crms["north"].create_deal("Rollout")
    workspace = Workspace(
        project=bench.workspace.project,
        store=bench.workspace.store,
        clock=bench.clock,
        plugins=fake_plugins(bench.crms, wrap=lambda adapter, _: Taskless(adapter._crm)),
    )
    task = make_change("t1", id="t1", action=Action.TASK, connection="north", target=deal, edits=())
    note = make_change("n1", id="n1", action=Action.NOTE, connection="north", target=deal, edits=())
    done = apply_plan(workspace, make_plan(task, note, settings=workspace.project.digest), "r1")

    assert {"t1": Outcome.REFUSED, "n1": Outcome.APPLIED} == {c.id: receipt.outcome for c, receipt in done.done}
    assert "writes no tasks" in done.done[0][1].message
