"""Looking up whether changes still fit: only where the CRM does not tell by itself."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import pytest

from crmbridge.model.changes import Change, FieldEdit, Outcome, Receipt
from crmbridge.model.records import Record, Ref
from crmbridge.model.replacing import replace
from crmbridge.ports import Capabilities
from crmbridge.services.apply.applied import Applied
from crmbridge.services.apply.applying import apply_plan
from crmbridge.services.workspace import Workspace
from crmbridge.testing.factories import make_change, make_plan
from crmbridge.testing.fake_adapter import FakeAdapter
from crmbridge.testing.fake_crm import FakeCrm
from crmbridge.testing.fake_writes import receipt
from crmbridge.testing.workspaces import Bench, fake_plugins, make_bench


class Comparing(FakeAdapter):
    """A fake that itself refuses an update of a deal that changed, and notes what is read."""

    def __init__(self, crm: FakeCrm, read: list[Ref]) -> None:
        super().__init__(crm)
        self._read = read

    @property
    def capabilities(self) -> Capabilities:
        """Say so."""
        return replace(super().capabilities, conditional_write=True)

    def read(self, refs: Sequence[Ref], *, fields: Collection[str] | None = None) -> Mapping[Ref, Record]:
        """Note and read."""
        self._read += refs
        return super().read(refs, fields=fields)

    def write(self, changes: Sequence[Change]) -> Sequence[Receipt]:
        """Write what expects the version that is there."""
        return [self._write_one(change) for change in changes]

    def _write_one(self, change: Change) -> Receipt:
        held = self._crm.records[change.target] if change.target else None
        if held is not None and change.expects not in {None, held.version}:
            return receipt(change, Outcome.STALE, "it was changed")
        return next(iter(super().write([change])))


@pytest.fixture
def bench() -> Bench:
    """Give one CRM with two deals, that can say who hangs on them."""
    made = make_bench(parts={"north": (0, 0)})
    made.crms["north"].able = True
    for name in ("Before", "Other"):
        made.crms["north"].create_deal(name, contacts=("1",))
    return made


def applied(bench: Bench, read: list[Ref], *changes: Change) -> Applied:
    """Apply a plan of these changes to a CRM that compares versions."""
    plugins = fake_plugins(bench.crms, wrap=lambda adapter, _: Comparing(adapter._crm, read))
    project = bench.workspace.project
    workspace = Workspace(project=project, store=bench.workspace.store, clock=bench.clock, plugins=plugins)
    return apply_plan(workspace, make_plan(*changes, settings=project.digest), "run")


def update(deal: Record, *edits: FieldEdit, expects: str | None) -> Change:
    """Change a deal."""
    return make_change(id=f"change-{deal.ref.id}", target=deal.ref, edits=edits, expects=expects)


def test_what_a_crm_compares_itself_is_not_read_before(bench: Bench) -> None:
    """The deal that is as the plan saw it is written, the one that a person edited is stale, and neither is read."""
    crm, read = bench.crms["north"], list[Ref]()
    one, two = (crm.deal(native) for native in crm.deal_ids())
    crm.edit_deal(two.ref.id, name="A person")
    edits = (FieldEdit("name", deal.fields["name"], "Ours") for deal in (one, two))
    done = applied(bench, read, *(update(d, e, expects=d.version) for d, e in zip((one, two), edits, strict=True)))

    assert [] == read
    assert [Outcome.APPLIED, Outcome.STALE] == [receipt.outcome for _, receipt in done.done]
    assert ["Ours", "A person"] == [crm.deal(native).fields["name"] for native in crm.deal_ids()]


@pytest.mark.parametrize(
    ("edit", "expects"),
    [(FieldEdit("contacts", ("1",), None), "theirs"), (FieldEdit("name", "Before", "Ours"), None)],
)
def test_what_no_version_tells_is_read_before(bench: Bench, edit: FieldEdit, expects: str | None) -> None:
    """Who hangs on a deal is not part of its version, and a change may name none."""
    crm, read = bench.crms["north"], list[Ref]()
    deal = crm.deal(crm.deal_ids()[0])
    done = applied(bench, read, update(deal, edit, expects=deal.version if expects else None))

    assert [deal.ref] == read
    assert {"applied": 1} == done.counts
