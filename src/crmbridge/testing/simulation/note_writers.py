"""People who write notes on deals, and take some off them."""

from __future__ import annotations

import random
from collections.abc import Mapping

from crmbridge.model.records import Ref
from crmbridge.testing.simulation.accounts import Account
from crmbridge.testing.simulation.diary import Diary
from crmbridge.testing.simulation.notes import Note, Notebook, notes_in
from crmbridge.testing.simulation.witness import Witness


class NoteWriters:
    """Whoever writes notes in any CRM. `book` says what they did."""

    def __init__(self, accounts: Mapping[str, Account], seen: Witness, rng: random.Random, diary: Diary) -> None:
        self._accounts = accounts
        self._seen = seen
        self._rng = rng
        self._diary = diary
        self.book = Notebook()

    def write_any(self) -> None:
        """Write a note on a deal that has counterparts, or take one off it."""
        deals = self._seen.deals()
        linked = [ref for refs in self._seen.links().values() if len(refs) > 1 for ref in refs if ref in deals]
        if linked:
            self.write(self._rng.choice(sorted(linked)))

    def write(self, deal: Ref) -> None:
        """Write a note on a deal, or take one off it, whoever wrote that."""
        there: list[Note] = []
        if self._rng.random() < 0.2:  # else nobody looks, as that costs much
            there = [note for note in notes_in(self._accounts[deal.connection].people) if deal in note.deals]
        if there:
            self._take_off(deal, self._rng.choice(there))
        else:
            self._write(deal)
        self._seen.noted(deal)

    def _take_off(self, deal: Ref, note: Note) -> None:
        self._accounts[deal.connection].do("delete_note", deal.id, note.ref.id)
        self.book.took(note)
        self._diary.note(deal.connection, f"a person takes the note {note.ref.id} off {deal.id}")

    def _write(self, deal: Ref) -> None:
        body = f"Note {self._rng.randint(1, 10_000)}\nThey say 5 < 6 & <b>more</b>."
        self.book.wrote(self._accounts[deal.connection].write_note(deal.id, body), deal, body)
        self._diary.note(deal.connection, f"a person writes a note on {deal.id}: {body!r}")
