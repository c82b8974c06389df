"""Resting: what a run need not read again, and that nothing is missed by it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.services.able import TWO, able_bench

from crmbridge.errors import RetryLaterError
from crmbridge.model.records import Kind, Record, Ref
from crmbridge.model.replacing import replace
from crmbridge.ports import Page
from crmbridge.services.pull.pulling import ConnectionPull, pull
from crmbridge.services.runs.cycle import run_cycle, writing
from crmbridge.services.workspace import Workspace
from crmbridge.testing.fake_adapter import FakeAdapter
from crmbridge.testing.fake_crm import FakeCrm
from crmbridge.testing.workspaces import Bench, fake_plugins

ALL = {Kind.USER, Kind.COMPANY, Kind.CONTACT, Kind.DEAL}
QUARTER, HOUR = timedelta(minutes=15), timedelta(hours=1)
ANN = {"name": "Ann", "email": "ann@acme.example", "active": True}
FIRM = {"name": "Acme Ltd", "domain": "acme.example"}


class Watched(FakeAdapter):
    """Notes what is pulled, and may break off."""

    def __init__(self, crm: FakeCrm, asked: list[tuple[str, Kind]], broken: set[Kind]) -> None:
        super().__init__(crm)
        self._asked = asked
        self._broken = broken

    def pull(self, kind: Kind, since: str | None) -> Iterator[Page]:
        """Pull as usual, or fail."""
        self._asked.append((self._crm.connection, kind))
        if kind in self._broken:
            raise RetryLaterError("Not now")
        return super().pull(kind, since)


@dataclass
class Scene:
    """Two CRMs, of which all was read, and what was asked of them since."""

    bench: Bench
    workspace: Workspace
    asked: list[tuple[str, Kind]]
    broken: set[Kind]

    def pull(self, *, whole: bool = False) -> tuple[ConnectionPull, ...]:
        """Pull as a run does that comes a quarter of an hour later."""
        self.bench.clock.advance(QUARTER)
        self.asked.clear()
        return pull(self.workspace, whole=whole)

    def kinds(self, name: str = "north") -> set[Kind]:
        """Give what was asked of one of the CRMs."""
        return {kind for crm, kind in self.asked if crm == name}


def scene(*, first: bool = False, **options: object) -> Scene:
    """Make two CRMs with a linked deal and read all of both, unless this is to be done for the `first` time."""
    connections = {name: {"adapter": "fake", **options} for name in TWO}
    bench = able_bench(connections=connections)
    asked: list[tuple[str, Kind]] = []
    broken: set[Kind] = set()
    plugins = fake_plugins(bench.crms, wrap=lambda adapter, _: Watched(adapter._crm, asked, broken))
    made = Scene(bench=bench, workspace=replace(bench.workspace, plugins=plugins), asked=asked, broken=broken)
    bench.crms["north"].create_deal("Rollout", stage="qualification")
    if not first:
        cycle(made)
        cycle(made)
    return made


def cycle(made: Scene) -> None:
    """Do what `crmbridge run` does."""
    with writing(made.workspace, "run") as name:
        run_cycle(made.workspace, name)


def test_what_was_read_a_short_time_ago_is_not_asked_for_again() -> None:
    """Only deals are pulled, and the pull says what rested."""
    found = scene()
    pulled = found.pull()

    assert {Kind.DEAL} == found.kinds("north") == found.kinds("south")
    assert {(Kind.USER, Kind.COMPANY, Kind.CONTACT)} == {one.rested for one in pulled}


def test_a_first_pull_lets_nothing_rest() -> None:
    """It does not look whether all that deals name came with it; the run after it does."""
    found = scene(first=True)
    found.pull()
    found.pull()
    asked = found.kinds()
    found.pull()

    assert (ALL, {Kind.DEAL}) == (asked, found.kinds())


def test_after_the_time_that_the_settings_say_all_is_read() -> None:
    """An hour when nothing is said, and then they rest again."""
    found = scene()
    asked = []
    for _ in range(5):
        found.pull()
        asked.append(found.kinds() == ALL)

    assert [False, False, False, True, False] == asked


def test_nothing_rests_where_the_settings_say_so() -> None:
    """With `around_every: 0`, each run reads everything."""
    found = scene(around_every=0)
    found.pull()

    assert found.kinds() == ALL


def test_who_asks_for_a_pull_gets_all_of_it() -> None:
    """`crmbridge pull` and `crmbridge plan` read everything, and what follows may rest."""
    found = scene()
    found.pull(whole=True)
    asked = found.kinds()
    found.pull()

    assert (ALL, {Kind.DEAL}) == (asked, found.kinds())


NAMED: dict[str, Callable[[FakeCrm], object]] = {
    "owner": lambda crm: crm.put(Kind.USER, "new", ANN),
    "company": lambda crm: crm.put(Kind.COMPANY, "new", FIRM),
    "contacts": lambda crm: crm.put(Kind.CONTACT, "new", {"name": "Ann", "email": "ann@acme.example"}),
}


@pytest.mark.parametrize("field", NAMED)
def test_one_that_a_deal_names_is_read_at_once_in_all_connections(field: str) -> None:
    """A new seller, company or contact takes effect in the run in which a deal names it first."""
    found = scene()
    north, south = found.bench.crms["north"], found.bench.crms["south"]
    (deal,) = north.deal_ids()
    found.bench.clock.advance(QUARTER)
    for crm in (north, south):  # made by people on both sides a moment ago
        NAMED[field](crm)
    value = ("new",) if field == "contacts" else "new"
    north.edit_deal(deal, **{field: value})
    found.asked.clear()
    cycle(found)
    (there,) = south.deal_ids()

    assert value == south.deal(there).fields[field]
    assert ALL == found.kinds("north") == found.kinds("south")


def test_the_run_after_one_that_met_somebody_new_reads_all_again() -> None:
    """A CRM may show late what was just made; what it showed by then rests."""
    found = scene()
    north = found.bench.crms["north"]
    (deal,) = north.deal_ids()
    north.edit_deal(deal, owner="new")
    found.pull()
    north.put(Kind.USER, "new", ANN)  # as if the CRM had not listed her before
    asked = []
    for _ in range(2):
        found.pull()
        asked.append(found.kinds() == ALL)

    assert [True, False] == asked
    assert found.workspace.store.records.get([Ref("north", Kind.USER, "new")])


def test_one_that_is_known_wakes_nobody() -> None:
    """A deal that changes and names a known owner, even one that is gone, is no reason to read all."""
    found = scene()
    north = found.bench.crms["north"]
    north.put(Kind.USER, "ann", ANN)
    found.pull(whole=True)
    north.remove(Ref("north", Kind.USER, "ann"))
    found.pull(whole=True)
    (deal,) = north.deal_ids()
    north.edit_deal(deal, owner="ann")
    found.pull()

    assert {Kind.DEAL} == found.kinds()


def test_what_was_not_read_to_the_end_does_not_rest() -> None:
    """A run that failed at contacts is followed by one that reads them."""
    found = scene()
    found.bench.clock.advance(HOUR)
    found.broken.add(Kind.CONTACT)
    failed = [one.error is not None for one in found.pull()]
    found.broken.clear()
    found.pull()

    assert [True, True] == failed
    assert found.kinds() == ALL


def test_a_clock_that_was_put_back_lets_nothing_rest() -> None:
    """Else they would rest for as long as it was put back, and an hour more."""
    found = scene()
    found.pull(whole=True)
    found.bench.clock.advance(-2 * HOUR)
    found.pull()

    assert found.kinds() == ALL


def test_a_kind_that_is_asked_for_since_is_read() -> None:
    """What the settings named since was never read, so nothing rests."""
    found = scene(kinds=["user", "deal"])
    before = found.workspace.project
    all_kinds = {name: {"adapter": "fake", "kinds": [str(kind) for kind in ALL]} for name in TWO}
    changed = before.settings.model_validate({**before.settings.model_dump(mode="json"), "connections": all_kinds})
    found.workspace = replace(found.workspace, project=replace(before, settings=changed))
    found.pull()

    assert found.kinds() == ALL


Step = tuple[str, str, str, int]
STEPS = st.lists(
    st.tuples(
        st.sampled_from(TWO),
        st.sampled_from(("user", "company", "contact", "deal", "gone")),
        st.sampled_from(("a", "b")),
        st.integers(0, 25),
    ),
    max_size=12,
)


def play(made: Scene, steps: list[Step]) -> dict[Ref, Record]:
    """Let people do this, with a run after each step; give what is known after an hour in which nothing happens."""
    for where, what, native, minutes in steps:
        crm = made.bench.crms[where]
        made.bench.clock.advance(timedelta(minutes=minutes))
        if what == "gone":
            if Ref(where, Kind.USER, native) in crm.records:
                crm.remove(Ref(where, Kind.USER, native))
        elif what == "deal":
            for kind in (Kind.USER, Kind.COMPANY, Kind.CONTACT):
                for named in {"a", native}:
                    if Ref(where, kind, named) not in crm.records:
                        crm.put(kind, named, {"name": named})
            crm.create_deal(f"{native} {minutes}", owner=native, company=native, contacts=("a", native))
        else:
            crm.put(Kind(what), native, {"name": f"{native} {minutes}", "email": f"{native}@acme.example"})
        pull(made.workspace, whole=False)
        assert not unread(made)
    made.bench.clock.advance(HOUR)
    pull(made.workspace, whole=False)
    records = made.workspace.store.records
    return {record.ref: record for name in TWO for kind in ALL for record in records.records(name, kind)}


def unread(made: Scene) -> set[Ref]:
    """Name what a deal names and the CRM has, but the state has not."""
    found = set()
    for name, crm in made.bench.crms.items():
        for deal in map(crm.deal, crm.deal_ids()):
            contacts = deal.fields.get("contacts")
            named = [(Kind.CONTACT, each) for each in contacts] if isinstance(contacts, tuple) else []
            named += [(Kind.USER, str(deal.fields.get("owner"))), (Kind.COMPANY, str(deal.fields.get("company")))]
            found |= {Ref(name, kind, native) for kind, native in named} & crm.records.keys()
    return found - made.workspace.store.records.last_known(found).keys()


@given(steps=STEPS)
@settings(max_examples=40, deadline=None)
def test_resting_knows_in_the_end_what_reading_all_knows(steps: list[Step]) -> None:
    """Whatever people do: all that deals name is known at once, and the rest after an hour."""
    careful, resting = scene(around_every=0), scene()

    assert play(careful, steps) == play(resting, steps)
