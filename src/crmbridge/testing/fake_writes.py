"""What an account in memory does of what crmbridge asks: each change is carried out, or refused with its reason."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from crmbridge.model.changes import FOUND, Action, Change, Outcome, Receipt
from crmbridge.model.records import Kind, Ref, natural_key
from crmbridge.model.replacing import replace
from crmbridge.model.values import Value
from crmbridge.testing.fake_records import STAGES, at

if TYPE_CHECKING:
    from crmbridge.testing.fake_crm import FakeCrm


def carry_out(crm: FakeCrm, change: Change) -> Receipt:
    """Do what a change asks for, or refuse it."""
    return _BY_ACTION[change.action](crm, change)


def _archive(crm: FakeCrm, change: Change) -> Receipt:
    if change.target in crm.records:
        crm.drop(change.target)
    return receipt(change, Outcome.APPLIED)


def _missing(crm: FakeCrm, change: Change) -> str:
    """Say which company or contact a deal can't hang on, because it is not there."""
    ends = {Kind.COMPANY: (change.after.get("company"),), Kind.CONTACT: change.after.get("contacts") or ()}
    wanted = {crm.ref(kind, str(each)) for kind, ids in ends.items() for each in ids if each}  # type: ignore[union-attr]
    lacking = sorted(wanted - crm.records.keys()) if crm.able else []
    return f"there is no {lacking[0].kind} {lacking[0].id}" if lacking else ""


def _write_figures(crm: FakeCrm, company: Ref, change: Change) -> Receipt:
    lacking = sorted(change.after.keys() - crm.figure_fields)
    if lacking:
        return receipt(change, Outcome.REFUSED, f"companies have no field {lacking[0]}")
    crm.figures.setdefault(company, {}).update(change.after)
    return receipt(change, Outcome.APPLIED, ref=company)


def _update(crm: FakeCrm, change: Change) -> Receipt:
    record = crm.records.get(change.target) if change.target else None
    if record is None:
        return receipt(change, Outcome.REFUSED, "there is no such deal")
    if record.ref.kind is Kind.COMPANY:
        return _write_figures(crm, record.ref, change)
    if crm.compares and change.expects not in {None, record.version}:
        return receipt(change, Outcome.STALE, "it was changed since")
    if lacking := _missing(crm, change) or _no_stage(change):
        return receipt(change, Outcome.REFUSED, lacking)
    fields = {**record.fields, **change.after}
    for edit in change.edits:
        if edit.name == "contacts":
            fields[edit.name] = changed_set(record.fields.get(edit.name), edit.before, edit.after)
    if broken := next((said for rule in crm.rules if (said := rule(fields))), ""):
        return replace(receipt(change, Outcome.REFUSED, broken), blamed=crm.blamed)
    crm.store(record.ref, fields, record.position, created=record.created_at, key=record.key)
    if change.position is not None:
        crm.place(record.ref, change.position)
    return receipt(change, Outcome.APPLIED, ref=record.ref)


def _create_counterpart(crm: FakeCrm, change: Change) -> Receipt:
    if change.creates is Kind.FIGURE:
        crm.rows[change.key or ""] = change.after
        return receipt(change, Outcome.APPLIED, ref=crm.ref(Kind.FIGURE, change.key or ""))
    key = natural_key(change.creates, change.after)
    if key and (known := crm.find_known(change.creates, key)):
        return receipt(change, Outcome.APPLIED, FOUND, ref=known)
    return receipt(change, Outcome.APPLIED, ref=crm.make(change.creates, change.after))


def _create(crm: FakeCrm, change: Change) -> Receipt:
    if change.creates is not Kind.DEAL:
        return _create_counterpart(crm, change)
    if lacking := _missing(crm, change):
        return receipt(change, Outcome.REFUSED, lacking)
    known = [r for r in crm.records.values() if r.key and r.key == change.key]
    if known and crm.unique_keys:
        return receipt(change, Outcome.APPLIED, FOUND, ref=known[0].ref)
    position = change.position or at("prospecting")
    if position.stage not in STAGES:
        return receipt(change, Outcome.REFUSED, f"there is no stage {position.stage}")
    ref = crm.create_deal("", stage=position.stage)
    given: dict[str, Value] = {"owner": crm.signed_in} if crm.signed_in else {}
    crm.store(ref, given | change.after, position, created=crm.clock.now(), key=change.key)
    return receipt(change, Outcome.APPLIED, ref=ref)


def _attach(crm: FakeCrm, change: Change) -> Receipt:
    if change.target not in crm.records:
        return receipt(change, Outcome.REFUSED, "there is nothing to hang it on")
    ref = crm.hang(change.kind, change.target, change.after, change.key or "")
    return receipt(change, Outcome.APPLIED, ref=ref)


def _amend(crm: FakeCrm, change: Change) -> Receipt:
    """Change the task with the change's marker; one that is gone is done."""
    known = (r for r, hangs in sorted(crm.attached.items()) if hangs == (change.target, change.key))
    ref = next((r for r in known if r.kind is Kind.TASK), None)
    if ref is None:
        over = change.after.get("done") is True
        return receipt(change, Outcome.APPLIED if over else Outcome.REFUSED, "the task is gone")
    record = crm.records[ref]
    crm.store(ref, {**record.fields, **change.after}, None, created=record.created_at)
    return receipt(change, Outcome.APPLIED, ref=ref)


_BY_ACTION: Mapping[Action, Callable[[FakeCrm, Change], Receipt]] = {
    Action.UPDATE: _update,
    Action.CREATE: _create,
    Action.TASK: _attach,
    Action.NOTE: _attach,
    Action.ARCHIVE: _archive,
    Action.AMEND: _amend,
}


def _no_stage(change: Change) -> str:
    stage = change.position.stage if change.position else STAGES[0]
    return "" if stage in STAGES else f"there is no stage {stage}"


def changed_set(there: Value, before: Value, after: Value) -> tuple[str, ...]:
    """Add and remove what an edit of a set adds and removes; whatever else is there stays."""
    held, old, new = (set(each) if isinstance(each, tuple) else set() for each in (there, before, after))
    return tuple(sorted((held | (new - old)) - (old - new)))


def receipt(change: Change, outcome: Outcome, message: str = "", ref: Ref | None = None) -> Receipt:
    """Answer a change."""
    return Receipt(change=change.id, outcome=outcome, ref=ref or change.target, message=message)
