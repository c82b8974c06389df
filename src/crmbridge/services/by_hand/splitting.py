"""Splitting: what becomes of links, and of what deals remember by them, once a person says that records are not one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from crmbridge.engine.sync.forms import MARK
from crmbridge.engine.sync.matching import link_id
from crmbridge.engine.sync.merge import APART, decided_ref
from crmbridge.engine.views import AROUND
from crmbridge.model.records import Kind, Ref
from crmbridge.model.values import Value
from crmbridge.services.links.associations import deals_naming
from crmbridge.services.links.linking import own_link
from crmbridge.services.workspace import Workspace


def parted(workspace: Workspace, link: str, ref: Ref, others: Sequence[Ref]) -> dict[str, Sequence[Ref]]:
    """Give the links as they are without a record. Those named after it must not be taken for it later.

    A company or contact has a link of its own at once, by which its deals go on holding it.
    """
    named = link == link_id(ref)
    left = own_link(workspace, others[0]) if named else link
    if ref.kind is Kind.DEAL:
        return {link: [], left: others}
    return {link if named else own_link(workspace, ref): [ref], left: others}


def still_decided(
    workspace: Workspace, link: str, after: Mapping[str, Sequence[Ref]], others: Sequence[Ref]
) -> dict[Ref, dict[str, Value]]:
    """Give the base of the link that those who are left have now: what was decided on may not have got to them all."""
    left = next((new for new, refs in after.items() if refs == others), link)
    if left == link:
        return {}
    base = workspace.store.links.bases([decided_ref(link)]).get(decided_ref(link), {})
    return {decided_ref(left): {name: value for name, value in base.items() if not name.startswith(MARK)}}


def bases_of_deals(workspace: Workspace, link: str, after: Mapping[str, Sequence[Ref]]) -> dict[Ref, dict[str, Value]]:
    """Give bases by which a company or contact that is another one now stays on each of its deals.

    The deals hold companies that differ, and may. Of their contacts it is as if each had been added to its deal alone.
    """
    refs = [ref for found in after.values() for ref in found]
    name = next((name for name, kind in AROUND.items() if kind is refs[0].kind), None)
    if name is None:
        return {}
    now = {ref.connection: new for new, found in after.items() for ref in found}
    links = workspace.store.links
    deals = sorted(deals_naming(workspace, refs))
    own = {deal: decided_ref(each) for deal, each in links.of(deals).items()}
    bases: dict[Ref, dict[str, Value]] = {}
    for ref, base in links.bases([*deals, *own.values()]).items():
        value = base.get(name)
        if isinstance(value, tuple) and link in value:
            bases[ref] = {name: tuple(each for each in value if each != link)}
        elif value == link:
            bases[ref] = {name: now.get(ref.connection, APART)}
    return bases
