"""What the tests of two-way sync are written in: one deal, or none, in CRMs that can do everything, and runs."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

from tests.unit.services.able import able_bench

from crmbridge.model.changes import Change, Plan, Receipt
from crmbridge.model.records import Kind, Record, Ref
from crmbridge.model.replacing import replace
from crmbridge.model.values import Money, Value
from crmbridge.services.apply.applying import apply_plan
from crmbridge.services.by_hand.undoing import plan_undo
from crmbridge.services.runs.cycle import Cycle, finish, run_cycle, writing
from crmbridge.testing.fake_crm import FakeCrm
from crmbridge.testing.workspaces import Bench

TEN = timedelta(minutes=10)
HOUR = timedelta(hours=1)  # as long as companies and contacts rest
FIRM = {"name": "Acme Ltd", "domain": "acme.example"}


def entry(*names: str, **more: Any) -> dict[str, Any]:
    """Make the settings of one sync entry in which the newest wins and all may create."""
    connections = names or ("north", "south")
    usual = {"name": "main", "between": connections, "create": connections, "fields": {"*": {"conflict": "newest"}}}
    return {"sync": [{**usual, **more}]}


def run(bench: Bench) -> Cycle:
    """Run one cycle, as the command does, and let ten minutes pass."""
    with writing(bench.workspace, "cycle") as name:
        cycle = run_cycle(bench.workspace, name)
        finish(bench.workspace, name, "cycle", cycle.exit_code(), cycle.summary())
    bench.clock.advance(TEN)
    return cycle


def crm(bench: Bench, name: str) -> FakeCrm:
    return bench.crms[name]


def add(bench: Bench, where: str, kind: Kind, native: str, /, **fields: Value) -> str:
    """Let a person make a company or contact."""
    crm(bench, where).put(kind, native, fields)
    return native


def only(bench: Bench, name: str) -> Record:
    """Give the one deal of a CRM."""
    (native,) = bench.crms[name].deal_ids()
    return bench.crms[name].deal(native)


def linked(**more: Any) -> tuple[Bench, str, str]:
    """Make a bench with one deal, linked by a first run, and give its ids in north and south."""
    bench = able_bench(**entry(**more))
    north = bench.crms["north"].create_deal("Rollout", stage="qualification").id
    run(bench)
    return bench, north, only(bench, "south").ref.id


def restore(bench: Bench, name: str, native: str, before: Record) -> None:
    """Let a person bring a deal back from the recycle bin."""
    ref = Ref(name, Kind.DEAL, native)
    crm(bench, name).gone.pop(ref)
    crm(bench, name).store(ref, before.fields, before.position, created=before.created_at, key=before.key)


class RoundingCrm(FakeCrm):
    """Keeps whole amounts and forty characters of a name."""

    def carry_out(self, change: Change) -> Receipt:
        edits = tuple(edit._replace(after=self._kept(edit.after)) for edit in change.edits)
        return super().carry_out(replace(change, edits=edits))

    @staticmethod
    def _kept(value: Value) -> Value:
        if isinstance(value, Money):
            return Money(value.amount.quantize(Decimal(1)), value.currency)
        return value[:40] if isinstance(value, str) else value


def undo_of_last_run(bench: Bench) -> Plan:
    """Plan what undoes the last run."""
    last = next(each for each in bench.workspace.store.runs.runs(9) if each.command == "cycle")
    return plan_undo(bench.workspace, last)


def undo_last_run(bench: Bench) -> None:
    """Undo what the last run changed."""
    plan = undo_of_last_run(bench)
    with writing(bench.workspace, "undo") as name:
        apply_plan(bench.workspace, plan, name)
        finish(bench.workspace, name, "undo", 0, {})
