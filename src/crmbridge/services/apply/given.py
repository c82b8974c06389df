"""Given: what a CRM puts into a deal by itself when it is made, as its owner, is nobody's edit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from crmbridge.engine.sync.merge import APART, decided_ref
from crmbridge.engine.sync.sameness import same
from crmbridge.engine.views import Viewer
from crmbridge.model.changes import Change, Origin
from crmbridge.model.records import Kind, Record, Ref
from crmbridge.model.values import Fields, is_empty
from crmbridge.services.workspace import Workspace


def note_given(
    workspace: Workspace,
    created: Sequence[tuple[Change, Ref]],
    read: Mapping[Ref, Record],
    viewers: Mapping[str, Viewer],
) -> None:
    """Remember what deals that sync made hold beyond what was sent: it speaks against nobody's value.

    `read` has those that nobody has touched since. Where people filled in nothing in their link, the deals of it may
    differ in what was given, until somebody edits one of them.
    """
    made = {c.link: (c, ref) for c, ref in created if c.link and c.origin is Origin.SYNC and ref in read}
    made = {link: (change, ref) for link, (change, ref) in made.items() if ref.kind is Kind.DEAL}
    if not made:
        return
    members = workspace.store.links.get(made)
    deals = {**workspace.store.records.get([ref for refs in members.values() for ref in refs]), **read}
    views = {ref: viewers[ref.connection].view(deal) for ref, deal in deals.items() if ref.connection in viewers}
    known = workspace.store.links.bases([*views, *map(decided_ref, members)])
    news: dict[Ref, Fields] = {}
    for link, refs in members.items():
        change, new = made[link]
        sent, holds = change.after.keys(), views.get(new, {})
        others = {ref: views[ref] for ref in refs if ref in views and ref != new}
        agreed = known.get(decided_ref(link), {})
        given = {name: value for name, value in holds.items() if name not in sent and not is_empty(value)}
        silent = [name for name in given if _is_silent(name, others, known, agreed)]
        if given and others:
            news[new] = given
        if silent and others:
            news[decided_ref(link)] = dict.fromkeys(silent, APART)
            news |= {ref: {name: view[name] for name in silent} for ref, view in others.items()}
    workspace.store.links.save_bases(news)


def _is_silent(name: str, others: Mapping[Ref, Fields], known: Mapping[Ref, Fields], agreed: Fields) -> bool:
    """Tell whether a field is empty in all others, or holds there what they were given when they were made."""
    may_differ = agreed.get(name) == APART
    return all(
        name in view and (is_empty(view[name]) or (may_differ and same(view[name], known.get(ref, {}).get(name))))
        for ref, view in others.items()
    )
