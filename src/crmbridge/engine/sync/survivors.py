"""Survivors: what becomes of links when their records are merged into others."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from types import MappingProxyType

from crmbridge.model.records import Kind, Ref


def follow_merges(
    links: Mapping[str, Sequence[Ref]],
    survivors: Mapping[Ref, Ref],
    gone: Collection[Ref] = (),
    likeness: Mapping[str, int] = MappingProxyType({}),
) -> dict[str, tuple[Ref, ...]]:
    """Put the survivor of a merge in the place of the record that was merged away, unless it stands in a link itself.

    `survivors` has what records were merged into. Left alone, a survivor with a new id would seem to have no
    counterpart, and be given a second one. For the same reason, of several places it takes the one with the most
    counterparts that are not `gone`; then the one whose values it holds, which `likeness` counts, as it would write
    its own over others.
    """
    taken = {ref for refs in links.values() for ref in refs}
    there = {link: sum(ref not in gone for ref in refs) for link, refs in links.items()}
    followed: dict[str, tuple[Ref, ...]] = {}
    for link in sorted(links, key=lambda link: (-there[link], -likeness.get(link, 0), link)):
        ends = {ref: end for ref in links[link] if (end := end_of(ref, survivors)) not in taken}
        taken.update(ends.values())
        followed[link] = tuple(ends.get(ref, ref) for ref in links[link])
    return followed


def left_over(links: Mapping[str, Sequence[Ref]], survivors: Mapping[Ref, Ref]) -> dict[str, set[str]]:
    """Name, for links that hold what is left of a merge, the links of the deals that were merged away into it."""
    link_of = {ref: link for link, refs in links.items() for ref in refs if ref.kind is Kind.DEAL}
    found: dict[str, set[str]] = defaultdict(set)
    for ref, link in link_of.items():
        if (other := link_of.get(end_of(ref, survivors), link)) != link:
            found[other].add(link)
    return found


def end_of(ref: Ref, survivors: Mapping[Ref, Ref]) -> Ref:
    """Follow a record through all its merges; one that was merged in a circle stays where it was."""
    seen = [ref]
    while (following := survivors.get(seen[-1])) is not None and following not in seen:
        seen.append(following)
    return ref if following is not None else seen[-1]
