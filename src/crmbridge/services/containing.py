"""Contain: a bug in an adapter, ours or anybody's, is an error of its connection, and the others go on."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import PurePath

from crmbridge.errors import AdapterBugError, CrmbridgeError
from crmbridge.model.changes import Change, Receipt
from crmbridge.model.courses import Course
from crmbridge.model.records import Kind, Record, Ref
from crmbridge.ports import (
    Adapter,
    BoundTo,
    Capabilities,
    Description,
    Page,
    asks_ahead,
    names_all,
    tells_bound,
    tells_field_history,
)

log = logging.getLogger(__name__)


class Bugs:
    """The bugs that are met in the adapter of a connection, each of which is written down once."""

    def __init__(self, connection: str) -> None:
        self._connection = connection
        self._known: set[str] = set()  # their places

    @contextmanager
    def held(self, doing: str) -> Iterator[None]:
        """Make AdapterBugError of whatever comes that no adapter may raise."""
        try:
            yield
        except CrmbridgeError:
            raise
        except Exception as error:
            raise self._bug(doing, error) from error

    def _bug(self, doing: str, error: Exception) -> AdapterBugError:
        where = _told(error)
        bug = AdapterBugError(
            f"{self._connection}: its adapter stopped at a bug in its {doing} ({where})",
            advice="Please report it to who makes the adapter; other connections are not concerned.",
        )
        if where not in self._known:  # one that comes with each call is written down once
            self._known.add(where)
            bug.__cause__ = error
            log.error("%s met a bug in its adapter", self._connection, exc_info=bug)
        return bug


class Contained:
    """An adapter of which nothing but the errors of `crmbridge.errors` comes out.

    Anything else that it raises is a bug in it, and becomes AdapterBugError.
    """

    def __init__(self, connection: str, adapter: Adapter, bugs: Bugs | None = None) -> None:
        self._connection = connection
        self._adapter = adapter
        self._held = (bugs or Bugs(connection)).held

    @property
    def capabilities(self) -> Capabilities:
        """What the adapter can do."""
        with self._held("capabilities"):
            return self._adapter.capabilities

    def describe(self) -> Description:
        """Read what the account has."""
        with self._held("describe"):
            return self._adapter.describe()

    def ask_ahead(self, kinds: Sequence[Kind]) -> None:
        """Let it begin to ask for what will be pulled. A bug in that is told of and ends nothing: it is asked later."""
        with suppress(CrmbridgeError), self._held("ask_ahead"):
            if asks_ahead(self._adapter):
                self._adapter.ask_ahead(kinds)

    def pull(self, kind: Kind, since: str | None) -> Iterator[Page]:
        """Yield pages of what changed since a cursor."""
        with self._held(f"pull of {kind}"):
            for page in self._adapter.pull(kind, since):
                self._must_be_ours(page.records)
                self._must_name_ours(move.deal for move in page.moves)
                self._must_name_ours(tombstone.ref for tombstone in page.tombstones)
                yield page

    def read(self, refs: Sequence[Ref], *, fields: Collection[str] | None = None) -> Mapping[Ref, Record]:
        """Read records as they are now."""
        with self._held("read"):
            found = self._adapter.read(refs, fields=fields)
            self._must_be_ours(found.values())
            return found

    def find(self, kind: Kind, key: str, near: Ref | None) -> Ref | None:
        """Find a record past any index."""
        with self._held("find"):
            found = self._adapter.find(kind, key, near)
            self._must_name_ours([found] if found is not None else [])
            return found

    def write(self, changes: Sequence[Change]) -> Sequence[Receipt]:
        """Make changes. After an AdapterBugError nobody knows which of them were made."""
        with self._held("write"):
            receipts = tuple(self._adapter.write(changes))  # which may come one by one
            if not all(isinstance(receipt, Receipt) for receipt in receipts):
                raise TypeError("what is no receipt says nothing")
            self._must_name_ours(receipt.ref for receipt in receipts if receipt.ref is not None)
            return receipts

    def field_history(self, deals: Sequence[Record], fields: Collection[str], since: datetime) -> Iterable[Course]:
        """Read what fields held before."""
        with self._held("field_history"):
            if tells_field_history(self._adapter):
                yield from self._adapter.field_history(deals, fields, since)

    def name_all(self, kind: Kind) -> Collection[str] | None:
        """Give the ids of all records of a kind that are there; None where that would cost too much for now."""
        with self._held("name_all"):
            named = self._adapter.name_all(kind) if names_all(self._adapter, kind) else None
            found = None if named is None else frozenset(named)  # as it is looked up for each that is known
            if found is not None and not all(isinstance(each, str) for each in found):
                raise TypeError("what is no id names nothing")
            return found

    def bound_fields(self) -> Mapping[str, BoundTo]:
        """Give what each bound field is read from now."""
        with self._held("bound_fields"):
            found = dict(self._adapter.bound_fields()) if tells_bound(self._adapter) else {}
            if not all(isinstance(source, BoundTo) for source in found.values()):
                raise TypeError("what is no source names no field")
            return found

    def close(self) -> None:
        """Give back connections. A bug in that is told of and ends nothing: all is done, or ends otherwise."""
        with suppress(AdapterBugError), self._held("close"):
            self._adapter.close()

    def _must_be_ours(self, records: Iterable[object]) -> None:
        """Raise TypeError for what is no record, or one of another connection: it would be kept as if it were ours."""
        for record in records:
            if not isinstance(record, Record) or record.ref.connection != self._connection:
                raise TypeError("what is no record of the connection says nothing of it")

    def _must_name_ours(self, refs: Iterable[object]) -> None:
        """Raise TypeError for a record of another connection: its CRM never said that it moved, is gone or is there."""
        if not all(isinstance(ref, Ref) and ref.connection == self._connection for ref in refs):
            raise TypeError("what is no record of the connection says nothing of it")


def _told(error: Exception) -> str:
    """Say which error came and from where; never its text, which may hold what the CRM said."""
    frames = traceback.extract_tb(error.__traceback__)
    place = frames[-1] if frames else None
    where = f" at {'/'.join(PurePath(place.filename).parts[-2:])}:{place.lineno}" if place else ""
    return f"{type(error).__name__}{where}"
