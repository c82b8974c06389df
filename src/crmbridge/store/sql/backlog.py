"""What readers of the records have not dealt with yet, what waits for a person, and what records are matched by."""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from itertools import starmap

from sqlalchemy import Connection, bindparam, select

from crmbridge.model.changes import Blocked
from crmbridge.model.codec import blocked_from_json, blocked_to_json
from crmbridge.model.records import Kind, Ref, Signature
from crmbridge.ports import Waiting
from crmbridge.store.refs import by_kind, ref_of
from crmbridge.store.sql import schema
from crmbridge.store.sql.database import Database, give_mark, insert_written, next_mark, upsert, upsert_written
from crmbridge.store.sql.schema import as_written
from crmbridge.store.sql.straight import Fixed, chunks, delete_among, place, rows_among, run
from crmbridge.store.texts import all_storable, json_text, storable
from crmbridge.store.waiting_rows import called, in_order

_records, _left, _readers, _marks = schema.records, schema.left_over, schema.readers, schema.marks
_links, _waiting, _matches = schema.links, schema.waiting, schema.matches
_matches_written = as_written(_matches)
_REF = ("connection", "kind", "id")
_STREAM = 1000  # rows read at a time
_LAST_MARK = select(_marks.c.mark)
_READ_UPTO = select(_readers.c.mark).where(_readers.c.reader == bindparam("by"))
_CHANGED = select(*_records.c[_REF]).where(_records.c.mark > bindparam("since"), _records.c.mark <= bindparam("upto"))
_LEFT_BY = select(*_left.c[_REF]).where(_left.c.reader == bindparam("by"))
# The database sorts them and drops what is there twice: a first look has millions.
_PENDING = _CHANGED.union(_LEFT_BY).order_by(*_REF)
_READERS = select(_readers.c.reader)
_ALL_WAITING = select(_waiting.c.item, _waiting.c.since)


class SqlBacklog:
    """What readers have not dealt with yet, in SQL.

    Every transaction that saves records takes the next mark and gives it to those that changed. As it holds the last
    mark until it commits, whatever commits later has a higher one: nothing can appear below a mark that was read.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def pending(self, reader: str) -> tuple[int, tuple[Ref, ...]]:
        """Give the mark that all of this reaches to, and the refs that are pending, ordered."""
        with self._database.read() as open_:
            upto = open_.execute(_LAST_MARK).scalar() or 0
            since = open_.execute(_READ_UPTO, {"by": reader}).scalar() or 0
            asked = {"since": since, "upto": upto, "by": reader}
            rows = open_.execution_options(yield_per=_STREAM).execute(_PENDING, asked)
            return upto, tuple(starmap(ref_of, rows))

    def dealt(self, reader: str, mark: int, left: Collection[Ref] = (), links: Collection[str] = ()) -> None:
        """Note that a reader has dealt with everything up to a mark, but for what it left: records, and whole links."""
        name, kept = storable(reader), sorted({_storable(ref) for ref in left})
        with self._database.write() as open_:
            upsert_written(open_, _readers, [(name, mark)])
            delete_among(open_, _left, "reader", [name])
            for part in chunks(kept):  # not the rows of all at once, as it may be everything
                insert_written(open_, _left, [(name, ref.connection, ref.kind.value, ref.id) for ref in part])
            for some in chunks(links):
                _leave(open_, name, some)

    def touch(self, refs: Collection[Ref]) -> None:
        """Let these records count as changed for every reader."""
        with self._database.write() as open_:
            give_mark(open_, refs, next_mark(open_))

    def readers(self) -> frozenset[str]:
        """Name the readers that there are."""
        with self._database.read() as open_:
            return frozenset(open_.execute(_READERS).scalars())

    def forget(self, readers: Collection[str]) -> None:
        """Forget readers; one that comes back begins with everything."""
        if readers:
            with self._database.write() as open_:
                for table in (_readers, _left):
                    delete_among(open_, table, "reader", readers)


def _leave(open_: Connection, reader: str, links: Sequence[str]) -> None:
    """Note that what stands in some links was left. It may be very much, so it stays in the database."""
    mark = place(open_)
    marks = ", ".join([mark] * len(links))
    members = f"SELECT {mark}, connection, kind, id FROM {_links} WHERE link IN ({marks})"  # noqa: S608  names of ours
    run(open_, f"INSERT INTO {_left} {members} ON CONFLICT DO NOTHING", (reader, *all_storable(links)))


class SqlWaiting:
    """What waits for a person, in SQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def replace(self, links: Collection[str], items: Sequence[Blocked], at: datetime) -> None:
        """Put these in the place of everything that waits under these links; what waited already keeps its time."""
        rows = [_waiting_row(item) for item in items]
        named = sorted({*links, *(item.link for item in items)})
        with self._database.write() as open_:
            held = rows_among(open_, tuple(_waiting.c[_SINCE]), "link", named)
            since = {tuple(key): datetime.fromisoformat(at) for *key, at in held}  # of hardly any link
            delete_among(open_, _waiting, "link", {link for link, *_ in since}.intersection(map(storable, links)))
            upsert(open_, _waiting, [row | {"since": since.get(_key(row), at)} for row in rows])

    def all(self) -> tuple[Waiting, ...]:
        """Give everything that waits, ordered by deal, name and reason."""
        with self._database.read() as open_:
            rows = open_.execute(_ALL_WAITING).all()
        found = [Waiting(blocked_from_json(row.item), row.since) for row in rows]
        return tuple(sorted(found, key=in_order))


def _storable(ref: Ref) -> Ref:
    id_ = storable(ref.id)
    return ref if id_ == ref.id else ref._replace(id=id_)


_KEYS = ("link", "connection", "kind", "id", "name", "cause")
_SINCE = (*_KEYS, "since")


def _waiting_row(item: Blocked) -> dict[str, object]:
    return {
        "link": item.link,
        "connection": item.deal.connection,
        "kind": item.deal.kind,
        "id": item.deal.id,
        "name": called(item),
        "cause": item.cause,
        "item": blocked_to_json(item),
    }


def _key(row: Mapping[str, object]) -> tuple[str, ...]:
    return tuple(storable(str(row[name])) for name in _KEYS)


class SqlMatches:
    """What records are matched by, in SQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def put(self, signatures: Mapping[Ref, Collection[Signature]]) -> None:
        """Set the signatures of these refs in the place of those they had."""
        with self._database.write() as open_:
            rows: list[tuple[str, ...]] = []
            for connection, kind, ids in by_kind(signatures):
                of = {"connection": connection, "kind": kind.value}
                held = _held_digests(open_, ids, of)
                wanted = {storable(id_): _digests(signatures[Ref(connection, kind, id_)]) for id_ in ids}
                other = {id_: found for id_, found in wanted.items() if found.keys() != held.get(id_, _NO_DIGESTS)}
                delete_among(open_, _matches, "id", [id_ for id_ in other if id_ in held], of)
                rows += [
                    (digest, *of.values(), id_, storable(each.rule), json_text(each.text))
                    for id_, found in other.items()
                    for digest, each in found.items()
                ]
            upsert_written(open_, _matches, sorted(rows))  # as they lie in the table

    def of(self, refs: Collection[Ref]) -> dict[Ref, tuple[Signature, ...]]:
        """Give the signatures of those of these refs that have any, ordered."""
        with self._database.read() as open_:
            held = _held(open_, refs)
        return {
            Ref(connection, Kind(kind), id_): tuple(sorted(Signature(rule, json.loads(text)) for _, rule, text in rows))
            for (connection, kind, id_), rows in held.items()
        }

    def find(self, signatures: Collection[Signature]) -> dict[Signature, tuple[Ref, ...]]:
        """Give the refs that have each of these signatures, ordered; signatures that none has are left out."""
        by_digest = {_digest(each): each for each in signatures}
        found: dict[Signature, list[Ref]] = defaultdict(list)
        table = _matches_written
        with self._database.read() as open_:
            columns = tuple(table.c["digest", "connection", "kind", "id"])
            for digest, connection, kind, id_ in rows_among(open_, columns, "digest", sorted(by_digest)):
                found[by_digest[digest]].append(Ref(connection, Kind(kind), id_))
        return {each: tuple(sorted(refs)) for each, refs in found.items()}


Key = tuple[str, str, str]


def _held(open_: Connection, refs: Collection[Ref]) -> dict[Key, list[tuple[str, str, str]]]:
    """Give the signatures of refs as they are stored: digest, rule and text, by connection, kind and id."""
    found: dict[Key, list[tuple[str, str, str]]] = defaultdict(list)
    columns = tuple(_matches_written.c["id", "digest", "rule", "text"])
    for connection, kind, ids in by_kind(refs):
        of = {"connection": connection, "kind": kind.value}
        for id_, digest, rule, text in rows_among(open_, columns, "id", ids, of):
            found[connection, kind.value, id_].append((digest, rule, text))
    return found


_NO_DIGESTS: frozenset[str] = frozenset()


def _held_digests(open_: Connection, ids: Iterable[str], of: Fixed) -> dict[str, set[str]]:
    """Give what tells the signatures of some records apart; the index has it, so nothing else is read."""
    found: dict[str, set[str]] = defaultdict(set)
    for id_, digest in rows_among(open_, tuple(_matches_written.c["id", "digest"]), "id", ids, of):
        found[id_].add(digest)
    return found


def _digests(signatures: Iterable[Signature]) -> dict[str, Signature]:
    return {_digest(each): each for each in signatures}


def _digest(signature: Signature) -> str:
    text = f"{signature.rule}\x1f{signature.text}".encode("utf-8", "surrogatepass")
    return hashlib.blake2b(text, digest_size=16).hexdigest()
