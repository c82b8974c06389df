"""The store on disk and the store in memory give the same answers, whatever is done to them in whatever order."""

import tempfile
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from crmbridge.errors import CrmbridgeError
from crmbridge.model.business_time import Duration
from crmbridge.model.changes import Blocked, Cause, Outcome, Receipt
from crmbridge.model.findings import Place, SlaClock, SlaState, Visit, Waiver
from crmbridge.model.records import Kind, Ref, Signature, Status, Tombstone
from crmbridge.model.values import Money
from crmbridge.ports import FindingQuery, Page, Run, StateStore
from crmbridge.store import open_store
from crmbridge.store.memory import MemoryStore
from crmbridge.store.sql.store import SqlStore
from crmbridge.testing.stores.makers import (
    HOUR,
    OPEN,
    START,
    WON,
    make_change,
    make_evaluation,
    make_finding,
    make_move,
    make_record,
)

# Few names and few times, so that the same things meet again and again.
ids = st.sampled_from(["1", "10", "2", "é", "B"])
MOMENTS = [START + n * HOUR for n in range(4)]
times = st.sampled_from(MOMENTS)
refs = st.builds(Ref, st.sampled_from(["hs", "sf"]), st.sampled_from([Kind.DEAL, Kind.COMPANY]), ids)
ALL_REFS = [
    Ref(c, k, id_) for c in ("hs", "sf") for k in (Kind.DEAL, Kind.COMPANY) for id_ in ("1", "10", "2", "é", "B")
]
DEALS = [ref for ref in ALL_REFS if ref.kind is Kind.DEAL]
values = st.sampled_from(
    [None, "", "a", "\x00\ud800", True, 1, Decimal("1.0"), Money(Decimal(5), "EUR"), ("a",), START]
)
fields = st.dictionaries(st.sampled_from(["name", "amount", "owner", "close_date"]), values)
records = st.builds(
    lambda ref, **other: make_record(ref.id, connection=ref.connection, kind=ref.kind, **other),
    refs,
    fields=fields,
    updated_at=times,
    version=st.sampled_from(["v1", "v2"]),
    key=st.none() | ids,
)
moves = st.builds(
    lambda id_, deal, **other: make_move(id_, deal=deal, **other),
    ids,
    ids,
    at=times,
    before=st.sampled_from([None, OPEN, WON]),
    after=st.sampled_from([OPEN, WON]),
)
tombstones = st.builds(Tombstone, ref=refs, at=times, merged_into=st.none() | refs)
pages = st.builds(
    Page,
    records=st.lists(records, max_size=4).map(tuple),
    moves=st.lists(moves, max_size=4).map(tuple),
    tombstones=st.lists(tombstones, max_size=2).map(tuple),
    cursor=ids,
)
bases = st.dictionaries(refs, fields, max_size=2)
receipts = st.builds(Receipt, change=ids, outcome=st.sampled_from(Outcome), ref=st.none() | refs, message=ids)


RULES = ("deal: name", "company of deal")
SIGNATURES = [Signature(rule, text) for rule in RULES for text in ("acme", "\ud800")]
signatures = st.sampled_from(SIGNATURES)
blocked = st.builds(Blocked, link=ids, deal=refs, name=ids, reason=ids, cause=st.sampled_from(Cause), values=fields)


def _waits_as(item: Blocked) -> Any:
    return item.link, item.deal, item.name, item.cause


@st.composite
def evaluations(draw: st.DrawFn) -> Any:
    """An evaluation with findings of its deal, visits in order and clocks on them."""
    deal = draw(ids)
    found = [make_finding(f"{deal}-{n}", deal=deal, seen=draw(fields)) for n in draw(st.sets(st.integers(0, 2)))]
    places = st.none() | st.builds(Place, st.none() | st.just("diagnosis"), st.sampled_from(Status))
    visits = [
        Visit(deal=make_record(deal).ref, stage="diagnosis", number=n, entered_at=draw(times), to=draw(places))
        for n in range(1, draw(st.integers(1, 3)))
    ]
    clocks = [
        SlaClock(
            visit=visit,
            sla="diagnosis.sla",
            calendar="office",
            limit=Duration.parse("1bh"),
            goal=HOUR,
            started_at=visit.entered_at,
            ended_at=draw(st.none() | times),
            pauses=tuple((at, None) for at in draw(st.lists(times, max_size=2))),
            elapsed=draw(st.timedeltas(timedelta(0), timedelta(days=4000))),
            due_at=draw(st.none() | times),
            state=draw(st.sampled_from(SlaState)),
        )
        for visit in visits
    ]
    until = draw(st.none() | times)
    return make_evaluation(deal, *found, visits=tuple(visits), clocks=tuple(clocks), until=until)


def attempt(call: Any, *arguments: Any) -> Any:
    """Do something and give the answer, or the class of the error."""
    try:
        return call(*arguments)
    except CrmbridgeError as error:
        return type(error)


class TwoStores(RuleBasedStateMachine):
    """Does everything to both stores, as one of two processes that have them open."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        url, memory = f"sqlite:///{Path(self.folder.name)}/state.db", MemoryStore()
        self.stores: tuple[StateStore, StateStore] = (open_store(url), memory)
        # The one process asks in plain SQL what a quiet run asks, the other one leaves all of it to SQLAlchemy.
        self.others: tuple[StateStore, StateStore] = (SqlStore.open(url), memory.again())
        self.held: list[Any] = []

    def both(self, call: Any) -> None:
        """Do the same to both, and compare what they say to it."""
        disk, memory = (attempt(call, store) for store in self.stores)
        assert memory == disk

    @rule(connection=st.sampled_from(["hs", "sf"]), page=pages, at=times)
    def save_page(self, connection: str, page: Page, at: Any) -> None:
        """Save a page."""
        self.both(lambda store: store.records.save_page(connection, Kind.DEAL, page, at))

    @rule(some=st.lists(records, max_size=3))
    def put(self, some: Any) -> None:
        """Replace single records."""
        self.both(lambda store: store.records.put(some))

    @rule(links=st.dictionaries(st.sampled_from(["L1", "L2"]), st.lists(refs, max_size=3)), new=bases)
    def link(self, links: Any, new: Any) -> None:
        """Save links and bases."""
        self.both(lambda store: store.links.save(links))
        self.both(lambda store: store.links.save_bases(new))

    @rule(some=st.lists(evaluations(), max_size=3), at=times)
    def evaluate(self, some: Any, at: Any) -> None:
        """Save evaluations."""
        self.both(lambda store: store.findings.save(some, at))

    @rule(deals=st.lists(refs, max_size=4), at=times)
    def forget(self, deals: Any, at: Any) -> None:
        """Forget deals."""
        self.both(lambda store: store.findings.forget(deals, at))

    @rule(deal=st.sampled_from(DEALS), by=ids, until=times, at=times)
    def waive(self, deal: Ref, by: str, until: Any, at: Any) -> None:
        """Accept what does not hold for a deal."""
        given = Waiver(deal=deal, rule="qualification.bant", by=by, why=by, until=until, at=at)
        self.both(lambda store: store.waivers.put(given))

    @rule(deal=st.sampled_from(DEALS), by=ids, at=times)
    def take_back(self, deal: Ref, by: str, at: Any) -> None:
        """Take a waiver back, if there is one."""
        self.both(lambda store: store.waivers.drop(deal, "qualification.bant", at, by))

    @rule(reader=ids, left=st.lists(refs, max_size=2), links=st.lists(st.sampled_from(["L1", "L2"]), max_size=2))
    def deal_with(self, reader: str, left: Any, links: Any) -> None:
        """Deal with what is pending, and leave some; the marks themselves are each store's own."""
        self.both(lambda store: store.backlog.dealt(reader, store.backlog.pending(reader)[0], left, links))

    @rule(some=st.lists(refs, max_size=3), reader=ids)
    def touch(self, some: Any, reader: str) -> None:
        """Let records count as changed, and forget a reader."""
        self.both(lambda store: store.backlog.touch(some))
        self.both(lambda store: store.backlog.forget([reader]))

    @rule(links=st.sets(ids, max_size=2), some=st.lists(blocked, max_size=3, unique_by=_waits_as), at=times)
    def wait(self, links: Any, some: Any, at: Any) -> None:
        """Let things wait for a person."""
        self.both(lambda store: store.waiting.replace(links, some, at))

    @rule(some=st.dictionaries(refs, st.sets(signatures, max_size=3), max_size=3))
    def sign(self, some: Any) -> None:
        """Say what records are matched by."""
        self.both(lambda store: store.matches.put(some))

    @rule(run=ids, some=st.lists(ids, max_size=3), at=times)
    def intend(self, run: str, some: Any, at: Any) -> None:
        """Write intents."""
        self.both(lambda store: store.journal.intend(run, [make_change(id_, reason=run) for id_ in some], at))

    @rule(run=ids, some=st.lists(receipts, max_size=3), new=bases, at=times)
    def settle(self, run: str, some: Any, new: Any, at: Any) -> None:
        """Write outcomes and bases, or be refused."""
        self.both(lambda store: store.journal.settle(run, some, new, at))

    @rule(id_=ids, at=times)
    def start(self, id_: str, at: Any) -> None:
        """Start a run, or be refused."""
        self.both(lambda store: store.runs.start(Run(id=id_, command="run", started_at=at)))

    @rule(id_=ids, at=times, code=st.integers(0, 12))
    def finish(self, id_: str, at: Any, code: int) -> None:
        """Finish a run, or be refused."""
        self.both(lambda store: store.runs.finish(id_, at, code, {"code": code}))

    @rule(some=st.lists(refs, max_size=3), at=times)
    def hint(self, some: Any, at: Any) -> None:
        """Hear that records may have changed, and read the oldest of them again."""
        self.both(lambda store: store.hints.add(some, at))
        self.both(lambda store: store.hints.done(store.hints.pending("hs")[:1]))

    @rule(name=ids, value=ids)
    def keep(self, name: str, value: str) -> None:
        """Keep something of an adapter's, and forget something."""
        self.both(lambda store: store.memory("hs").update({name: value}))
        self.both(lambda store: store.memory("hs").pop(value, None))

    @rule()
    def switch(self) -> None:
        """Go on as the other process, which may hold a lease of its own."""
        self.stores, self.others = self.others, self.stores

    @rule(at=times)
    def renew(self, at: Any) -> None:
        """Renew the lease, or be told that it is lost."""
        self.both(lambda store: store.runs.renew(at))

    @rule()
    def must_hold(self) -> None:
        """Ask whether the lease is still held."""
        self.both(lambda store: store.runs.must_hold())

    @rule(holder=ids, at=times)
    def take_lease(self, holder: str, at: Any) -> None:
        """Take the lease, or be refused."""
        leases = [store.runs.lease(holder, at, 2 * HOUR) for store in self.stores]
        disk, memory = (attempt(lease.__enter__) for lease in leases)
        assert memory == disk
        if memory is None:
            self.held.append(leases)

    @precondition(lambda self: self.held)
    @rule(which=st.integers(0, 9))
    def give_back(self, which: int) -> None:
        """Give back a lease, expired or not."""
        for lease in self.held.pop(which % len(self.held)):
            lease.__exit__(None, None, None)

    @invariant()
    def records_agree(self) -> None:
        """The same records, moves, tombstones and cursors."""
        for connection in ("hs", "sf"):
            self.both(lambda store, c=connection: store.records.cursors(c).get(Kind.DEAL))
            self.both(lambda store, c=connection: list(store.records.moves(c)))
            self.both(lambda store, c=connection: list(store.records.gone(c)))
            for kind in (Kind.DEAL, Kind.COMPANY):
                self.both(lambda store, c=connection, k=kind: list(store.records.records(c, k)))

    @invariant()
    def the_backlog_agrees(self) -> None:
        """The same is pending for each reader, the same waits, and the same matches."""
        for reader in ("1", "2"):
            self.both(lambda store, r=reader: store.backlog.pending(r)[1])
        self.both(lambda store: (store.backlog.readers(), store.waiting.all()))
        self.both(lambda store: (store.matches.find(SIGNATURES), store.matches.of(ALL_REFS)))
        self.both(lambda store: (store.links.get(["L1", "1"]), store.links.of(ALL_REFS), store.links.bases(ALL_REFS)))
        self.both(lambda store: (store.records.get(ALL_REFS), store.records.tombstones(ALL_REFS)))
        self.both(lambda store: store.records.last_known(ALL_REFS))
        self.both(lambda store: store.records.moves_for(ALL_REFS))
        self.both(lambda store: (store.findings.counts(), store.findings.due(START + HOUR)))

    @invariant()
    def the_rest_agrees(self) -> None:
        """The same links, bases, findings, journal and runs."""
        asked = ["1", "2", "none"]
        self.both(lambda store: (store.links.links(), store.links.bases()))
        self.both(lambda store: (store.findings.findings(), store.findings.findings(cleared=True)))
        self.both(lambda store: (list(store.findings.visits()), list(store.findings.clocks())))
        self.both(lambda store: (store.waivers.all(), store.findings.known(ALL_REFS), store.findings.open_deals()))
        for at in MOMENTS:
            self.both(lambda store, at=at: store.waivers.at(at))
        for query in (FindingQuery(), FindingQuery(states=frozenset({"open", "cleared"}), skip=1, limit=2)):
            self.both(lambda store, q=query: (list(store.findings.search(q)), store.findings.total(q)))
        for deal in DEALS:
            self.both(lambda store, d=deal: store.findings.events(d, "qualification.bant"))
        self.both(lambda store: (list(store.journal.entries()), list(store.journal.entries("1"))))
        self.both(lambda store: (store.journal.unsettled(), store.journal.outcomes(asked)))
        self.both(lambda store: (store.runs.runs(3), store.runs.last("run", MOMENTS[-1])))
        self.both(lambda store: [store.hints.pending(connection) for connection in ("hs", "sf")])
        self.both(lambda store: (dict(store.memory("hs")), len(store.memory("hs")), dict(store.memory("sf"))))

    def teardown(self) -> None:
        """Give the file back."""
        for disk, _ in (self.stores, self.others):
            disk.close()
        self.folder.cleanup()


TestTwoStores = TwoStores.TestCase
TestTwoStores.settings = settings(
    max_examples=30,
    phases=[phase for phase in Phase if phase is not Phase.shrink],  # shrinking takes minutes with real files
    stateful_step_count=20,
    deadline=None,  # nothing is timed
    suppress_health_check=[HealthCheck.too_slow],  # a real file each time
)
