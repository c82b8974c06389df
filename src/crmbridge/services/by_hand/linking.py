"""Linking by hand: say that records are the same, or that they are not. No CRM is written to."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from itertools import islice

from msgspec import Struct

from crmbridge.engine.sync.deleting import ENDED, HAD, with_lost
from crmbridge.engine.sync.matching import link_id, link_of_key
from crmbridge.engine.sync.merge import decided_ref
from crmbridge.errors import ConfigurationError
from crmbridge.model.changes import Blocked, Cause
from crmbridge.model.records import Kind, Record, Ref
from crmbridge.services.by_hand.resolving import put_back
from crmbridge.services.by_hand.splitting import bases_of_deals, parted, still_decided
from crmbridge.services.links.apart import Bases, as_apart, as_together
from crmbridge.services.links.linking import own_link
from crmbridge.services.links.typed_refs import ref_of
from crmbridge.services.runs.cycle import finish, writing
from crmbridge.services.workspace import Workspace

_KINDS = (Kind.DEAL, Kind.COMPANY, Kind.CONTACT)  # what can be linked


class Linked(Struct, frozen=True, kw_only=True):
    """One link with its records, as far as they are known and not gone."""

    id: str
    refs: tuple[Ref, ...]
    records: Mapping[Ref, Record]

    @property
    def name(self) -> str:
        """What people call it: the name, or the e-mail, of the first record that has one."""
        return next((called for ref in self.refs if (called := called_by(self.records.get(ref)))), "")


class Unclear(Struct, frozen=True, kw_only=True):
    """A record of which nobody knows what it belongs to, and what it may."""

    item: Blocked
    record: Record | None
    candidates: tuple[Record, ...]


def called_by(record: Record | None) -> str:
    """Give what people call a record; nothing for one that is not known."""
    return str(record.fields.get("name") or record.fields.get("email") or "") if record else ""


class Listed(Struct, frozen=True, kw_only=True):
    """Some links by name, and how many there are of the kind that was asked for."""

    links: tuple[Linked, ...]
    count: int


def list_links(workspace: Workspace, text: str = "", kind: Kind = Kind.DEAL, limit: int = 50) -> Listed:
    """Give links of a kind with at least two records; with a text, those that have it in a name or ref.

    Without one, only the records of the links that are given are read, however many there are.
    """
    every = {
        link: refs
        for link, refs in sorted(workspace.store.links.links().items())
        if len(refs) > 1 and all(ref.kind is kind for ref in refs)
    }
    some = every if text else dict(islice(every.items(), limit))
    records = workspace.store.records.get([ref for refs in some.values() for ref in refs])
    found = [_linked(link, refs, records) for link, refs in some.items()]
    wanted = sorted(
        (one for one in found if _fits(one, text.casefold())), key=lambda one: (one.name.casefold(), one.id)
    )
    return Listed(links=tuple(wanted[:limit]), count=len(wanted) if text else len(every))


def show_link(workspace: Workspace, text: str) -> Linked:
    """Give one link, by its id or one of its records; raises ConfigurationError when there is none."""
    ref = ref_of(workspace, text)
    link = workspace.store.links.of([ref]).get(ref) if ref else text
    found = workspace.store.links.get([link]) if link else {}
    if not link or link not in found:
        raise ConfigurationError(f"There is no link of {text!r}", advice="`crmbridge links list` lists them.")
    return _linked(link, found[link], workspace.store.records.get(found[link]))


def list_unclear(workspace: Workspace) -> list[Unclear]:
    """Give the records of which nobody knows what they belong to, each with what it may belong to."""
    items = [one.item for one in workspace.store.waiting.all() if one.item.cause is Cause.LINK]
    candidates = {item.id: _candidates(workspace, item) for item in items}
    refs = {ref for found in candidates.values() for ref in found} | {item.deal for item in items}
    records = workspace.store.records.get(sorted(refs))
    return [
        Unclear(
            item=item,
            record=records.get(item.deal),
            candidates=tuple(records[ref] for ref in candidates[item.id] if ref in records),
        )
        for item in items
    ]


def join(workspace: Workspace, texts: Sequence[str]) -> Linked:
    """Say that records are the same: make a link of them, or extend the one that some of them are in.

    Raises ConfigurationError for two records of one connection, of two kinds, or of two links.
    """
    with writing(workspace, "links") as run:
        refs = _known(workspace, texts)
        _one_kind(refs)
        link, together = _together(workspace, refs)
        gone = [ref for ref in together if ref not in workspace.store.records.get(together)]
        together = tuple(ref for ref in together if ref not in gone)  # what is gone has no say in what was just said
        _one_each(together)
        owned = workspace.store.links.of(refs)
        emptied: dict[str, tuple[Ref, ...]] = {other: () for other in owned.values() if other != link}
        lost = _lost(workspace, link, gone)  # joined by hand, it is kept in step again
        # What a deal that comes to the link agreed on with others is no reason to write over what it holds.
        comers = set(together).difference(workspace.store.links.get([link]).get(link, ()))
        put_back(workspace, together)  # first, as whoever is killed in between would not know of it later
        workspace.store.links.save({**emptied, link: together}, lost | as_together(workspace, together), comers)
        _ask_no_longer(workspace, together, {link, *owned.values(), *map(link_id, together)})
        finish(workspace, run, "links", 0, {"joined": [str(ref) for ref in together]})
    return show_link(workspace, link)


def split(workspace: Workspace, text: str) -> Linked | None:
    """Say that a record is none of those in its link, or of those that it may be; give what is left of the link.

    Raises ConfigurationError for a record that is in no link with others, and may be in none.
    """
    with writing(workspace, "links") as run:
        (ref,) = _known(workspace, [text])
        link = workspace.store.links.of([ref]).get(ref)
        others = [other for other in workspace.store.links.get([link])[link] if other != ref] if link else []
        if link is None or not others:
            _tell_apart(workspace, ref)
            finish(workspace, run, "links", 0, {"split": str(ref)})
            return None
        lost = _lost(workspace, link, [ref] if link != link_id(ref) else others)
        put_back(workspace, [ref, *others])
        after = parted(workspace, link, ref, others)
        held = bases_of_deals(workspace, link, after)
        decided = still_decided(workspace, link, after, others)
        workspace.store.links.save(after, lost | held | decided | as_apart(workspace, ref, others), [ref])
        _ask_no_longer(workspace, [ref, *others], {link}, apart=ref)
        finish(workspace, run, "links", 0, {"split": str(ref)})
    return show_link(workspace, str(others[0])) if len(others) > 1 else None


def _tell_apart(workspace: Workspace, ref: Ref) -> None:
    """Say that a record is none of those that it may be."""
    items = [each.item for each in workspace.store.waiting.all() if each.item.deal == ref]
    asked = [item for item in items if item.cause is Cause.LINK]
    others = sorted(
        {other for item in asked for other in _candidates(workspace, item) if other.connection != ref.connection}
    )
    if not others:
        emptied = f"Empty the field for crmbridge's key in it, in {ref.connection}: it is a deal of its own then."
        advice = emptied if asked else "`crmbridge links list` lists them."
        raise ConfigurationError(f"{ref} is in no link with others", advice=advice)
    put_back(workspace, [ref, *others])
    workspace.store.links.save_bases(as_apart(workspace, ref, others))
    _ask_no_longer(workspace, [ref], {item.link for item in asked})


# ── How it is done ──────────────────────────────────────────────────────────────────────────────────────


def _linked(link: str, refs: Sequence[Ref], records: Mapping[Ref, Record]) -> Linked:
    return Linked(id=link, refs=tuple(refs), records={ref: records[ref] for ref in refs if ref in records})


def _fits(linked: Linked, text: str) -> bool:
    said = (linked.id, *map(str, linked.refs), *map(called_by, linked.records.values()))
    return any(text in one.casefold() for one in said)


def _candidates(workspace: Workspace, item: Blocked) -> list[Ref]:
    """Give the refs that a question about a link names, by connection; for the key of a link, those that are in it."""
    found: list[Ref] = []
    for connection, said in item.values.items():
        for native in (each.strip() for each in str(said or "").split(",")):
            if link := link_of_key(native):
                found += workspace.store.links.get([link]).get(link, ())
            elif native:
                found.append(Ref(connection, item.deal.kind, native))
    return found


def _known(workspace: Workspace, texts: Sequence[str]) -> list[Ref]:
    found: list[Ref] = []
    for text in texts:
        ref = ref_of(workspace, text)
        if ref is None or ref.kind not in _KINDS:
            raise ConfigurationError(
                f"{text!r} names no record", advice="Write it as hs:123 for a deal, hs:company:7 for a company."
            )
        found.append(ref)
    records = workspace.store.records.get(found)
    if missing := [str(ref) for ref in found if ref not in records]:
        said = f"{', '.join(missing)} {'is' if len(missing) == 1 else 'are'} not known, or gone"
        raise ConfigurationError(said, advice="Run `crmbridge pull`, and look at the id in the CRM.")
    return list(dict.fromkeys(found))


def _one_kind(refs: Sequence[Ref]) -> None:
    if len(refs) < 2:
        raise ConfigurationError("One record alone makes no link", advice="Name at least two.")
    if len({ref.kind for ref in refs}) > 1:
        raise ConfigurationError(
            "Records of different kinds are not the same thing", advice="Name deals only, or companies only."
        )


def _together(workspace: Workspace, refs: Sequence[Ref]) -> tuple[str, tuple[Ref, ...]]:
    """Give the link that the records are to be in, and all that is in it then."""
    owned = workspace.store.links.of(refs)
    links = workspace.store.links.get(set(owned.values()))
    shared = sorted(link for link, found in links.items() if len(found) > 1)
    if len(shared) > 1:
        takes = next(ref for ref in refs if owned.get(ref) == shared[1])
        raise ConfigurationError(
            f"These records are in {len(shared)} links: {', '.join(shared)}",
            advice=f"Take one out first, such as by `crmbridge links split {takes}`.",
        )
    order = {name: number for number, name in enumerate(workspace.connections)}
    ranked = sorted(refs, key=lambda ref: (order.get(ref.connection, len(order)), ref))
    link = next(iter(shared), None) or owned.get(ranked[0]) or own_link(workspace, ranked[0])
    return link, tuple(dict.fromkeys([*links.get(link, ()), *ranked]))


def _one_each(refs: Sequence[Ref]) -> None:
    seen: dict[str, Ref] = {}
    for ref in refs:
        if (other := seen.setdefault(ref.connection, ref)) != ref:
            raise ConfigurationError(
                f"{other} and {ref} are both of {ref.connection}, and a link has one record of each connection",
                advice=f"Merge them in {ref.connection}, or split one off: `crmbridge links split {other}`.",
            )


def _lost(workspace: Workspace, link: str, refs: Sequence[Ref]) -> Bases:
    """Say what left a link, which did not end: a counterpart made in its place is another one than it was."""
    base = workspace.store.links.bases([decided_ref(link)]).get(decided_ref(link), {})
    return {decided_ref(link): {HAD: with_lost(base, refs), ENDED: None}}


def _ask_no_longer(workspace: Workspace, refs: Sequence[Ref], links: Collection[str], apart: Ref | None = None) -> None:
    """Ask no longer what was just said, nor which value is to stand where one of them is of a deal that is `apart`."""
    items = [one.item for one in workspace.store.waiting.all() if one.item.link in links]
    said = [item for item in items if item.cause is Cause.LINK and item.deal in refs]
    said += [item for item in items if item.cause is Cause.CONFLICT and apart and apart.connection in item.values]
    workspace.store.waiting.replace(links, [item for item in items if item not in said], workspace.clock.now())
