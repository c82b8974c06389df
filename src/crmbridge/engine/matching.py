"""Finding out which deals of several CRMs are the same one: by external key, then by ordered rules, never by guess."""

from __future__ import annotations

import hashlib
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from crmbridge.model.changes import Blocked
from crmbridge.model.records import Kind, Record, Ref
from crmbridge.model.values import Value, show

EXTERNAL_KEY = "external_key"
PREFIX = "crmbridge:"  # begins the keys that we write
Rule = str | tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Matched:
    """The links as they stand now, the deals that have no counterpart, and what only a person can tell."""

    links: Mapping[str, tuple[Ref, ...]]
    single: tuple[Record, ...]
    ambiguous: tuple[Blocked, ...]


def link_id(ref: Ref) -> str:
    """Make the id of a link from the deal that it starts with."""
    return "lnk" + hashlib.sha256(f"{ref.connection}\x1f{ref.kind}\x1f{ref.id}".encode()).hexdigest()[:13]


def lead(link: str, refs: Iterable[Ref]) -> Ref | None:
    """Say which deal of a link speaks for it: the one it is named after, whose history is the longest known.

    Where that is gone it is the first of the others. None for a link without deals.
    """
    known = sorted(refs)
    return next((ref for ref in known if link_id(ref) == link), known[0] if known else None)


def external_key(link: str) -> str:
    """Give the key that a deal of this link is created with."""
    return PREFIX + link


def follow_merges(links: Mapping[str, tuple[Ref, ...]], survivors: Mapping[Ref, Ref]) -> dict[str, tuple[Ref, ...]]:
    """Put the survivor of a merge in the place of the deal that was merged away, unless it stands in a link itself.

    `survivors` has what deals were merged into. Left alone, a survivor with a new id would seem to have no counterpart,
    and be given a second one.
    """
    taken = {ref for refs in links.values() for ref in refs}
    followed: dict[str, tuple[Ref, ...]] = {}
    for link in sorted(links):
        ends = {ref: end for ref in links[link] if (end := _end_of(ref, survivors)) not in taken}
        taken.update(ends.values())
        followed[link] = tuple(ends.get(ref, ref) for ref in links[link])
    return followed


def _end_of(ref: Ref, survivors: Mapping[Ref, Ref]) -> Ref:
    """Follow a deal through all its merges; one that was merged in a circle stays where it was."""
    seen = [ref]
    while (following := survivors.get(seen[-1])) is not None and following not in seen:
        seen.append(following)
    return ref if following is not None else seen[-1]


def match_deals(
    deals: Mapping[str, Sequence[Record]],
    companies: Mapping[Ref, Record],
    known: Mapping[str, tuple[Ref, ...]],
    rules: Iterable[Rule],
) -> Matched:
    """Link the deals of several connections.

    `deals` has each connection's deals, in the order in which connections count. Links that are known stay. A link
    has at most one deal per connection; when a rule fits several, none of them is linked and a person is asked.
    """
    links = {link: tuple(refs) for link, refs in known.items()}
    links = _join_by_key(deals, links)
    ambiguous: list[Blocked] = []
    for rule in rules:
        if rule != EXTERNAL_KEY:
            links, unclear = _join_by_rule(deals, companies, links, rule)
            ambiguous.extend(unclear)
    taken = {ref for refs in links.values() for ref in refs}
    ambiguous.extend(_orphan(d) for side in deals.values() for d in side if d.ref not in taken and _has_our_key(d))
    asked = {item.deal for item in ambiguous}
    single = tuple(d for side in deals.values() for d in side if d.ref not in taken and d.ref not in asked)
    return Matched(links=links, single=single, ambiguous=tuple(item for item in ambiguous if item.deal not in taken))


def _join_by_key(
    deals: Mapping[str, Sequence[Record]], links: dict[str, tuple[Ref, ...]]
) -> dict[str, tuple[Ref, ...]]:
    """Link deals that carry the same key, and a deal that carries a link's key to that link."""
    taken = {ref for refs in links.values() for ref in refs}
    by_key: dict[str, list[Ref]] = defaultdict(list)
    for side in deals.values():
        for deal in side:
            if deal.key and deal.ref not in taken:
                by_key[deal.key].append(deal.ref)
    joined = dict(links)
    for key, refs in by_key.items():
        link = key.removeprefix(PREFIX)
        start = joined.get(link) or _origin(deals, link)
        together = _one_each((*start, *refs))
        if len(together) > 1:
            joined[link if start else link_id(together[0])] = together
    return joined


def _origin(deals: Mapping[str, Sequence[Record]], link: str) -> tuple[Ref, ...]:
    """Find the deal that a link was made for, when only the created counterpart carries its key."""
    return next(((deal.ref,) for side in deals.values() for deal in side if link_id(deal.ref) == link), ())


def _join_by_rule(
    deals: Mapping[str, Sequence[Record]],
    companies: Mapping[Ref, Record],
    links: dict[str, tuple[Ref, ...]],
    rule: Rule,
) -> tuple[dict[str, tuple[Ref, ...]], list[Blocked]]:
    names = (rule,) if isinstance(rule, str) else rule
    link_of = {ref: link for link, refs in links.items() for ref in refs}
    present = {deal.ref for side in deals.values() for deal in side}
    groups: dict[tuple[str, ...], dict[str, list[Record]]] = defaultdict(lambda: defaultdict(list))
    for connection, side in deals.items():
        for deal in side:
            signature = _signature(deal, companies, names)
            if signature is not None:
                groups[signature][connection].append(deal)
    joined = dict(links)
    unclear: list[Blocked] = []
    for sides in groups.values():
        fresh = [deal for side in sides.values() for deal in side if deal.ref not in link_of]
        if len(sides) < 2 or not fresh:
            continue
        if any(len(side) > 1 for side in sides.values()):
            unclear.extend(_ask(deal, sides, names) for deal in fresh)
            continue
        together = tuple(deal.ref for side in sides.values() for deal in side)
        existing = {link_of[ref] for ref in together if ref in link_of}
        if len(existing) > 1:
            unclear.extend(_ask(deal, sides, names) for deal in fresh)
            continue
        link = next(iter(existing), link_id(together[0]))
        # A deal that was deleted and made again takes the place of the one that is gone.
        staying = [ref for ref in joined.get(link, ()) if ref in present]
        joined[link] = _one_each((*staying, *together, *joined.get(link, ())))
    return joined, unclear


def _ask(deal: Record, sides: Mapping[str, list[Record]], names: tuple[str, ...]) -> Blocked:
    others = {
        connection: ", ".join(other.ref.id for other in side)
        for connection, side in sides.items()
        if connection != deal.ref.connection
    }
    return Blocked(
        link=link_id(deal.ref),
        deal=deal.ref,
        name="link",
        reason=f"several deals have the same {' and '.join(names)}; a person must say which belong together",
        values=others,
    )


def _has_our_key(deal: Record) -> bool:
    return deal.key is not None and deal.key.startswith(PREFIX)


def _orphan(deal: Record) -> Blocked:
    """Ask about a deal that was created for another one which nobody knows any more; it may well be a double."""
    return Blocked(
        link=link_id(deal.ref),
        deal=deal.ref,
        name="link",
        reason="it was created for a deal that is not known any more (a connection that was renamed or left out?)",
        values={deal.ref.connection: deal.key},
    )


def _one_each(refs: Iterable[Ref]) -> tuple[Ref, ...]:
    """Keep the first ref of each connection."""
    found: dict[str, Ref] = {}
    for ref in refs:
        found.setdefault(ref.connection, ref)
    return tuple(found.values())


def _signature(deal: Record, companies: Mapping[Ref, Record], names: tuple[str, ...]) -> tuple[str, ...] | None:
    """Give what a rule compares: without case, accents composed, spaces folded; None if any part is empty."""
    values = [_look_up(deal, companies, name) for name in names]
    texts = [" ".join(unicodedata.normalize("NFC", show(v)).casefold().split()) for v in values if v not in {None, ""}]
    return tuple(texts) if len(texts) == len(values) else None


def _look_up(deal: Record, companies: Mapping[Ref, Record], name: str) -> Value:
    if not name.startswith("company."):
        return deal.fields.get(name)
    company = deal.fields.get("company")
    record = companies.get(Ref(deal.ref.connection, Kind.COMPANY, str(company))) if company else None
    return record.fields.get(name.removeprefix("company.")) if record else None
