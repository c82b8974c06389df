"""Notes in a simulation: what people write on deals, and what is to become of it where notes are copied."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from crmbridge.engine.sync.matching import PREFIX, link_id
from crmbridge.model.changes import Cause, Plan
from crmbridge.model.records import Kind, Ref
from crmbridge.ports import Adapter
from crmbridge.testing.simulation.witness import Witness

NOTE = "note"  # stands among the fields that people edit
_MARKED = re.compile(rf"\n\s*\[?({PREFIX}[^\]\s]+)\]?\s*\Z")  # some CRMs are given it in brackets


class Note(NamedTuple):
    """A note as it stands in a CRM. What crmbridge wrote has its marker, what people wrote has none."""

    ref: Ref
    deals: tuple[Ref, ...]
    body: str
    marker: str = ""


class Notebook:
    """What people did with notes: what they wrote, and of which notes of crmbridge they took away."""

    def __init__(self) -> None:
        self.written: dict[Ref, Note] = {}
        self.taken: set[tuple[Ref, str]] = set()  # the deal, and the marker of what was taken off it

    def wrote(self, note: Ref, deal: Ref, body: str) -> None:
        """Note what somebody wrote on a deal."""
        self.written[note] = Note(note, (deal,), body)

    def took(self, note: Note) -> None:
        """Note what somebody deleted."""
        self.taken.update((deal, note.marker) for deal in note.deals)

    def by_marker(self) -> dict[str, Note]:
        """Give what people wrote, by the marker that a copy of it has."""
        return {f"{PREFIX}note:{link_id(ref)}": note for ref, note in self.written.items()}


def notes_in(adapter: Adapter) -> list[Note]:
    """Give the notes of an account as they are now."""
    records = (record for page in adapter.pull(Kind.NOTE, None) for record in page.records)
    found = []
    for record in records:
        body, deals = str(record.fields.get("body") or ""), record.fields.get("deals")
        on = tuple(Ref(record.ref.connection, Kind.DEAL, each) for each in (deals if isinstance(deals, tuple) else ()))
        marked = _MARKED.search(body)
        found.append(Note(record.ref, on, body[: marked.start()] if marked else body, marked[1] if marked else ""))
    return sorted(found)


def hung(notes: Iterable[Note]) -> set[tuple[Ref, str]]:
    """Give which marker hangs on which deal."""
    return {(deal, note.marker) for note in notes for deal in note.deals if note.marker}


def judge_notes(seen: Witness, book: Notebook, notes: Mapping[str, list[Note]], sources: list[str], plan: Plan) -> None:
    """Check what is in the CRMs when all is calm; `sources` are the CRMs whose notes were copied, the last one is now.

    A note is on each counterpart of its deal, once and in its own words, or a person is told that it was refused there;
    nothing else was written, nor anything back.
    """
    origins = book.by_marker()
    for each in (each for found in notes.values() for each in found if each.marker):
        _judge_copy(seen, each, origins.get(each.marker), sources)
    for connection, found in notes.items():
        counts = Counter((deal, each.marker) for each in found if each.marker for deal in each.deals)
        doubled = [pair for pair, count in counts.items() if count > 1 and pair[0] not in seen.was_shaken]
        assert not doubled, f"P2: notes are doubled in {connection}: {doubled}"
    there = {pair for found in notes.values() for pair in hung(found)} | book.taken
    marker_of = {note.ref: marker for marker, note in origins.items()}
    refused = {(i.deal, value) for i in plan.blocked if i.cause is Cause.REFUSED for value in i.values.values()}
    for note in notes[sources[-1]]:
        for deal in _owing(seen, note, plan) if note.ref in marker_of else ():
            arrived = (deal, marker_of[note.ref]) in there
            assert arrived or (deal, note.body) in refused, f"P1: {note} did not get to {deal}"


def _judge_copy(seen: Witness, copy: Note, origin: Note | None, sources: list[str]) -> None:
    connection = copy.ref.connection
    assert origin is not None, f"P4: nobody wrote {copy}"
    assert origin.ref.connection in sources, f"P4: {copy} was written though {origin.ref.connection} is not copied"
    assert origin.ref.connection != connection, f"P4: {copy} came back to where it was written"
    assert copy.body == origin.body, f"P4: {copy} is not what {origin} says"
    together = [members for members in seen.members.values() if members.intersection(origin.deals)]
    strange = [deal for deal in copy.deals if not any(deal in members for members in together)]
    assert not strange or not seen.was_shaken.isdisjoint(strange), f"P4: {copy} is not on a deal of {origin}"


def _owing(seen: Witness, note: Note, plan: Plan) -> Iterator[Ref]:
    """Give the deals that are to have a copy of a note: the counterparts of its own, but where nobody guesses."""
    held = {item.link for item in plan.blocked if item.cause is Cause.DELETE}
    deals = seen.deals()
    for link, refs in seen.links().items():
        told = link not in held and not seen.is_ended(link) and not seen.is_shaken(link)
        if told and any(deal in refs and deal in deals for deal in note.deals):
            yield from (ref for ref in refs if ref in deals and ref.connection != note.ref.connection)
