"""Moves that are taken back: those alone that the process forbids, each once, and none that somebody went on from."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from msgspec import Struct

from crmbridge.engine.sync.matching import lead
from crmbridge.engine.views import STAGE
from crmbridge.model.changes import Change, FieldEdit, Outcome, Plan
from crmbridge.model.records import Kind, Ref
from crmbridge.sandbox import VirtualClock
from crmbridge.testing.simulation.diary import Diary
from crmbridge.testing.simulation.moving import order_of, skips
from crmbridge.testing.simulation.people import People
from crmbridge.testing.simulation.verdicts import Edit
from crmbridge.testing.simulation.witness import Witness

OFTEN = 0.04  # in how many plays moves are taken back
AGAIN = 0.6  # how often somebody moves a deal again that was moved back
STEPS = 0.4  # how often somebody moves one two stages on, one after the other
OFTEN_ON_FAKES = 0.2  # the same on CRMs in memory
ALL = {"rule": "*", "action": "revert"}
LEFT, ENOUGH = (
    "qualification",
    3,
)  # the stage of the fakes' process that has an exit rule, and how many of these it asks for
BANT = ("bant.budget", "bant.authority", "bant.need", "bant.timeline")
AUDITED = ({"rule": "*", "action": "audit"}, {"rule": "move", "action": "revert"})
MOVES = ({"rule": "*", "action": "task"}, {"rule": "move", "action": "revert"})


def draw_bindings(seed: int) -> list[dict[str, Any]]:
    """Draw what is done about findings in a play on CRMs in memory where moves are taken back; nothing in others."""
    rng = random.Random(f"reverting {seed}")  # noqa: S311  a seeded play, not a secret
    if rng.random() >= OFTEN_ON_FAKES:
        return []
    return [dict(each) for each in rng.choice(((ALL,), MOVES))]


class Reverting:
    """Who asks for moves to be taken back that the process forbids, and who makes some. It changes no other history."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(f"reverting {seed}")  # noqa: S311  a seeded play, not a secret
        self.is_played = self.rng.random() < OFTEN

    def ask(self, raw: Mapping[str, Any], diary: Diary) -> dict[str, Any]:
        """Give settings that take them back."""
        diary.note("a person", "changes the settings: moves that the process forbids are taken back")
        return {**raw, "enforce": [dict(each) for each in AUDITED]}

    def move(self, people: People, seen: Witness, clock: VirtualClock) -> None:
        """Move a deal somewhere, rather one with counterparts; or one again that was moved back; or two steps on."""
        clock.advance(timedelta(minutes=self.rng.randint(1, 5)))
        deals = [ref for ref in sorted(seen.deals()) if seen.value(ref, STAGE) in seen.stages]
        again = [(ref, there) for ref, there, _ in sorted(seen.set_back) if ref in deals]
        if again and self.rng.random() < AGAIN:
            ref, there = self.rng.choice(again)
            people.set(ref, STAGE, there)
        elif deals:
            ref = self.rng.choice([ref for ref in deals if len(seen.linked(ref)) > 1] or deals)
            if self.rng.random() < STEPS:
                self._step_on(ref, people, seen, clock)
            else:
                people.edit(ref, STAGE)

    def _step_on(self, ref: Ref, people: People, seen: Witness, clock: VirtualClock) -> None:
        order = [*seen.stages]
        for stage in order[order.index(str(seen.value(ref, STAGE))) + 1 :][:2]:
            people.set(ref, STAGE, stage)
            clock.advance(timedelta(minutes=1))


class _Sent(Struct, frozen=True):
    """A move back that was sent: where the deal stood by then, and after which edit."""

    change: Change
    edit: FieldEdit
    now: object
    at: int

    def said(self) -> tuple[Ref, FieldEdit, object, int]:
        """Give all that is told of it."""
        if self.change.target is None:
            raise TypeError("what is moved back is there")
        return self.change.target, self.edit, self.now, self.at


class Reverts:
    """Judges what is taken back. A move that was is nobody's any more; `rules` name whose breach takes one back."""

    def __init__(self, seen: Witness, rules: frozenset[str] = frozenset()) -> None:
        self.seen = seen
        self.rules = rules
        self._sent: dict[str, _Sent] = {}  # what nobody knows yet to have been carried out
        self._made: dict[tuple[Ref, object], str] = {}  # the last change by deal, and the stage it was moved back from

    def check(self, change: Change) -> None:
        """Check a move back before it is sent."""
        target = change.target or Ref(change.connection, Kind.DEAL, "")
        assert self.rules, f"P7: {target} is moved back, and nobody asked for that"
        edit = _of_stage(change)
        now = self.seen.value(target, STAGE) if target in self.seen.deals() else None
        self._sent[change.id] = _Sent(change, edit, now, self.seen.count)
        moves = self._moves(target, edit.before)
        wrong = now != edit.before or any(map(self._is_wrong, moves)) or self._leaves_unfit(target, edit)
        assert wrong, f"P7: {target} is moved back to {edit.after}, and the process allows what people did: {moves}"

    def note(self) -> None:
        """Note what was carried out since: it was taken back, once, so nobody has moved the deal there."""
        done = [id_ for id_, sent in self._sent.items() if self.seen.crms[sent.change.connection].effects[id_]]
        for id_, (target, edit, now, at) in [(id_, self._sent.pop(id_).said()) for id_ in done]:
            assert now == edit.before, f"P1: {target} was moved back from {edit.before}, and stood in {now} by then"
            known = self.seen.journal.outcomes([self._made.get((target, edit.before), "")]).values()
            again = any(each.outcome is Outcome.APPLIED for each in known)  # else nobody can tell that it was
            assert not again, f"P7: {target} is moved back from {edit.before} once more"
            self._made[target, edit.before] = id_
            gone = self._moves(target, edit.before, at)
            self.seen.set_back.add((target, str(edit.before), str(edit.after)))
            kept = (e._replace(value=edit.after) if e in gone and e.fresh else e for e in self.seen.edits)
            self.seen.edits = [each for each in kept if each not in gone]

    def judge(self, plan: Plan) -> None:
        """Check that no move stands that the process forbids, but for those of which a person is told."""
        told = {item.deal for item in plan.blocked if item.name == STAGE} if self.rules else set()
        stopped = {item.link for item in plan.blocked if item.name == STAGE}
        links = {ref: (link, refs) for link, refs in self.seen.links().items() for ref in refs}
        for ref in sorted(self.seen.deals()) if self.rules else ():
            link, refs = links.get(ref, ("", (ref,)))
            mine = [each for each in self.seen.edits if (each.ref, each.name) == (ref, STAGE)]
            stands = bool(mine) and mine[-1].value == self.seen.value(ref, STAGE) and mine[-1].value in self.seen.stages
            if stands and self._skips(mine[-1]) and lead(link, refs) == ref:
                known = ref in told or (ref, mine[-1].value) in self._made
                # Where another one came there as the process allows, all of them may stand there.
                known = known or not all(map(self._skips, self._moves(ref, mine[-1].value)))
                assert known or link in stopped, f"P7: {ref} stands where the process let nobody move it: {mine[-1]}"

    def _moves(self, target: Ref, stage: object, until: int | None = None) -> Sequence[Edit]:
        """Give the last edit of each deal of a link that put it in a stage, if it is the last of its stage."""
        link = next((link for link, refs in self.seen.links().items() if target in refs), "")
        refs = self.seen.members[link] if link else {target}
        last: dict[Ref, Edit] = {}
        for edit in self.seen.edits:
            if edit.ref in refs and edit.name == STAGE and (until is None or edit.number <= until):
                last[edit.ref] = edit
        return [edit for edit in last.values() if edit.value == stage]

    def _is_wrong(self, edit: Edit) -> bool:
        """Tell whether a move may be taken back.

        What was there from the start, or came into the process there, may have come in any way; where the others stood
        elsewhere, following it was a move for them.
        """
        return edit.fresh or edit.before is None or self._is_blurred(edit) or self._skips(edit)

    def _leaves_unfit(self, deal: Ref, back: FieldEdit) -> bool:
        """Tell whether the way on that is taken back went past an exit rule that may not have held; so a sync's may."""
        order = order_of(self.seen.stages)
        before, after = order.get(str(back.after)), order.get(str(back.before))
        leaves = before is not None and after is not None and before <= order.get(LEFT, -1) < after
        return "*" in self.rules and leaves and self._lacks(deal)

    def _skips(self, edit: Edit) -> bool:
        return skips(edit, order_of(self.seen.stages)) and not self._is_blurred(edit)

    def _is_blurred(self, edit: Edit) -> bool:
        """Tell whether a CRM may tell of this move and another one as of one."""
        mine = [each for each in self.seen.edits if (each.ref, each.name, each.at) == (edit.ref, STAGE, edit.at)]
        return len(mine) > 1

    def _lacks(self, deal: Ref) -> bool:
        """Tell whether a deal may have lacked what the exit rule asks for when a run looked at it."""
        held = self.seen.crms[deal.connection].records[deal].fields
        since = [e for e in self.seen.edits if e.ref == deal and e.name in BANT and e.number > self.seen.began]
        empty = {name for name in BANT if held.get(name) is None} | {e.name for e in since if e.before is None}
        return len(BANT) - len(empty) < ENOUGH


def _of_stage(change: Change) -> FieldEdit:
    return next(edit for edit in change.edits if edit.name == STAGE)
