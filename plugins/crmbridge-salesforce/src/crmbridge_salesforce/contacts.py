"""Setting the contacts of deals, which lie in an object of their own, OpportunityContactRole."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from crmbridge.errors import CrmbridgeError, RefusedError, RetryLaterError, UnclearError
from crmbridge.model.changes import Outcome
from crmbridge.model.values import Value
from crmbridge_salesforce.ids import to_18
from crmbridge_salesforce.judge import outcome_of, said
from crmbridge_salesforce.org import COLLECTION, Org
from crmbridge_salesforce.soql import select

_ROLES = select(["Id", "OpportunityId", "ContactId"], "OpportunityContactRole", where="OpportunityId IN ({})")
_GONE = frozenset({"ENTITY_IS_DELETED", "NOT_FOUND"})
Pairs = Sequence[tuple[str, str]]
Roles = Mapping[str, Mapping[str, Sequence[str]]]  # deal -> contact -> ids of the roles


class Wish(NamedTuple):
    """Which contacts a deal shall get, and which it shall lose. Any others are left alone."""

    add: frozenset[str]
    remove: frozenset[str]

    @classmethod
    def of(cls, before: Value, after: Value) -> Wish:
        """Read an edit: what others added or removed meanwhile is not part of it."""
        old, new = _ids(before), _ids(after)
        return cls(new - old, old - new)

    def then(self, other: Wish) -> Wish:
        """Give what this one and another after it come to."""
        return Wish((self.add - other.remove) | other.add, (self.remove - other.add) | other.remove)


def set_contacts(org: Org, wanted: Mapping[str, Wish]) -> dict[str, CrmbridgeError]:
    """Add and remove contacts of deals, by deal id; give the deals where that failed, and why.

    Nobody is taken off a deal that another contact can't be put on: it would look as if people had wanted that.
    """
    try:
        roles = _roles(org, list(wanted))
    except CrmbridgeError as error:
        return dict.fromkeys(wanted, error)
    add = [(deal, contact) for deal, wish in wanted.items() for contact in sorted(wish.add - roles[deal].keys())]
    problems: dict[str, CrmbridgeError] = {}
    for part in _parts(add):
        problems.update(_add(org, part))
    remove = [
        (deal, role)
        for deal, wish in wanted.items()
        if deal not in problems
        for contact in sorted(wish.remove)
        for role in roles[deal].get(contact, ())
    ]
    for part in _parts(remove):
        problems.update(_remove(org, part))
    return problems


def drop_doubles(org: Org, deal: str, ours: Sequence[str]) -> None:
    """Take off those of our roles on a deal whose contact has another one. One that stays is seen by people only."""
    try:
        for roles in _roles(org, [deal])[deal].values():
            mine = [role for role in roles if role in set(map(to_18, ours))]
            if len(roles) > len(mine) and mine:
                _remove(org, [(deal, role) for role in mine])
    except CrmbridgeError:
        return


def _ids(value: Value) -> frozenset[str]:
    return frozenset(map(to_18, value)) if isinstance(value, tuple) else frozenset()


def _roles(org: Org, deals: Sequence[str]) -> Roles:
    found: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for role in org.query_in(_ROLES, deals):
        found[to_18(str(role["OpportunityId"]))][to_18(str(role["ContactId"]))].append(to_18(str(role["Id"])))
    return found


def _parts(pairs: Pairs) -> Iterator[Pairs]:
    for start in range(0, len(pairs), COLLECTION):
        yield pairs[start : start + COLLECTION]


def _add(org: Org, pairs: Pairs) -> dict[str, CrmbridgeError]:
    records = [
        {"attributes": {"type": "OpportunityContactRole"}, "OpportunityId": deal, "ContactId": contact}
        for deal, contact in pairs
    ]
    try:
        answer = org.write("POST", "composite/sobjects", body={"allOrNone": False, "records": records})
    except CrmbridgeError as error:
        return {deal: error for deal, _ in pairs}
    return _problems(pairs, answer)


def _remove(org: Org, pairs: Pairs) -> dict[str, CrmbridgeError]:
    ids = ",".join(role for _, role in pairs)
    try:
        answer = org.write("DELETE", "composite/sobjects", params={"ids": ids, "allOrNone": "false"})
    except CrmbridgeError as error:
        return {deal: error for deal, _ in pairs}
    return _problems(pairs, answer, fine=_GONE)


def _problems(pairs: Pairs, answer: Any, *, fine: frozenset[str] = frozenset()) -> dict[str, CrmbridgeError]:
    if not isinstance(answer, list) or len(answer) != len(pairs):
        unclear = UnclearError("the answer does not say what became of each contact")
        return {deal: unclear for deal, _ in pairs}
    found: dict[str, CrmbridgeError] = {}
    for (deal, _), result in zip(pairs, answer, strict=True):
        problem = _problem(result, fine)
        if problem is not None:
            found[deal] = problem
    return found


def _problem(result: Any, fine: frozenset[str]) -> CrmbridgeError | None:
    if not isinstance(result, Mapping) or not isinstance(result.get("success"), bool):
        return UnclearError("the answer does not say what became of a contact")
    errors = said(result.get("errors"))
    if result["success"] or (errors and {error.code for error in errors} <= fine):
        return None
    words = "; ".join(map(str, errors)) or "the CRM refused it without saying why"
    return RetryLaterError(words) if outcome_of(errors) is Outcome.FAILED else RefusedError(words)
