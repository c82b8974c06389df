"""What stands between the engine and one CRM: there faults, people and kills come in, and the oracle looks on."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import httpx
from msgspec import Struct

from crmbridge.model.changes import Change, Receipt
from crmbridge.model.records import Kind, Record, Ref
from crmbridge.ports import Adapter, BoundTo, Capabilities, Description, Page, asks_ahead, names_all, tells_bound
from crmbridge.testing.simulation.telling import tell_answer, tell_changes, tell_receipts

if TYPE_CHECKING:
    from crmbridge.testing.simulation.play import Play

# What can go wrong with a request; those that end a connection's part of the run come seldom.
FAULTS = (
    "drop_before", "drop_after", "timeout_before", "timeout_after", "limit", "limit_after", "error_500", "error_503",
    "reset", "cut_body", "cut_json", "drip", "wrong_type", "html", "html_json", "empty_body", "partial", "lag",
)  # fmt: skip
SELDOM = ("limit_day", "revoked")


class Line:
    """What passes between the engine and one CRM, where faults, people and kills come in."""

    def __init__(self, play: Play, connection: str) -> None:
        self._play = play
        self._connection = connection

    def asked(self, request: httpx.Request) -> None:
        """Let come in what comes in before a request."""
        play = self._play
        play.process.fuse.check()
        writes = play.process.writing == self._connection and request.method != "GET"
        if writes:
            play.process.fuse.burn()
        play.beside.asked(writes=writes)
        if play.rng.random() < play.weather.meddling:
            play.people.act(play.process.exposed)
        if play.rng.random() < (play.weather.writing if writes else play.weather.reading):
            fault = play.rng.choice(FAULTS if play.rng.random() < 0.95 else SELDOM)
            play.spent |= fault == "limit_day"
            play.scene.accounts[self._connection].sandbox.faults.plan(fault)

    def answered(self, request: httpx.Request, status: int, fault: str) -> None:
        """Note the answer, and pass the boundary after a write."""
        play = self._play
        tell_answer(play.diary, self._connection, request, status, fault)
        if play.process.writing == self._connection and request.method != "GET":
            play.scene.accounts[self._connection].look_again()  # whoever acts next sees what was written
            play.process.fuse.burn()
            play.beside.answered()


class Watched(Struct):
    """An adapter that is watched at every write, and in whose calls nothing breaks unnoticed."""

    inner: Adapter
    play: Play
    connection: str

    @property
    def capabilities(self) -> Capabilities:
        """What the adapter can do."""
        return self.inner.capabilities

    def describe(self) -> Description:
        """Describe the account."""
        with self.play.process.breaking.noted():
            return self.inner.describe()

    def ask_ahead(self, kinds: Sequence[Kind]) -> None:
        """Ask ahead."""
        with self.play.process.breaking.noted():
            if asks_ahead(self.inner):
                self.inner.ask_ahead(kinds)

    def pull(self, kind: Kind, since: str | None) -> Iterator[Page]:
        """Pull."""
        with self.play.process.breaking.noted():
            yield from self.inner.pull(kind, since)
        self.play.seen.looks(self.connection, kind)

    def read(self, refs: Sequence[Ref], *, fields: Collection[str] | None = None) -> Mapping[Ref, Record]:
        """Read, and let nobody come between this and the write that follows, where the CRM can't."""
        # What is looked at may be written next. Where the CRM can't hold it until then, an edit after that is one that
        # nobody could see: the docs say so, and here nobody makes it, nor between the requests that one look may take.
        if not self.capabilities.conditional_write:
            self.play.process.exposed |= {self.connection}
        with self.play.process.breaking.noted():
            found = self.inner.read(refs, fields=fields)
            self.play.seen.reads(found)
            return found

    def name_all(self, kind: Kind) -> Collection[str] | None:
        """Name all."""
        with self.play.process.breaking.noted():
            return self.inner.name_all(kind) if names_all(self.inner, kind) else None

    def bound_fields(self) -> Mapping[str, BoundTo]:
        """Tell what the bound fields stand for."""
        with self.play.process.breaking.noted():
            return self.inner.bound_fields() if tells_bound(self.inner) else {}

    def find(self, kind: Kind, key: str, near: Ref | None) -> Ref | None:
        """Find."""
        with self.play.process.breaking.noted():
            return self.inner.find(kind, key, near)

    def write(self, changes: Sequence[Change]) -> Sequence[Receipt]:
        """Write, with the oracle looking on."""
        with self.play.process.breaking.noted():
            return self._write(changes)

    def close(self) -> None:
        """Close the adapter."""
        with self.play.process.breaking.noted():
            self.inner.close()

    def _write(self, changes: Sequence[Change]) -> Sequence[Receipt]:
        self.play.process.fuse.burn()
        self.play.beside.answered()
        if not self.play.process.was_outdone:  # else nothing of it is to be sent
            self.play.oracle.before_write(changes)
            self.play.process.promised.sends(list(changes))
            tell_changes(self.play.diary, "write", changes)
        with self.play.scene.accounts[self.connection].counting(changes), self.play.writing_to(self.connection):
            receipts = self.inner.write(changes)
        tell_receipts(self.play.diary, changes, receipts)
        self.play.process.fuse.burn()
        return receipts
