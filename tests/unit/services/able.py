"""Fake CRMs that archive records and create companies and contacts, with a workspace on two of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from crmbridge.model.changes import Action, Change, Outcome, Receipt
from crmbridge.model.records import Kind, Ref, Tombstone
from crmbridge.ports import Capabilities
from crmbridge.services.workspace import Workspace
from crmbridge.testing.fake_crm import KINDS, FakeAdapter, FakeCrm, receipt
from crmbridge.testing.workspaces import Bench, fake_plugins, make_bench

TWO = ("north", "south")
ABLE = frozenset({Kind.DEAL, Kind.COMPANY, Kind.CONTACT})


class AbleCrm(FakeCrm):
    """An account whose records can be archived, and where companies and contacts can be made."""

    def carry_out(self, change: Change) -> Receipt:
        """Do what a change asks for."""
        if change.action is Action.ARCHIVE:
            answer = self._archive(change)
        elif change.action is Action.CREATE and change.creates is not Kind.DEAL:
            self._count += 1
            ref = Ref(self.connection, change.creates, f"{change.creates[0]}{self._count}")
            self._store(ref, change.after, None, created=self.clock.now())
            answer = receipt(change, Outcome.APPLIED, ref=ref)
        else:
            return super().carry_out(change)
        self.effects[change.id] += 1
        return answer

    def _archive(self, change: Change) -> Receipt:
        assert change.target is not None
        del self.records[change.target]
        self.attached.pop(change.target, None)
        self.gone[change.target] = Tombstone(ref=change.target, at=self.clock.now())
        self._touch(change.target)
        return receipt(change, Outcome.APPLIED)


class AbleAdapter(FakeAdapter):
    """Speaks to it, and can do all that a change may ask for."""

    @property
    def capabilities(self) -> Capabilities:
        """Say so."""
        usual = super().capabilities
        actions = usual.actions | {Action.ARCHIVE}
        return replace(
            usual,
            kinds=KINDS | {Kind.NOTE},
            actions=actions,
            batch=dict.fromkeys(actions, 20),
            creates=ABLE,
            associates=frozenset({"company", "contacts"}),
        )

    def find(self, kind: Kind, key: str, near: Ref | None) -> Ref | None:
        """Find companies and contacts by their natural keys."""
        if kind not in {Kind.COMPANY, Kind.CONTACT}:
            return super().find(kind, key, near)
        self._see()
        name, _, value = key.partition(":")
        every = sorted(self._crm.records.items())
        fitting = (r for r, record in every if r.kind is kind and str(record.fields.get(name)).casefold() == value)
        return next(fitting, None)


def able_bench(names: Sequence[str] = TWO, **settings: Any) -> Bench:
    """Make a workspace on such CRMs; every conflict is won by the newest unless said otherwise."""
    newest = {"name": "main", "between": list(names), "create": list(names), "fields": {"*": {"conflict": "newest"}}}
    made = make_bench(deals=1, parts=dict.fromkeys(names, (0, 0)), **{"sync": [newest], **settings})
    crms = {name: AbleCrm(name, made.clock) for name in names}
    for name, crm in crms.items():
        crm.records, crm.changed, crm._count = made.crms[name].records, made.crms[name].changed, 1000
    plugins = fake_plugins(crms, wrap=lambda adapter, _: AbleAdapter(adapter._crm))
    old = made.workspace
    workspace = Workspace(project=old.project, store=old.store, clock=made.clock, plugins=plugins)
    return Bench(workspace=workspace, crms=crms, clock=made.clock)
