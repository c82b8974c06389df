"""Notes that are copied one way: somebody asks for it when all is calm, and people write notes from then on."""

from __future__ import annotations

import copy
import random
from collections.abc import Mapping
from typing import Any

from crmbridge.model.changes import Plan
from crmbridge.testing.simulation.accounts import Account
from crmbridge.testing.simulation.diary import Diary
from crmbridge.testing.simulation.notes import NOTE, Notebook, judge_notes, notes_in
from crmbridge.testing.simulation.witness import Witness

OFTEN = 0.016  # in how many plays notes are copied
OTHER_WAY = 0.3  # in how many of those another CRM's notes are copied in the end
KINDS = ("user", "company", "contact", "deal")  # what is pulled when the settings don't say


class Noting:
    """Who asks for notes to be copied, and looks whether they were. The rest of a history does not depend on it."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(f"notes {seed}")  # noqa: S311  a seeded play, not a secret
        self.is_played = self.rng.random() < OFTEN
        self._sources: list[str] = []

    @property
    def edited(self) -> tuple[str, ...]:
        """What people edit then, beside fields: about as often as all of these."""
        return (NOTE,) * 12

    def wants_another(self) -> bool:
        """Tell whether the notes of another CRM are to be copied from now on."""
        return self.rng.random() < OTHER_WAY

    def ask(self, raw: Mapping[str, Any], diary: Diary) -> dict[str, Any]:
        """Give the settings with notes that are copied from a CRM that was none of the sources so far."""
        asked: dict[str, Any] = copy.deepcopy(dict(raw))
        source = self.rng.choice([name for name in sorted(asked["connections"]) if name not in self._sources])
        self._sources.append(source)
        also = self.rng.random() < 0.5  # whether the others' notes are read as well, for nothing
        for name, entry in asked["connections"].items():
            if name in self._sources or also:
                entry["kinds"] = [*(entry["kinds"] or KINDS), NOTE]
        asked["sync"][0]["notes"] = f"from: {source}"
        diary.note("a person", f"asks for the notes of {source} to be copied")
        return asked

    def judge(self, seen: Witness, book: Notebook, accounts: Mapping[str, Account], plan: Plan) -> None:
        """Check the notes in all CRMs, when all is calm."""
        notes = {name: notes_in(account.people) for name, account in accounts.items()}
        judge_notes(seen, book, notes, self._sources, plan)
