"""The CRMs of a simulation: each a sandbox, seen from behind, with people who work in it."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any, NamedTuple

from crmbridge.engine.views import SHARED, STAGE, Viewer
from crmbridge.errors import CrmbridgeError
from crmbridge.model.changes import Action, Change, FieldEdit, Origin, Outcome, change_id
from crmbridge.model.records import Kind, Position, Record, Ref
from crmbridge.model.replacing import replace
from crmbridge.model.values import Value
from crmbridge.ports import Adapter, Capabilities
from crmbridge.sandbox import Sandbox
from crmbridge.testing.simulation.notes import hung, notes_in
from crmbridge.testing.simulation.sight import Sight

Views = Mapping[Ref, Mapping[str, Value]]
NEW_IDS = "merges_make_new_ids"  # what a sandbox's state calls it
BESIDE = {STAGE: {"close_date", "lost_reason"}}  # what a CRM itself changes when a person, or we, change something


class _Counted(NamedTuple):
    """What is being written, and what there was before: deals, and what companies and contacts go by."""

    changes: Sequence[Change]
    before: Views
    names: Mapping[Kind, Mapping[str, str]]
    hung: AbstractSet[tuple[Ref, str]]  # notes of ours, where some are written


class Account:
    """One CRM as it is, and what people do in it.

    `people` is an adapter that speaks to the sandbox from behind: it shows the account as it is, and does what people
    do, where the sandbox has no hand of its own for that. `effects` counts how often each change was carried out,
    `beyond` says what was changed beside what the changes say.
    """

    def __init__(self, sandbox: Sandbox, people: Adapter, sight: Sight, users: Sequence[Record]) -> None:
        self.connection = sight.viewer.connection
        self.sandbox = sandbox
        self.sight = sight
        self.effects: Counter[str] = Counter()
        self.beyond: list[str] = []
        self.attached: dict[Ref, tuple[Ref, str]] = {}
        self.writes = 0
        self.bin: list[str] = []  # deals that people deleted
        self.people = people
        self.users = tuple(users)
        self._known: dict[Ref, Record] | None = None
        self._shown = {*SHARED, *sight.viewer.fields, *sight.around}  # what else hangs on deals costs requests
        self._touched: set[Ref] = set()  # what people did something to while crmbridge wrote
        self._made = 0
        self._counted: _Counted | None = None

    @property
    def capabilities(self) -> Capabilities:
        """What the CRM can do."""
        return self.people.capabilities

    @property
    def viewer(self) -> Viewer:
        """What turns values into the CRM's own."""
        return self.sight.viewer

    def show(self, field: str) -> None:
        """Look at one more of the fields that people have, from now on."""
        self.sight.show(field)
        self._shown.add(field)
        self._known = None

    # ── Looking ─────────────────────────────────────────────────────────────────────────────────────────

    @property
    def records(self) -> Mapping[Ref, Record]:
        """The users and deals as they are now."""
        if self._known is None:
            refs = [Ref(self.connection, Kind.DEAL, native) for native in self.sandbox.state.deal_ids()]
            self._known = {
                **{user.ref: user for user in self.users},
                **(self.people.read(refs, fields=self._shown) if refs else {}),
            }
        return self._known

    def deal_ids(self) -> list[str]:
        """Give the ids of the deals that are there."""
        return sorted(ref.id for ref in self.records if ref.kind is Kind.DEAL)

    def look_again(self) -> None:
        """Look anew the next time: crmbridge has written something."""
        self._known = None

    def _ids_now(self) -> set[Ref]:
        """Give what is there at this moment: while crmbridge writes, more than was looked at before."""
        self.look_again()
        return set(self.records)

    def deal(self, native: str) -> Record:
        """Give a deal as it is now."""
        return self.records[Ref(self.connection, Kind.DEAL, native)]

    def doubled(self) -> list[str]:
        """Name the companies and contacts that are there more than once."""
        return [name for names in self.sight.names.values() for name, n in Counter(names.values()).items() if n > 1]

    def _views(self) -> Views:
        return {ref: self.sight.view(record) for ref, record in self.records.items() if ref.kind is Kind.DEAL}

    # ── What crmbridge does ─────────────────────────────────────────────────────────────────────────────

    @contextlib.contextmanager
    def counting(self, changes: Sequence[Change]) -> Iterator[None]:
        """Count which of these changes are carried out until the block ends, however it ends."""
        self._count_from_now(changes)
        try:
            yield
        finally:
            self._count()
            self._counted = None
            self.writes += 1

    @contextlib.contextmanager
    def counting_others(self) -> Iterator[None]:
        """Count for itself, until the block ends, what another process does in the middle of a write of this one."""
        counted = self._counted
        if counted is not None:
            self._count()
            self._counted = None
        try:
            yield
        finally:
            if counted is not None:
                self._count_from_now(counted.changes)

    def _count_from_now(self, changes: Sequence[Change]) -> None:
        self._counted = _Counted(changes, self._views(), self.sight.names, self._hung(changes))
        self._touched = set()

    def _count(self) -> None:
        """Count what was carried out since that began."""
        if self._counted is None:
            raise TypeError("nothing is being written")
        changes, before, names, hung_before = self._counted
        self._forget()
        if any(change.kind in names for change in changes):
            self.sight.names = names_in(self.people)
        after = self._views()
        keys = {record.key for ref, record in self.records.items() if ref not in before}
        made = {name for kind, known in self.sight.names.items() for i, name in known.items() if i not in names[kind]}
        self.effects.update(c.id for c in changes if self._carried_out(c, before, after, keys | made))
        new = self._hung(changes) - hung_before
        self.effects.update(c.id for c in changes if c.action is Action.NOTE and (c.target, c.key) in new)
        self.beyond += self._beside(changes, before, after)

    def _hung(self, changes: Sequence[Change]) -> set[tuple[Ref, str]]:
        """Give which of our notes hangs on which deal, if these changes are about notes."""
        return hung(notes_in(self.people)) if any(change.action is Action.NOTE for change in changes) else set()

    def _carried_out(self, change: Change, before: Views, after: Views, made: set[str | None]) -> bool:
        match change.action:
            case Action.CREATE:
                return (change.key if change.creates is Kind.DEAL else str(change.key).partition(":")[2]) in made
            case Action.ARCHIVE:
                return change.target in before and change.target not in after
            case Action.UPDATE if change.target is not None and change.target in after and change.target in before:
                now = after[change.target]
                return before[change.target] != now and all(now.get(n) == v for n, v in self.sight.written(change))
            case _:
                return False

    def _beside(self, changes: Sequence[Change], before: Views, after: Views) -> Iterator[str]:
        """Say what was changed beside what the changes say, and not by people."""
        keys = {change.key for change in changes if change.action is Action.CREATE}
        for ref in sorted({*before, *after} - self._touched):
            was, now = before.get(ref), after.get(ref)
            mine = [change for change in changes if change.target == ref]
            if was is None:
                if self.records[ref].key not in keys:
                    yield f"{ref} was created"
            elif now is None:
                if not any(change.action is Action.ARCHIVE for change in mine):
                    yield f"{ref} was taken away"
            else:
                names = {edit.name for change in mine for edit in change.edits}
                names = names.union(*(BESIDE.get(name, ()) for name in names))
                yield from (
                    f"{name} of {ref} was changed" for name in now if now[name] != was[name] and name not in names
                )

    def _forget(self, *refs: Ref) -> None:
        """Look anew the next time: something may have been written."""
        self._known = None
        self._touched.update(refs)

    # ── What people do ──────────────────────────────────────────────────────────────────────────────────

    def edit(self, native: str, name: str, value: Value) -> bool:
        """Set a field of a deal, given as sync sees it; tell whether the CRM took it."""
        deal = self.deal(native)
        edit = self.viewer.native(FieldEdit(name, deal.fields.get(name), value), deal)
        position = self.viewer.position(value, deal.position) if name == STAGE else None
        if edit is None or (name == STAGE and position is None):
            return False
        return self._do(_change(Action.UPDATE, self.connection, deal.ref, (edit,), position=position), deal.ref)

    def create(self, name: str, stage: str, fields: Mapping[str, Value]) -> Ref | None:
        """Create a deal, and give it."""
        self._made += 1
        known = self._ids_now()
        edits = tuple(FieldEdit(n, None, value) for n, value in sorted({**fields, "name": name}.items()))
        key = f"someone-{self.connection}-{self._made}"
        position = self.viewer.position(stage, None)
        self._do(_change(Action.CREATE, self.connection, None, edits, position=position, key=key))
        made = next((ref for ref in self.records if ref not in known), None)
        self._touched.update({made} if made else ())
        return made

    def write_note(self, native: str, body: str) -> Ref:
        """Write a note on a deal, and give it."""
        written = self.sandbox.state.add_note(native, body)
        self._forget(Ref(self.connection, Kind.DEAL, native))
        return Ref(self.connection, Kind.NOTE, written)

    def tick(self, made: Change, *, done: bool) -> None:
        """Tick the task off that a change made, or let it be to do again."""
        self._do(replace(made, action=Action.AMEND, edits=(FieldEdit("done", not done, done),)))

    def delete(self, native: str) -> None:
        """Delete a deal."""
        self.sandbox.state.delete_deal(native)
        self.bin.append(native)
        self._forget(Ref(self.connection, Kind.DEAL, native))

    @property
    def tells_of_merges(self) -> bool:
        """Whether the CRM says what a deal was merged into."""
        return hasattr(self.sandbox.state, NEW_IDS)

    def let_merges_make_new_ids(self) -> None:
        """Let what is left of two deals be a third one, where that is among what the CRM was seen to do."""
        if self.tells_of_merges:
            setattr(self.sandbox.state, NEW_IDS, True)

    def merge(self, winner: Ref, loser: Ref) -> Ref | None:
        """Merge two deals, and give the one that is left; None where the CRM does not let people do that."""
        known = self._ids_now()
        if not self.do("merge_deals", winner.id, winner=winner.id, loser=loser.id):
            return None
        left = next((ref for ref in self.records if ref not in known), winner)
        self._touched.update({loser, left})
        return left

    def do(self, hand: str, native: str, *arguments: Any, **named: Any) -> bool:
        """Let a person do with a deal what the sandbox has a hand for; tell whether it has one and the CRM let them."""
        found = getattr(self.sandbox.state, hand, None)
        if found is None:
            return False
        try:
            found(*arguments, **named)
        except (KeyError, ValueError, LookupError):
            return False
        self._forget(Ref(self.connection, Kind.DEAL, native))
        return True

    def _do(self, change: Change, *refs: Ref) -> bool:
        try:
            receipts = self.people.write([change])
        except CrmbridgeError:
            return False
        finally:
            self._forget(*refs)
        return receipts[0].outcome is Outcome.APPLIED


def names_in(adapter: Adapter) -> dict[Kind, dict[str, str]]:
    """Give what an account's companies and contacts go by: domain or e-mail, or else their name."""
    found: dict[Kind, dict[str, str]] = {}
    for kind, known_by in ((Kind.COMPANY, "domain"), (Kind.CONTACT, "email")):
        records = (record for page in adapter.pull(kind, None) for record in page.records)
        found[kind] = {r.ref.id: str(r.fields.get(known_by) or r.fields.get("name")).casefold() for r in records}
    return found


def _change(
    action: Action,
    connection: str,
    target: Ref | None,
    edits: tuple[FieldEdit, ...],
    *,
    position: Position | None = None,
    key: str | None = None,
) -> Change:
    if position is not None:
        edits = (*(edit for edit in edits if edit.name != STAGE), FieldEdit(STAGE, None, position.stage))
    return Change(
        id=change_id(action, connection, str(target), str(key), edits=edits),
        action=action,
        origin=Origin.SYNC,
        connection=connection,
        target=target,
        edits=edits,
        reason="a person wanted it",
        position=position,
        key=key,
    )
