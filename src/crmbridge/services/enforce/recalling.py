"""Recall: what the state remembers of deals, and what decides on what is done about their findings."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence

from msgspec import Struct, field

from crmbridge.engine.acting.actions import asked_of
from crmbridge.engine.acting.aging import Past, aged
from crmbridge.engine.acting.bindings import People
from crmbridge.engine.acting.tasks import tasks_asked
from crmbridge.engine.deals.subject import Subject
from crmbridge.engine.views import emails, user_ids
from crmbridge.errors import CrmbridgeError
from crmbridge.model.changes import Action, JournalEntry
from crmbridge.model.findings import Evaluation, Waiver
from crmbridge.model.lives import Known
from crmbridge.model.records import Kind, Ref
from crmbridge.model.replacing import replace
from crmbridge.services.workspace import Workspace

Aged = tuple[Subject, Evaluation, Past]
NOTHING_PAST = Past()


class Recall(Struct, frozen=True):
    """Looks up what is remembered, once for many deals. Make a new one each time that deals are judged."""

    workspace: Workspace
    waivers: Sequence[Waiver]
    _people: dict[str, People] = field(default_factory=dict)
    _amends: dict[str, bool] = field(default_factory=dict)

    @classmethod
    def of(cls, workspace: Workspace) -> Recall:
        """Make one that knows the waivers as they are now."""
        return cls(workspace, workspace.store.waivers.all())

    def aged(self, judged: Sequence[tuple[Subject, Evaluation]]) -> list[Aged]:
        """Give evaluations as they stand once it is known how long findings have been there, and what was accepted."""
        refs = [subject.deal.ref for subject, _ in judged]
        known, waivers = self.workspace.store.findings.known(refs), self._waivers_of(refs)
        found: list[Aged] = []
        for subject, evaluation in judged:
            ref = subject.deal.ref
            if not evaluation.findings and ref not in known:  # most deals: nothing is remembered, and nothing asked for
                found.append((subject, evaluation, NOTHING_PAST))
                continue
            past = Past(
                known={each.finding.id: each for each in known.get(ref, ())},
                waivers=waivers.get(ref, {}),
                people=self._people_of(ref.connection) if evaluation.findings else NOTHING_PAST.people,
            )
            found.append((subject, aged(subject, evaluation, past, evaluation.at), past))
        busy = (one for one in found if one[1].findings or one[2].known)
        outcomes = self._outcomes([id_ for one in busy for id_ in asked_of(*one)])
        if not outcomes:
            return found
        return [(subject, said, self._with(past, outcomes, subject.deal.ref)) for subject, said, past in found]

    def left_behind(self, deals: Collection[Ref]) -> list[Past]:
        """Give the past of deals that are there and are not judged, as a linked one speaks for them."""
        known = self.workspace.store.findings.known(deals)
        there = self.workspace.store.records.get(list(known)) if known else {}
        every = [each for deal in there for each in known[deal]]
        outcomes = self._outcomes([id_ for each in every for id_ in tasks_asked(each, 0)])
        return [self._with(Past(known=_by_id(known[deal])), outcomes, deal) for deal in sorted(there)]

    def _with(self, past: Past, outcomes: Mapping[str, JournalEntry], deal: Ref) -> Past:
        """Let a deal's past have outcomes; only then does it matter what its CRM can do."""
        return replace(past, outcomes=outcomes, amends=self._can_amend(deal.connection)) if outcomes else past

    def _outcomes(self, ids: Sequence[str]) -> dict[str, JournalEntry]:
        return self.workspace.store.journal.outcomes(list(dict.fromkeys(ids))) if ids else {}

    def _waivers_of(self, deals: Sequence[Ref]) -> dict[Ref, dict[str, Waiver]]:
        """Give the waivers of deals by rule; one that was given to a linked deal is for all of them."""
        if not self.waivers:
            return {}
        links = self.workspace.store.links.of({*deals, *(waiver.deal for waiver in self.waivers)})
        found: dict[Ref | str, dict[str, Waiver]] = defaultdict(dict)
        for waiver in sorted(self.waivers, key=lambda waiver: waiver.until):  # the longest one counts
            found[links.get(waiver.deal, waiver.deal)][waiver.rule] = waiver
        return {deal: found[links.get(deal, deal)] for deal in deals if links.get(deal, deal) in found}

    def _people_of(self, connection: str) -> People:
        if connection not in self._people:
            users = tuple(self.workspace.store.records.records(connection, Kind.USER))
            self._people[connection] = People(user_ids(users), emails(users))
        return self._people[connection]

    def _can_amend(self, connection: str) -> bool:
        if connection not in self._amends:
            try:
                can = Action.AMEND in self.workspace.adapter(connection).capabilities.actions
            except CrmbridgeError:  # applying will say so, in words about signing in
                can = True
            self._amends[connection] = can
        return self._amends[connection]


def _by_id(known: Sequence[Known]) -> dict[str, Known]:
    return {each.finding.id: each for each in known}
