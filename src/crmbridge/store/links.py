"""Links, and the bases that merges are measured against."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Row, bindparam, delete, select

from crmbridge.model.records import Kind, Ref
from crmbridge.model.values import Value, fields_from_text, fields_to_text
from crmbridge.store import schema
from crmbridge.store.database import Database, among, upsert, upsert_written
from crmbridge.store.records import by_kind
from crmbridge.store.schema import as_written
from crmbridge.store.written import storable

_links, _bases = schema.links, schema.bases
_bases_written = as_written(_bases)
_OLD = delete(_links).where(_links.c.link == bindparam("old"))


class SqlLinks:
    """Links and bases, in SQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def links(self) -> dict[str, tuple[Ref, ...]]:
        """Give all links by id, refs in order."""
        with self._database.read() as open_:
            return _by_link(open_.execute(select(_links).order_by(*_ORDER)))

    def get(self, links: Collection[str]) -> dict[str, tuple[Ref, ...]]:
        """Give the links of these ids, of those that there are, refs in order."""
        found: dict[str, tuple[Ref, ...]] = {}
        with self._database.read() as open_:
            for condition in among(_links.c.link, sorted(links)):
                found |= _by_link(open_.execute(select(_links).where(condition).order_by(*_ORDER)))
        return found

    def of(self, refs: Collection[Ref]) -> dict[Ref, str]:
        """Give the id of the link that each of these refs stands in, where it stands in one."""
        found: dict[Ref, str] = {}
        with self._database.read() as open_:
            for connection, kind, ids in by_kind(refs):
                for condition in among(_links.c.id, ids):
                    query = select(_links.c.id, _links.c.link).where(_links.c.connection == connection)
                    for row in open_.execute(query.where(_links.c.kind == kind, condition)):
                        found[Ref(connection, kind, row.id)] = row.link
        return found

    def save(self, links: Mapping[str, Sequence[Ref]]) -> None:
        """Create or replace links. A ref leaves the link it was in; a link without refs is no more."""
        if not links:
            return
        owner = {ref: link for link, refs in links.items() for ref in refs}
        rows = [{"connection": r.connection, "kind": r.kind, "id": r.id, "link": link} for r, link in owner.items()]
        with self._database.write() as open_:
            open_.execute(_OLD, [{"old": link} for link in links])
            upsert(open_, _links, rows)

    def bases(self, refs: Collection[Ref] | None = None) -> dict[Ref, dict[str, Value]]:
        """Give the base of these refs, or of every ref that has one, field by field."""
        with self._database.read() as open_:
            rows = open_.execute(select(_bases_written)) if refs is None else _bases_of(open_, refs)
            return {Ref(c, Kind(kind), id_): fields_from_text(text) for c, kind, id_, text in map(tuple, rows)}

    def save_bases(self, bases: Mapping[Ref, Mapping[str, Value]]) -> None:
        """Set the base of the fields named; the others stay."""
        if bases:
            with self._database.write() as open_:
                write_bases(open_, bases)


_ORDER = (_links.c.link, _links.c.connection, _links.c.kind, _links.c.id)


def _by_link(rows: Any) -> dict[str, tuple[Ref, ...]]:
    found: dict[str, list[Ref]] = defaultdict(list)
    for row in rows:
        found[row.link].append(Ref(row.connection, Kind(row.kind), row.id))
    return {link: tuple(refs) for link, refs in found.items()}


def _bases_of(open_: Connection, refs: Collection[Ref]) -> Iterator[Row[Any]]:
    table = _bases_written
    for connection, kind, ids in by_kind(refs):
        for condition in among(table.c.id, map(storable, ids)):
            of = (table.c.connection == connection, table.c.kind == kind.value, condition)
            yield from open_.execute(select(table).where(*of)).all()


def write_bases(open_: Connection, bases: Mapping[Ref, Mapping[str, Value]]) -> None:
    """Set the fields named of bases within a transaction that is already open; the other fields stay."""
    said = {(ref.connection, ref.kind.value, storable(ref.id)): fields for ref, fields in bases.items() if fields}
    rows_held = map(tuple, _bases_of(open_, [ref for ref in bases if bases[ref]]))
    held = {(connection, kind, id_): fields_from_text(text) for connection, kind, id_, text in rows_held}
    rows = [(*key, fields_to_text({**held.get(key, {}), **fields})) for key, fields in said.items()]
    upsert_written(open_, _bases, rows)
