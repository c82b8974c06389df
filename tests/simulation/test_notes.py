"""What the oracle says of notes that were copied, and of those that were not."""

from __future__ import annotations

import pytest
from tests.unit.services.able import able_bench

from crmbridge.engine.sync.matching import PREFIX, link_id
from crmbridge.model.changes import Blocked, Cause, Plan
from crmbridge.model.records import Kind, Ref
from crmbridge.testing.simulation.fakes import sights_of
from crmbridge.testing.simulation.notes import Note, Notebook, judge_notes
from crmbridge.testing.simulation.witness import Witness
from crmbridge.testing.workspaces import MONDAY

LINK, BODY = "lnk1", "They want it in May"
WRITTEN = Ref("north", Kind.NOTE, "n1")
MARKER = f"{PREFIX}note:{link_id(WRITTEN)}"


class Deals:
    """Two linked deals; somebody wrote a note on the one in the north, whose notes are copied."""

    def __init__(self) -> None:
        bench = able_bench()
        self.links = bench.workspace.store.links
        self.north, self.south = (crm.create_deal("Rollout", stage="won") for crm in bench.crms.values())
        self.crms = bench.crms
        self.links.save({LINK: (self.north, self.south)})
        entry = bench.workspace.project.settings.sync[0]
        self.seen = Witness(bench.crms, sights_of(bench), lambda: bench.workspace.store, entry)
        self.book = Notebook()
        self.book.wrote(WRITTEN, self.north, BODY)
        self.there = {"north": [Note(WRITTEN, (self.north,), BODY)], "south": list[Note]()}

    def copy(self, *, to: Ref | None = None, body: str = BODY, marker: str = MARKER) -> Note:
        """Let a copy stand there: on the counterpart, and as it should be, unless said otherwise."""
        deal = to or self.south
        notes = self.there[deal.connection]
        notes.append(Note(Ref(deal.connection, Kind.NOTE, f"c{len(notes)}"), (deal,), body, marker))
        return notes[-1]

    def judge(self, *blocked: Blocked) -> None:
        """Let the oracle judge."""
        self.seen.links()
        plan = Plan(id="calm", made_at=MONDAY, settings="", changes=(), blocked=blocked)
        judge_notes(self.seen, self.book, self.there, ["north"], plan)


def test_a_note_that_was_copied_is_as_it_should_be() -> None:
    """Once, in its own words, on the counterpart; what the people of the south write stays there."""
    deals = Deals()
    deals.copy()
    theirs = Ref("south", Kind.NOTE, "s1")
    deals.book.wrote(theirs, deals.south, "No budget yet")
    deals.there["south"].append(Note(theirs, (deals.south,), "No budget yet"))

    deals.judge()


def test_a_note_that_got_nowhere_is_lost() -> None:
    """Nobody said anything of it."""
    with pytest.raises(AssertionError, match=r"P1: Note.* did not get to south:"):
        Deals().judge()


def test_a_note_that_was_refused_is_not_lost() -> None:
    """A person was told which, and where."""
    deals = Deals()
    values = {"south": BODY}

    deals.judge(Blocked(link=LINK, deal=deals.south, name="body", reason="", values=values, cause=Cause.REFUSED))
    with pytest.raises(AssertionError, match="P1"):
        deals.judge(Blocked(link=LINK, deal=deals.south, name="body", reason="", values={"south": "another"}))


def test_what_people_took_away_is_not_lost() -> None:
    """The copy, or the deal that the note hangs on."""
    taken, gone = Deals(), Deals()
    taken.book.took(taken.copy())
    taken.there["south"].clear()
    gone.crms["north"].delete_deal(gone.north.id)

    taken.judge()
    gone.judge()


def test_a_note_that_is_there_twice_is_doubled() -> None:
    """On one deal."""
    deals = Deals()
    deals.copy()
    deals.copy()

    with pytest.raises(AssertionError, match="P2: notes are doubled in south"):
        deals.judge()


def test_a_note_that_is_not_what_somebody_wrote_was_not_to_be_written() -> None:
    """Other words, nobody's, on a strange deal, or where it came from."""
    other, nobody, strange, back, against = (Deals() for _ in range(5))
    other.copy(body="They want it in June")
    nobody.copy(marker=f"{PREFIX}abc")
    strange.copy(to=strange.crms["south"].create_deal("Another", stage="won"))
    back.copy(to=back.north)
    theirs = Ref("south", Kind.NOTE, "s1")
    against.book.wrote(theirs, against.south, BODY)
    against.copy(to=against.north, marker=f"{PREFIX}note:{link_id(theirs)}")

    with pytest.raises(AssertionError, match=r"P4: .* is not what .* says"):
        other.judge()
    with pytest.raises(AssertionError, match="P4: nobody wrote"):
        nobody.judge()
    with pytest.raises(AssertionError, match=r"P4: .* is not on a deal of"):
        strange.judge()
    with pytest.raises(AssertionError, match=r"P4: .* came back"):
        back.judge()
    with pytest.raises(AssertionError, match=r"P4: .* though south is not copied"):
        against.judge()
