"""Set-up: plan and make what an account lacks, or say how an admin does it by hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec import Struct

from crmbridge.engine.sync.planner import assemble
from crmbridge.model.changes import Action, Change, Outcome, Plan
from crmbridge.model.replacing import replace
from crmbridge.ports import Description, FieldWish, StateStore
from crmbridge.services.accounts.gaps import Gaps, Wanted, field_change, find_gaps
from crmbridge.services.apply.applying import apply_plan
from crmbridge.services.apply.reconciling import reconcile
from crmbridge.services.exit_codes import NEEDS_PERSON
from crmbridge.services.pull.rebound_fields import note_made
from crmbridge.services.reports.figure_fields import wanted_figures
from crmbridge.services.runs.cycle import Cycle, finish, writing
from crmbridge.services.runs.running import Ran
from crmbridge.services.workspace import Workspace

COMMAND = "setup"


class Manual(Struct, frozen=True, kw_only=True):
    """A field that an admin has to make by hand, and how."""

    wish: FieldWish
    why: str
    steps: tuple[str, ...]


class Setup(Struct, frozen=True, kw_only=True):
    """What is to be done about an account. `bindings` is what the settings should say under `fields:` afterwards."""

    connection: str
    account: str
    plan: Plan
    wanted: tuple[Wanted, ...]
    manual: tuple[Manual, ...]
    bindings: Mapping[str, str]

    @property
    def exit_code(self) -> int:
        """Give the exit code while nothing is written: whether a person has something to do."""
        return NEEDS_PERSON if self.manual or self.plan.blocked else 0


class SetUp(Struct, frozen=True, kw_only=True):
    """What was done about an account."""

    ran: Ran
    manual: tuple[Manual, ...]
    bindings: Mapping[str, str]


def plan_setup(workspace: Workspace, connection: str) -> Setup:
    """Compare an account with the process, and plan what it lacks. What an earlier set-up left unclear is read back.

    Nothing is written to the CRM. Raises the adapter's errors, and ConfigurationError for an unknown connection.
    """
    adapter = workspace.adapter(connection)
    account = adapter.describe()
    _settle_earlier(workspace, connection)
    entry = workspace.project.settings.connections[connection]
    gaps = find_gaps(connection, workspace.project.process, entry.fields, account)
    figures = (Wanted(wish=wish) for wish in wanted_figures(workspace, connection))
    gaps = replace(gaps, wanted=(*gaps.wanted, *figures))
    able = Action.FIELD in adapter.capabilities.actions
    manual = () if able else tuple(_by_hand(workspace, connection, w.wish, NOT_ABLE) for w in gaps.wanted)
    return Setup(
        connection=connection,
        account=account.account,
        plan=_plan(workspace, connection, gaps, able=able),
        wanted=gaps.wanted,
        manual=manual,
        bindings={**gaps.unbound, **{w.field: w.wish.name for w in gaps.wanted if w.field and not w.bound}},
    )


NOT_ABLE = "this CRM's API makes no fields"


def _plan(workspace: Workspace, connection: str, gaps: Gaps, *, able: bool) -> Plan:
    store = workspace.store
    changes = [_fresh_change(store, connection, wanted.wish) for wanted in gaps.wanted] if able else []
    plan = assemble(
        changes,
        gaps.unfit,
        outcomes={},  # what was refused may be granted by now, and what was made is seen in the account
        unclear=store.journal.unsettled(),
        made_at=workspace.clock.now(),
        settings=workspace.project.digest,
        cursors={},
    )
    order = {change.id: number for number, change in enumerate(changes)}
    return replace(plan, changes=tuple(sorted(plan.changes, key=lambda change: order[change.id])))  # as in the process


def _fresh_change(store: StateStore, connection: str, wish: FieldWish) -> Change:
    """Make the change for a field; one that was made before and is not there any more is another change."""
    time = 0
    while True:
        change = field_change(connection, wish, time)
        known = store.journal.outcomes([change.id]).get(change.id)
        if known is None or known.outcome is not Outcome.APPLIED:
            return change
        time += 1


def _settle_earlier(workspace: Workspace, connection: str) -> None:
    """Find out what became of fields whose making was never clearly answered."""
    left = [entry.change for entry in workspace.store.journal.unsettled()]
    if not any(change.action is Action.FIELD and change.connection == connection for change in left):
        return
    with writing(workspace, COMMAND) as run:
        cycle = Cycle(run=run, reconciled=reconcile(workspace, run))
        finish(workspace, run, COMMAND, cycle.exit_code(), cycle.summary())


def run_setup(workspace: Workspace, setup: Setup) -> SetUp:
    """Apply exactly this set-up's plan as one run. What the CRM refuses is left to an admin, with the steps."""
    with writing(workspace, COMMAND) as run:
        cycle = Cycle(run=run, plan=setup.plan, applied=apply_plan(workspace, setup.plan, run))
        code = cycle.exit_code() or setup.exit_code
        finish(workspace, run, COMMAND, code, cycle.summary())
    refused = {change.key: r.message for change, r in cycle.applied.done if r.outcome is Outcome.REFUSED}
    wishes = {wanted.wish.key: wanted.wish for wanted in setup.wanted}
    manual = [_by_hand(workspace, setup.connection, wishes[key], why) for key, why in refused.items() if key in wishes]
    made = {change.key: receipt.ref.id for change, receipt in cycle.applied.done if receipt.ref is not None}
    note_made(
        workspace, setup.connection, {each.field for each in setup.wanted if each.field and each.wish.key in made}
    )
    return SetUp(
        ran=Ran(command=COMMAND, exit_code=code, cycle=cycle),
        manual=(*setup.manual, *manual),
        bindings=_bindings(setup, made, workspace.adapter(setup.connection).describe() if made else None),
    )


def _bindings(setup: Setup, made: Mapping[str | None, str], account: Description | None) -> dict[str, str]:
    """Name what the settings should say: of fields that are not bound, and of bound ones that the CRM named anew."""
    there = {name for native in account.fields for name in (native.name, native.label)} if account else set()
    own = {
        wanted.field: made[wanted.wish.key]
        for wanted in setup.wanted
        if wanted.field and wanted.wish.key in made and wanted.wish.name not in there
    }
    return {**setup.bindings, **own}


def _by_hand(workspace: Workspace, connection: str, wish: FieldWish, why: str) -> Manual:
    entry = workspace.project.settings.connections[connection]
    tell = workspace.plugins.adapters()[entry.adapter].steps
    return Manual(wish=wish, why=why, steps=tuple(tell(wish) if tell else _usual_steps(wish)))


def _usual_steps(wish: FieldWish) -> Sequence[str]:
    """Say what is needed where the adapter does not know its CRM's screens."""
    yes = f" with the options {', '.join(wish.options)}" if wish.options else ""
    unique = ", its values unique" if wish.unique else ""
    kind = f"type {wish.type}{yes}{unique}"
    return [f"Make a {wish.on} field {wish.label!r} of the {kind}; its API name should be {wish.name}."]
