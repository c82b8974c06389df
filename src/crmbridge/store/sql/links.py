"""Links, and the bases that merges are measured against."""

from __future__ import annotations

import functools
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence

from sqlalchemy import Connection, select

from crmbridge.model.records import Kind, Record, Ref
from crmbridge.model.values import StoredFields, Value, fields_from_text, fields_to_text
from crmbridge.ports import Linked
from crmbridge.store.plain import ALL_LINKS
from crmbridge.store.record_rows import READ_NAMES, record_at
from crmbridge.store.refs import by_kind, by_link, ref_of
from crmbridge.store.sql import schema
from crmbridge.store.sql.database import Database, upsert_written
from crmbridge.store.sql.schema import as_written
from crmbridge.store.sql.sparse import near_any
from crmbridge.store.sql.straight import Rows, chunks, delete_among, in_utf8, rows_among, run, run_among
from crmbridge.store.texts import storable

_links, _bases = schema.links, schema.bases
_bases_written = as_written(_bases, parsed=("fields",))
_links_written = as_written(_links)
_COLUMNS = tuple(_links_written.c["link", "connection", "kind", "id"])
_REF = ("connection", "kind", "id")
_UPDATED_AT = READ_NAMES.index("updated_at") - len(_REF)  # every record has it
# Of a record that is not there, or gone, all is NULL.
_AROUND = (
    *(f"links.{column.name}" for column in _COLUMNS),
    "bases.fields",
    *(f"records.{name}" for name in READ_NAMES if name not in _REF),
)
_FROM = (
    "FROM links "
    "LEFT JOIN bases ON bases.connection = links.connection AND bases.kind = links.kind AND bases.id = links.id "
    "LEFT JOIN records ON records.connection = links.connection AND records.kind = links.kind "
    "AND records.id = links.id AND records.gone_at IS NULL"
)
_LINK_OF = tuple(_links_written.c["id", "link"])


class SqlLinks:
    """Links and bases, in SQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def links(self) -> dict[str, tuple[Ref, ...]]:
        """Give all links by id, refs in order."""
        with self._database.read() as open_:
            return by_link(run(open_, ALL_LINKS, ()).fetchall())

    def get(self, links: Collection[str]) -> dict[str, tuple[Ref, ...]]:
        """Give the links of these ids, of those that there are, refs in order."""
        found: dict[str, tuple[Ref, ...]] = {}
        with self._database.read() as open_:
            for part in chunks(sorted(map(storable, links))):
                found |= by_link(rows_among(open_, _COLUMNS, "link", part))
        return found

    def around(self, links: Collection[str]) -> Linked:
        """Give the links of these ids, of those that there are, with their records and bases."""
        found: dict[str, list[Ref]] = defaultdict(list)
        records: dict[Ref, Record] = {}
        with self._database.read() as open_:
            of = {"connection": "", "kind": Kind.DEAL.value}
            rows = rows_among(open_, tuple(_bases_written.c["id", "fields"]), "id", sorted(links), of)
            own = {id_: fields_from_text(text) for id_, text in rows}
            bases = {Ref("", Kind.DEAL, id_): base for id_, base in own.items()}
            asked = ", ".join(in_utf8(each, open_) if each.endswith(".fields") else each for each in _AROUND)
            for part in chunks(sorted(map(storable, links))):
                members = run_among(open_, f"SELECT {asked} {_FROM}", "link", part, {})
                for link, connection, kind, id_, base, *record in members:
                    ref = ref_of(connection, kind, id_)
                    found[link].append(ref)
                    if base is not None:
                        bases[ref] = _read_like(own.get(link), base)
                    if record[_UPDATED_AT] is not None:
                        records[ref] = record_at(ref, record)
        return Linked({link: tuple(sorted(found[link])) for link in sorted(found)}, records, bases)

    def of(self, refs: Collection[Ref]) -> dict[Ref, str]:
        """Give the id of the link that each of these refs stands in, where it stands in one."""
        found: dict[Ref, str] = {}
        with self._database.read() as open_:
            for connection, kind, ids in by_kind(refs):
                of = {"connection": connection, "kind": kind.value}
                for some in near_any(open_, _links, "id", ids, of):
                    for id_, link in rows_among(open_, _LINK_OF, "id", some, of):
                        found[Ref(connection, kind, id_)] = link
        return found

    def save(
        self,
        links: Mapping[str, Sequence[Ref]],
        bases: Mapping[Ref, Mapping[str, Value]] | None = None,
        anew: Collection[Ref] = (),
    ) -> None:
        """Create or replace links, and set bases. A ref leaves the link it was in; a link without refs is no more."""
        if not links and not bases and not anew:
            return
        owner = {ref: link for link, refs in links.items() for ref in refs}
        rows = [(ref.connection, ref.kind.value, storable(ref.id), storable(link)) for ref, link in owner.items()]
        with self._database.write() as open_:
            if links:
                delete_among(open_, _links, "link", links)
                upsert_written(open_, _links, rows)
            for connection, kind, ids in by_kind(anew):
                delete_among(open_, _bases, "id", ids, {"connection": connection, "kind": kind.value})
            if bases:
                write_bases(open_, bases)

    def bases(self, refs: Collection[Ref] | None = None) -> dict[Ref, Mapping[str, Value]]:
        """Give the base of these refs, or of every ref that has one, field by field."""
        read = functools.cache(fields_from_text)  # a link's records and the link itself mostly have the same base
        with self._database.read() as open_:
            rows = open_.execute(select(_bases_written)) if refs is None else _bases_of(open_, refs)
            return {ref_of(connection, kind, id_): read(text) for connection, kind, id_, text in rows}

    def save_bases(self, bases: Mapping[Ref, Mapping[str, Value]]) -> None:
        """Set the base of the fields named; the others stay."""
        if bases:
            with self._database.write() as open_:
                write_bases(open_, bases)


def _read_like(other: StoredFields | None, text: str | bytes) -> StoredFields:
    """Read a base. A link's records and the link itself mostly have the same one, which is then one object."""
    return other if other is not None and other.text == text else fields_from_text(text)


def _bases_of(open_: Connection, refs: Collection[Ref]) -> Rows:
    for connection, kind, ids in by_kind(refs):
        of = {"connection": connection, "kind": kind.value}
        yield from rows_among(open_, tuple(_bases_written.c), "id", ids, of)


def write_bases(open_: Connection, bases: Mapping[Ref, Mapping[str, Value]]) -> None:
    """Set the fields named of bases within a transaction that is already open; the other fields stay."""
    said = {(ref.connection, ref.kind.value, storable(ref.id)): fields for ref, fields in bases.items() if fields}
    rows_held = _bases_of(open_, [ref for ref in bases if bases[ref]])
    held = {(connection, kind, id_): fields_from_text(text) for connection, kind, id_, text in rows_held}
    rows = []
    last: tuple[Mapping[str, Value], str] = {}, "{}"
    for key, fields in said.items():
        whole = {**held[key], **fields} if key in held else fields
        if not _are_the_same(whole, last[0]):
            last = whole, fields_to_text(whole)
        rows.append((*key, last[1]))
    upsert_written(open_, _bases, rows)


def _are_the_same(one: Mapping[str, Value], other: Mapping[str, Value]) -> bool:
    """Tell whether two bases are of the very same values, as those of a link that just came to be are.

    What is kept as text is not looked at: it needs no writing.
    """
    if type(one) is not dict or type(other) is not dict:
        return one is other
    return one.keys() == other.keys() and all(one[name] is other[name] for name in one)
