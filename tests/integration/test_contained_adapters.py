"""A bug in an adapter of somebody else ends what its connection does, and nothing more."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, cast

import pytest

from crmbridge.errors import AdapterBugError, RetryLaterError
from crmbridge.model.changes import Change, Receipt
from crmbridge.model.records import Kind, Move, Record, Ref, Tombstone
from crmbridge.model.replacing import replace
from crmbridge.ports import Adapter, Capabilities, Page
from crmbridge.services.containing import Contained
from crmbridge.services.runs.cycle import Cycle, run_cycle
from crmbridge.testing.factories import NOON, make_change
from crmbridge.testing.fake_adapter import FakeAdapter
from crmbridge.testing.fake_records import at as place
from crmbridge.testing.workspaces import Bench, fake_plugins, make_bench

SECRET = "\x1b[31mwhat a CRM said\u202e"


class Clumsy(FakeAdapter):
    """A fake that stumbles in one of its calls, over something that holds what a CRM said."""

    def __init__(self, inner: FakeAdapter, at: str) -> None:
        super().__init__(inner._crm)
        self._at = at

    def pull(self, kind: Kind, since: str | None) -> Iterator[Page]:
        """Stumble after the first page."""
        for page in super().pull(kind, since):
            yield page
            self._stumble("pull")

    def read(self, refs: Sequence[Ref], *, fields: Collection[str] | None = None) -> Mapping[Ref, Record]:
        """Stumble before anything is read."""
        self._stumble("read")
        return super().read(refs, fields=fields)

    def write(self, changes: Sequence[Change]) -> Sequence[Receipt]:
        """Stumble once it is written."""
        receipts = super().write(changes)
        self._stumble("write")
        return receipts

    def _stumble(self, at: str) -> None:
        if at == self._at:
            raise KeyError(SECRET)


class Mute(FakeAdapter):
    """A fake that gives no receipts."""

    def write(self, changes: Sequence[Change]) -> Sequence[Receipt]:
        """Write, and say something else."""
        super().write(changes)
        wrong: Any = ["done"]
        return list(wrong)


class Lazy(FakeAdapter):
    """A fake that gives its receipts one by one, while it writes."""

    def write(self, changes: Sequence[Change]) -> Sequence[Receipt]:
        """Write each change when its receipt is asked for."""
        write = super().write
        return cast("Sequence[Receipt]", (receipt for change in changes for receipt in write([change])))


class Stranger(FakeAdapter):
    """A fake that names its neighbour's deals as the ones that it made or found."""

    def find(self, kind: Kind, key: str, near: Ref | None) -> Ref | None:
        """Find one of the other connection."""
        return Ref("north", kind, "d1")

    def write(self, changes: Sequence[Change]) -> Sequence[Receipt]:
        """Write, and name one of the other connection."""
        return [replace(receipt, ref=Ref("north", Kind.DEAL, "d1")) for receipt in super().write(changes)]


class Confused(FakeAdapter):
    """A fake that says of its neighbour's deals that they moved, or are gone."""

    def __init__(self, inner: FakeAdapter, what: str) -> None:
        super().__init__(inner._crm)
        self._what = what

    def pull(self, kind: Kind, since: str | None) -> Iterator[Page]:
        """Give pages that say something of the other connection."""
        theirs = Ref("north", Kind.DEAL, "d1")
        said: dict[str, Any] = {
            "gone": {"tombstones": (Tombstone(ref=theirs, at=NOON),)},
            "moved": {"moves": (Move(deal=theirs, id="1", at=NOON, before=None, after=place("closing")),)},
        }[self._what]
        return (replace(page, **said) for page in super().pull(kind, since))


class Wrong(FakeAdapter):
    """A fake that gives something else than what it should."""

    def __init__(self, inner: FakeAdapter, wrong: str) -> None:
        super().__init__(inner._crm)
        self._wrong = wrong

    def pull(self, kind: Kind, since: str | None) -> Iterator[Page]:
        """Give pages whose records are none."""
        for page in super().pull(kind, since):
            yield cast("Page", None) if self._wrong == "nothing" else replace(page, records=self._spoilt(page.records))

    def read(self, refs: Sequence[Ref], *, fields: Collection[str] | None = None) -> Mapping[Ref, Record]:
        """Give records that are none."""
        found = super().read(refs, fields=fields)
        if self._wrong == "nothing":
            return cast("Mapping[Ref, Record]", None)
        return dict(zip(found, self._spoilt(tuple(found.values())), strict=True))

    def _spoilt(self, records: Sequence[Record]) -> tuple[Record, ...]:
        wrong: Any = {
            "dicts": lambda record: {"ref": record.ref, "fields": {}},
            "one that is none": lambda record: None,
            "another connection's": lambda record: replace(record, ref=Ref("north", record.ref.kind, record.ref.id)),
        }[self._wrong]
        return (*records[:-1], *map(wrong, records[-1:]))


WRONG = ("nothing", "dicts", "one that is none", "another connection's")


class Broken(FakeAdapter):
    """A fake that can't say what it can do, and can't be closed."""

    @property
    def capabilities(self) -> Capabilities:
        """Stumble."""
        raise KeyError(SECRET)

    def close(self) -> None:
        """Stumble."""
        raise KeyError(SECRET)


def ran(at: str) -> tuple[Bench, Cycle]:
    """Make a deal in the north, and run a cycle in which the adapter of the south stumbles."""
    bench = make_bench(
        deals=3,
        parts={"north": (0, 0), "south": (0, 0)},
        sync=[{"name": "main", "between": ["north", "south"], "create": ["south"]}],
    )
    clumsy = fake_plugins(bench.crms, wrap=lambda fake, name: _wrapped(fake, name, at))
    bench.crms["north"].create_deal("Rollout", stage="qualification", company="1")
    bench.clock.sleep(600)
    return bench, run_cycle(replace(bench.workspace, plugins=clumsy), "r1")


def _wrapped(fake: FakeAdapter, name: str, at: str) -> Adapter:
    if name != "south":
        return fake
    if at == "open":
        raise KeyError(SECRET)
    if at in {"gone", "moved"}:
        return Confused(fake, at)
    if at in WRONG:
        return Wrong(fake, at)
    mistaken = {"receipts": Mute, "stranger": Stranger}
    return mistaken[at](fake._crm) if at in mistaken else Clumsy(fake, at)


def test_the_other_connection_is_pulled_all_the_same() -> None:
    """The error names the connection, the call and the place, and says nothing of what the CRM said."""
    bench, cycle = ran("pull")
    ((name, error),) = cycle.errors

    assert ("south", True) == (name, isinstance(error, AdapterBugError))
    assert "south: its adapter stopped at a bug in its pull of " in error.message
    assert "KeyError at integration/test_contained_adapters.py:" in error.message
    assert SECRET not in error.message
    assert bench.workspace.store.records.get([Ref("north", Kind.DEAL, n) for n in bench.crms["north"].deal_ids()])


def test_one_that_can_not_be_opened_ends_nothing_but_its_connection(caplog: pytest.LogCaptureFixture) -> None:
    """Its class, or its module, stumbles before there is an adapter; that is written down once in a run."""
    bench, cycle = ran("open")

    assert [("south", True)] == [(name, isinstance(error, AdapterBugError)) for name, error in cycle.errors]
    assert "in its open (KeyError at integration/test_contained_adapters.py:" in cycle.errors[0][1].message
    assert ["south met a bug in its adapter"] == [record.getMessage() for record in caplog.records]
    assert bench.workspace.store.records.get([Ref("north", Kind.DEAL, n) for n in bench.crms["north"].deal_ids()])


@pytest.mark.parametrize("what", ["gone", "moved"])
def test_an_adapter_says_nothing_of_the_deals_of_another_connection(what: str) -> None:
    """A deletion that nobody made would go on to all that the deal is linked to."""
    bench, cycle = ran(what)
    deals = bench.crms["north"].deal_ids()

    assert [("south", True)] == [(name, isinstance(error, AdapterBugError)) for name, error in cycle.errors]
    assert len(deals) == len(bench.workspace.store.records.get([Ref("north", Kind.DEAL, n) for n in deals]))


@pytest.mark.parametrize("wrong", WRONG)
def test_what_is_no_record_of_the_connection_is_a_bug_of_its_adapter(wrong: str) -> None:
    """The other connection is pulled all the same; what is read now is looked at like what is pulled."""
    bench, cycle = ran(wrong)
    ((name, error),) = cycle.errors

    assert ("south", True) == (name, isinstance(error, AdapterBugError))
    assert bench.workspace.store.records.get([Ref("north", Kind.DEAL, n) for n in bench.crms["north"].deal_ids()])
    deal = bench.crms["south"].create_deal("Renewal", stage="qualification", company="1")
    with pytest.raises(AdapterBugError, match="in its read"):
        Contained("south", Wrong(FakeAdapter(bench.crms["south"]), wrong)).read([deal])


@pytest.mark.parametrize("at", ["write", "receipts", "stranger"])
def test_what_it_was_writing_is_unclear_and_is_looked_for_by_the_next_run(at: str) -> None:
    """The deal was made; it is found again, and none is made beside it."""
    bench, cycle = ran(at)
    unclear = bench.workspace.store.journal.unsettled()
    bench.clock.sleep(600)
    run_cycle(bench.workspace, "r2")

    assert ["south"] == [name for name, error in cycle.errors if isinstance(error, AdapterBugError)]
    assert unclear
    assert 1 == len(bench.crms["south"].named("Rollout"))


def test_what_it_finds_is_of_its_own_connection() -> None:
    """A deal of the other one would be taken for the one that was made here, and linked to itself."""
    bench = make_bench(deals=3, parts={"north": (0, 0), "south": (0, 0)})
    held = Contained("south", Stranger(bench.crms["south"]))

    with pytest.raises(AdapterBugError, match="in its find"):
        held.find(Kind.DEAL, "key", None)


def test_receipts_that_come_one_by_one_are_receipts() -> None:
    """They are looked at before they are used, and nothing of them is lost on the way."""
    bench = make_bench(deals=3, parts={"north": (0, 1)})
    deal = bench.crms["north"].deal_ids()[0]
    held = Contained("north", Lazy(bench.crms["north"]))
    change = make_change(connection="north", target=Ref("north", Kind.DEAL, deal))

    assert [change.id] == [receipt.change for receipt in held.write([change])]


def test_a_bug_in_closing_ends_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """What was done is done, and whatever ended the run, such as Ctrl-C, is what it ended with; it is told of."""
    bench = make_bench(deals=3, parts={"north": (0, 0)})
    Contained("north", Broken(bench.crms["north"])).close()

    assert ["north met a bug in its adapter"] == [record.getMessage() for record in caplog.records]


def test_what_it_can_do_is_asked_for_like_anything_else() -> None:
    """A bug there is the adapter's as well."""
    bench = make_bench(deals=3, parts={"north": (0, 0)})

    with pytest.raises(AdapterBugError, match="in its capabilities"):
        _ = Contained("north", Broken(bench.crms["north"])).capabilities


def test_each_call_is_held() -> None:
    """The errors that an adapter may raise pass as they are."""
    bench = make_bench(deals=3, parts={"north": (0, 0)})
    held = Contained("north", Clumsy(FakeAdapter(bench.crms["north"]), "read"))

    with pytest.raises(AdapterBugError, match="in its read"):
        held.read([Ref("north", Kind.DEAL, "1")])
    bench.crms["north"].blind = 1
    with pytest.raises(RetryLaterError):
        held.find(Kind.DEAL, "key", None)


class Misnaming(FakeAdapter):
    """A fake that names all deals by numbers."""

    @property
    def capabilities(self) -> Capabilities:
        """Say that it can name deals."""
        return replace(super().capabilities, names_all=frozenset({Kind.DEAL}))

    def name_all(self, kind: Kind) -> Collection[str] | None:
        """Give numbers."""
        return cast("Collection[str]", range(9))


def test_names_that_are_no_ids_make_nobody_gone() -> None:
    """All would be missing from them."""
    bench = make_bench(deals=3, parts={"north": (0, 0)})

    with pytest.raises(AdapterBugError, match="in its name_all"):
        Contained("north", Misnaming(bench.crms["north"])).name_all(Kind.DEAL)
    assert Contained("north", FakeAdapter(bench.crms["north"])).name_all(Kind.DEAL) is None
