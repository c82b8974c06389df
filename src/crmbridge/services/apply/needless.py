"""What a veto makes needless: a company, or a contact, that would be made for deals which must not be written."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from crmbridge.model.changes import Action, Change
from crmbridge.model.records import Kind
from crmbridge.services.links.native_ids import needed_links

NEEDLESS = "what it is made for was vetoed"


def needless(changes: Sequence[Change], vetoed: Collection[str]) -> set[str]:
    """Give the creations that only vetoed changes need, or others of these."""
    if not vetoed:
        return set()
    out = set(vetoed)
    for kind in (Kind.CONTACT, Kind.COMPANY):  # a contact may need its company
        before = _needed(change for change in changes if change.id in out)
        still = _needed(change for change in changes if change.id not in out)
        made = [change for change in changes if change.action is Action.CREATE and change.creates is kind]
        out |= {change.id for change in made if (change.connection, change.link or "") in before - still}
    return out - set(vetoed)


def _needed(changes: Iterable[Change]) -> set[tuple[str, str]]:
    return {(change.connection, link) for change in changes for link in needed_links(change)}
