"""The oracle of the simulation: it sees what people did and what was written, and judges the promises by that."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple, Protocol

from crmbridge.engine.matching import link_id
from crmbridge.engine.views import OWNER, emails
from crmbridge.model.changes import Action, Change, Outcome, Plan
from crmbridge.model.records import Kind, Record, Ref, Status
from crmbridge.model.values import Value
from crmbridge.ports import Journal, StateStore
from crmbridge.services.gathering import make_viewers
from crmbridge.settings import FieldSync, Sync
from crmbridge.testing.fake_crm import FakeCrm
from crmbridge.testing.simulation.sight import HANGING, Sight
from crmbridge.testing.simulation.verdicts import Edit, judge_filled, judge_members, judge_one_way, members
from crmbridge.testing.workspaces import Bench

NOTHING = object()  # stands for a value that was never agreed on


class _Agreed(NamedTuple):
    """What all deals of a link held in one field when a run had come to rest."""

    number: int  # of the last edit before it
    value: object
    refs: tuple[Ref, ...]


class _Sent(NamedTuple):
    """One field's value that was sent to a CRM."""

    seen: int  # the number of the last edit that the run could see when it began
    ref: Ref | None
    before: Value
    value: Value
    applied: bool


class WatchedCrm(Protocol):
    """A CRM as the oracle sees it from outside: what it holds now, and what it carried out, by change."""

    connection: str
    effects: Counter[str]

    @property
    def records(self) -> Mapping[Ref, Record]:
        """What it holds; deals at the least."""
        ...

    @property
    def attached(self) -> Mapping[Ref, tuple[Ref, str]]:
        """Tasks and notes: what each hangs on, and its marker."""
        ...


class Oracle:
    """What is known from outside the core, with the promises as checks.

    `begin` and `end` frame a run, `before_write` comes before each write call; what people do is told by
    `created`, `edited` and `deleted` (the last one before it happens). `judge` is asked once, when all is calm.
    """

    def __init__(
        self,
        crms: Mapping[str, WatchedCrm],
        sights: Mapping[str, Sight],
        store: Callable[[], StateStore],
        entry: Sync,
    ) -> None:
        self._crms = crms
        self._entry = entry
        self._sights = sights
        self._store = store
        self._count = 0
        self._edits: list[Edit] = []
        self._touched: dict[Ref, list[float]] = defaultdict(list)
        self._agreed: dict[tuple[str, str], _Agreed] = {}  # by link and field
        self._in_step: dict[tuple[str, str], _Agreed] = {}  # the same for when a run began
        self._members: dict[str, set[Ref]] = defaultdict(set)  # everything that ever was in a link
        self._deleted: dict[Ref, int] = {}
        self._shaken: set[Ref] = set()  # merged, or deleted and brought back: what holds then is not all told
        self._sent: dict[str, list[tuple[int, Change]]] = defaultdict(list)  # by link: since when, and what
        self._run = ""
        self._began = 0
        self._begins: list[int] = [0]  # what runs that came to their end could see
        for ref in self._deals():
            self.created(ref)

    # ── What people do ──────────────────────────────────────────────────────────────────────────────────

    def created(self, ref: Ref) -> None:
        """Note a new deal: each of its fields is an edit."""
        for name in self._view(ref):
            self.edited(ref, name, fresh=True)

    def edited(self, ref: Ref, name: str, before: Value = None, *, fresh: bool = False) -> None:
        """Note an edit that was just made, with what `value` gave before it."""
        self._count += 1
        self._edits.append(Edit(self._count, ref, name, self.value(ref, name), before, fresh))
        self._touched[ref].append(self._count)

    def value(self, ref: Ref, name: str) -> Value:
        """Give what a field holds now, as sync sees it."""
        return self._view(ref).get(name)

    def all_values(self, ref: Ref) -> Mapping[str, Value]:
        """Give what a deal holds now, as sync sees it."""
        return self._view(ref)

    def deleted(self, ref: Ref) -> None:
        """Note that a deal is about to be deleted."""
        self._count += 1
        self._deleted[ref] = self._count

    def shaken(self, *refs: Ref) -> None:
        """Note that deals were merged, or one was brought back: their links must be in step, whoever won."""
        self._count += 1
        self._shaken.update(refs)

    def decided(self, link: str, name: str, value: Value) -> None:
        """Note how a person settled a conflict."""
        self._count += 1
        for ref in self._links()[link]:
            if ref in self._deals():
                self._edits.append(Edit(self._count, ref, name, value, self.value(ref, name), decided=True))

    def linked(self, ref: Ref) -> tuple[Ref, ...]:
        """Give the refs that are linked with this one, itself among them."""
        return next((refs for refs in self._links().values() if ref in refs), (ref,))

    def values_seen(self, ref: Ref, name: str) -> list[Value]:
        """Give the CRM's own values that a field had on this deal and the ones linked to it."""
        if name == OWNER:
            return []
        together = self.linked(ref)
        return [edit.value for edit in self._edits if edit.ref in together and edit.name == name]

    # ── What crmbridge does ─────────────────────────────────────────────────────────────────────────────

    def begin(self, run: str) -> None:
        """Note that a run begins."""
        self._run, self._began = run, self._count
        links = self._links()
        for (link, name), value in self._equal_fields().items():
            self._judge_field(link, links[link], name, blocked=False)
            self._in_step[link, name] = _Agreed(self._count, value, links[link])

    def before_write(self, changes: Sequence[Change]) -> None:
        """Check that each change that is sent has its intent, and that nothing else of it is still unclear."""
        rows: dict[str, list[Outcome | None]] = defaultdict(list)
        wanted = {change.id for change in changes}
        for entry in self._journal.entries():
            if entry.change.id in wanted:
                rows[entry.change.id].append(entry.outcome)
        for change in changes:
            history = rows[change.id]
            assert history, f"P6: {change.id} was sent without an intent"
            assert history[-1] is None, f"P6: {change.id} was sent with {history[-1]} as its last row"
            before = history[-2] if len(history) > 1 else Outcome.FAILED
            assert before in {Outcome.FAILED, Outcome.STALE}, f"P2: {change.id} was sent again after {before}"
            self._check_sources(change)
            if change.target is not None:
                self._touched[change.target].append(self._count + 0.5)  # after the last edit, before the next
            if change.link is not None:
                self._sent[change.link].append((self._began, change))

    def _check_sources(self, change: Change) -> None:
        """Check that what sync writes was put there by a person, in another record than the one written to."""
        if change.link is None or change.action is not Action.UPDATE or change.target is None:
            return
        self._links()
        for name, value in self._sights[change.connection].written(change):
            edits = [e for e in self._edits if e.ref in self._members[change.link] and e.name == name]
            told = value in [e.value for e in edits if e.ref != change.target or e.decided]
            if name in HANGING:
                told = told or members(value) <= frozenset().union(
                    *(members(e.value) | members(e.before) for e in edits)
                )
            told = told or self._may_be_ours(change.link, change.target, name)
            assert told, f"P4: {value!r} was written to {change.target} {name} of {change.link}; nobody set it"
            self._check_policy(change.target, name)

    def _check_policy(self, target: Ref, name: str) -> None:
        """Check that a field's policy lets anything be written there at all."""
        policy = self._entry.policy(name)
        assert policy.source != target.connection, f"P1: {name} was written to {target}, which alone speaks of it"
        if policy.source is None and policy.conflict == "only_if_empty":
            held = self.value(target, name) if target in self._deals() else None
            assert held is None, f"P1: {name} of {target} was written over, and is only filled where empty"

    def _may_be_ours(self, link: str, ref: Ref, name: str) -> bool:
        """Tell whether what stands there can't be told from something that was sent and not clearly answered."""
        now = self.value(ref, name)
        return any(s.ref == ref and not s.applied and s.value == now for s in self._values_sent(link, name))

    def end(self, plan: Plan | None) -> None:
        """Check the journal after a run that was not killed, and note what all sides agree on."""
        if plan is None:
            return
        rows: dict[str, list[Outcome | None]] = defaultdict(list)
        for entry in self._journal.entries(self._run):
            rows[entry.change.id].append(entry.outcome)
        for change, outcomes in rows.items():
            settled = sum(outcome is not None for outcome in outcomes)
            assert settled >= len(outcomes) - settled, f"P6: {change} has an intent without an outcome"
        self._begins.append(self._began)
        if self._count == self._began:
            self._note_agreement(plan)

    def _note_agreement(self, plan: Plan) -> None:
        stopped = {item.link for item in plan.blocked}
        links = self._links()
        for (link, name), value in self._equal_fields().items():
            if link not in stopped:
                self._judge_field(link, links[link], name, blocked=False)
                self._agreed[link, name] = _Agreed(self._count, value, links[link])

    def _equal_fields(self) -> dict[tuple[str, str], Value]:
        """Find the fields, as (link, name), in which all linked deals hold the same."""
        equal: dict[tuple[str, str], Value] = {}
        deals = self._deals()
        for link, refs in self._links().items():
            views = [self._view(ref) for ref in refs if ref in deals]
            for name in {name for view in views for name in view}:
                values = [view[name] for view in views if name in view]
                if len(values) > 1 and all(value == values[0] for value in values):
                    equal[link, name] = values[0]
        return equal

    # ── The judgement ───────────────────────────────────────────────────────────────────────────────────

    def judge(self, plan: Plan) -> None:
        """Check every promise that can be told from the end; `plan` is that of the last calm run."""
        assert () == self._journal.unsettled(), "P5: something is still unclear after calm runs"
        assert () == plan.changes, f"P3: a calm run still plans {plan.changes}"
        self._judge_counterparts(plan)
        self._judge_effects()
        stopped = {(item.link, name) for item in plan.blocked for name in item.name.split(", ")}
        deals = self._deals()
        for link, refs in self._links().items():
            for name in sorted({name for ref in refs if ref in deals for name in self._view(ref)}):
                self._judge_field(link, refs, name, blocked=(link, name) in stopped)

    def _judge_counterparts(self, plan: Plan) -> None:
        for crm in self._crms.values():
            keys = Counter(r.key for r in crm.records.values() if r.key)
            assert not [key for key, count in keys.items() if count > 1], f"P2: doubled in {crm.connection}: {keys}"
            marks = Counter((on, mark) for on, mark in crm.attached.values())
            assert not [mark for mark, count in marks.items() if count > 1], f"P2: doubled tasks in {crm.connection}"
        stopped = {item.link for item in plan.blocked}
        for link, refs in self._links().items():
            sides = [ref.connection for ref in refs]
            assert len(sides) == len(set(sides)), f"P2: {link} has two records in one CRM: {refs}"
            missing = set() if self._is_ended(link) else set(self._crms) - set(sides)
            live = [ref for ref in refs if ref in self._deals()]
            is_open = live and self._crms[live[0].connection].records[live[0]].position
            if is_open and is_open.status is Status.OPEN and missing:
                assert link in stopped, f"P1: {link} lacks {missing}, and the plan says nothing of it"
        linked = {ref for refs in self._links().values() for ref in refs}
        asked = {item.deal for item in plan.blocked}
        for ref, record in self._deals().items():
            if record.position and record.position.status is Status.OPEN:
                assert ref in linked | asked or link_id(ref) in stopped, (
                    f"P1: {ref} has no link, and the plan says nothing of it"
                )

    def _judge_effects(self) -> None:
        """Check that what the CRMs carried out is what the journal says was applied, each once."""
        last = {entry.change.id: entry for entry in self._journal.entries() if entry.outcome is not None}
        known = set(last)
        effects: Counter[str] = Counter()
        for crm in self._crms.values():
            effects.update(crm.effects)
        assert set(+effects) <= known, "P6: something was carried out that the journal does not know"
        for change, entry in last.items():
            if self._blurred(entry.change, entry.ref):
                continue
            expected = int(entry.outcome is Outcome.APPLIED)
            found = effects[change]
            assert expected == found, f"P6: {change} is {entry.outcome} and was carried out {found} times"

    def _blurred(self, change: Change, ref: Ref | None) -> bool:
        """Tell whether what a change wrote was written by others too, so that reading back can't tell who did it."""
        target = change.target or ref
        names = {edit.name for edit in change.edits}
        if change.action is Action.CREATE:
            return bool(self._deleted)
        if change.action is not Action.UPDATE:
            return target in self._deleted
        others = [c for c in self._sent[change.link or ""] if c[1].target == target and c[1].id != change.id]
        again = any(edit in other.edits for _, other in others for edit in change.edits)  # wanted anew since, and done
        return again or target in self._deleted or any(e.ref == target and e.name in names for e in self._edits)

    def _is_ended(self, link: str) -> bool:
        return self._entry.delete == "unlink" and any(ref in self._deleted for ref in self._members[link])

    def _judge_field(self, link: str, refs: Sequence[Ref], name: str, *, blocked: bool) -> None:
        """Check one field of one link: in step with what a person wants, or in the plan for a person to decide."""
        deals = self._deals()
        if self._is_ended(link):
            return
        views = {ref: self._view(ref) for ref in refs if ref in deals}
        values = {ref: view[name] for ref, view in views.items() if name in view}
        if len(values) < 2:
            return
        since, agreed, together = self._agreed.get((link, name), _Agreed(0, NOTHING, ()))
        mine = [edit for edit in self._edits if edit.ref in self._members[link] and edit.name == name]
        edits = [edit for edit in mine if edit.number > since or edit.ref not in together]
        last = {edit.ref: edit for edit in edits}
        # An empty field of a deal that is new, or was never in step with the others, says nothing.
        known = {*together, *self._in_step.get((link, name), _Agreed(0, NOTHING, ())).refs}
        said = [edit for edit in last.values() if edit.value is not None or not (edit.fresh or edit.ref not in known)]
        net = [edit for edit in said if not self._taken_back(link, edit, agreed)]
        allowed: list[object] = [edit.value for edit in said]
        if len(net) < len(last) or not net or any(edit.ref not in values for edit in net):
            # What was taken back, or deleted, may count for nothing; then what was there before stands.
            allowed += [agreed, *(edit.value for edit in edits)]
        if any(edit.ref not in together for edit in edits):
            allowed.append(agreed)  # a deal that joined the link stands beside what the others had agreed on
        story = f"{link} {name}: {values}; agreed {agreed}; edits {edits}"
        policy = self._entry.policy(name)
        is_shaken = not self._shaken.isdisjoint(self._members[link])
        if is_shaken and (blocked or policy.source or policy.conflict == "only_if_empty"):
            return
        if policy.source is not None:
            if not blocked:
                judge_one_way(policy.source, values, net, story)
            return
        if policy.conflict == "only_if_empty":
            if not blocked and len(net) == len(last):
                judge_filled(values, net, story)
            return
        if blocked:
            for edit in (each for each in net if not each.decided):
                later: list[object] = [e.value for e in edits if e.number > edit.number]
                if policy.conflict != "ask":
                    later = [*later, *allowed]
                assert edit.ref not in values or values[edit.ref] in [edit.value, *later], (
                    f"P1: lost though asked {story}"
                )
            return
        found = list(values.values())
        assert all(value == found[0] for value in found), f"P1: not in step {story}"
        if is_shaken or (not net and agreed is NOTHING):
            return
        if name in HANGING and (isinstance(found[0], tuple) or any(isinstance(e.value, tuple) for e in edits)):
            judge_members(found[0], agreed, edits, story)
            return
        if edits and edits[-1].decided:
            assert found[0] == edits[-1].value, f"P1: not what was decided {story}"
            return
        assert found[0] in allowed, f"P1: nobody's value {story}"
        # What came before all sides held the same is no rival of what came after.
        after, held, mates = self._in_step.get((link, name), _Agreed(0, NOTHING, ()))
        said = [edit for edit in said if edit.number > after or edit.ref not in mates]
        rivals = [edit for edit in net if edit in said and edit.ref in values]
        taken_back = [edit for edit in said if edit not in net]
        joined = found[0] == held and any(edit.ref not in mates for edit in said)
        if not joined and found[0] not in [edit.value for edit in taken_back]:
            self._judge_winner(found[0], said, rivals, policy, story)

    def _taken_back(self, link: str, edit: Edit, agreed: object) -> bool:
        """Tell whether somebody went back to an earlier value before the edit in between was written anywhere.

        That may count as a later edit, or as none at all: what happened in between may never have been seen.
        """
        mine = [e for e in self._edits if (e.ref, e.name) == (edit.ref, edit.name) and e.number < edit.number]
        sent = [one for one in self._values_sent(link, edit.name) if one.ref == edit.ref]
        written = [value for one in sent for value in (one.before, one.value)]
        earlier = [agreed, *(e.value for e in mine), *(e.before for e in mine), *written]
        return edit.value in earlier and not (mine and self._moved_on(link, edit, mine[-1]))

    def _moved_on(self, link: str, edit: Edit, before: Edit) -> bool:
        """Tell whether the edit before this one was written elsewhere meanwhile, or something was written over it.

        Only what the journal knows was applied counts.
        """
        since = [sent for sent in self._values_sent(link, edit.name) if before.number <= sent.seen < edit.number]
        over = [sent for sent in since if sent.ref == edit.ref]
        if over:
            # A person who enters just what was sent, and did not arrive, can't be told from its arrival.
            return over[-1].applied and over[-1].value != edit.value
        return any(sent.applied and sent.value == before.value for sent in since)

    def _values_sent(self, link: str, name: str) -> list[_Sent]:
        """Give what was sent of one field of a link, oldest first, as sync sees it."""
        outcomes = self._journal.outcomes([change.id for _, change in self._sent[link]])
        found = []
        for seen, change in self._sent[link]:
            sight = self._sights[change.connection]
            edits = dict(sight.written(change))
            was = {edit.name: sight.shown(edit.name, edit.before) for edit in change.edits}
            last = outcomes.get(change.id)
            if name in edits:
                applied = last is not None and last.outcome is Outcome.APPLIED
                found.append(_Sent(seen, change.target, was[name], edits[name], applied))
        return found

    def _judge_winner(
        self, value: Value, net: Sequence[Edit], live: Sequence[Edit], policy: FieldSync, story: str
    ) -> None:
        if not live or value == (newest := max(live, key=lambda edit: edit.number)).value:
            return
        mine = [edit for edit in net if edit.value == value]
        if any(edit.number > newest.number for edit in mine):  # of a deal that is gone
            return
        if policy.conflict == "newest":
            # The time is the record's: the side whose record was touched later, by us too, has the last word.
            later = any(touch > newest.number for edit in mine for touch in self._touched[edit.ref])
            assert later, f"P1: an older edit won {story}"
        elif policy.preferred is not None:
            preferred = [edit for edit in mine if edit.ref.connection == policy.preferred]
            assert preferred, f"P1: the preferred did not win {story}"
        else:
            raise AssertionError(f"P1: nobody was asked {story}")

    # ── Looking ─────────────────────────────────────────────────────────────────────────────────────────

    @property
    def _journal(self) -> Journal:
        return self._store().journal

    def _links(self) -> dict[str, tuple[Ref, ...]]:
        links = self._store().links.links()
        for link, refs in links.items():
            self._members[link].update(refs)
        return links

    def _deals(self) -> dict[Ref, Record]:
        crms = self._crms.values()
        return {ref: record for crm in crms for ref, record in crm.records.items() if ref.kind is Kind.DEAL}

    def _view(self, ref: Ref) -> dict[str, Value]:
        return self._sights[ref.connection].view(self._crms[ref.connection].records[ref])


def sights_of(bench: Bench) -> dict[str, Sight]:
    """Give sights that know the fake CRMs' users already before the first pull."""
    viewers = make_viewers(bench.workspace)
    return {
        name: Sight(replace(viewers[name], users=emails(_users(crm)), around=())) for name, crm in bench.crms.items()
    }


def _users(crm: FakeCrm) -> tuple[Record, ...]:
    return tuple(record for ref, record in crm.records.items() if ref.kind is Kind.USER)
