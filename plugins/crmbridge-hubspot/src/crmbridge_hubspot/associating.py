"""Writes what hangs on deals: associates what was added, and dissociates what was removed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from msgspec import Struct, field

from crmbridge.errors import CrmbridgeError, RefusedError, UnclearError
from crmbridge.http.replies import tidy
from crmbridge.model.changes import Change, Outcome
from crmbridge.model.values import Value
from crmbridge_hubspot.api import HubSpotApi, batches
from crmbridge_hubspot.replies import HeldError, NoneFoundError, named_by

COMPANY, CONTACTS = "company", "contacts"
ENDS = {COMPANY: "companies", CONTACTS: "contacts"}
# The primary company of a deal; the one before stays, unlabelled, until it is taken away ("Associate records").
PRIMARY = [{"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": 5}]
MOST_MADE, MOST_REMOVED = 2_000, 1_000  # inputs of a call
Result = tuple[Outcome, str]


class Step(NamedTuple):
    """One association to make or take away."""

    field: str
    deal: str
    other: str
    removes: bool


def steps_of(change: Change) -> Iterator[Step]:
    """Give what an update does to a deal's associations: what others added meanwhile stays."""
    if change.target is None:
        return
    for edit in change.edits:
        if edit.name in ENDS:
            before, after = _ids(edit.before), _ids(edit.after)
            for other in after:  # a company that is there already is made the primary one
                if edit.name == COMPANY or other not in before:
                    yield Step(edit.name, change.target.id, other, removes=False)
            for other in before:
                if other not in after:
                    yield Step(edit.name, change.target.id, other, removes=True)


def _ids(value: Value) -> tuple[str, ...]:
    if isinstance(value, tuple):
        return tuple(map(str, value))
    return (str(value),) if value else ()


class Associating(Struct, frozen=True, kw_only=True):
    """Carries out the steps of several changes together. Repeating a step is harmless.

    Where nothing was written before it had `begun`, and nothing by it, errors to wait for are raised.
    """

    api: HubSpotApi
    begun: bool
    results: dict[Step, Result] = field(default_factory=dict)
    stopped: list[CrmbridgeError] = field(default_factory=list)  # the first error that is there for the others as well

    def carry_out(self, changes: Sequence[Change]) -> Mapping[str, Result]:
        """Carry out the steps of changes, and tell the worst result of each change that has any.

        What is added comes first: nothing is taken away from a deal that its new company can't be given.
        """
        steps = {change.id: list(steps_of(change)) for change in changes}
        self._all([step for each in steps.values() for step in each if not step.removes])
        ready = [each for each in steps.values() if self._worst(step for step in each if not step.removes) is None]
        self._all([step for each in ready for step in each if step.removes])
        return {name: self._worst(each) or (Outcome.APPLIED, "") for name, each in steps.items() if each}

    def _worst(self, steps: Iterator[Step] | Sequence[Step]) -> Result | None:
        """Give the result that counts where one is not good: what is unclear before what is refused."""
        bad = [found for step in steps if (found := self.results.get(step)) and found[0] is not Outcome.APPLIED]
        return min(bad, key=lambda each: _GRAVEST.index(each[0]), default=None)

    def _all(self, steps: Sequence[Step]) -> None:
        for name in ENDS:
            for removes, most in ((False, MOST_MADE), (True, MOST_REMOVED)):
                chosen = [step for step in steps if step.field == name and step.removes is removes]
                for part in batches(chosen, most):
                    self._send(part)

    def _send(self, steps: Sequence[Step]) -> None:
        """Send a batch, unless nothing gets through any more; what it does not clearly do is sent again, each alone."""
        if self.stopped:
            self._failed(steps, self.stopped[0])
            return
        path, body = self._request(steps)
        try:
            answer = self.api.write(path, body)
        except CrmbridgeError as error:
            if isinstance(error, RefusedError) and len(steps) > 1:
                self._each(steps)
            else:
                self._failed(steps, error)
            return
        suspects = _spoken_of(steps, answer.get("errors") or ())
        self.results.update({step: (Outcome.APPLIED, "") for step in steps if step not in suspects})
        if len(steps) > 1:
            self._each(suspects)
        for step in suspects if len(steps) == 1 else ():
            self.results[step] = _refusal(step, answer["errors"][0])

    def _each(self, steps: Sequence[Step]) -> None:
        for step in steps:
            self._send([step])

    def _failed(self, steps: Sequence[Step], error: CrmbridgeError) -> None:
        if not isinstance(error, UnclearError | RefusedError) and not self.begun and not self.results:
            raise error
        if not isinstance(error, UnclearError | RefusedError | HeldError):
            self.stopped.append(error)
        for step in steps:
            if isinstance(error, UnclearError):
                result = (Outcome.UNKNOWN, error.message)
            elif isinstance(error, NoneFoundError) and step.removes:
                result = (Outcome.APPLIED, "")  # what is gone hangs on nothing
            elif isinstance(error, RefusedError):
                result = (Outcome.REFUSED, _said(step, error.message))
            else:
                result = (Outcome.FAILED, _said(step, error.message))
            self.results[step] = result

    def _request(self, steps: Sequence[Step]) -> tuple[str, dict[str, Any]]:
        path: Callable[[str], str] = lambda rest: self.api.paths.linking("deals", ENDS[steps[0].field], rest)  # noqa: E731
        ends = [({"id": step.deal}, {"id": step.other}) for step in steps]
        if steps[0].removes:
            return path("archive"), {"inputs": [{"from": one, "to": [other]} for one, other in ends]}
        if steps[0].field == COMPANY:
            return path("create"), {"inputs": [{"from": one, "to": other, "types": PRIMARY} for one, other in ends]}
        return path("associate/default"), {"inputs": [{"from": one, "to": other} for one, other in ends]}


_GRAVEST = (Outcome.UNKNOWN, Outcome.REFUSED, Outcome.FAILED)


def _spoken_of(steps: Sequence[Step], errors: Sequence[Any]) -> list[Step]:
    """Give the steps that errors may speak of: where one names an end, those that have it; else all."""
    meant: set[Step] = set()
    for error in errors:
        named = named_by(error)
        meant.update([step for step in steps if named & {step.deal, step.other}] or steps)
    return [step for step in steps if step in meant]


def _refusal(step: Step, error: Mapping[str, Any]) -> Result:
    if step.removes and error.get("category") == "OBJECT_NOT_FOUND":
        return Outcome.APPLIED, ""
    return Outcome.REFUSED, _said(step, tidy(str(error.get("message") or error.get("category") or "refused")))


def _said(step: Step, message: str) -> str:
    what = "company" if step.field == COMPANY else "contact"
    done = f"taken off deal {step.deal}" if step.removes else f"put on deal {step.deal}"
    return f"the {what} {step.other} could not be {done}: {message}"
