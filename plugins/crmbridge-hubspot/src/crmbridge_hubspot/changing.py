"""Changes made in HubSpot: each action by the part that knows how."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from msgspec import Struct

from crmbridge.adapting import amend_tasks
from crmbridge.model.changes import Action, Change, Receipt
from crmbridge.model.records import Kind, Ref
from crmbridge_hubspot.amending import Amending
from crmbridge_hubspot.api import HubSpotApi
from crmbridge_hubspot.archiving import Archiver
from crmbridge_hubspot.bodies import Bodies
from crmbridge_hubspot.counterparts import Lookup
from crmbridge_hubspot.fields import make_fields
from crmbridge_hubspot.figures import Figures
from crmbridge_hubspot.mapping import Terms
from crmbridge_hubspot.setup import SetUp
from crmbridge_hubspot.writing import Writer


class Changing(Struct, frozen=True, kw_only=True):
    """Makes changes of one action at a time. `find` is the adapter's own, which tells whether a task is there yet."""

    api: HubSpotApi
    setup: SetUp
    figures: Figures
    lookup: Lookup
    connection: str
    now: Callable[[], datetime]
    find: Callable[[Kind, str, Ref | None], Ref | None]

    def write(self, changes: Sequence[Change]) -> Sequence[Receipt]:
        """Make changes of one action, at most a batch of them; gives their receipts in order."""
        if not changes:
            return []
        if changes[0].action is Action.FIELD:
            try:
                return make_fields(self.api, self.connection, changes)
            finally:
                self.setup.forget()
        if changes[0].action is Action.UPDATE and changes[0].kind is Kind.COMPANY:
            return self.figures.write(changes)
        if changes[0].action is Action.ARCHIVE:
            return Archiver(api=self.api).archive(changes)
        if changes[0].action is Action.AMEND:
            return amend_tasks(changes, self.find, Amending(api=self.api, terms=self.setup.terms()).send)
        lookup = self.lookup.afresh()
        return Writer(api=self.api, terms=self._terms_for(changes), now=self.now, lookup=lookup).write(changes)

    def _terms_for(self, changes: Sequence[Change]) -> Terms:
        """Give what changes can be written with, as far as there is any.

        A change that is refused waits for a person: not for what the account lacked before an admin made it.
        """
        terms = self.setup.terms()
        return terms if all(map(Bodies(terms=terms, now=self.now).takes, changes)) else self.setup.renewed()
