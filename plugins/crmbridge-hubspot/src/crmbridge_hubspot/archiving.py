"""Archives records: they go to HubSpot's recycling bin, where people find them for 90 days."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from msgspec import Struct

from crmbridge.adapting import one_by_one
from crmbridge.errors import CrmbridgeError, RefusedError, UnclearError
from crmbridge.http.replies import tidy
from crmbridge.model.changes import Change, Outcome, Receipt
from crmbridge.model.records import Kind
from crmbridge_hubspot.api import HubSpotApi
from crmbridge_hubspot.mapping import stamp_of
from crmbridge_hubspot.objects import COMPANIES, CONTACTS, DEALS, NOTES, ObjectType
from crmbridge_hubspot.replies import HeldError, NoneFoundError, named_by

ARCHIVED: Mapping[Kind, ObjectType] = MappingProxyType(
    {
        Kind.DEAL: DEALS,
        Kind.COMPANY: COMPANIES,
        Kind.CONTACT: CONTACTS,
        Kind.NOTE: NOTES,
        Kind.TASK: ObjectType(Kind.TASK, "tasks"),
    }
)
GONE = "it was gone already"


class Archiver(Struct, frozen=True, kw_only=True):
    """Archives in batches, one for each object type.

    What is archived is read first: HubSpot answers 204 for any id ("Deals" guide, n8n#3219), knows no conditional
    write, and an id that was merged away leads to the survivor, which must stay.
    """

    api: HubSpotApi

    def archive(self, changes: Sequence[Change]) -> list[Receipt]:
        """Archive the targets of changes; one receipt each, in order."""
        receipts: dict[str, Receipt] = {}
        wanted: dict[Kind, list[Change]] = {}
        for change in changes:
            if change.target is None or change.target.kind not in ARCHIVED:
                said = f"HubSpot can't archive {change.target or 'nothing'}"
                receipts[change.id] = _receipt(change, Outcome.REFUSED, said)
            else:
                wanted.setdefault(change.target.kind, []).append(change)
        sent = False
        for kind, known in wanted.items():
            try:
                receipts |= self._of_type(ARCHIVED[kind], known)
            except CrmbridgeError as error:
                if not sent:
                    raise
                receipts |= {change.id: _receipt(change, Outcome.FAILED, error.message) for change in known}
            sent = True
        return [receipts[change.id] for change in changes]

    def _of_type(self, type_: ObjectType, changes: Sequence[Change]) -> dict[str, Receipt]:
        ids = list(dict.fromkeys(_id_of(change) for change in changes))
        there = {str(raw["id"]): stamp_of(type_, raw) for raw in self.api.read(type_.name, ids, [type_.modified])}
        receipts = {change.id: _looked_at(change, there.get(_id_of(change))) for change in changes}
        rest = [change for change in changes if receipts[change.id] is None]
        answers = self._send(type_, list(dict.fromkeys(_id_of(change) for change in rest)))
        receipts |= {change.id: _receipt(change, *answers[_id_of(change)]) for change in rest}
        return {each: receipt for each, receipt in receipts.items() if receipt is not None}

    def _send(self, type_: ObjectType, ids: Sequence[str]) -> dict[str, tuple[Outcome, str]]:
        """Send a batch, and tell what became of each id."""
        if not ids:
            return {}
        try:
            answer = self.api.write(self.api.paths.object(type_.name, "/batch/archive"), _body(ids))
        except UnclearError as error:
            return dict.fromkeys(ids, (Outcome.UNKNOWN, error.message))
        except NoneFoundError as error:
            return {ids[0]: (Outcome.APPLIED, GONE)} if len(ids) == 1 else self._one_by_one(type_, ids, error)
        except RefusedError as error:
            if len(ids) == 1:
                return {ids[0]: (Outcome.REFUSED, error.message)}
            return self._one_by_one(type_, ids, error)
        return _answered(ids, answer.get("errors") or ())

    def _one_by_one(
        self, type_: ObjectType, ids: Sequence[str], error: CrmbridgeError
    ) -> dict[str, tuple[Outcome, str]]:
        """Send each alone, after all of them were refused together."""
        answers: dict[str, tuple[Outcome, str]] = {}
        for each, found in one_by_one(ids, lambda each: self._alone(type_, each)):
            if isinstance(found, CrmbridgeError):
                answers[each] = (Outcome.FAILED, f"{found.message}, after: {error.message}")
            else:
                answers[each] = found
        return answers

    def _alone(self, type_: ObjectType, record_id: str) -> tuple[Outcome, str]:
        try:
            return self._send(type_, [record_id])[record_id]
        except HeldError as error:
            return Outcome.FAILED, error.message


def _id_of(change: Change) -> str:
    return change.target.id if change.target is not None else ""


def _body(ids: Sequence[str]) -> dict[str, Any]:
    return {"inputs": [{"id": each} for each in ids]}


def _looked_at(change: Change, stamp: str | None) -> Receipt | None:
    """Give the receipt of a change that must not be sent; None for the others."""
    if stamp is None:
        return _receipt(change, Outcome.APPLIED, GONE)
    if change.expects is not None and change.expects != stamp:
        return _receipt(change, Outcome.STALE, "the record changed since the plan")
    return None


def _answered(ids: Sequence[str], errors: Sequence[Any]) -> dict[str, tuple[Outcome, str]]:
    """Read what an answer of several statuses says of each id; what is not there is archived all the same."""
    answers = dict.fromkeys(ids, (Outcome.APPLIED, ""))
    if not all(named_by(error, "ids") & set(ids) for error in errors):
        answers = dict.fromkeys(ids, (Outcome.UNKNOWN, "HubSpot's answer has an error that names no record of these"))
    for error in reversed(errors):  # of several the first counts
        if error.get("category") == "OBJECT_NOT_FOUND":
            said = (Outcome.APPLIED, GONE)
        else:
            said = (Outcome.REFUSED, f"HubSpot refused it: {tidy(str(error.get('message') or 'refused'))}")
        answers |= {each: said for each in ids if each in named_by(error, "ids")}
    return answers


def _receipt(change: Change, outcome: Outcome, message: str = "") -> Receipt:
    ref = change.target if outcome is Outcome.APPLIED else None
    return Receipt(change=change.id, outcome=outcome, message=message, ref=ref)
