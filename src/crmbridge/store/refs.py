"""Refs as they are read, and grouped by what they are of."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from itertools import groupby
from operator import itemgetter
from sys import intern

from crmbridge.model.records import Kind, Ref

_ref_of = partial(tuple.__new__, Ref)  # of its three parts: the usual way takes twice as long
KINDS = {each.value: each for each in Kind}  # looked up faster than made


def ref_of(connection: str, kind: str, id_: str) -> Ref:
    """Read a ref. There are few connections and very many refs, which share the names of theirs."""
    ref: Ref = _ref_of((intern(connection), KINDS[kind], id_))
    return ref


def by_link(rows: Iterable[Sequence[str]]) -> dict[str, tuple[Ref, ...]]:
    """Gather rows of link, connection, kind and id: the links in order, with their refs in order."""
    found: dict[str, list[Ref]] = defaultdict(list)
    for link, connection, kind, id_ in rows:
        found[link].append(ref_of(connection, kind, id_))
    return {link: tuple(sorted(found[link])) for link in sorted(found)}


def by_kind(refs: Iterable[Ref]) -> Iterator[tuple[str, Kind, list[str]]]:
    """Give connection and kind with the ids of these refs, each id once."""
    groups: dict[tuple[str, Kind], list[str]] = defaultdict(list)
    for of, some in groupby(dict.fromkeys(refs), itemgetter(0, 1)):
        groups[of] += [id_ for _, _, id_ in some]
    return ((*of, ids) for of, ids in groups.items())
