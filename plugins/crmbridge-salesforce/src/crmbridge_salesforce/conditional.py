"""Updating deals only if they are still as they were when the change was planned.

The org compares times of whole seconds: `If-Unmodified-Since` refuses a row that was changed later ("Conditional
Request Headers"), and lets a second change within the same second pass. So a row is read first and compared with all
its values, and one that was changed in this very second is looked at again when the second is over.
Collections take no headers; the requests inside a composite one do ("Send Multiple Requests Using Composite").
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from email.utils import format_datetime
from itertools import groupby
from typing import Any, NamedTuple

from crmbridge.errors import AuthenticationError, CrmbridgeError, RefusedError, RetryLaterError, UnclearError
from crmbridge.model.changes import Outcome
from crmbridge.model.records import Kind
from crmbridge.ports import Clock
from crmbridge.threads import make_pool
from crmbridge_salesforce.ids import to_18
from crmbridge_salesforce.library import Library
from crmbridge_salesforce.org import Org
from crmbridge_salesforce.receipts import Answered, Item, all_alike, each_alone, parts_of, receipt, refused
from crmbridge_salesforce.rows import stamp_in
from crmbridge_salesforce.values import Cell, read_moment

AT_A_TIME = 25  # requests inside a composite one
LANES = 4  # requests under way at a time
A_SECOND = 1.0
LOOKS = 3  # at a row that keeps being changed
STALE = "the record was changed since the plan; nothing was written"
OVER = frozenset({200, 201, 204})


class Standing(NamedTuple):
    """How a deal stands in the org: its version, its time of change, and the account that a write locks too."""

    version: str
    stamp: Cell
    account: Cell


class Conditional:
    """Makes updates that name the version they expect. Thread-safe."""

    def __init__(self, org: Org, library: Library, clock: Clock) -> None:
        self._org = org
        self._library = library
        self._clock = clock
        self._lock = threading.Lock()
        # What our own writes made of a version. A plan may hold two changes of one deal, made from the same version.
        self._ours: dict[tuple[str, str], str] = {}

    @staticmethod
    def takes(item: Item) -> bool:
        """Tell whether a change names a version that can be compared."""
        return item.change.expects is not None and stamp_in(item.change.expects) is not None

    def write(self, items: Sequence[Item]) -> dict[str, Answered]:
        """Make the updates; raises AuthenticationError and RetryLaterError only while nothing was sent."""
        standing = self._settled(items)
        answers: dict[str, Answered] = {}
        fit: list[Item] = []
        for item in items:
            problem = self._problem(item, standing.get(target_of(item)))
            if problem is not None:
                answers[item.change.id] = problem
            elif item.empty:
                answers[item.change.id] = Answered(receipt(item.change, Outcome.APPLIED))
            else:
                fit.append(item)
        first, *others = lanes_of(fit, lambda item: standing[target_of(item)].account) or [[]]
        if first:
            answers.update(self._send(first[0], standing))
            answers.update(self._side_by_side([first[1:], *others], standing))
        self._remember([item for item in fit if answers[item.change.id].receipt.outcome is Outcome.APPLIED])
        return answers

    def _settled(self, items: Sequence[Item]) -> dict[str, Standing]:
        """Read how the deals stand, until none of them was changed within the second that is still running."""
        found: dict[str, Standing] = {}
        wanted = [target_of(item) for item in items]
        for look in range(LOOKS):
            if look:
                self._clock.sleep(A_SECOND)
            found.update(self._look(wanted))
            now = self._org.now or self._clock.now()
            wanted = [
                one for one in wanted if one in found and read_moment(found[one].stamp) >= now.replace(microsecond=0)
            ]
            if not wanted:
                break
        return found

    def _look(self, ids: Sequence[str]) -> dict[str, Standing]:
        form = self._library.reader(Kind.DEAL).form
        rows = form.of_json(self._org.rows_by_query(form.table.name, ids, form.columns))
        return {to_18(row[0]): Standing(form.version(row), row[1], form.get(row, "AccountId")) for row in rows}

    def _problem(self, item: Item, standing: Standing | None) -> Answered | None:
        if standing is None:
            return Answered(receipt(item.change, Outcome.STALE, "the deal is not there any more"))
        expects = item.change.expects or ""
        with self._lock:
            expects = self._ours.get((target_of(item), expects), expects)
        return None if standing.version == expects else Answered(receipt(item.change, Outcome.STALE, STALE))

    def _side_by_side(
        self, lanes: Sequence[Sequence[Sequence[Item]]], standing: Mapping[str, Standing]
    ) -> dict[str, Answered]:
        """Send the requests of several lanes, those of one lane one after the other."""

        def send(lane: Sequence[Sequence[Item]]) -> dict[str, Answered]:
            return {k: v for part in lane for k, v in self._send_quietly(part, standing).items()}

        with make_pool(LANES) as threads:
            return {k: v for found in threads.map(send, lanes) for k, v in found.items()}

    def _send_quietly(self, items: Sequence[Item], standing: Mapping[str, Standing]) -> dict[str, Answered]:
        """Send after something else was sent already: now nothing may be raised."""
        try:
            return self._send(items, standing)
        except (AuthenticationError, RetryLaterError) as error:
            return all_alike(items, Outcome.FAILED, error)

    def _send(self, items: Sequence[Item], standing: Mapping[str, Standing]) -> dict[str, Answered]:
        requests = [self._request(number, item, standing[target_of(item)]) for number, item in enumerate(items)]
        try:
            answer = self._org.write("POST", "composite", body={"allOrNone": False, "compositeRequest": requests})
        except UnclearError as error:
            return all_alike(items, Outcome.UNKNOWN, error)
        except RefusedError as error:
            if len(items) == 1:
                return all_alike(items, Outcome.REFUSED, error)
            return each_alone(items, lambda batch: self._send(batch, standing))
        results = _results(answer)
        return {item.change.id: _read(item, results.get(f"r{number}")) for number, item in enumerate(items)}

    def _request(self, number: int, item: Item, standing: Standing) -> dict[str, Any]:
        return {
            "method": "PATCH",
            "url": self._org.row_path("Opportunity", target_of(item)),
            "referenceId": f"r{number}",
            "httpHeaders": {"If-Unmodified-Since": format_datetime(read_moment(standing.stamp), usegmt=True)},
            "body": {name: value for name, value in item.row.items() if name not in {"attributes", "id"}},
        }

    def _remember(self, items: Sequence[Item]) -> None:
        """Note what we made of the versions that were expected; without it, a second change of a deal is stale."""
        if not items:
            return
        try:
            now = self._look([target_of(item) for item in items])
        except CrmbridgeError:
            return
        with self._lock:
            for item in items:
                if target_of(item) in now:
                    self._ours[target_of(item), item.change.expects or ""] = now[target_of(item)].version


def lanes_of(items: Sequence[Item], account: Callable[[Item], str]) -> list[list[list[Item]]]:
    """Cut updates in requests, and these in lanes that can go side by side.

    Deals of one account lock each other out while they are written, so they go in one request, or in requests of one
    lane where they are too many for one.
    """
    lanes: list[list[list[Item]]] = []
    for _, group in groupby(sorted(items, key=lambda item: (account(item), target_of(item))), key=account):
        siblings = list(group)
        if lanes and len(lanes[-1]) == 1 and len(lanes[-1][0]) + len(siblings) <= AT_A_TIME:
            lanes[-1][0].extend(siblings)
        else:
            lanes.append([list(part) for part in parts_of(siblings, AT_A_TIME)])
    return lanes


def target_of(item: Item) -> str:
    """Give the id of the record that a change is made to."""
    return to_18(item.change.target.id) if item.change.target else ""


def _results(answer: Any) -> dict[str, Mapping[str, Any]]:
    results = answer.get("compositeResponse") if isinstance(answer, Mapping) else None
    found = results if isinstance(results, list) else []
    return {str(one.get("referenceId")): one for one in found if isinstance(one, Mapping)}


def _read(item: Item, result: Mapping[str, Any] | None) -> Answered:
    status = result.get("httpStatusCode") if result is not None else None
    if result is None or not isinstance(status, int) or status >= 500:
        return Answered(receipt(item.change, Outcome.UNKNOWN, "the answer does not say what became of this row"))
    if status in OVER:
        return Answered(receipt(item.change, Outcome.APPLIED))
    if status == 412:
        return Answered(receipt(item.change, Outcome.STALE, STALE))
    return refused(item.change, result.get("body"))
