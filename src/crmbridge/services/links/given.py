"""Given: what a CRM puts into a deal by itself when it is made, as its owner, is nobody's edit."""

from __future__ import annotations

from collections.abc import Mapping

from crmbridge.engine.sync.merge import GIVEN, decided_ref, may_differ
from crmbridge.engine.sync.sameness import same
from crmbridge.engine.views import Viewer
from crmbridge.model.cuts import may_name
from crmbridge.model.records import Record, Ref
from crmbridge.model.replacing import replace
from crmbridge.model.values import Fields, is_empty
from crmbridge.services.links.bases import MADE
from crmbridge.services.links.gathering import Around
from crmbridge.services.workspace import Workspace


def with_given(workspace: Workspace, around: Around) -> Around:
    """Give what is known around links, with what deals were given that could not be read when they were made."""
    bases = around.bases
    marked = {ref for ref in around.deals if may_name(base := bases.get(ref, {}), MADE) and base.get(MADE)}
    if not marked:
        return around
    made = {link: ref for link, refs in around.links.items() for ref in refs if ref in marked}
    note_given(workspace, made, {ref: around.deals[ref] for ref in made.values()}, around.viewers)
    # Once more, for links in which several are marked.
    return with_given(workspace, replace(around, bases=workspace.store.links.bases(bases)))


def note_given(
    workspace: Workspace, made: Mapping[str, Ref], read: Mapping[Ref, Record], viewers: Mapping[str, Viewer]
) -> None:
    """Remember what deals that sync made hold beyond what was sent: it speaks against nobody's value.

    `made` has them by link, `read` as the CRM keeps them; the bases of those that could not be read say that they were
    made, until they are. What somebody may have edited since it was made, a moment ago or long before it was found,
    was entered by a person. Where people filled in nothing in their link, the deals of it may differ in what was
    given, until somebody edits one of them; also one that is made later, and is given nothing.
    """
    made = {link: ref for link, ref in made.items() if ref in read}
    members = workspace.store.links.get(made)
    deals = {**workspace.store.records.get([ref for refs in members.values() for ref in refs]), **read}
    views = {ref: viewers[ref.connection].view(deal) for ref, deal in deals.items() if ref.connection in viewers}
    known = workspace.store.links.bases([*views, *map(decided_ref, members)])
    news: dict[Ref, Fields] = {}
    for link, refs in members.items():
        new = made[link]
        others = {r: views[r] for r in refs if r in views and r != new and not known.get(r, {}).get(MADE)}
        sent, agreed = known.get(new, {}), known.get(decided_ref(link), {})
        view = views.get(new, {})
        before = [name for name, value in agreed.items() if value == GIVEN and name not in sent]
        news[new] = {MADE: None, **{name: None for name in before if name in view and is_empty(view[name])}}
        if read[new].updated_at != read[new].created_at:
            continue
        given = {name: value for name, value in view.items() if name not in sent and not is_empty(value)}
        news[new] = {**news[new], **given}
        if silent := [name for name in given if _is_silent(name, others, known, agreed)]:
            news[decided_ref(link)] = dict.fromkeys(silent, GIVEN)
        for ref, held in others.items():
            unsaid = [name for name in given if name in held and name not in known.get(ref, {})]
            spared = [name for name in unsaid if _follows(workspace, name, ref, new)]
            if kept := {name: held[name] for name in (*silent, *spared)}:
                news[ref] = kept
    workspace.store.links.save_bases(news)


def _follows(workspace: Workspace, name: str, ref: Ref, new: Ref) -> bool:
    """Tell whether a deal gets whatever the one that was just made holds: what it was given is not for others.

    What stands there counts as known from before, so it is written over only when somebody edits the new one.
    """
    entries = [each for each in workspace.project.settings.sync if {ref.connection, new.connection} <= {*each.between}]
    return any(each.policy(name).source == new.connection for each in entries)


def _is_silent(name: str, others: Mapping[Ref, Fields], known: Mapping[Ref, Fields], agreed: Fields) -> bool:
    """Tell whether a field is empty in all others, or holds there what they were given when they were made."""
    open_ = may_differ(agreed.get(name))
    return all(
        name in view and (is_empty(view[name]) or (open_ and same(view[name], known.get(ref, {}).get(name))))
        for ref, view in others.items()
    )
