"""Links, and the bases that merges are measured against."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

from sqlalchemy import Connection, bindparam, delete, select

from crmbridge.model.records import Kind, Ref
from crmbridge.model.values import Value, from_json, to_json
from crmbridge.store import schema
from crmbridge.store.database import Database, upsert

_links, _bases = schema.links, schema.bases


class SqlLinks:
    """Links and bases, in SQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def links(self) -> dict[str, tuple[Ref, ...]]:
        """Give all links by id, refs in order."""
        query = select(_links).order_by(_links.c.link, _links.c.connection, _links.c.kind, _links.c.id)
        found: dict[str, list[Ref]] = defaultdict(list)
        with self._database.read() as open_:
            for row in open_.execute(query):
                found[row.link].append(Ref(row.connection, Kind(row.kind), row.id))
        return {link: tuple(refs) for link, refs in found.items()}

    def save(self, links: Mapping[str, Sequence[Ref]]) -> None:
        """Create or replace links. A ref leaves the link it was in; a link without refs is no more."""
        if not links:
            return
        owner = {ref: link for link, refs in links.items() for ref in refs}
        rows = [{"connection": r.connection, "kind": r.kind, "id": r.id, "link": link} for r, link in owner.items()]
        with self._database.write() as open_:
            old = delete(_links).where(_links.c.link == bindparam("old"))
            open_.execute(old, [{"old": link} for link in links])
            upsert(open_, _links, rows)

    def bases(self) -> dict[Ref, dict[str, Value]]:
        """Give every base known, by ref and field."""
        query = select(_bases).order_by(_bases.c.connection, _bases.c.kind, _bases.c.id, _bases.c.field)
        found: dict[Ref, dict[str, Value]] = defaultdict(dict)
        with self._database.read() as open_:
            for row in open_.execute(query):
                found[Ref(row.connection, Kind(row.kind), row.id)][row.field] = from_json(row.value)
        return dict(found)

    def save_bases(self, bases: Mapping[Ref, Mapping[str, Value]]) -> None:
        """Set the base of the fields named; the others stay."""
        with self._database.write() as open_:
            write_bases(open_, bases)


def write_bases(open_: Connection, bases: Mapping[Ref, Mapping[str, Value]]) -> None:
    """Set bases within a transaction that is already open."""
    rows = [
        {"connection": ref.connection, "kind": ref.kind, "id": ref.id, "field": field, "value": to_json(value)}
        for ref, values in bases.items()
        for field, value in values.items()
    ]
    upsert(open_, _bases, rows)
