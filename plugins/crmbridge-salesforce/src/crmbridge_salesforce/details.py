"""What belongs to deals but lies in other objects: contacts and history, read for a few deals at a time."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Protocol

from crmbridge.http import together
from crmbridge_salesforce.ids import to_18
from crmbridge_salesforce.moves import SNAPSHOT, TRACKED, Snapshot, in_order, snapshot
from crmbridge_salesforce.org import Org
from crmbridge_salesforce.soql import select
from crmbridge_salesforce.values import cell_of

ROLE = ("OpportunityId", "ContactId")
_ROLES = select(ROLE, "OpportunityContactRole", where="OpportunityId IN ({})")
_HISTORY = select(("OpportunityId", *SNAPSHOT), "OpportunityHistory", where="OpportunityId IN ({})")
_TRACKED = select(
    ("OpportunityId", *TRACKED), "OpportunityFieldHistory", where="Field = 'StageName' AND OpportunityId IN ({})"
)


class Details(Protocol):
    """Gives what lies beside deals, by the ids of the deals."""

    def contacts(self, deals: Sequence[str]) -> Mapping[str, tuple[str, ...]]:
        """Give the ids of the deals' contacts, sorted; deals without any are left out."""
        ...

    def history(self, deals: Sequence[str]) -> Mapping[str, list[Snapshot]]:
        """Give the deals' snapshots, oldest first; deals without any are left out."""
        ...

    def ahead(self, deals: Sequence[str]) -> Details:
        """Give what knows these deals, of which both will be asked for."""
        ...


class Read:
    """The details of some deals, which are read already."""

    def __init__(self, contacts: Mapping[str, tuple[str, ...]], history: Mapping[str, list[Snapshot]]) -> None:
        self._contacts = contacts
        self._history = history

    def contacts(self, deals: Sequence[str]) -> Mapping[str, tuple[str, ...]]:
        """Give the contacts of deals."""
        return {deal: self._contacts[deal] for deal in deals if deal in self._contacts}

    def history(self, deals: Sequence[str]) -> Mapping[str, list[Snapshot]]:
        """Give the snapshots of deals."""
        return {deal: self._history[deal] for deal in deals if deal in self._history}

    def ahead(self, deals: Sequence[str]) -> Details:  # noqa: ARG002  all is here
        """Give itself."""
        return self


class Asked:
    """Asks the org for the details of the deals at hand: one query each for a few hundred deals.

    With `tracked`, stages are read from the history of tracked fields too, for what the usual history lacks.
    """

    def __init__(self, org: Org, *, tracked: Callable[[], bool] = bool) -> None:
        self._org = org
        self._tracked = tracked

    def contacts(self, deals: Sequence[str]) -> Mapping[str, tuple[str, ...]]:
        """Read the contact roles of deals."""
        found: dict[str, set[str]] = defaultdict(set)
        for role in self._org.query_in(_ROLES, deals):
            if role.get("ContactId"):
                found[to_18(str(role["OpportunityId"]))].add(to_18(str(role["ContactId"])))
        return {deal: tuple(sorted(contacts)) for deal, contacts in found.items()}

    def history(self, deals: Sequence[str]) -> Mapping[str, list[Snapshot]]:
        """Read the snapshots of deals."""
        found: dict[str, list[Snapshot]] = defaultdict(list)
        for template, columns in ((_HISTORY, SNAPSHOT), (_TRACKED, TRACKED))[: 1 + self._tracked()]:
            for row in self._org.query_in(template, deals):
                cells = [cell_of(row.get(name)) for name in columns]
                found[to_18(str(row["OpportunityId"]))].append(snapshot(cells))
        return {deal: in_order(snapshots) for deal, snapshots in found.items()}

    def ahead(self, deals: Sequence[str]) -> Details:
        """Read both side by side."""
        jobs: list[Callable[[], Any]] = [partial(self.contacts, deals), partial(self.history, deals)]
        return Read(*together(jobs))


class Unasked:
    """Asks for nothing, for those who look at other fields only."""

    def contacts(self, deals: Sequence[str]) -> Mapping[str, tuple[str, ...]]:  # noqa: ARG002  none is asked for
        """Give none."""
        return {}

    def history(self, deals: Sequence[str]) -> Mapping[str, list[Snapshot]]:  # noqa: ARG002  the same
        """Give none."""
        return {}

    def ahead(self, deals: Sequence[str]) -> Details:  # noqa: ARG002  the same
        """Give itself."""
        return self
