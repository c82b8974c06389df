"""Write a report into a CRM: as a note, by the one path that every change goes."""

from __future__ import annotations

from typing import Any

from crmbridge.errors import ConfigurationError, RefusedError, RetryLaterError, UnclearError
from crmbridge.model.changes import Action, Change, FieldEdit, Origin, Outcome, Plan, Receipt, change_id
from crmbridge.model.records import Kind, Ref
from crmbridge.ports import Document
from crmbridge.report import note_text
from crmbridge.services.applying import apply_plan
from crmbridge.services.reconciling import reconcile
from crmbridge.services.workspace import Workspace


def write_note(workspace: Workspace, run: str, entry: Any, document: Document, day: str) -> str:
    """Write the report's figures as a note, and say on what; one a day, whichever run is killed."""
    target = _note_target(workspace, entry)
    key = f"crmbridge:report:{document.name}:{day}"
    change = Change(
        id=change_id(Action.NOTE, target.connection, str(target), key),
        action=Action.NOTE,
        origin=Origin.REPORT,
        connection=target.connection,
        target=target,
        edits=(FieldEdit("body", None, note_text(document)),),
        reason=f"report {document.name} of {day}",
        key=key,
    )
    written(workspace, run, (change,), f"The note on {target}")
    return f"a note on {target}"


def written(workspace: Workspace, run: str, changes: tuple[Change, ...], what: str) -> None:
    """Make a report's changes; what an earlier run sent and left unclear is looked up before.

    Raises the connection's error, RetryLaterError for what failed or changed meanwhile, RefusedError, or UnclearError.
    """
    ids = {change.id for change in changes}
    if any(entry.change.id in ids for entry in workspace.store.journal.unsettled()):
        reconcile(workspace, run)
    made_at, digest = workspace.clock.now(), workspace.project.digest
    plan = Plan(id=changes[0].id, made_at=made_at, settings=digest, changes=changes)
    applied = apply_plan(workspace, plan, run)
    for error in applied.errors.values():
        raise error
    for _, receipt in applied.done:
        if receipt.outcome is not Outcome.APPLIED:
            raise _why(what, receipt)


def _why(what: str, receipt: Receipt) -> RefusedError | RetryLaterError | UnclearError:
    said = f"{what} is {receipt.outcome}: {receipt.message}"
    if receipt.outcome is Outcome.UNKNOWN:
        return UnclearError(said, advice="The next run looks whether it is there, and sends nothing twice.")
    if receipt.outcome is Outcome.REFUSED:
        return RefusedError(said)
    return RetryLaterError(said)


def _note_target(workspace: Workspace, entry: Any) -> Ref:
    """Find what a report's note hangs on: `{connection: hs, company: DOMAIN OR ID}` or `{connection: hs, deal: ID}`."""
    match entry:
        case {"connection": str(connection), "company": str() | int() as company}:
            return company_named(workspace, connection, str(company))
        case {"connection": str(connection), "deal": str() | int() as deal}:
            return Ref(connection, Kind.DEAL, str(deal))
        case _:
            raise ConfigurationError(
                "The sink `crm` must say where its note hangs",
                advice="Write `crm: {connection: NAME, company: DOMAIN}` or `crm: {connection: NAME, deal: ID}`.",
            )


def company_named(workspace: Workspace, connection: str, name: str) -> Ref:
    """Find a company that was pulled, by its id or its domain."""
    for record in workspace.store.records.records(connection, Kind.COMPANY):
        if name in {record.ref.id, record.fields.get("domain")}:
            return record.ref
    raise ConfigurationError(
        f"{connection} has no company {name!r} for the report", advice="Name its domain or its id."
    )
