"""Setting the contacts of deals, which lie in an object of their own, OpportunityContactRole."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from crmbridge.errors import CrmbridgeError, RefusedError, UnclearError
from crmbridge_salesforce.ids import to_18
from crmbridge_salesforce.judge import said
from crmbridge_salesforce.org import COLLECTION, Org
from crmbridge_salesforce.soql import select

_ROLES = select(["Id", "OpportunityId", "ContactId"], "OpportunityContactRole", where="OpportunityId IN ({})")


def set_contacts(org: Org, wanted: Mapping[str, Sequence[str]]) -> dict[str, CrmbridgeError]:
    """Bring the contacts of deals to what is wanted, by deal id; give the deals where that failed, and why."""
    try:
        add, remove = _difference(org, wanted)
    except CrmbridgeError as error:
        return dict.fromkeys(wanted, error)
    problems: dict[str, CrmbridgeError] = {}
    for start in range(0, len(add), COLLECTION):
        problems.update(_add(org, add[start : start + COLLECTION]))
    for start in range(0, len(remove), COLLECTION):
        problems.update(_remove(org, remove[start : start + COLLECTION]))
    return problems


def _difference(org: Org, wanted: Mapping[str, Sequence[str]]) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """Give the (deal, contact) pairs to add and the (deal, role id) pairs to remove."""
    present: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for role in org.query_in(_ROLES, list(wanted)):
        present[to_18(str(role["OpportunityId"]))][to_18(str(role["ContactId"]))].append(str(role["Id"]))
    add = [(deal, contact) for deal, ids in wanted.items() for contact in ids if to_18(contact) not in present[deal]]
    keep = {deal: {to_18(contact) for contact in ids} for deal, ids in wanted.items()}
    remove = [
        (deal, role)
        for deal, roles in present.items()
        for contact, ids in roles.items()
        if contact not in keep[deal]
        for role in ids
    ]
    return add, remove


def _add(org: Org, pairs: Sequence[tuple[str, str]]) -> dict[str, CrmbridgeError]:
    records = [
        {"attributes": {"type": "OpportunityContactRole"}, "OpportunityId": deal, "ContactId": contact}
        for deal, contact in pairs
    ]
    try:
        answer = org.write("POST", "composite/sobjects", body={"allOrNone": False, "records": records})
    except CrmbridgeError as error:
        return {deal: error for deal, _ in pairs}
    return _problems(pairs, answer)


def _remove(org: Org, pairs: Sequence[tuple[str, str]]) -> dict[str, CrmbridgeError]:
    ids = ",".join(role for _, role in pairs)
    try:
        answer = org.write("DELETE", "composite/sobjects", params={"ids": ids, "allOrNone": "false"})
    except CrmbridgeError as error:
        return {deal: error for deal, _ in pairs}
    return _problems(pairs, answer)


def _problems(pairs: Sequence[tuple[str, str]], answer: Any) -> dict[str, CrmbridgeError]:
    if not isinstance(answer, list) or len(answer) != len(pairs):
        unclear = UnclearError("the answer does not say what became of each contact")
        return {deal: unclear for deal, _ in pairs}
    found: dict[str, CrmbridgeError] = {}
    for (deal, _), result in zip(pairs, answer, strict=True):
        if not isinstance(result, Mapping) or result.get("success") is not True:
            words = "; ".join(map(str, said(result.get("errors")))) if isinstance(result, Mapping) else ""
            found[deal] = RefusedError(words or "the CRM refused it without saying why")
    return found
