"""Archiving: taking a record out of Pipedrive's lists in the way that its people can take back."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from crmbridge.adapting import partly
from crmbridge.errors import CrmbridgeError, RefusedError, UnclearError
from crmbridge.model.changes import Change, Outcome, Receipt
from crmbridge.model.records import Kind
from crmbridge_pipedrive.api import Api
from crmbridge_pipedrive.bodies import number_of, ref_of
from crmbridge_pipedrive.lists import rows_by_ids
from crmbridge_pipedrive.reading import is_gone, read_notes

# A deal is archived: it keeps its status, and people bring it back from the archive at any time ("Archive deals and
# leads"). For the others there is only deleting, which people can undo for 30 days ("Restore data"), but for notes.
LISTS: Mapping[Kind, str] = {
    Kind.DEAL: "deals",
    Kind.COMPANY: "organizations",
    Kind.CONTACT: "persons",
    Kind.ACTIVITY: "activities",
    Kind.TASK: "activities",
    Kind.NOTE: "notes",
}


def archive(api: Api, connection: str, change: Change) -> Receipt:
    """Archive the target of a change; one that is gone already is as it should be.

    Raises RefusedError for a kind that can't be archived, or what Pipedrive refuses although the record is there.
    """
    target = ref_of(change)
    if target.kind not in LISTS:
        raise RefusedError(f"{connection}: a {target.kind} can't be archived")
    number = number_of(target.id)
    there = partial(_is_there, api, connection, target.kind, number)
    done = Receipt(change=change.id, outcome=Outcome.APPLIED, ref=target)
    try:
        if target.kind is not Kind.DEAL:
            api.delete(f"{LISTS[target.kind]}.delete", number)
        elif api.write("deals.update", {"is_archived": True}, id_=number).get("is_archived") is not True:
            with partly("Pipedrive took the request"):
                if there():
                    raise UnclearError(f"deal {number} is not archived")
    except RefusedError as refusal:
        if there(otherwise=True):
            raise
        return Receipt(
            change=change.id, outcome=Outcome.APPLIED, ref=target, message=f"gone already: {refusal.message}"
        )
    return done


def _is_there(api: Api, connection: str, kind: Kind, number: int, *, otherwise: bool | None = None) -> bool:
    """Tell whether a record is still in its list; `otherwise` is what to think where that can't be read."""
    try:
        if kind is Kind.NOTE:
            return bool(read_notes(api, connection, [number]))
        return any(not is_gone(row) for row in rows_by_ids(api, LISTS[kind], {}, [number]))
    except CrmbridgeError:
        if otherwise is None:
            raise
        return otherwise
