"""What is judged where people decide by hand: whose value may be written over, and what is one thing or is not."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from crmbridge.engine.sync.deleting import ENDED
from crmbridge.engine.sync.merge import decided_ref
from crmbridge.model.changes import Action, Cause, Change, Origin
from crmbridge.model.records import Kind, Record, Ref
from crmbridge.model.values import Value
from crmbridge.services.by_hand.resolving import Decision
from crmbridge.testing.workspaces import Bench

FIELDS = ("name", "amount")


class _Decided(NamedTuple):
    """What a person decided on for a field of a link, with the deals that were shown and what a run knew then."""

    link: str
    name: str
    value: Value
    known: int
    members: tuple[Ref, ...]


class Seen:
    """Sees what people do and decide.

    `shared` has, by deal and field, the values that are no news to its link: it agreed on them, sent them, or was
    given them. What somebody entered in a deal is news until then, and so is all of one that joins a link.
    """

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.policies = {name: bench.workspace.project.settings.sync[0].policy(name) for name in FIELDS}
        self.count = 0
        self.began = 0
        self.before: Mapping[Ref, Record] = {}
        self.linked: Mapping[str, tuple[Ref, ...]] = {}
        self.touched_at: dict[Ref, int] = defaultdict(int)
        self.shared: dict[tuple[Ref, str], list[Value]] = defaultdict(list)
        self.apart: set[frozenset[Ref]] = set()
        self.together: set[frozenset[Ref]] = set()
        self.decisions: list[_Decided] = []
        self.back: set[Ref] = set()  # what people brought back: another may stand in its place since

    # ── Looking ─────────────────────────────────────────────────────────────────────────────────────────

    def deals(self) -> list[Ref]:
        """Give all deals that are there."""
        return sorted(self.records())

    def mates(self, ref: Ref) -> tuple[Ref, ...]:
        """Give what is linked with a deal, itself among them."""
        return next((refs for refs in self.links().values() if ref in refs), (ref,))

    def records(self) -> dict[Ref, Record]:
        """Give all deals as they are now."""
        crms = self.bench.crms.values()
        return {ref: each for crm in crms for ref, each in crm.records.items() if ref.kind is Kind.DEAL}

    def links(self) -> dict[str, tuple[Ref, ...]]:
        """Give the links of deals as they are now."""
        links = self.bench.workspace.store.links.links()
        return {link: refs for link, refs in links.items() if refs and refs[0].kind is Kind.DEAL}

    # ── What people do ──────────────────────────────────────────────────────────────────────────────────

    def touched(self, refs: Iterable[Ref]) -> None:
        """Note that people did something to deals."""
        self.count += 1
        self.touched_at.update(dict.fromkeys(refs, self.count))

    def split(self, ref: Ref, mates: Sequence[Ref]) -> None:
        """Note that a person told a deal apart from the others of its link."""
        pairs = {frozenset((ref, other)) for other in mates if other != ref}
        self.apart |= pairs
        self.together -= pairs
        self._is_new([ref])
        self.touched([ref, *mates])

    def joined(self, link: str, refs: Sequence[Ref], before: Mapping[str, Sequence[Ref]]) -> None:
        """Note that a person said that deals are one, in this link; `before` has the links as they were until then."""
        self._is_new(set(refs).difference(before.get(link, ())))
        pairs = {frozenset((one, other)) for one in refs for other in refs if one != other}
        self.apart -= pairs
        left = set(before.get(link, ())).difference(refs)
        self.together = {pair for pair in self.together if pair.isdisjoint(left)} | pairs
        self.note_agreed()
        self.touched([*refs, *left])

    def decided(self, decision: Decision) -> None:
        """Note how a person settled a conflict."""
        item = decision.item
        members = self.links().get(item.link, ())
        self.decisions = [each for each in self.decisions if (each.link, each.name) != (item.link, item.name)]
        if item.name in FIELDS:
            self.decisions.append(_Decided(item.link, item.name, decision.value, self.began, members))
        for ref in members:
            if ref.connection in item.values:
                self.shared[ref, item.name] += [item.values[ref.connection], decision.value]

    def undone(self, changes: Iterable[Change]) -> None:
        """Note what was undone: it is as if people had done so, but what comes back is no news."""
        for change in changes:
            if change.target is not None:
                for edit in change.edits:
                    self.shared[change.target, edit.name].append(edit.before)
                self.touched(self.mates(change.target))

    def _is_new(self, refs: Iterable[Ref]) -> None:
        for ref in refs:
            for name in FIELDS:
                self.shared.pop((ref, name), None)

    # ── What runs do ────────────────────────────────────────────────────────────────────────────────────

    def begin(self) -> None:
        """Note that a run begins."""
        self.began, self.before, self.linked = self.count, self.records(), self.links()
        self.count += 1

    def note_sent(self, change: Change, mates: Iterable[Ref]) -> None:
        """Note that what was sent is no news any more where it came from, whether or not it arrived."""
        for ref in self.before.keys() & set(mates):
            for name in FIELDS:
                if name in change.after and self.before[ref].fields.get(name) == change.after[name]:
                    self.shared[ref, name].append(change.after[name])

    def note_agreed(self) -> None:
        """Note what all deals of a link hold."""
        there = self.records()
        for refs in self.links().values():
            for name in FIELDS:
                held = [there[ref].fields.get(name) for ref in refs if ref in there]
                if len(held) > 1 and all(value == held[0] for value in held):
                    for ref in refs:
                        self.shared[ref, name].append(held[0])


class Oracle:
    """Judges each run by what it sent and what stands there then."""

    def __init__(self, seen: Seen) -> None:
        self._seen = seen

    # ── What a run did ──────────────────────────────────────────────────────────────────────────────────

    def end(self, run: str) -> None:
        """Judge what a run sent, and what is linked now."""
        entries = self._seen.bench.workspace.store.journal.entries(run)
        for change in [entry.change for entry in entries if entry.outcome is None]:
            mates = {*self._seen.linked.get(change.link or "", ()), *self._seen.links().get(change.link or "", ())}
            if change.origin is Origin.SYNC and change.action is Action.UPDATE and change.target is not None:
                self._judge_sent(change, change.target, mates)
            self._seen.note_sent(change, mates)
        self._judge_links()
        for ref in self._seen.records().keys() - self._seen.before.keys():
            for name in FIELDS:
                self._seen.shared[ref, name].append(self._seen.records()[ref].fields.get(name))
        self._seen.note_agreed()

    def _judge_sent(self, change: Change, target: Ref, mates: Collection[Ref]) -> None:
        for edit in change.edits:
            if edit.name in FIELDS and target in self._seen.before:
                held = self._seen.before[target].fields.get(edit.name)
                fine = held in (None, edit.after) or self._is_known(held, edit.name, mates)
                assert fine or self._wins(edit.name, edit.after, target, mates), (
                    f"P1: {target} {edit.name}: {held} is written over by {edit.after}"
                )
                self._seen.shared[target, edit.name] += [held, edit.after]

    def _is_known(self, value: Value, name: str, refs: Iterable[Ref]) -> bool:
        return any(value in self._seen.shared[ref, name] for ref in refs)

    def _wins(self, name: str, value: Value, over: Ref, mates: Iterable[Ref]) -> bool:
        """Tell whether by its policy what another deal holds may be written over what is new in this one."""
        policy, there = self._seen.policies[name], self._seen.before
        givers = [ref for ref in mates if ref in there and there[ref].fields.get(name) == value]
        if policy.preferred is not None:
            return any(ref.connection == policy.preferred for ref in givers)
        since: datetime = there[over].updated_at
        return policy.conflict == "newest" and any(there[ref].updated_at >= since for ref in givers)

    def _judge_links(self) -> None:
        seen = self._seen
        there, links = seen.records(), seen.links()
        pairs = {frozenset((a, b)) for refs in links.values() for a in refs for b in refs if a != b}
        assert not (again := seen.apart & pairs), f"P2: told apart, and linked again: {again}"
        seen.together = {pair for pair in seen.together if pair <= there.keys()}
        assert not (lost := seen.together - pairs), f"P2: joined, and linked no longer: {lost}"
        keys = Counter((ref.connection, each.key) for ref, each in there.items() if each.key and ref not in seen.back)
        assert not (twice := [key for key, count in keys.items() if count > 1]), f"P2: two deals of one key: {twice}"
        for link, refs in links.items():
            held = {ref.connection for ref in seen.linked.get(link, ()) if ref in seen.before and ref in there}
            new = [ref for ref in refs if ref in there.keys() - seen.before.keys() and ref.connection in held]
            assert not new, f"P2: made in the place of what is there: {new}"

    # ── At rest ─────────────────────────────────────────────────────────────────────────────────────────

    def judge_rest(self) -> None:
        """Judge what stands there when all is calm: a link is in step, or a person is asked with all values."""
        there, store = self._seen.records(), self._seen.bench.workspace.store
        asked = [each.item for each in store.waiting.all()]
        links = self._seen.links()
        ended = {ref.id for ref, base in store.links.bases(list(map(decided_ref, links))).items() if base.get(ENDED)}
        for link, refs in links.items():
            values = {ref: {**there[ref].fields, "stage": there[ref].position} for ref in refs if ref in there}
            mine = [item for item in asked if item.link == link]
            for name in (*FIELDS, "stage"):
                held = {ref: each.get(name) for ref, each in values.items()}
                told = [item for item in mine if name in item.name]
                in_step = len(set(held.values())) < 2 or link in ended
                assert in_step or told, f"P1: not in step, and nobody is asked: {link} {name} {held}"
                shown = [item.values for item in told if item.cause is Cause.CONFLICT and name in FIELDS]
                wrong = [ref for said in shown for ref in held if said.get(ref.connection, held[ref]) != held[ref]]
                assert not wrong, f"P1: who is asked is shown what is not there: {link} {name} {held}"
        for each in self._seen.decisions:
            self._judge_decided(each, there, told=any(item.link == each.link for item in asked) or each.link in ended)

    def _judge_decided(self, each: _Decided, there: Mapping[Ref, Record], *, told: bool) -> None:
        """Check that what was decided on got everywhere, unless people did something since, or are told why not."""
        if told or any(self._seen.touched_at[ref] > each.known for ref in each.members):
            return
        wrong = [ref for ref in each.members if ref in there and there[ref].fields.get(each.name) != each.value]
        assert not wrong, f"P1: not what was decided on: {each} {wrong}"
