"""The simulation can fail: each of these bugs, planted on purpose, breaks a promise within a few hundred seeds."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import pytest

from crmbridge.engine import merge, planner
from crmbridge.errors import CrmbridgeError
from crmbridge.model.changes import Action, Outcome, Receipt
from crmbridge.model.records import Kind
from crmbridge.ports import Page
from crmbridge.services import applying, planning, reconciling, syncing
from crmbridge.services.deciding import Decisions
from crmbridge.store.memory import MemoryJournal, MemoryLinks, MemoryRecords
from crmbridge.testing import fake_crm
from crmbridge.testing.simulation.fakes import simulate

MOST_SEEDS = 300
Patch = pytest.MonkeyPatch


def outcomes_are_not_journaled(patch: Patch) -> None:
    patch.setattr(MemoryJournal, "settle", lambda *_: None)


def bases_are_not_saved(patch: Patch) -> None:
    patch.setattr(MemoryLinks, "save_bases", lambda *_: None)


def bases_of_what_was_written_are_not_saved(patch: Patch) -> None:
    patch.setattr(applying, "bases_after", lambda *_: {})


def decisions_are_not_remembered(patch: Patch) -> None:
    patch.setattr(Decisions, "bases", lambda *_: {})


def the_source_keeps_its_old_base(patch: Patch) -> None:
    whole = Decisions.bases

    def only_the_targets(self: Any, going: Any, stopped: Any) -> Any:
        found = whole(self, going, stopped)
        targets = {change.target for change in going}
        return {ref: base for ref, base in found.items() if ref in targets or not ref.connection}

    patch.setattr(Decisions, "bases", only_the_targets)


def the_base_is_what_is_read_after_the_write(patch: Patch) -> None:
    whole = applying.settle

    def settle(workspace: Any, done: Any, run: str, viewers: Any = None, **rest: Any) -> None:
        whole(workspace, done, run, viewers, **rest)
        viewers = viewers or syncing.make_viewers(workspace)
        for change, receipt in done:
            if receipt.outcome is Outcome.APPLIED and change.action is Action.UPDATE:
                found = workspace.adapter(change.connection).read([change.target])
                workspace.store.links.save_bases({r: viewers[r.connection].view(d) for r, d in found.items()})

    patch.setattr(applying, "settle", settle)


def unclear_changes_are_sent_again(patch: Patch) -> None:
    patch.setattr(MemoryJournal, "unsettled", lambda _: ())
    patch.setattr(planner, "AGAIN", {Outcome.FAILED, Outcome.STALE, Outcome.UNKNOWN})


def unclear_means_failed(patch: Patch) -> None:
    whole = applying._write

    def write(workspace: Any, batch: Any) -> Any:
        receipts, error = whole(workspace, batch)
        again = {k: replace(r, outcome=Outcome.FAILED) for k, r in receipts.items() if r.outcome is Outcome.UNKNOWN}
        return {**receipts, **again}, error

    patch.setattr(applying, "_write", write)


def unclear_means_applied(patch: Patch) -> None:
    def look(_workspace: Any, change: Any) -> tuple[Receipt, None]:
        return Receipt(change=change.id, outcome=Outcome.APPLIED, ref=change.target), None

    patch.setattr(reconciling, "_look", look)


def unclear_is_never_looked_up(patch: Patch) -> None:
    def look(_workspace: Any, change: Any) -> tuple[Receipt, None]:
        return Receipt(change=change.id, outcome=Outcome.FAILED, ref=change.target), None

    patch.setattr(reconciling, "_look", look)


def nothing_is_stale(patch: Patch) -> None:
    def read_and_look_away(workspace: Any, batch: Any) -> dict[str, Receipt]:
        workspace.adapter(batch[0].connection).read([])
        return {}

    patch.setattr(applying, "unfit", read_and_look_away)


def the_version_is_no_part_of_an_id(patch: Patch) -> None:
    whole = planner.change_id

    def change_id(action: Any, connection: str, link: str, *_: str, edits: Any) -> str:
        return whole(action, connection, link, edits=edits)

    patch.setattr(planner, "change_id", change_id)


def links_are_not_saved_before_a_create(patch: Patch) -> None:
    patch.setattr(MemoryLinks, "save", lambda *_: None)


def intents_come_after_the_write(patch: Patch) -> None:
    whole = applying._write

    def write(workspace: Any, batch: Any) -> Any:
        workspace.store.journal.intend = lambda *_: None
        return whole(workspace, batch)

    patch.setattr(applying, "_write", write)
    patch.setattr(MemoryJournal, "intend", lambda *_: None)


def the_oldest_wins(patch: Patch) -> None:
    def winner(changed: Sequence[merge.Side], policy: Any) -> merge.Side | None:
        return min(changed, key=lambda side: side.updated_at) if policy.conflict == "newest" else None

    patch.setattr(merge, "_winner", winner)


def conflicts_are_not_asked_about(patch: Patch) -> None:
    patch.setattr(merge, "_winner", lambda changed, _policy: changed[0])


def blocked_is_forgotten(patch: Patch) -> None:
    whole = planning.assemble
    patch.setattr(planning, "assemble", lambda changes, _blocked, **rest: whole(changes, (), **rest))


def a_pull_skips_what_changed_last(patch: Patch) -> None:
    whole = fake_crm.FakeAdapter.pull

    def pull(self: Any, kind: Kind, since: str | None) -> Iterator[Page]:
        return (replace(page, cursor=str(int(page.cursor) + 1)) for page in whole(self, kind, since))

    patch.setattr(fake_crm.FakeAdapter, "pull", pull)


def a_page_is_saved_without_its_tombstones(patch: Patch) -> None:
    whole = MemoryRecords.save_page

    def save_page(self: Any, connection: str, kind: Kind, page: Page, at: Any) -> None:
        whole(self, connection, kind, replace(page, tombstones=()), at)

    patch.setattr(MemoryRecords, "save_page", save_page)


def a_cut_intent_is_forgotten(patch: Patch) -> None:
    whole = MemoryJournal.unsettled

    def unsettled(self: Any) -> Any:
        last = {entry.change.id: entry for entry in self.entries()}
        return tuple(entry for entry in whole(self) if last[entry.change.id].outcome is not None)

    patch.setattr(MemoryJournal, "unsettled", unsettled)


def done_changes_are_planned_again(patch: Patch) -> None:
    patch.setattr(planner, "AGAIN", {Outcome.FAILED, Outcome.STALE, Outcome.APPLIED})
    patch.setattr(applying, "_known_before", lambda *_: {})


BUGS: tuple[Callable[[Patch], None], ...] = (
    outcomes_are_not_journaled,
    bases_are_not_saved,
    bases_of_what_was_written_are_not_saved,
    decisions_are_not_remembered,
    the_source_keeps_its_old_base,
    the_base_is_what_is_read_after_the_write,
    unclear_changes_are_sent_again,
    unclear_means_failed,
    unclear_means_applied,
    unclear_is_never_looked_up,
    nothing_is_stale,
    the_version_is_no_part_of_an_id,
    links_are_not_saved_before_a_create,
    intents_come_after_the_write,
    the_oldest_wins,
    conflicts_are_not_asked_about,
    blocked_is_forgotten,
    a_pull_skips_what_changed_last,
    a_page_is_saved_without_its_tombstones,
    a_cut_intent_is_forgotten,
    done_changes_are_planned_again,
)


@pytest.mark.parametrize("plant", BUGS, ids=lambda plant: plant.__name__)
def test_a_planted_bug_is_caught(plant: Callable[[Patch], None], monkeypatch: Patch) -> None:
    """A promise breaks, or the core stops itself; playing on with the bug and noticing nothing is the failure."""
    plant(monkeypatch)

    caught = first_caught()
    assert caught, f"{plant.__name__} survived {MOST_SEEDS} seeds"


def first_caught() -> int:
    """Give the first seed in which something breaks, or 0."""
    for seed in range(1, MOST_SEEDS + 1):
        try:
            simulate(seed)
        except (AssertionError, CrmbridgeError):
            return seed
    return 0
