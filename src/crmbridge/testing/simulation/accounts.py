"""The CRMs of a simulation: each a sandbox, seen from behind, with people who work in it."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from crmbridge.engine.views import OWNER, STAGE, Viewer
from crmbridge.errors import CrmbridgeError
from crmbridge.model.changes import Action, Change, FieldEdit, Origin, Outcome, change_id
from crmbridge.model.records import Kind, Position, Record, Ref
from crmbridge.model.values import Value
from crmbridge.ports import Adapter
from crmbridge.sandbox import Sandbox


class Account:
    """One CRM as it is, and what people do in it.

    `people` is an adapter that speaks to the sandbox from behind: it shows the account as it is, and does what people
    do, where the sandbox has no hand of its own for that. `effects` counts how often each change was carried out.
    """

    def __init__(
        self,
        connection: str,
        sandbox: Sandbox,
        people: Adapter,
        viewer: Viewer,
        users: Sequence[Record],
        companies: Sequence[Record],
    ) -> None:
        self.connection = connection
        self.sandbox = sandbox
        self.viewer = viewer
        self.companies = companies
        self.effects: Counter[str] = Counter()
        self.attached: dict[Ref, tuple[Ref, str]] = {}
        self.writes = 0
        self._people = people
        self._users = {user.ref: user for user in users}
        self._known: dict[Ref, Record] | None = None
        self._made = 0

    @property
    def capabilities(self) -> Any:
        """What the CRM can do."""
        return self._people.capabilities

    # ── Looking ─────────────────────────────────────────────────────────────────────────────────────────

    @property
    def records(self) -> Mapping[Ref, Record]:
        """The users and deals as they are now."""
        if self._known is None:
            refs = [Ref(self.connection, Kind.DEAL, native) for native in self.sandbox.state.deal_ids()]
            self._known = {**self._users, **(self._people.read(refs) if refs else {})}
        return self._known

    def forget(self) -> None:
        """Look anew the next time: something may have been written."""
        self._known = None

    def deal_ids(self) -> list[str]:
        """Give the ids of the deals that are there."""
        return sorted(ref.id for ref in self.records if ref.kind is Kind.DEAL)

    def deal(self, native: str) -> Record:
        """Give a deal as it is now."""
        return self.records[Ref(self.connection, Kind.DEAL, native)]

    @contextlib.contextmanager
    def counting(self, changes: Sequence[Change]) -> Iterator[None]:
        """Count which of these changes are carried out until the block ends, however it ends."""
        before = self.records
        try:
            yield
        finally:
            self.forget()
            after = self.records
            self.effects.update(change.id for change in changes if self._carried_out(change, before, after))
            self.writes += 1

    def _carried_out(self, change: Change, before: Mapping[Ref, Record], after: Mapping[Ref, Record]) -> bool:
        if change.action is Action.CREATE:
            return any(record.key == change.key for ref, record in after.items() if ref not in before)
        if change.action is not Action.UPDATE or change.target not in after or change.target not in before:
            return False
        was, now = self.viewer.view(before[change.target]), self.viewer.view(after[change.target])
        wanted = {edit.name: self._canonical(edit) for edit in change.edits}
        return was != now and all(now.get(name) == value for name, value in wanted.items())

    def _canonical(self, edit: FieldEdit) -> Value:
        return self.viewer.users.get(str(edit.after)) if edit.name == OWNER else edit.after

    # ── What people do ──────────────────────────────────────────────────────────────────────────────────

    def edit(self, native: str, name: str, value: Value) -> bool:
        """Set a field of a deal, given as sync sees it; tell whether the CRM took it."""
        deal = self.deal(native)
        edit = self.viewer.native(FieldEdit(name, deal.fields.get(name), value), deal)
        position = self.viewer.position(value, deal.position) if name == STAGE else None
        if edit is None or (name == STAGE and position is None):
            return False
        change = _change(Action.UPDATE, self.connection, deal.ref, (edit,), position=position, before=deal.position)
        return self._do(change)

    def create(self, name: str, stage: str, fields: Mapping[str, Value]) -> Ref | None:
        """Create a deal, and give it."""
        self._made += 1
        known = set(self.records)
        edits = tuple(FieldEdit(n, None, value) for n, value in sorted({**fields, "name": name}.items()))
        change = _change(
            Action.CREATE, self.connection, None, edits, position=self.viewer.position(stage, None),
            key=f"someone-{self.connection}-{self._made}",
        )  # fmt: skip
        self._do(change)
        return next((ref for ref in self.records if ref not in known), None)

    def delete(self, native: str) -> None:
        """Delete a deal."""
        self.sandbox.state.delete_deal(native)
        self.forget()

    def _do(self, change: Change) -> bool:
        try:
            receipts = self._people.write([change])
        except CrmbridgeError:
            return False
        finally:
            self.forget()
        return receipts[0].outcome is Outcome.APPLIED


def companies_of(adapter: Adapter) -> tuple[Record, ...]:
    """Give an account's companies, in the order of their refs."""
    found = (record for page in adapter.pull(Kind.COMPANY, None) for record in page.records)
    return tuple(sorted(found, key=lambda company: company.ref))


def _change(
    action: Action,
    connection: str,
    target: Ref | None,
    edits: tuple[FieldEdit, ...],
    *,
    position: Position | None = None,
    before: Position | None = None,
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
        position_before=before,
        key=key,
    )
