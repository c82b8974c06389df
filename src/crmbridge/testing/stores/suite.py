"""What every state store must do, as tests to inherit: give the fixtures `store` and `again`, and run them.

class TestMyStore(StoreSuite):
    @pytest.fixture
    def store(self, tmp_path):
        store = MyStore(tmp_path / "state")
        yield store
        store.close()

    @pytest.fixture
    def again(self, store, tmp_path):
        again = MyStore(tmp_path / "state")
        yield again
        again.close()
"""

from __future__ import annotations

from decimal import Decimal

import pytest

from crmbridge.errors import StateError
from crmbridge.model.findings import (
    Visit,
)
from crmbridge.model.records import Kind, Ref, Tombstone
from crmbridge.model.replacing import replace
from crmbridge.model.values import Money, Value
from crmbridge.ports import Linked, Page, Run, StateStore
from crmbridge.testing.stores.clocks import ClockSuite
from crmbridge.testing.stores.courses import CourseSuite
from crmbridge.testing.stores.edits import EditSuite
from crmbridge.testing.stores.hints import HintSuite, MemorySuite, RateSuite
from crmbridge.testing.stores.journal import JournalSuite
from crmbridge.testing.stores.lease import LeaseSuite
from crmbridge.testing.stores.lives import LifeSuite
from crmbridge.testing.stores.makers import (
    HOUR,
    START,
    make_evaluation,
    make_finding,
    make_record,
    make_ref,
)
from crmbridge.testing.stores.records import AskingSuite, MoveSuite, RecordSuite, TombstoneSuite
from crmbridge.testing.stores.sync import BacklogSuite, MatchSuite, WaitingSuite


class LinkSuite:
    """Links and bases."""

    def test_links_come_back_with_their_refs_in_order(self, store: StateStore) -> None:
        """Whatever order they were saved in, and each ref once."""
        hs, sf = make_ref("1"), make_ref("1", "sf")
        store.links.save({"L1": [sf, hs, sf], "L2": [make_ref("2")]})
        store.links.save({})

        assert {"L1": (hs, sf), "L2": (make_ref("2"),)} == store.links.links()

    def test_a_saved_link_replaces_the_one_of_its_id(self, store: StateStore) -> None:
        """Refs that are not named any more are free, and a link without refs is none."""
        store.links.save({"L1": [make_ref("1"), make_ref("1", "sf")], "L2": [make_ref("2")]})
        store.links.save({"L1": [make_ref("1"), make_ref("1", "pd")], "L2": []})

        assert {"L1": (make_ref("1"), make_ref("1", "pd"))} == store.links.links()

    def test_bases_are_set_with_a_link(self, store: StateStore) -> None:
        """Or without one; other fields of theirs stay."""
        deal = make_ref("1")
        store.links.save({"L1": [deal]}, {deal: {"name": "A", "amount": None}})
        store.links.save({}, {deal: {"name": "B"}})
        store.links.save({"L1": [deal, make_ref("2")]}, {})

        assert {"L1": (deal, make_ref("2"))} == store.links.links()
        assert {deal: {"name": "B", "amount": None}} == store.links.bases()

    def test_what_was_agreed_with_a_ref_is_forgotten_with_its_link(self, store: StateStore) -> None:
        """Of the refs that are named, before anything is set."""
        one, two, three = make_ref("1"), make_ref("1", "sf"), make_ref("2")
        store.links.save({"L1": [one, two, three]}, {ref: {"name": "A", "amount": None} for ref in (one, two, three)})
        store.links.save({"L1": [one]}, {two: {"name": "B"}}, anew=[two, three, make_ref("9")])

        assert {one: {"name": "A", "amount": None}, two: {"name": "B"}} == store.links.bases()

    def test_a_ref_is_in_one_link(self, store: StateStore) -> None:
        """Saved under a second link, it leaves the first."""
        store.links.save({"L1": [make_ref("1"), make_ref("1", "sf")]})
        store.links.save({"L2": [make_ref("1"), make_ref("1", "pd")]})

        assert {"L1": (make_ref("1", "sf"),), "L2": (make_ref("1"), make_ref("1", "pd"))} == store.links.links()

    def test_a_base_is_set_field_by_field(self, store: StateStore) -> None:
        """The fields that are not named keep theirs; empty is a value too."""
        store.links.save_bases({make_ref(): {"name": "A", "amount": Money(Decimal("1.50"), "EUR"), "source": None}})
        store.links.save_bases({make_ref(): {"name": "B"}, make_ref("1", "sf"): {"name": "A"}, make_ref("2"): {}})
        store.links.save_bases({})

        expected = {
            make_ref(): {"name": "B", "amount": Money(Decimal("1.50"), "EUR"), "source": None},
            make_ref("1", "sf"): {"name": "A"},
        }
        assert expected == store.links.bases()
        assert {make_ref("1", "sf"): {"name": "A"}} == store.links.bases([make_ref("1", "sf"), make_ref("2")])
        assert store.links.bases([]) == {}

    def test_links_are_found_by_id_and_by_ref(self, store: StateStore) -> None:
        """Of deals, companies and contacts; what there is not is left out."""
        company, deal = make_ref("1", kind=Kind.COMPANY), make_ref("1")
        store.links.save({"L1": [make_ref("1", "sf"), deal], "L2": [company], "L3": [make_ref("3")]})

        assert {"L1": (deal, make_ref("1", "sf")), "L2": (company,)} == store.links.get({"L1", "L2", "L9"})
        assert {deal: "L1", company: "L2"} == store.links.of([deal, company, make_ref("9"), make_ref("1", "pd")])
        assert ({}, {}) == (store.links.get([]), store.links.of([]))

    def test_links_are_given_with_what_is_known_of_their_records(self, store: StateStore) -> None:
        """Records that are gone, or were never pulled, have none; a link's own base stands beside theirs."""
        here, gone, never, own = make_ref("1"), make_ref("1", "sf"), make_ref("1", "pd"), Ref("", Kind.DEAL, "L1")
        records = [make_record("1"), make_record("1", connection="sf")]
        for record in records:
            store.records.save_page(record.ref.connection, Kind.DEAL, Page(records=(record,), cursor="c"), START)
        tombstones = (Tombstone(ref=gone, at=START),)
        store.records.save_page("sf", Kind.DEAL, Page(tombstones=tombstones, cursor="d"), START)
        store.links.save({"L1": [here, gone, never], "L2": [make_ref("2")], "L3": [make_ref("3")]})
        bases: dict[Ref, dict[str, Value]] = {here: {"name": "A"}, gone: {"name": "B"}, own: {"name": "A"}}
        store.links.save_bases({**bases, make_ref("3"): {"name": "C"}})

        links = {"L1": (here, never, gone), "L2": (make_ref("2"),)}
        assert Linked(links, {here: records[0]}, bases) == store.links.around({"L1", "L2", "L9"})
        assert Linked({}, {}, {}) == store.links.around([])

    def test_links_and_bases_are_found_however_many_are_asked_for(self, store: StateStore) -> None:
        """More than one statement can name."""
        links = {f"L{number}": (make_ref(str(number)), make_ref(str(number), "sf")) for number in range(1200)}
        refs = [ref for members in links.values() for ref in members]
        store.links.save(links)
        store.links.save_bases({ref: {"name": ref.id} for ref in refs})
        store.links.save_bases({ref: {"owner": ref.connection} for ref in refs})

        assert links == store.links.get(list(links)) == store.links.around(list(links)).links
        assert {ref: link for link, members in links.items() for ref in members} == store.links.of(refs)
        assert {ref: {"name": ref.id, "owner": ref.connection} for ref in refs} == store.links.bases(refs)

    @pytest.mark.parametrize("text", ["a\x00b", "half \ud83d"], ids=ascii)
    def test_what_no_database_keeps_in_text_can_be_asked_for(self, store: StateStore, text: str) -> None:
        """It ends nothing: the others are found as always. In a base it is kept."""
        hostile = make_ref(text)
        store.links.save({text: [hostile], "L1": [make_ref()]})
        store.links.save_bases({hostile: {"name": "A"}, make_ref(): {text: text}})

        assert (make_ref(),) == store.links.get([text, "L1"])["L1"]
        assert store.links.of([hostile, make_ref()])[make_ref()] == "L1"
        assert {text: text} == store.links.bases([hostile, make_ref()])[make_ref()]
        store.links.save({text: []})
        assert {"L1": (make_ref(),)} == store.links.links()

    def test_links_can_be_left_as_a_whole(self, store: StateStore) -> None:
        """All that stands in them then, once, also where it was left by itself; more than one statement can name."""
        store.links.save({f"L{n:04}": (make_ref(f"{n:04}"), make_ref(f"{n:04}", "sf")) for n in range(1200)})
        store.backlog.dealt("r", 0, [make_ref("0001"), make_ref("9")], ["L0001", "gone", "half \ud83d", "a\x00b"])
        store.links.save({"L0001": (make_ref("0001"),)})

        assert (make_ref("0001"), make_ref("9"), make_ref("0001", "sf")) == store.backlog.pending("r")[1]
        store.backlog.dealt("r", 0, (), [f"L{n:04}" for n in range(1, 1200)])
        both = [make_ref(f"{n:04}", connection) for connection in ("hs", "sf") for n in range(1, 1200)]
        assert both[:1199] + both[1200:] == list(store.backlog.pending("r")[1])


class FindingSuite:
    """Findings and their life, and what goes with deals that are forgotten."""

    def test_a_finding_is_opened_once(self, store: StateStore) -> None:
        """It keeps its opening time while it holds, and shows its newest form."""
        first, later = make_finding(), make_finding(message="BANT 1/4", seen={"bant.need": None}, visit=2, path="x")
        store.findings.save([make_evaluation("1", first)], START)
        store.findings.save([make_evaluation("1", later)], START + HOUR)

        assert ((later, START, None),) == store.findings.findings()

    def test_a_finding_that_no_longer_holds_is_cleared(self, store: StateStore) -> None:
        """Its deal's other findings stay open, and other deals are left alone."""
        one, two, other = make_finding("f1"), make_finding("f2"), make_finding("f3", deal="2")
        store.findings.save([make_evaluation("1", one, two), make_evaluation("2", other)], START)
        store.findings.save([make_evaluation("1", two)], START + HOUR)
        store.findings.save([make_evaluation("1", two)], START + 2 * HOUR)

        assert ((two, START, None), (other, START, None)) == store.findings.findings()
        everything = ((one, START, START + HOUR), (two, START, None), (other, START, None))
        assert everything == store.findings.findings(cleared=True)

    def test_a_cleared_finding_that_holds_again_is_opened_again(self, store: StateStore) -> None:
        """With a new opening time."""
        store.findings.save([make_evaluation("1", make_finding())], START)
        store.findings.save([make_evaluation("1")], START + HOUR)
        store.findings.save([make_evaluation("1", make_finding())], START + 2 * HOUR)

        assert ((make_finding(), START + 2 * HOUR, None),) == store.findings.findings(cleared=True)

    def test_findings_come_oldest_first(self, store: StateStore) -> None:
        """By the time they were opened, then by id."""
        a, b, c = make_finding("a"), make_finding("b"), make_finding("c")
        store.findings.save([make_evaluation("1", c)], START)
        store.findings.save([make_evaluation("1", c, b, a)], START + HOUR)

        assert ["c", "a", "b"] == [stored.finding.id for stored in store.findings.findings()]

    def test_deals_can_be_forgotten(self, store: StateStore) -> None:
        """Their findings are cleared, their visits and clocks dropped; the other deals lose nothing."""
        kept, lost = make_finding("f1"), make_finding("f2", deal="2")
        visit = Visit(deal=make_ref("1"), stage="diagnosis", number=1, entered_at=START)
        gone = replace(visit, deal=make_ref("2"))
        evaluations = [make_evaluation("1", kept, visits=(visit,)), make_evaluation("2", lost, visits=(gone,))]
        store.findings.save(evaluations, START)
        store.findings.forget([make_ref("2"), make_ref("5")], START + HOUR)
        store.findings.forget([make_ref("2")], START + 2 * HOUR)

        assert ((kept, START, None), (lost, START, START + HOUR)) == store.findings.findings(cleared=True)
        assert [visit] == list(store.findings.visits())


class RunSuite:
    """Runs."""

    def test_runs_come_newest_first(self, store: StateStore) -> None:
        """As many as asked for."""
        for number in range(3):
            store.runs.start(Run(id=f"r{number}", command="run", started_at=START + number * HOUR))
        store.runs.start(Run(id="r9", command="run", started_at=START + 2 * HOUR))

        assert ["r9", "r2", "r1"] == [run.id for run in store.runs.runs(3)]

    def test_a_run_by_a_wrong_clock_does_not_stay_the_newest(self, store: StateStore) -> None:
        """They come as they were begun: one that a clock put into another year would hide the others until then."""
        for id_, started in (("r1", START), ("r2", START + 9000 * HOUR), ("r3", START + HOUR)):
            store.runs.start(Run(id=id_, command="run", started_at=started))

        assert ["r3", "r2", "r1"] == [run.id for run in store.runs.runs(3)]

    def test_a_finished_run_says_how_it_ended(self, store: StateStore) -> None:
        """Its summary is plain JSON."""
        store.runs.start(Run(id="r1", command="pull", started_at=START))
        store.runs.finish("r1", START + HOUR, 6, {"applied": 3, "by": {"hs": [1, None]}})

        expected = Run(
            id="r1",
            command="pull",
            started_at=START,
            finished_at=START + HOUR,
            exit_code=6,
            summary={"applied": 3, "by": {"hs": [1, None]}},
        )
        assert (expected,) == store.runs.runs(10)

    def test_a_run_is_found_by_its_id_however_many_came_since(self, store: StateStore) -> None:
        """The start of the id is enough; no letter in it stands for others."""
        for number, id_ in enumerate(("a-1", "a-2", "ab", "A-3", "b")):
            store.runs.start(Run(id=id_, command="run", started_at=START + number * HOUR))
        found = [[run.id for run in store.runs.runs(2, begins)] for begins in ("a-", "a", "a-1", "_-", "%", "")]

        assert [["a-2", "a-1"], ["ab", "a-2"], ["a-1"], [], [], ["b", "A-3"]] == found

    def test_the_last_run_of_a_command_is_the_newest_that_finished(self, store: StateStore) -> None:
        """A run that was killed is none."""
        for id_, command, hours in (("r1", "run", 0), ("r2", "run", 1), ("r3", "run", 2), ("r4", "pull", 3)):
            store.runs.start(Run(id=id_, command=command, started_at=START + hours * HOUR))
        for id_ in ("r2", "r1", "r4"):
            store.runs.finish(id_, START + 5 * HOUR, 0, {})
        last = store.runs.last("run", START + 5 * HOUR)

        assert last is not None
        assert last.id == "r2"
        assert store.runs.last("plan", START + 5 * HOUR) is None

    def test_a_run_of_the_future_is_not_the_last(self, store: StateStore) -> None:
        """The clock was wrong when it started, and is right again; it counts from its time on."""
        for id_, hours in (("r1", 0), ("r2", 9)):
            store.runs.start(Run(id=id_, command="run", started_at=START + hours * HOUR))
            store.runs.finish(id_, START + hours * HOUR, 0, {})
        found = [store.runs.last("run", START + hours * HOUR) for hours in (0, 8, 9)]

        assert ["r1", "r1", "r2"] == [run.id if run else None for run in found]

    def test_a_run_starts_once_and_ends_only_if_it_started(self, store: StateStore) -> None:
        """Anything else is an error, and changes nothing."""
        run = Run(id="r1", command="run", started_at=START)
        store.runs.start(run)
        with pytest.raises(StateError, match="r1"):
            store.runs.start(Run(id="r1", command="pull", started_at=START))
        with pytest.raises(StateError, match="r2"):
            store.runs.finish("r2", START, 0, {})

        assert (run,) == store.runs.runs(10)


class StoreSuite(
    RecordSuite,
    MoveSuite,
    AskingSuite,
    EditSuite,
    CourseSuite,
    TombstoneSuite,
    BacklogSuite,
    LinkSuite,
    WaitingSuite,
    MatchSuite,
    FindingSuite,
    LifeSuite,
    ClockSuite,
    JournalSuite,
    RunSuite,
    LeaseSuite,
    HintSuite,
    MemorySuite,
    RateSuite,
):
    """What every state store must do. Inherit it and give two fixtures, new for each test.

    `store` is a new and empty store. `again` is the same state opened once more, as another process would.
    """
