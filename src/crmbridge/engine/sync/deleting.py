"""Deals that are gone from one CRM: what that means for their counterparts."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from types import MappingProxyType

from msgspec import Struct

from crmbridge.engine.sync.matching import link_id
from crmbridge.engine.sync.sameness import same
from crmbridge.model.changes import Blocked, Cause, Change
from crmbridge.model.records import BACK, Ref, Tombstone
from crmbridge.model.values import Value
from crmbridge.settings import Cap

# Stand in a base beside the names of fields, which never begin so.
# Of a deal: we took it out of the CRM's lists ourselves, or it went like all others of its link. It is not taken away
# again once somebody brought it back.
ARCHIVED = "@archived"
UNDONE = "@undone"  # of a deal: its creation was undone, so its place stays empty, and nobody follows
ENDED = "@ended"  # of a link: its deals are not kept in step any more
HAD = "@had"  # of a link: the records that left it, so that what is made in their place is another creation
MERGED = "@merged"  # of a link: the links whose deals were merged into one of its own


def with_lost(base: Mapping[str, Value], refs: Iterable[Ref]) -> tuple[str, ...]:
    """Give what a link has lost, by its own base, with these records as well."""
    known = base.get(HAD)
    return tuple(sorted({*(known if isinstance(known, tuple) else ()), *map(str, refs)}))


def lost_in(base: Mapping[str, Value], connection: str) -> list[str]:
    """Give what a link has lost of one connection, by its own base."""
    return [lost for lost in with_lost(base, ()) if lost.startswith(f"{connection}:")]


def lacks(base: Mapping[str, Value], spoken: Mapping[str, Value], decided: Mapping[str, Value]) -> bool:
    """Tell whether a deal, by its base, was never given what another one says and what was decided on for both.

    A write that failed, or that a kill kept from being sent, leaves the base as it was. A deal that we took away
    ourselves lacks nothing, as it is not to be given anything.
    """
    if base.get(ARCHIVED) or base.get(UNDONE):
        return False
    owed = {name: value for name, value in spoken.items() if name in base and name in decided}
    return any(same(value, decided[name]) and not same(value, base[name]) for name, value in owed.items())


class Merges(Struct, frozen=True, kw_only=True):
    """What merges have to do with a link.

    `elsewhere` has, for deals that were merged away, the survivor that stands in a link of its own, and after it the
    others of that link; `left_over`, by connection, counterparts of deals that were merged into the link's. People
    merge those as well, and not always into the link's own.
    """

    elsewhere: Mapping[Ref, Sequence[Ref]] = MappingProxyType({})
    left_over: Mapping[str, Ref] = MappingProxyType({})


class Gone(Struct, frozen=True, kw_only=True):
    """What became of one link whose deals are not all there.

    `deleted` is the deal that a person took away; `members` the link as it shall be; `archive` the counterparts that
    shall follow.
    """

    members: tuple[Ref, ...]
    deleted: Ref | None = None
    archive: tuple[Ref, ...] = ()
    ended: bool = False
    stopped: tuple[Blocked, ...] = ()


def judge_gone(
    link: str,
    members: Sequence[Ref],
    tombstones: Mapping[Ref, Tombstone],
    bases: Mapping[Ref, Mapping[str, Value]],
    *,
    present: Collection[Ref],
    edited: Collection[Ref],
    policy: str,
    merges: Merges,
) -> Gone:
    """Say what follows from the members that are gone.

    A member that is neither `present` nor has a tombstone is not known yet, and keeps its place. `edited` are the
    deals that hold an edit which did not get to the others yet: an edit beats a delete. The `tombstones`
    of deals that are no members are of other CRMs: people deleted them, and we took members away for that.
    """
    stopped = tuple(
        _merged(link, ref, others, merges.elsewhere[ref])
        for ref in members
        if ref in merges.elsewhere and (others := [other for other in members if other not in tombstones])
    )
    if stopped:
        return Gone(members=tuple(members), stopped=stopped)
    marks = {ref: bases.get(ref, {}) for ref in members}
    there = [ref for ref in members if ref in present]
    left = tuple(ref for ref in members if ref not in tombstones)
    ours = [ref for ref in members if marks[ref].get(ARCHIVED)]
    by_people = [ref for ref in members if ref in tombstones and ref not in ours and not marks[ref].get(UNDONE)]
    by_people = by_people or [ref for ref in tombstones if ref not in members]
    merged = next((ref for ref in by_people if ref.connection in merges.left_over), None)
    if there and merged is not None and policy != "never":
        return Gone(members=tuple(members), stopped=(_maybe_merged(link, merged, there, merges.left_over),))
    came_back = any(ref in there for ref in ours)
    # What somebody brought back, whoever took it away, is wanted as much as what somebody works on.
    wanted = {*edited, *(ref for ref in there if marks[ref].get(UNDONE) or marks[ref].get(BACK))}
    if came_back or (by_people and policy == "archive" and any(ref in wanted for ref in there)):
        return Gone(members=left)  # the others are made anew, where that is allowed
    if by_people:
        archive = tuple(there) if policy == "archive" else ()
        return Gone(members=tuple(members), deleted=by_people[0], archive=archive, ended=policy == "unlink")
    if not there:
        return Gone(members=tuple(members))
    # The one that a person had deleted is back, so what we took away for it is made anew.
    return Gone(members=tuple(ref for ref in members if ref not in ours or ref in left))


def _merged(link: str, ref: Ref, others: Sequence[Ref], elsewhere: Sequence[Ref]) -> Blocked:
    survivor, *counterparts = elsewhere
    names = ", ".join(map(str, others))
    connections = {other.connection for other in others}
    return Blocked(
        link=link,
        deal=others[0],
        name="link",
        reason=f"{ref} was merged into {survivor}, which has counterparts of its own; {names} may be merged into those",
        values={other.connection: other.id for other in counterparts if other.connection in connections},
        cause=Cause.LINK,
    )


def _maybe_merged(link: str, ref: Ref, there: Sequence[Ref], left_over: Mapping[str, Ref]) -> Blocked:
    rest = left_over[ref.connection]
    names = ", ".join(map(str, there))
    return Blocked(
        link=link,
        deal=there[0],
        name="link",
        reason=f"{ref} is gone and may have been merged into {rest}, whose counterpart was merged into one of {names}",
        values={rest.connection: rest.id},
        cause=Cause.LINK,
    )


def returned(deal: Ref, others: Iterable[Ref]) -> Blocked:
    """Ask about a deal that was deleted and is back, while these stand in the link that it had, one in its place."""
    return Blocked(
        link=link_id(deal),
        deal=deal,
        name="link",
        reason="it is back, and another deal was made in its place; a person must say which of the two belongs there",
        values={other.connection: other.id for other in others},
        cause=Cause.LINK,
    )


def hold_back(archives: Sequence[Change], cap: Cap, links: int) -> tuple[list[Change], list[Blocked]]:
    """Let archives through, or none of a connection's where they are more than the cap allows of `links` links."""
    by_connection: dict[str, list[Change]] = defaultdict(list)
    for change in archives:
        by_connection[change.connection].append(change)
    most = most_at_once(cap, links)
    kept = [change for part in by_connection.values() if len(part) <= most for change in part]
    held = [change for part in by_connection.values() if len(part) > most for change in part]
    return kept, [_held(change, len(by_connection[change.connection]), most) for change in held]


def most_at_once(cap: Cap, links: int) -> int:
    """Say how many deletions one plan may carry, of `links` links."""
    return max(cap.records, int(links * cap.percent / 100))


def hold_ends(ends: Mapping[str, tuple[Ref, Ref]], most: int) -> list[Blocked]:
    """Say of links that would end, each with the deal that is gone and one that is left, that they are too many."""
    return [
        Blocked(
            link=link,
            deal=left,
            name="delete",
            reason=f"{gone} was deleted; {len(ends)} links that end are more than the {most} allowed at once",
            cause=Cause.DELETE,
        )
        for link, (gone, left) in sorted(ends.items())
    ]


def _held(change: Change, count: int, most: int) -> Blocked:
    if change.target is None:
        raise TypeError("what is archived is there")
    return Blocked(
        link=change.link or "",
        deal=change.target,
        name="delete",
        reason=f"{change.reason}; {count} deletions in {change.connection} are more than the {most} allowed at once",
        cause=Cause.DELETE,
    )
