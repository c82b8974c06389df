"""Deleting into the recycle bin, where records can be taken back for 15 days.

A deletion takes no condition ("Conditional Request Headers": not for DELETE), so what a record is expected to be is
read and compared right before. An account would take its deals and contacts along, so it is only deleted without any.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any

from crmbridge.errors import CrmbridgeError, RefusedError, UnclearError
from crmbridge.model.changes import Outcome
from crmbridge.model.records import Kind
from crmbridge_salesforce.conditional import STALE, target_of
from crmbridge_salesforce.ids import to_18
from crmbridge_salesforce.judge import said
from crmbridge_salesforce.library import Library
from crmbridge_salesforce.org import Org
from crmbridge_salesforce.receipts import Answered, Item, all_alike, each_alone, receipt, refused
from crmbridge_salesforce.rows import stamp_in
from crmbridge_salesforce.soql import select

GONE = frozenset({"ENTITY_IS_DELETED", "NOT_FOUND"})
_HANGING = tuple(select(["AccountId"], table, where="AccountId IN ({})") for table in ("Opportunity", "Contact"))
_READ_AS: Mapping[Kind, Kind] = {Kind.TASK: Kind.ACTIVITY}


class Archive:
    """Takes records out of the org's lists. Thread-safe."""

    def __init__(self, org: Org, library: Library) -> None:
        self._org = org
        self._library = library

    def write(self, items: Sequence[Item]) -> dict[str, Answered]:
        """Delete records; raises AuthenticationError and RetryLaterError only while nothing was sent.

        Accounts come last, so that what is deleted together with one does not hold it back.
        """
        answers = self._changed(items)
        left = [item for item in items if item.change.id not in answers]
        accounts = [item for item in left if _kind(item) is Kind.COMPANY]
        others = [item for item in left if _kind(item) is not Kind.COMPANY]
        if others:
            answers.update(self._send(others))
        if not accounts:
            return answers
        try:
            answers.update(self._accounts(accounts))
        except CrmbridgeError as error:
            if not others:
                raise
            answers.update(all_alike(accounts, Outcome.FAILED, error))
        return answers

    def _changed(self, items: Sequence[Item]) -> dict[str, Answered]:
        """Find the records that are not as they are expected. One that is not seen any more, the org itself judges."""
        asked = [item for item in items if item.change.expects is not None and stamp_in(item.change.expects)]
        now: dict[str, str] = {}
        for kind in dict.fromkeys(map(_kind, asked)):
            wanted = [target_of(item) for item in asked if _kind(item) is kind]
            now.update(self._library.versions(_READ_AS.get(kind, kind), wanted))
        return {
            item.change.id: Answered(receipt(item.change, Outcome.STALE, STALE))
            for item in asked
            if now.get(target_of(item), item.change.expects) != item.change.expects
        }

    def _accounts(self, items: Sequence[Item]) -> dict[str, Answered]:
        hanging = chain.from_iterable(
            self._org.query_in(each, [target_of(item) for item in items]) for each in _HANGING
        )
        busy = {to_18(str(row["AccountId"])) for row in hanging}
        words = "deals or contacts are tied to it, and Salesforce would delete them with it"
        answers = {
            item.change.id: Answered(receipt(item.change, Outcome.REFUSED, words))
            for item in items
            if target_of(item) in busy
        }
        free = [item for item in items if target_of(item) not in busy]
        return {**answers, **(self._send(free) if free else {})}

    def _send(self, items: Sequence[Item]) -> dict[str, Answered]:
        ids = ",".join(target_of(item) for item in items)
        try:
            answer = self._org.write("DELETE", "composite/sobjects", params={"ids": ids, "allOrNone": "false"})
        except UnclearError as error:
            return all_alike(items, Outcome.UNKNOWN, error)
        except RefusedError as error:
            if len(items) == 1:
                return all_alike(items, Outcome.REFUSED, error)
            return each_alone(items, self._send)
        if not isinstance(answer, list) or len(answer) != len(items):
            unclear = UnclearError(f"{len(items)} deletions were sent and the answer does not say what became of each")
            return all_alike(items, Outcome.UNKNOWN, unclear)
        return {item.change.id: _read(item, result) for item, result in zip(items, answer, strict=True)}


def _kind(item: Item) -> Kind:
    return item.change.target.kind if item.change.target else Kind.DEAL


def _read(item: Item, result: Any) -> Answered:
    if not isinstance(result, Mapping) or not isinstance(result.get("success"), bool):
        return Answered(receipt(item.change, Outcome.UNKNOWN, "the answer does not say what became of this record"))
    if result["success"]:
        return Answered(receipt(item.change, Outcome.APPLIED))
    codes = {error.code for error in said(result.get("errors"))}
    if codes and codes <= GONE:
        return Answered(receipt(item.change, Outcome.APPLIED, "it was gone already"))
    return refused(item.change, result.get("errors"))
