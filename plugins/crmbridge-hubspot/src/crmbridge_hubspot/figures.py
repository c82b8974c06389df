"""A report's figures in properties of companies: what they hold, and writing them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any

from msgspec import Struct

from crmbridge.adapting import one_by_one
from crmbridge.errors import CrmbridgeError, RefusedError, UnclearError
from crmbridge.model.changes import Change, Outcome, Receipt
from crmbridge.model.records import Kind, Record, Ref
from crmbridge.model.replacing import replace
from crmbridge.model.values import Value
from crmbridge_hubspot.api import HubSpotApi
from crmbridge_hubspot.mapping import COMPANY_BOUND
from crmbridge_hubspot.replies import worded

_OURS = frozenset(bound.name for bound in COMPANY_BOUND)


class Figures(Struct, frozen=True, kw_only=True):
    """Reads and writes companies' properties by HubSpot's own names."""

    api: HubSpotApi

    def added(self, found: Mapping[Ref, Record], names: Collection[str] | None) -> Mapping[Ref, Record]:
        """Give records with the companies' properties that are asked for beside our own fields; empty ones as None."""
        own = sorted(set(names or ()) - _OURS)
        companies = [ref.id for ref in found if ref.kind is Kind.COMPANY]
        if not own or not companies:
            return found
        raws = {str(raw["id"]): raw["properties"] for raw in self.api.read("companies", companies, own)}
        return {
            ref: replace(record, fields={**record.fields, **{name: _value(raws[ref.id].get(name)) for name in own}})
            if ref.kind is Kind.COMPANY and ref.id in raws
            else record
            for ref, record in found.items()
        }

    def write(self, changes: Sequence[Change]) -> list[Receipt]:
        """Write the figures of changes, each by a request of its own; raises only while nothing was sent."""
        receipts: list[Receipt] = []
        for change, found in one_by_one(changes, self._one):
            if not isinstance(found, CrmbridgeError):
                receipts.append(found)
            elif not receipts:
                raise found
            else:
                receipts.append(_receipt(change, Outcome.FAILED, found.message))
        return receipts

    def _one(self, change: Change) -> Receipt:
        if change.target is None:
            return _receipt(change, Outcome.REFUSED, "the change names no company")
        properties = {name: _text(value) for name, value in change.after.items()}
        body = {"inputs": [{"id": change.target.id, "properties": properties, "objectWriteTraceId": change.id}]}
        try:
            answer = self.api.write(self.api.paths.object("companies", "/batch/update"), body)
        except UnclearError as error:
            return _receipt(change, Outcome.UNKNOWN, error.message)
        except RefusedError as error:
            return _receipt(change, Outcome.REFUSED, error.message)
        return _read(change, answer)


def _read(change: Change, answer: Mapping[str, Any]) -> Receipt:
    errors = [each for each in answer.get("errors") or () if isinstance(each, dict)]
    if errors:
        said = worded(str(errors[0].get("message") or errors[0].get("category") or "refused"))
        return _receipt(change, Outcome.REFUSED, f"HubSpot refused it: {said}")
    if not answer.get("results"):
        return _receipt(change, Outcome.UNKNOWN, "HubSpot's answer does not speak of this change")
    return _receipt(change, Outcome.APPLIED, "")


def _receipt(change: Change, outcome: Outcome, message: str) -> Receipt:
    return Receipt(change=change.id, outcome=outcome, ref=change.target, message=message)


def _text(value: Value) -> str:
    return "" if value is None else f"{value:f}" if isinstance(value, Decimal) else str(value)


def _value(text: Any) -> Value:
    if text is None or text == "":
        return None
    try:
        return Decimal(str(text))
    except InvalidOperation:
        return str(text)
